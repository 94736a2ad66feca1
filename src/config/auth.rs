//! `[auth]`: who may come in.

use super::key::section;
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

section! {
    /// Who may come in.
    "auth" => Auth {
        /// `open`: identities come from URL or message and tokens are optional. `required`: only a valid
        /// credential gets in. Absent: `open` while every listener is on loopback, else `required`.
        mode: Option<AuthMode> = None, flag "auth";
        /// The HS256 secret. A token that claims to be a JWT is verified with it in both modes. A listener
        /// that is not on loopback needs it, unless the mode `open` is given by hand.
        jwt_secret: Option<Secret> = None, flag "jwt-secret", env "SECRET_KEY";
        /// The `aud` a token must name. Absent: not checked.
        audience: Option<String> = None;
        /// The `iss` a token must name. Absent: not checked.
        issuer: Option<String> = None;
    }
}
