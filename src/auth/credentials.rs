//! From a token to a principal: which tokens count, and in which order they are tried.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::claims::{Claims, MAX_ID_BYTES, refused};
use super::{Verifier, looks_like_jwt};
use crate::config::{ApiKey, Scope, Word};
use crate::model::{Principal, RealmId, Refusal};

/// Bytes of an opaque token that is a name (open mode). It becomes a user's id. Longer: refused.
pub const MAX_NAME_BYTES: usize = MAX_ID_BYTES;

/// A token given in the configuration, and who bears it (ruling T5). None by default.
#[derive(Clone)]
pub struct StaticToken {
    pub token: String,
    /// 1 to [`MAX_ID_BYTES`] bytes; with another length the token is refused.
    pub id: String,
    pub username: Option<String>,
    pub roles: Vec<String>,
    pub permissions: Option<Vec<String>>,
}

impl StaticToken {
    fn principal(&self, realm: RealmId) -> Result<Principal, Refusal> {
        let mut principal = named(&self.id, realm)?;
        principal.verified = true;
        principal.username = self.username.as_deref().map(Arc::from);
        principal.roles.clone_from(&self.roles);
        principal.permissions.clone_from(&self.permissions);
        Ok(principal)
    }
}

impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticToken")
            .field("id", &self.id)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// All that a token can be checked against.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub verifier: Verifier,
    pub static_tokens: Vec<StaticToken>,
    /// Keys of services (SGE-04). None by default.
    pub api_keys: Vec<ApiKey>,
    /// `--auth open`: an opaque token is a name. `false`: only configured tokens and verified JWTs get in.
    pub open: bool,
}

impl Credentials {
    /// Who bears `token` at `now_secs` (seconds since 1970).
    ///
    /// In this order: a configured token; an API key; a JWT, always verified, in open mode too; in open mode a name of
    /// 1 to [`MAX_NAME_BYTES`] bytes. Anything else, and the empty token, is
    /// [`Unauthenticated`](crate::model::Code::Unauthenticated).
    pub fn identify(&self, token: &str, realm: RealmId, now_secs: u64) -> Result<Principal, Refusal> {
        self.bearer(token, realm, now_secs, |claims| claims.into_principal(realm))
    }

    /// The same where a tenant alone is somebody (AEG-33): the user is empty when a JWT names none. A JWT that
    /// names no tenant is refused where `tenant_required` (AEG-32).
    pub fn identify_member(
        &self,
        token: &str,
        realm: RealmId,
        now_secs: u64,
        tenant_required: bool,
    ) -> Result<Principal, Refusal> {
        self.bearer(token, realm, now_secs, |claims| match claims.tenant {
            None if tenant_required => Err(refused("Invalid or inactive tenant")),
            _ => Ok(claims.into_member(realm)),
        })
    }

    fn bearer(
        &self,
        token: &str,
        realm: RealmId,
        now_secs: u64,
        of: impl FnOnce(Claims) -> Result<Principal, Refusal>,
    ) -> Result<Principal, Refusal> {
        let principal = if let Some(known) = self.static_token(token) {
            known.principal(realm)
        } else if let Some(key) = self.api_key(token) {
            service(key, realm)
        } else if looks_like_jwt(token) {
            self.verifier.verify(token, now_secs).and_then(of)
        } else if self.open {
            named(token, realm)
        } else {
            Err(refused("Invalid token"))
        }?;
        // Or somebody could speak as a guest whose name was seen.
        match principal.user.starts_with(Principal::GUEST_PREFIX) {
            true => Err(refused("The user id is reserved for guests")),
            false => Ok(principal),
        }
    }

    /// Compares with every one in constant time, so that timing tells neither how much of a token is right nor
    /// which; at most how long one is. An empty configured token never counts.
    fn static_token(&self, token: &str) -> Option<&StaticToken> {
        let mut found = None;
        for known in &self.static_tokens {
            if bool::from(known.token.as_bytes().ct_eq(token.as_bytes())) && !token.is_empty() {
                found = Some(known);
            }
        }
        found
    }

    /// As above, by digest: how long a key is does not show either.
    fn api_key(&self, token: &str) -> Option<&ApiKey> {
        if self.api_keys.is_empty() {
            return None;
        }
        let digest = ApiKey::digest_of(token);
        let mut found = None;
        for known in &self.api_keys {
            if known.opens(&digest) {
                found = Some(known);
            }
        }
        found
    }
}

/// Who bears an API key: its scopes are permissions, and `admin` is the role too.
fn service(key: &ApiKey, realm: RealmId) -> Result<Principal, Refusal> {
    let mut principal = named(&key.name, realm)?;
    principal.verified = true;
    principal.service = true;
    if key.scopes.contains(&Scope::Admin) {
        principal.roles.push(Principal::ADMIN.to_owned());
    }
    principal.permissions = Some(key.scopes.iter().map(|scope| scope.word().to_owned()).collect());
    Ok(principal)
}

