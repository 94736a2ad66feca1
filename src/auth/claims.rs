//! What a verified token says of its bearer.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::{Code, Principal, RealmId, Refusal};

/// Bytes of a user's or tenant's id. Ids are part of every key and frame. Longer: refused.
pub const MAX_ID_BYTES: usize = 256;

/// The claims that count here, with their fallbacks resolved. A claim that is `null` counts as absent;
/// one of another type than it must have spoils the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`, else `user_id`, else `userId`; 1 to [`MAX_ID_BYTES`] bytes. Absent: most dialects refuse that.
    pub user: Option<Arc<str>>,
    /// `tenant`, else `tenantId`. Absent here: [`Principal::DEFAULT_TENANT`], but some dialects refuse that.
    pub tenant: Option<Arc<str>>,
    pub username: Option<Arc<str>>,
    /// `roles` (an array), else `role` (one string), else none.
    pub roles: Vec<String>,
    pub permissions: Option<Vec<String>>,
    /// `exp` in whole seconds since 1970, rounded up.
    pub expires: Option<u64>,
}

impl Claims {
    /// Reads the claims and checks `exp` and `nbf` against `now_secs`, without leeway: from `exp` on, and before
    /// `nbf`, the token is not accepted (RFC 7519 sections 4.1.4 and 4.1.5). `iat` says nothing of validity.
    pub(super) fn read(claims: &Map<String, Value>, now_secs: u64) -> Result<Self, Refusal> {
        let expires = date(claims, "exp")?;
        if expires.is_some_and(|exp| now_secs as f64 >= exp) {
            return Err(refused("Token expired"));
        }
        if date(claims, "nbf")?.is_some_and(|nbf| (now_secs as f64) < nbf) {
            return Err(refused("Token not valid yet"));
        }
        Ok(Self {
            user: first_id(claims, &["sub", "user_id", "userId"])?,
            tenant: first_id(claims, &["tenant", "tenantId"])?,
            username: text(claims, "username")?.map(Into::into),
            roles: roles(claims)?,
            permissions: list(claims, "permissions")?,
            expires: expires.map(|exp| exp.ceil() as u64),
        })
    }

    /// Who bears the token.
    ///
    /// # Errors
    /// It names no user.
    pub fn into_principal(self, realm: RealmId) -> Result<Principal, Refusal> {
        match self.user {
            Some(_) => Ok(self.into_member(realm)),
            None => Err(refused("Token names no user")),
        }
    }

    /// The same where a tenant alone is somebody (AEG-33): the user is empty when the token names none.
    pub fn into_member(self, realm: RealmId) -> Principal {
        Principal {
            realm,
            tenant: self.tenant.unwrap_or_else(|| Principal::DEFAULT_TENANT.into()),
            user: self.user.unwrap_or_else(|| "".into()),
            username: self.username,
            roles: self.roles,
            permissions: self.permissions,
            verified: true,
            expires: self.expires,
            service: false,
        }
    }
}

pub(super) const fn refused(text: &'static str) -> Refusal {
    Refusal::new(Code::Unauthenticated, text)
}

fn wrong(name: &str, what: &str) -> Refusal {
    Refusal::with(Code::Unauthenticated, format!("Claim \"{name}\" must be {what}"))
}

fn get<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).filter(|value| !value.is_null())
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<Option<&'c str>, Refusal> {
    get(claims, name).map(|value| value.as_str().ok_or_else(|| wrong(name, "a string"))).transpose()
}

/// The first of the claims that is there. An empty id would be nobody, so it is refused rather than passed over.
fn first_id(claims: &Map<String, Value>, names: &[&str]) -> Result<Option<Arc<str>>, Refusal> {
    let Some(name) = names.iter().find(|name| get(claims, name).is_some()) else { return Ok(None) };
    let id = text(claims, name)?.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
    id.map(|id| Some(id.into())).ok_or_else(|| wrong(name, "a string of 1 to 256 bytes"))
}

fn roles(claims: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    match list(claims, "roles")? {
        Some(roles) => Ok(roles),
        None => Ok(text(claims, "role")?.map(|role| vec![role.to_owned()]).unwrap_or_default()),
    }
}

