//! What the files of `[auth]` hold: read at the start, checked, and never read again.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Config;
use super::api_key::{ApiKey, ApiKeys, LINE_ALLOWED};
use super::error::ConfigError;
use super::verifying_key::{KEY_ALLOWED, VerifyingKey};

/// Public keys of one server: without a `kid`, each of one algorithm may be tried against a token.
pub const VERIFYING_KEYS_MAX: usize = 64;

/// Bytes of a file of keys.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// All credentials of the configuration but the HS256 secret and the static tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Keyring {
    /// Public keys of PEM files and of the JWK set.
    pub verifying: Vec<VerifyingKey>,
    /// Those of `auth.api_keys`, then those of the file.
    pub api_keys: ApiKeys,
}

impl Keyring {
    /// Reads the files that `config` names, relative to `folder`.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else, by key, path, and for API keys line.
    pub fn read(config: &Config, folder: &Path) -> Result<Self, ConfigError> {
        let auth = &config.auth;
        let mut keyring = Keyring { verifying: Vec::new(), api_keys: auth.api_keys.clone() };
        for file in &auth.public_keys {
            let key = text(folder, &file.0).and_then(|pem| VerifyingKey::from_pem(&pem));
            let key = key.map_err(|why| {
                let problem = format!("{why}; must be a PEM file with one PUBLIC KEY, {KEY_ALLOWED}");
                refuse(config, "public_keys", &file.0, &problem)
            })?;
            keyring.verifying.push(key);
        }
        if let Some(path) = &auth.jwks {
            let keys = text(folder, path).and_then(|json| VerifyingKey::from_jwks(&json));
            keyring.verifying.extend(keys.map_err(|why| {
                let problem = format!("{why}; must be a JWK set with public keys, each {KEY_ALLOWED}");
                refuse(config, "jwks", path, &problem)
            })?);
        }
        if keyring.verifying.len() > VERIFYING_KEYS_MAX {
            let problem =
                format!("there must be at most {VERIFYING_KEYS_MAX} keys in auth.public_keys and auth.jwks");
            let key = if auth.jwks.is_some() { "jwks" } else { "public_keys" };
            return Err(ConfigError::new(
                format!("auth.{key}"),
                Some(config.source("auth", key).clone()),
                problem,
            ));
        }
        if let Some(path) = &auth.api_keys_file {
            let added = text(folder, path).and_then(|text| add_lines(&mut keyring.api_keys, path, &text));
            added.map_err(|why| {
                let problem = format!("{why}; must be a file of lines {LINE_ALLOWED}");
                refuse(config, "api_keys_file", path, &problem)
            })?;
        }
        Ok(keyring)
    }

    /// Whether it lets nobody in.
    pub fn is_empty(&self) -> bool {
        self.verifying.is_empty() && self.api_keys.is_empty()
    }
}

/// Adds the key of each line that is neither blank nor a comment.
fn add_lines(keys: &mut ApiKeys, path: &Path, text: &str) -> Result<(), String> {
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let added = ApiKey::read_line(line).and_then(|key| keys.add(key));
        added.map_err(|why| format!("{}:{}: {why}", path.display(), n + 1))?;
    }
    Ok(())
}

fn refuse(config: &Config, key: &str, path: &Path, problem: &str) -> ConfigError {
    let source = config.source("auth", key).clone();
    ConfigError::new(format!("auth.{key}"), Some(source), problem).with_value(format!("{path:?}"))
}

fn text(folder: &Path, path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(folder.join(path))
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}
