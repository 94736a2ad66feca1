//! The configuration: typed, checked, and each value with its source.
//!
//! A key is declared once, in the file of its section (`section!`); numbers stand in [`limits`]. Reading,
//! defaults, flags, variables, `check-config` and the reference follow from the declarations.
//!
//! Precedence: flag, environment, `.env` in the working folder, `--config FILE`, default. Whatever is wrong
//! with any of them is a [`ConfigError`], one line that names the key, the value, its source and what is
//! allowed.

mod access;
mod aegisx;
mod api_key;
mod auth;
mod base_url;
mod bound;
mod dialect;
mod dotenv;
mod error;
mod file;
mod gator;
mod key;
mod keyring;
pub mod limits;
mod list;
mod listen;
mod log;
mod nearest;
mod nexus;
mod origin;
mod reference;
mod rules;
mod secret;
mod server;
mod setting;
mod sge;
mod show;
mod source;
mod sources;
mod store;
mod tusk;
mod verifying_key;
mod word;

use std::num::NonZeroUsize;
use std::path::Path;

pub use crate::model::Dialect;
pub use access::{AccessRule, AccessRules, Action, Who};
pub use aegisx::{Aegisx, TenantStatus, Tenants};
pub use api_key::{API_KEYS_MAX, ApiKey, ApiKeys, Scope};
pub use auth::{Auth, AuthMode, PemFile};
pub use base_url::BaseUrl;
pub use bound::{Bound, Limit, Unit};
pub use error::ConfigError;
pub use gator::Gator;
pub use key::{Key, Section, SectionInfo};
pub use keyring::{Keyring, VERIFYING_KEYS_MAX};
pub use limits::Limits;
pub use listen::Listen;
pub use log::{LogFormat, LogLevel};
pub use nexus::Nexus;
pub use origin::AllowedOrigin;
pub use reference::reference;
pub use secret::Secret;
pub use server::Server;
pub use sge::Sge;
pub use source::{Origins, Source};
pub use sources::{FlagValues, Surroundings};
pub use store::{DataDir, Store, Synchronous};
pub use tusk::{StaticTokens, StaticUser, Tusk};
pub use verifying_key::VerifyingKey;
pub use word::Word;

use source::Offers;

