//! Where values come from, and the pile of all that was offered for each key.
//!
//! Invariant: offers of one key lie in the order of precedence, the weakest first. Every one of them must be
//! readable, also one that a stronger source overrides: a typing error stays no secret.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::error::ConfigError;
use super::key::Key;
use super::setting::{Refused, Setting};

/// Where an effective value came from. Precedence rises in this order, `Derived` standing with `Default`.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The default in the code.
    Default,
    /// A default that follows from something else; the text says from what.
    Derived(&'static str),
    /// The configuration file; lines count from 1.
    File { path: Arc<str>, line: usize },
    /// `.env` in the working folder; lines count from 1.
    DotEnv { name: &'static str, line: usize },
    /// A variable of the process's environment.
    Env(&'static str),
    /// A flag of the command line, without the dashes.
    Flag(&'static str),
}

impl Source {
    /// Whether somebody chose the value.
    pub fn by_hand(&self) -> bool {
        !matches!(self, Source::Default | Source::Derived(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Derived(from) => write!(f, "default: {from}"),
            Source::File { path, line } => write!(f, "{path}:{line}"),
            Source::DotEnv { name, line } => write!(f, ".env line {line}, variable {name}"),
            Source::Env(name) => write!(f, "environment variable {name}"),
            Source::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// A value nobody has looked at yet; `Debug` does not show it, since it may be a secret.
pub enum Raw {
    /// From a flag or a variable.
    Text(String),
    /// From the file.
    Toml(toml::Value),
}

impl Raw {
    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Raw::Text(text) => text.parse().ok(),
            Raw::Toml(value) => value.as_bool(),
        }
    }

    /// An integer that is not negative.
    pub fn integer(&self) -> Option<u64> {
        match self {
            Raw::Text(text) => text.parse().ok(),
            Raw::Toml(value) => value.as_integer()?.try_into().ok(),
        }
    }

    /// A finite number that is not negative.
    pub fn number(&self) -> Option<f64> {
        let number = match self {
            Raw::Text(text) => text.parse().ok()?,
            Raw::Toml(toml::Value::Integer(n)) => *n as f64,
            Raw::Toml(value) => value.as_float()?,
        };
        (number.is_finite() && number >= 0.0).then_some(number)
    }

    /// A string.
    pub fn string(&self) -> Option<&str> {
        match self {
            Raw::Text(text) => Some(text),
            Raw::Toml(value) => value.as_str(),
        }
    }

    /// A list of strings; as text, separated by commas.
    pub fn strings(&self) -> Option<Vec<&str>> {
        match self {
            Raw::Text(text) => Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
            Raw::Toml(value) => value.as_array()?.iter().map(toml::Value::as_str).collect(),
        }
    }

    /// A table; only the file has them.
    pub fn table(&self) -> Option<&toml::Table> {
        match self {
            Raw::Text(_) => None,
            Raw::Toml(value) => value.as_table(),
        }
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw")
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Text(text) | Raw::Toml(toml::Value::String(text)) => write!(f, "{text:?}"),
            Raw::Toml(value) => value.fmt(f),
        }
    }
}

/// One value for one key.
struct Offer {
    raw: Raw,
    source: Source,
}

/// All values that all sources offer.
#[derive(Default)]
pub struct Offers(BTreeMap<(&'static str, &'static str), Vec<Offer>>);

impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Offers {
    /// Adds a value that is stronger than those already there.
    pub fn push(&mut self, key: &Key, raw: Raw, source: Source) {
        self.0.entry((key.section, key.name)).or_default().push(Offer { raw, source });
    }

    /// The value of `key`: the strongest offer, else `default`. Notes its source in `origins`.
    ///
    /// # Errors
    /// The first offer, from the weakest, that is no value of this key.
    pub fn settle<T: Setting>(&self, key: &Key, default: T, origins: &mut Origins) -> Result<T, ConfigError> {
        let mut settled = default;
        for offer in self.0.get(&(key.section, key.name)).into_iter().flatten() {
            settled = T::read(&offer.raw, key.bound).map_err(|refused| refuse(key, offer, refused))?;
            origins.set(key.section, key.name, offer.source.clone());
        }
        Ok(settled)
    }
}

fn refuse(key: &Key, offer: &Offer, refused: Refused) -> ConfigError {
    let allowed = (key.allowed)(key.bound);
    let problem = match refused {
        Refused::NotAllowed => format!("must be {allowed}"),
        Refused::Because(why) => format!("{why}; must be {allowed}"),
    };
    let error = ConfigError::new(key.path(), Some(offer.source.clone()), problem);
    if key.secret { error } else { error.with_value(offer.raw.to_string()) }
}

/// The source of every effective value; what is not listed is a default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origins(BTreeMap<(&'static str, &'static str), Source>);

impl Origins {
    /// Where the value of `section.key` came from.
    pub fn of(&self, section: &str, key: &str) -> &Source {
        self.0.iter().find(|((s, k), _)| *s == section && *k == key).map_or(&Source::Default, |(_, s)| s)
    }

    /// Notes where the value of a key came from.
    pub fn set(&mut self, section: &'static str, key: &'static str, source: Source) {
        self.0.insert((section, key), source);
    }
}