fn list(claims: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Refusal> {
    let Some(value) = get(claims, name) else { return Ok(None) };
    let items =
        value.as_array().and_then(|items| items.iter().map(|i| i.as_str().map(str::to_owned)).collect());
    items.map(Some).ok_or_else(|| wrong(name, "an array of strings"))
}

/// Seconds since 1970, perhaps with a fraction. Here `null` is no date: a token meant to end must not live for ever.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refusal> {
    claims.get(name).map(|value| value.as_f64().ok_or_else(|| wrong(name, "a number"))).transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1000;

    fn read(claims: Value) -> Result<Claims, Refusal> {
        Claims::read(claims.as_object().unwrap(), NOW)
    }

    #[test]
    fn fallbacks_in_their_order() {
        for (claims, user) in [
            (json!({"sub": "a", "user_id": "b", "userId": "c"}), "a"),
            (json!({"user_id": "b", "userId": "c"}), "b"),
            (json!({"userId": "c"}), "c"),
            (json!({"sub": null, "userId": "c"}), "c"),
        ] {
            assert_eq!(read(claims).unwrap().user.as_deref(), Some(user));
        }
        let tenant = |claims| read(claims).unwrap().tenant;
        assert_eq!(tenant(json!({"sub": "a", "tenant": "t", "tenantId": "x"})).as_deref(), Some("t"));
        assert_eq!(tenant(json!({"sub": "a", "tenantId": "x"})).as_deref(), Some("x"));
        assert_eq!(tenant(json!({"sub": "a"})), None);
        let roles = |claims| read(claims).unwrap().roles;
        assert_eq!(roles(json!({"sub": "a", "roles": ["r", "s"], "role": "t"})), ["r", "s"]);
        assert_eq!(roles(json!({"sub": "a", "role": "t"})), ["t"]);
        assert!(roles(json!({"sub": "a"})).is_empty());
    }

    #[test]
    fn a_principal_has_all_of_it() {
        let full = json!({"sub": "a", "tenant": "t", "username": "A", "roles": ["r"], "permissions": ["p"], "exp": 2000,
            "iat": 9999, "anything": {"else": 1}});
        let principal = read(full).unwrap().into_principal(RealmId(3)).unwrap();
        let expected = Principal {
            verified: true,
            realm: RealmId(3),
            tenant: "t".into(),
            user: "a".into(),
            username: Some("A".into()),
            roles: vec!["r".into()],
            permissions: Some(vec!["p".into()]),
            expires: Some(2000),
            service: false,
        };
        assert_eq!(principal, expected);
        let bare = read(json!({"sub": "a"})).unwrap().into_principal(RealmId(0)).unwrap();
        assert_eq!(
            (&*bare.tenant, bare.username, bare.permissions, bare.expires),
            ("default", None, None, None)
        );
    }

    #[test]
    fn every_claim_of_a_wrong_type_is_refused_by_name() {
        let (string, number, boolean, list, object) =
            (json!("x"), json!(5), json!(true), json!(["x"]), json!({}));
        let of_mixed = json!(["x", 5]);
        let not_strings = [&number, &boolean, &list, &object];
        let not_lists = [&string, &number, &boolean, &object, &of_mixed];
        let not_numbers = [&string, &boolean, &list, &object, &Value::Null];
        let check = |name: &str, values: &[&Value]| {
            for value in values {
                let mut claims = json!({"sub": "a"});
                if name.starts_with("user") && name != "username" {
                    claims = json!({});
                }
                claims[name] = (*value).clone();
                let refusal = read(claims).expect_err(name);
                assert!(refusal.text.starts_with(&format!("Claim \"{name}\" must be ")), "{}", refusal.text);
                assert_eq!(refusal.code, Code::Unauthenticated);
            }
        };
        for name in ["sub", "user_id", "userId", "tenant", "tenantId", "username", "role"] {
            check(name, &not_strings);
        }
        for name in ["roles", "permissions"] {
            check(name, &not_lists);
        }
        for name in ["exp", "nbf"] {
            check(name, &not_numbers);
        }
    }

    #[test]
    fn ids_are_1_to_256_bytes() {
        for name in ["sub", "user_id", "userId", "tenant", "tenantId"] {
            let with = |id: String| {
                let mut claims = if name.starts_with("tenant") { json!({"sub": "a"}) } else { json!({}) };
                claims[name] = id.into();
                read(claims)
            };
            assert!(with("é".repeat(128)).is_ok());
            for id in [String::new(), "x".repeat(257)] {
                assert_eq!(
                    with(id).unwrap_err().text,
                    format!("Claim \"{name}\" must be a string of 1 to 256 bytes")
                );
            }
        }
        assert_eq!(read(json!({"sub": "", "userId": "c"})).unwrap_err().code, Code::Unauthenticated);
        let nobody = || read(json!({"username": "only", "tenant": "t"})).unwrap();
        assert_eq!(nobody().into_principal(RealmId(0)).unwrap_err().text, "Token names no user");
        let member = nobody().into_member(RealmId(0));
        assert_eq!((&*member.user, &*member.tenant), ("", "t"));
    }

    #[test]
    fn dates_to_the_second() {
        let exp = |value: Value| read(json!({"sub": "a", "exp": value})).map(|claims| claims.expires);
        for (value, ends) in [(json!(1001), 1001), (json!(1000.5), 1001), (json!(1e300), u64::MAX)] {
            assert_eq!(exp(value), Ok(Some(ends)));
        }
        for value in [json!(1000), json!(999), json!(0), json!(-5), json!(-1e300)] {
            assert_eq!(exp(value).unwrap_err().text, "Token expired");
        }
        let nbf = |value: Value| read(json!({"sub": "a", "nbf": value}));
        for value in [json!(1000), json!(999.5), json!(-1)] {
            assert!(nbf(value).is_ok());
        }
        for value in [json!(1001), json!(1000.5), json!(1e300)] {
            assert_eq!(nbf(value).unwrap_err().text, "Token not valid yet");
        }
    }
}
