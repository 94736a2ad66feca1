//! What the operator chose for personas, checked and ready for every shard.

use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::ClientConfig;

use super::breaker::BreakerRules;
use super::trust;
use crate::config::{BaseUrl, Config, ConfigError, Gator, Secret};

/// Made once at boot; every shard's [`Personas`](super::Personas) is made of it.
#[derive(Clone, Debug)]
pub struct PersonaRules {
    pub(super) endpoint: Option<Endpoint>,
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) queue: usize,
    pub(super) breaker: BreakerRules,
}

/// Where personas are asked, and how.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub target: Uri,
    /// The whole `Authorization`; its `Debug` does not show it.
    pub credential: Option<HeaderValue>,
    pub tls: Arc<ClientConfig>,
}

impl PersonaRules {
    /// Those of `[gator]`. For an https endpoint it reads the certificates that the host trusts.
    ///
    /// # Errors
    /// The endpoint or its key cannot be used.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let refuse = |(key, problem): (&str, String)| {
            ConfigError::new(format!("gator.{key}"), Some(config.source("gator", key).clone()), problem)
        };
        let gator = &config.gator;
        let tls = match &gator.persona_url {
            Some(url) if url.is_tls() => trust::of_host(),
            Some(_) | None => trust::of_nobody(),
        };
        let tls = tls.map_err(|problem| refuse(("persona_url", problem)))?;
        Self::trusting(tls, gator).map_err(refuse)
    }

    /// The same with somebody else's trust. An error names its key.
    pub(super) fn trusting(tls: Arc<ClientConfig>, gator: &Gator) -> Result<Self, (&'static str, String)> {
        let endpoint = match &gator.persona_url {
            None => None,
            Some(url) => Some(Endpoint {
                target: target(url).ok_or(("persona_url", "is no URL".to_owned()))?,
                credential: credential(gator.persona_api_key.as_ref())?,
                tls,
            }),
        };
        let rest_ms = gator.persona_rest.as_millis().try_into().unwrap_or(u64::MAX);
        Ok(PersonaRules {
            endpoint,
            timeout: gator.persona_timeout,
            concurrency: gator.persona_concurrency,
            queue: gator.persona_queue,
            breaker: BreakerRules { failures: gator.persona_failures, rest_ms },
        })
    }
}

fn target(base: &BaseUrl) -> Option<Uri> {
    format!("{base}/chat/completions").parse().ok()
}

fn credential(key: Option<&Secret>) -> Result<Option<HeaderValue>, (&'static str, String)> {
    let Some(key) = key else { return Ok(None) };
    let value = HeaderValue::try_from(format!("Bearer {}", key.expose()));
    let mut value = value.map_err(|_| ("persona_api_key", "does not fit a header of HTTP".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-never-to-be-seen";

    fn rules(lines: &str) -> PersonaRules {
        let config = Config::from_toml(&format!("[gator]\n{lines}")).expect("a configuration");
        PersonaRules::new(&config).expect("rules")
    }

    #[test]
    fn the_defaults_are_those_of_the_limits() {
        let rules = rules("");
        assert!(rules.endpoint.is_none());
        assert_eq!((rules.timeout, rules.concurrency, rules.queue), (Duration::from_secs(30), 16, 64));
        assert_eq!(rules.breaker, BreakerRules { failures: 5, rest_ms: 30_000 });
    }

    #[test]
    fn every_key_is_read() {
        let rules = rules(
            "persona_url = \"http://127.0.0.1:9/v1/\"\npersona_api_key = \"sk-never-to-be-seen\"\n\
             persona_timeout = 1.5\npersona_concurrency = 2\npersona_queue = 0\npersona_failures = 1\n\
             persona_rest = 0.25",
        );
        assert_eq!((rules.timeout, rules.concurrency, rules.queue), (Duration::from_millis(1500), 2, 0));
        assert_eq!(rules.breaker, BreakerRules { failures: 1, rest_ms: 250 });
        let endpoint = rules.endpoint.expect("an endpoint");
        assert_eq!(endpoint.target, "http://127.0.0.1:9/v1/chat/completions");
        let credential = endpoint.credential.expect("a credential");
        assert_eq!(credential, format!("Bearer {KEY}"));
        assert!(credential.is_sensitive());
    }

    #[test]
    fn an_endpoint_that_cannot_be_used_is_refused_by_its_key() {
        let tls = trust::of_nobody().expect("TLS");
        let mut gator = Config::default().gator;
        gator.persona_url = Some(BaseUrl::parse("http://127.0.0.1").expect("a URL"));
        gator.persona_api_key = Secret::new("two\nlines");
        let (key, problem) = PersonaRules::trusting(tls, &gator).expect_err("no header");
        assert_eq!((key, problem.as_str()), ("persona_api_key", "does not fit a header of HTTP"));
    }

    #[test]
    fn the_key_is_not_shown() {
        let rules = rules("persona_url = \"http://127.0.0.1:9\"\npersona_api_key = \"sk-never-to-be-seen\"");
        assert!(!format!("{rules:?}").contains(KEY));
    }
}
