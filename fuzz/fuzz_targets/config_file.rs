//! A configuration file: read or refused, never a panic. A refusal is one line that names something; what was read
//! prints as a file that reads again as the same configuration.
#![no_main]

use lanecast::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Config::from_toml(text) {
        Err(error) => {
            assert!(!error.key.trim().is_empty(), "an error about nothing: {error}");
            assert!(!error.problem.trim().is_empty(), "an error that says nothing: {error}");
            let line = error.to_string();
            assert!(!line.chars().any(char::is_control), "more than a line: {line:?}");
        }
        Ok(config) => check(&config),
    }
});

/// Secrets are masked when shown: then what comes back differs, and may be refused.
fn check(config: &Config) {
    let masked = config.auth.jwt_secret.is_some() || !config.tusk.static_tokens.is_empty();
    let shown = config.to_toml();
    match Config::from_toml(&shown) {
        Ok(mut again) if !masked => {
            again.origins = config.origins.clone();
            assert_eq!(*config, again, "{shown}");
        }
        Ok(_) => {}
        Err(error) => assert!(masked, "{error}\n{shown}"),
    }
}
