//! `lanecast token`: mints a JWT that the server of the same configuration accepts.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use crate::config::{Auth, FlagValues, SECTIONS};

/// The longest life of a token: ten years of seconds.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

/// Whom the token is for.
#[derive(clap::Args, Clone)]
pub struct TokenArgs {
    /// User id (claim `sub`)
    #[arg(long)]
    user: String,
    /// Tenant (claim `tenant`)
    #[arg(long)]
    tenant: Option<String>,
    /// Display name (claim `username`)
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// A role; repeatable (claim `roles`)
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A permission; repeatable (claim `permissions`)
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Seconds until it expires
    #[arg(long, value_name = "SECONDS", default_value_t = 3600,
          value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
    expires: u64,
    /// The HS256 secret of the server [env: SECRET_KEY]
    #[arg(long, value_name = "SECRET")]
    jwt_secret: Option<String>,
    /// Configuration file of the server (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<String>,
}

impl fmt::Debug for TokenArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenArgs").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What stands in the token.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    roles: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    permissions: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    iat: u64,
    exp: u64,
}

impl TokenArgs {
    /// The flags that bear on the configuration.
    pub fn flags(&self) -> FlagValues {
        let secret = SECTIONS.iter().find_map(|section| section.key("jwt_secret"));
        let values = secret.zip(self.jwt_secret.clone()).into_iter().collect();
        FlagValues { config: self.config.clone(), values }
    }

    /// The token, signed with the secret of `auth` and naming its audience and issuer.
    ///
    /// # Errors
    /// There is no secret, or the user is empty.
    pub fn mint(&self, auth: &Auth) -> Result<String, String> {
        let secret = auth.jwt_secret.as_ref();
        let secret = secret.ok_or("token: needs the secret: --jwt-secret, SECRET_KEY or auth.jwt_secret")?;
        if self.user.is_empty() {
            return Err("token: --user must not be empty".into());
        }
        let iat = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let claims = Claims {
            sub: &self.user,
            tenant: self.tenant.as_deref(),
            username: self.username.as_deref(),
            roles: &self.roles,
            permissions: &self.permissions,
            aud: auth.audience.as_deref(),
            iss: auth.issuer.as_deref(),
            iat,
            exp: iat + self.expires,
        };
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims, &key).map_err(|error| format!("token: {error}"))
    }
}