/// Makes [`Config`] and the list of all sections from the one list of them.
macro_rules! config {
    ($($(#[doc = $doc:literal])* $field:ident : $Section:ty,)*) => {
        /// The effective configuration.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Config {
            $($(#[doc = $doc])* pub $field: $Section,)*
            /// What the files of `[auth]` hold, and the API keys.
            pub keyring: Keyring,
            /// Where each value came from.
            pub origins: Origins,
            /// Variables that are set and would switch on what this build does not have.
            unserved_variables: Vec<&'static str>,
        }

        /// The declarations of all sections, that of the keys above them first.
        pub const SECTIONS: &[SectionInfo] = &[$(<$Section as Section>::INFO),*];

        impl Config {
            fn read(offers: &Offers) -> Result<Self, ConfigError> {
                let mut origins = Origins::default();
                Ok(Config {
                    $($field: Section::read(offers, &mut origins)?,)*
                    keyring: Keyring::default(),
                    origins,
                    unserved_variables: Vec::new(),
                })
            }

            /// Every section with the values of its keys; secrets as `***`.
            fn values(&self) -> impl Iterator<Item = (SectionInfo, Vec<Option<toml::Value>>)> {
                SECTIONS.iter().copied().zip([$(Section::show(&self.$field)),*])
            }
        }
    };
}

config! {
    /// `[[access]]`.
    access: AccessRules,
    /// `[server]`.
    server: Server,
    /// `[auth]`.
    auth: Auth,
    /// `[limits]`.
    limits: Limits,
    /// `[store]`.
    store: Store,
    /// `[tusk]`.
    tusk: Tusk,
    /// `[sge]`.
    sge: Sge,
    /// `[nexus]`.
    nexus: Nexus,
    /// `[gator]`.
    gator: Gator,
    /// `[aegisx]`.
    aegisx: Aegisx,
}

impl Config {
    /// Reads all sources and checks the whole.
    ///
    /// # Errors
    /// A file that cannot be read, a key or section that does not exist, a value that is not allowed, or
    /// values that contradict each other.
    pub fn load(flags: &FlagValues, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let mut config = Self::load_unchecked(flags, surroundings)?;
        config.keyring = Keyring::read(&config, &surroundings.folder)?;
        rules::check(&config)?;
        Ok(config)
    }

    /// Reads all sources without reading the files of keys or holding the values against each other: for commands
    /// that start no server.
    ///
    /// # Errors
    /// As [`Config::load`], but for files of keys and contradictions.
    pub fn load_unchecked(flags: &FlagValues, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let mut config = Self::read(&surroundings.offers(flags)?)?;
        config.unserved_variables = surroundings.unserved_variables();
        config.resolve();
        Ok(config)
    }

    /// A configuration from the text of a file alone: for tests and embedders.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let mut offers = Offers::default();
        file::offer("lanecast.toml", text, &mut offers)?;
        let mut config = Self::read(&offers)?;
        config.resolve();
        config.keyring = Keyring::read(&config, Path::new(""))?;
        rules::check(&config)?;
        Ok(config)
    }

    /// Fills in the defaults that follow from other values.
    fn resolve(&mut self) {
        let by_hand = |config: &Config, section, key| config.origins.of(section, key).by_hand();
        let tusk_addressed = by_hand(self, "tusk", "host") || by_hand(self, "tusk", "port");
        if tusk_addressed && !by_hand(self, "server", "listen") {
            let addr = (self.tusk.host, self.tusk.port).into();
            self.server.listen = vec![Listen { addr, dialect: Some(Dialect::Tusk) }];
            self.origins.set("server", "listen", Source::Derived("tusk.host and tusk.port"));
        }
        if self.server.shards.is_none() {
            self.server.shards = Some(self.shards());
            self.origins.set("server", "shards", Source::Derived("the CPUs this process may use"));
        }
        if self.auth.mode.is_none() {
            let why = if self.is_local() {
                "every listener is on loopback"
            } else {
                "not every listener is on loopback"
            };
            self.auth.mode = Some(self.auth_mode());
            self.origins.set("auth", "mode", Source::Derived(why));
        }
    }

    /// Number of shards: as configured, else one for each CPU this process may use, 1 to 64.
    pub fn shards(&self) -> usize {
        let most = usize::try_from(limits::SHARDS.max).unwrap_or(usize::MAX);
        self.server.shards.unwrap_or_else(|| usable_cpus().clamp(1, most))
    }

    /// Whether a credential is needed: as configured, else only when a listener is not on loopback.
    pub fn auth_mode(&self) -> AuthMode {
        let default = if self.is_local() { AuthMode::Open } else { AuthMode::Required };
        self.auth.mode.unwrap_or(default)
    }

    /// Whether every listener is on loopback.
    pub fn is_local(&self) -> bool {
        self.server.listen.iter().all(Listen::is_loopback)
    }

    /// Where the value of `section.key` came from.
    pub fn source(&self, section: &str, key: &str) -> &Source {
        self.origins.of(section, key)
    }

    /// Variables that are set and have no effect in this build. For one warning each at the start.
    pub fn unserved(&self) -> &[&'static str] {
        &self.unserved_variables
    }

    /// What is allowed and should be looked at; one sentence each, without secrets.
    pub fn warnings(&self) -> Vec<String> {
        rules::warnings(self)
    }

    /// The effective configuration as TOML, each value with a comment that says where it came from; secrets
    /// as `***`.
    pub fn to_toml(&self) -> String {
        show::to_toml(self)
    }
}

/// CPUs that the scheduler may give to this process.
fn usable_cpus() -> usize {
    let allowed = rustix::thread::sched_getaffinity(None).ok().map(|cpus| cpus.count() as usize);
    allowed.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}
