//! What must hold between values, and what should.

use super::error::ConfigError;
use super::key::Key;
use super::limits::FRAME_HEADER_BYTES;
use super::{AuthMode, Config, Dialect, Listen, SECTIONS, Secret};

/// Length below which a secret can be searched for (RFC 7518 section 3.2 asks HS256 keys for 32 bytes).
const SECRET_BYTES: usize = 32;

/// Holds the values against each other.
///
/// # Errors
/// The first contradiction.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    check_listeners(config)?;
    check_credentials(config)?;
    check_tls(config)?;
    check_persona(config)?;
    check_sizes(config)
}

/// An error about `section.key` with its effective value and source.
fn refuse(config: &Config, section: &str, key: &str, problem: String) -> ConfigError {
    let error =
        ConfigError::new(format!("{section}.{key}"), Some(config.source(section, key).clone()), problem);
    match shown(config, section, key) {
        Some((declared, value)) if !declared.secret => error.with_value(value.to_string()),
        _ => error,
    }
}

fn shown(config: &Config, section: &str, key: &str) -> Option<(&'static Key, toml::Value)> {
    let index = SECTIONS.iter().find(|info| info.name == section)?.keys.iter().position(|k| k.name == key)?;
    let (info, values) = config.values().find(|(info, _)| info.name == section)?;
    Some((&info.keys[index], values.into_iter().nth(index)??))
}

fn check_listeners(config: &Config) -> Result<(), ConfigError> {
    let refuse = |problem| Err(refuse(config, "server", "listen", problem));
    let listen = &config.server.listen;
    if listen.is_empty() {
        return refuse("must name at least one address".into());
    }
    // The kernel would split connections between two sockets of one address, whatever their dialects.
    let taken =
        |(n, one): (usize, &Listen)| one.addr.port() != 0 && listen[..n].iter().any(|l| l.addr == one.addr);
    if let Some(n) = listen.iter().enumerate().position(taken) {
        return refuse(format!("{} must not be given twice", listen[n].addr));
    }
    if config.server.ws_auth == Dialect::Echo {
        let problem = "must be one of sge, nexus, gator, aegisx, tusk".into();
        return Err(self::refuse(config, "server", "ws_auth", problem));
    }
    Ok(())
}

fn check_credentials(config: &Config) -> Result<(), ConfigError> {
    let pem = |secret: &Secret| secret.expose().trim_start().starts_with("-----BEGIN");
    if config.auth.jwt_secret.as_ref().is_some_and(pem) {
        let problem = "is a PEM file, and whoever has it could sign; must be a secret, public keys belong in \
                       auth.public_keys";
        return Err(refuse(config, "auth", "jwt_secret", problem.into()));
    }
    let opened = config.auth_mode() == AuthMode::Open && config.source("auth", "mode").by_hand();
    if config.is_local() || opened || config.auth.jwt_secret.is_some() || !config.keyring.is_empty() {
        return Ok(());
    }
    let problem = "a listener that is not on loopback needs --jwt-secret (SECRET_KEY, auth.jwt_secret), an \
                   --api-key, a file of keys (auth.public_keys, auth.jwks, auth.api_keys_file), or --auth open by hand";
    Err(refuse(config, "server", "listen", problem.into()))
}

fn check_tls(config: &Config) -> Result<(), ConfigError> {
    let tusk = &config.tusk;
    let problem = match (tusk.ssl_enabled, &tusk.ssl_cert, &tusk.ssl_key) {
        (false, ..) => return Ok(()),
        (true, Some(_), Some(_)) => {
            "TLS is not part of this version: end it in a proxy in front, and set false"
        }
        (true, ..) => "must be false unless both tusk.ssl_cert and tusk.ssl_key name a file",
    };
    Err(refuse(config, "tusk", "ssl_enabled", problem.into()))
}

fn check_persona(config: &Config) -> Result<(), ConfigError> {
    let key = config.gator.persona_api_key.as_ref();
    if key.is_none_or(|key| key.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
        return Ok(());
    }
    let problem = "must be visible ASCII, since it stands in a header of HTTP";
    Err(refuse(config, "gator", "persona_api_key", problem.into()))
}

fn check_sizes(config: &Config) -> Result<(), ConfigError> {
    let limits = &config.limits;
    let most = limits.max_message_bytes as u64;
    let least_outbox = most + FRAME_HEADER_BYTES;
    if (limits.outbox_bytes as u64) < least_outbox {
        let problem = format!("must hold a message of limits.max_message_bytes: at least {least_outbox}");
        return Err(refuse(config, "limits", "outbox_bytes", problem));
    }
    let tusk = &config.tusk;
    let sizes =
        [("max_message_size", tusk.max_message_size), ("message_max_length", tusk.message_max_length)];
    match sizes.into_iter().find(|(_, size)| size.cap().is_some_and(|size| size > most)) {
        Some((key, _)) => {
            let problem = format!("must be at most limits.max_message_bytes, which is {most}, or 0");
            Err(refuse(config, "tusk", key, problem))
        }
        None => Ok(()),
    }
}

/// What is allowed and should be looked at.
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let secret = config.auth.jwt_secret.as_ref();
    if secret.is_some_and(|secret| secret.expose().len() < SECRET_BYTES) {
        warnings.push(format!("auth.jwt_secret has fewer than {SECRET_BYTES} bytes and can be guessed"));
    }
    if !config.is_local() && config.auth_mode() == AuthMode::Open {
        warnings
            .push("auth.mode is open on a listener that others can reach: everybody is who they say".into());
    }
    let required = config.auth_mode() == AuthMode::Required;
    let keys = secret.is_some() || !config.keyring.is_empty() || !config.tusk.static_tokens.is_empty();
    if required && !keys {
        warnings
            .push("auth.mode is required and there is neither a secret nor a key: nobody can get in".into());
    }
    if let (Some(idle), Some(beat)) = (config.tusk.idle_timeout, config.tusk.heartbeat_interval)
        && idle <= beat
    {
        let doubt = "tusk.idle_timeout ends before tusk.heartbeat_interval: who only answers Pings is closed";
        warnings.push(doubt.into());
    }
    warnings.extend(persona_warning(config));
    warnings
}

fn persona_warning(config: &Config) -> Option<String> {
    let gator = &config.gator;
    gator.persona_api_key.as_ref()?;
    let doubt = match &gator.persona_url {
        None => "gator.persona_api_key has no effect without gator.persona_url",
        Some(url) if url.is_tls() || url.is_loopback() => return None,
        Some(_) => "gator.persona_url is not https: gator.persona_api_key can be read on the way",
    };
    Some(doubt.into())
}
