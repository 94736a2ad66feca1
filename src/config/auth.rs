//! `[auth]`: who may come in.

use std::path::PathBuf;

use super::api_key::ApiKeys;
use super::key::section;
use super::list::Item;
use super::secret::Secret;
use super::word::Word;

/// Whether a credential is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Identities come from the URL or a message; a token is optional, one that is no JWT is an opaque name.
    Open,
    /// Only a valid credential gets in.
    Required,
}

impl Word for AuthMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("open", AuthMode::Open), ("required", AuthMode::Required)];
}

/// The path of a PEM file with one public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile(pub PathBuf);

impl Item for PemFile {
    const KIND: &'static str = "list of paths";
    const ALLOWED: &'static str = "a list of paths of PEM files, each with one PUBLIC KEY: an RSA key of 2048 to \
                                   4096 bits, a P-256 key or an Ed25519 key";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| PemFile(text.into()))
    }

    fn show(&self) -> String {
        self.0.display().to_string()
    }
}

section! {
    /// Who may come in.
    "auth" => Auth {
        /// `open`: identities come from URL or message and tokens are optional. `required`: only a valid
        /// credential gets in. Absent: `open` while every listener is on loopback, else `required`.
        mode: Option<AuthMode> = None, flag "auth";
        /// The HS256 secret. A token that claims to be a JWT is verified with it in both modes. A listener
        /// that is not on loopback needs it or another key of this section, unless the mode `open` is given by
        /// hand.
        jwt_secret: Option<Secret> = None, flag "jwt-secret", env "SECRET_KEY";
        /// Keys of services, each with what it may do. A flag can be seen in the list of processes: where others
        /// share the machine, `api_keys_file` is the place.
        api_keys: ApiKeys = ApiKeys::default(), flag "api-key";
        /// File of hashed keys of services, one per line: `name:sha256-hex:scope,scope`. Blank lines and lines
        /// that begin with `#` are passed over. Read at the start.
        api_keys_file: Option<PathBuf> = None;
        /// PEM files of public keys that verify tokens: an RSA key RS256, a P-256 key ES256, an Ed25519 key EdDSA.
        /// The key decides the algorithm, never the token. Read at the start.
        public_keys: Vec<PemFile> = Vec::new();
        /// File of a JWK set whose keys verify tokens in the same way. A key with a `kid` verifies only tokens that
        /// name it. Read at the start.
        jwks: Option<PathBuf> = None;
        /// The `aud` a token must name. Absent: not checked.
        audience: Option<String> = None;
        /// The `iss` a token must name. Absent: not checked.
        issuer: Option<String> = None;
    }
}