fn named(id: &str, realm: RealmId) -> Result<Principal, Refusal> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(refused("Invalid token"));
    }
    Ok(Principal::named(id, realm))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::jwt::tests::{SECRET, signed};
    use super::*;
    use crate::model::Code;

    const NOW: u64 = 1000;
    const REALM: RealmId = RealmId(2);

    fn token(token: &str, id: &str) -> StaticToken {
        StaticToken {
            token: token.into(),
            id: id.into(),
            username: Some("Tester".into()),
            roles: vec!["user".into()],
            permissions: Some(vec!["p".into()]),
        }
    }

    fn credentials(open: bool) -> Credentials {
        Credentials {
            verifier: Verifier::new(Some(SECRET), None, None),
            static_tokens: vec![],
            api_keys: vec![],
            open,
        }
    }

    fn refusal(credentials: &Credentials, token: &str) -> Refusal {
        let refusal = credentials.identify(token, REALM, NOW).expect_err(token);
        assert_eq!(refusal.code, Code::Unauthenticated);
        refusal
    }

    #[test]
    fn a_configured_token_names_its_bearer_in_both_modes() {
        for open in [true, false] {
            let mut credentials = credentials(open);
            credentials.static_tokens =
                vec![token("other", "o"), token("test-token", "tester"), token("", "nobody")];
            let got = credentials.identify("test-token", REALM, NOW).unwrap();
            assert_eq!(
                (&*got.user, &*got.tenant, got.realm, got.expires),
                ("tester", "default", REALM, None)
            );
            assert_eq!((got.username.as_deref(), got.roles), (Some("Tester"), vec!["user".to_owned()]));
            assert_eq!(got.permissions, Some(vec!["p".to_owned()]));
            assert_eq!(&*credentials.identify("other", REALM, NOW).unwrap().user, "o");
            refusal(&credentials, "");
        }
        let mut required = credentials(false);
        required.static_tokens =
            vec![token("test-token", "tester"), token("empty", ""), token("long", &"x".repeat(257))];
        for wrong in ["test-toke", "test-tokenx", "Test-token", "empty", "long"] {
            assert_eq!(refusal(&required, wrong).text, "Invalid token");
        }
    }

    #[test]
    fn a_configured_token_may_look_like_a_jwt() {
        let odd = signed("somebody else's", &json!({"sub": "evil"}));
        let mut credentials = credentials(false);
        refusal(&credentials, &odd);
        credentials.static_tokens = vec![token(&odd, "tester")];
        assert_eq!(&*credentials.identify(&odd, REALM, NOW).unwrap().user, "tester");
    }

    #[test]
    fn a_jwt_is_verified_in_both_modes() {
        for open in [true, false] {
            let credentials = credentials(open);
            let genuine = signed(SECRET, &json!({"sub": "u", "tenantId": "t"}));
            let got = credentials.identify(&genuine, REALM, NOW).unwrap();
            assert_eq!((&*got.user, &*got.tenant, got.realm), ("u", "t", REALM));
            refusal(&credentials, &signed("another", &json!({"sub": "u"})));
            refusal(&credentials, &signed(SECRET, &json!({"sub": "u", "exp": NOW})));
            refusal(&credentials, &signed(SECRET, &json!({"sub": ""})));
            refusal(&credentials, &genuine[..genuine.len() - 1]);
            refusal(&credentials, &genuine[..genuine.rfind('.').unwrap()]);
            let blind = Credentials { verifier: Verifier::new(None, None, None), ..credentials };
            refusal(&blind, &genuine);
        }
    }

    #[test]
    fn an_opaque_token_is_a_name_in_open_mode_only() {
        let longest = "x".repeat(256);
        for name in ["garbage", "a.b.c", "john.q.public", "ü", longest.as_str()] {
            let got = credentials(true).identify(name, REALM, NOW).unwrap();
            assert_eq!((&*got.user, got.roles, got.permissions), (name, vec![], None));
            assert_eq!(refusal(&credentials(false), name).text, "Invalid token");
        }
        for wrong in ["", &"x".repeat(257)] {
            assert_eq!(refusal(&credentials(true), wrong).text, "Invalid token");
        }
    }

    /// Two services, as the configuration reads them.
    fn services() -> Vec<ApiKey> {
        let text = format!(
            "[auth]\napi_keys = [\"bot={KEY}:publish,presence\", \"ops={}:admin\"]\n",
            KEY.replace('0', "1")
        );
        crate::config::Config::from_toml(&text).unwrap().keyring.api_keys.iter().cloned().collect()
    }

    const KEY: &str = "0-key-of-a-bot-0";

    #[test]
    fn an_api_key_is_a_verified_service_in_both_modes() {
        for open in [true, false] {
            let credentials = Credentials { api_keys: services(), ..credentials(open) };
            let bot = credentials.identify(KEY, REALM, NOW).unwrap();
            assert_eq!((&*bot.user, &*bot.tenant, bot.verified, bot.expires), ("bot", "default", true, None));
            assert_eq!((bot.roles, bot.username), (vec![], None));
            assert_eq!(bot.permissions, Some(vec!["publish".into(), "presence".into()]));
            let ops = credentials.identify("1-key-of-a-bot-1", REALM, NOW).unwrap();
            assert!(ops.has_role(Principal::ADMIN) && ops.may("create_room"));
        }
        let required = Credentials { api_keys: services(), ..credentials(false) };
        let longer = format!("{KEY}0");
        let digest: String = ApiKey::digest_of(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
        for wrong in ["", "bot", &KEY[1..], &KEY[..15], &longer, &digest, "2-key-of-a-bot-2"] {
            assert_eq!(refusal(&required, wrong).text, "Invalid token");
        }
    }

    #[test]
    fn a_configured_token_comes_before_an_api_key() {
        let mut credentials = Credentials { api_keys: services(), ..credentials(false) };
        credentials.static_tokens = vec![token(KEY, "tester")];
        assert_eq!(&*credentials.identify(KEY, REALM, NOW).unwrap().user, "tester");
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let mut credentials = credentials(true);
        credentials.static_tokens = vec![token("test-token", "tester")];
        credentials.api_keys = services();
        let shown = format!("{credentials:?} {credentials:#?}");
        assert!(!shown.contains("test-token") && !shown.contains(KEY) && !shown.contains(SECRET), "{shown}");
        assert!(shown.contains("tester"));
    }
}
