//! What is read: flags, environment, `.env` and the configuration file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use super::error::ConfigError;
use super::key::Key;
use super::source::{Offers, Raw, Source};
use super::{SECTIONS, dotenv, file};

/// Variables of features that this build does not have: set, they are named in a warning.
const UNSERVED_VARIABLES: &[&str] = &["REDIS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// What the command line says about the configuration.
#[derive(Clone, Default)]
pub struct FlagValues {
    /// `--config FILE`.
    pub config: Option<String>,
    /// Each flag that was given, with its value; values of a repeated flag are joined by commas.
    pub values: Vec<(&'static Key, String)>,
}

/// Where the process stands: its environment and its working folder.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Variables of the environment. An empty one counts as not set.
    pub env: BTreeMap<String, OsString>,
    /// The folder in which `.env` is looked for and to which paths are relative.
    pub folder: PathBuf,
}

/// Names only: values may be secrets.
impl fmt::Debug for FlagValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(key, _)| key.path())).finish()
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let known = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Surroundings { env: env::vars_os().filter_map(known).collect(), folder: PathBuf::new() }
    }

    /// All that the sources offer, the weakest first.
    pub(super) fn offers(&self, flags: &FlagValues) -> Result<Offers, ConfigError> {
        let mut offers = Offers::default();
        if let Some(path) = &flags.config {
            let text = read(&self.folder.join(path)).map_err(|why| {
                ConfigError::new("config", Some(Source::Flag("config")), why).with_value(format!("{path:?}"))
            })?;
            file::offer(path, &text, &mut offers)?;
        }
        self.offer_dotenv(&mut offers)?;
        self.offer_env(&mut offers)?;
        for (key, value) in &flags.values {
            offers.push(key, Raw::Text(value.clone()), Source::Flag(key.flag.unwrap_or(key.name)));
        }
        Ok(offers)
    }

    fn offer_dotenv(&self, offers: &mut Offers) -> Result<(), ConfigError> {
        let path = self.folder.join(".env");
        // A folder of that name is a Python environment and none of our business.
        if !path.exists() || path.is_dir() {
            return Ok(());
        }
        let text = read(&path).map_err(|why| ConfigError::new(".env", None, why))?;
        let variables = dotenv::parse(&text)
            .map_err(|e| ConfigError::new(format!(".env line {}", e.line), None, e.problem))?;
        for (key, name) in variables_of_keys() {
            let set = variables.iter().rev().find(|variable| variable.name == name);
            if let Some(variable) = set.filter(|variable| !variable.value.is_empty()) {
                let source = Source::DotEnv { name, line: variable.line };
                offers.push(key, Raw::Text(variable.value.clone()), source);
            }
        }
        Ok(())
    }

    fn offer_env(&self, offers: &mut Offers) -> Result<(), ConfigError> {
        for (key, name) in variables_of_keys() {
            if let Some(value) = self.env.get(name).filter(|value| !value.is_empty()) {
                let text = value.to_str().ok_or_else(|| {
                    ConfigError::new(key.path(), Some(Source::Env(name)), "must be UTF-8 text")
                })?;
                offers.push(key, Raw::Text(text.into()), Source::Env(name));
            }
        }
        Ok(())
    }

    /// The set ones among the variables of features that this build does not have.
    pub(super) fn unserved_variables(&self) -> Vec<&'static str> {
        let set = |name: &&&str| self.env.get(**name).is_some_and(|value| !value.is_empty());
        UNSERVED_VARIABLES.iter().filter(set).copied().collect()
    }
}

/// Every variable with its key; of those of one key the weakest first.
fn variables_of_keys() -> impl Iterator<Item = (&'static Key, &'static str)> {
    let keys = SECTIONS.iter().flat_map(|section| section.keys);
    keys.flat_map(|key| key.env.iter().rev().map(move |name| (key, *name)))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => "cannot be read: it is no UTF-8 text".into(),
        _ => format!("cannot be read: {error}"),
    })
}
