//! Who a connection or a request speaks for.

use std::sync::Arc;

use super::{ChannelName, Kind, RealmId};

/// A verified identity. Immutable once made; shared by the commands that carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub realm: RealmId,
    pub tenant: Arc<str>,
    pub user: Arc<str>,
    pub username: Option<Arc<str>>,
    pub roles: Vec<String>,
    /// `None` when the credential has no such claim: then it is not shown either (ruling T14).
    pub permissions: Option<Vec<String>>,
    /// Whether a credential vouches for it. In open mode anybody may take an opaque name.
    pub verified: bool,
    /// Seconds since 1970 at which the credential ends; `None`: never.
    pub expires: Option<u64>,
    /// Whether it bears an API key: a service, which may act for others as far as its scopes go.
    pub service: bool,
}

impl Principal {
    /// The role that may do everything.
    pub const ADMIN: &str = "admin";

    /// How the names of those begin who gave no credential; no credential's user id may.
    pub const GUEST_PREFIX: &str = "guest-";

    /// The tenant of credentials that name none.
    pub const DEFAULT_TENANT: &str = "default";

    /// Somebody in open mode whom nothing vouches for.
    pub fn named(name: &str, realm: RealmId) -> Self {
        Self {
            realm,
            tenant: Self::DEFAULT_TENANT.into(),
            user: name.into(),
            username: None,
            roles: Vec::new(),
            permissions: None,
            verified: false,
            expires: None,
            service: false,
        }
    }

    pub fn is_service(&self) -> bool {
        self.service
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r == role)
    }

    /// An administrator, or somebody with that permission (TUS-67).
    pub fn may(&self, action: &str) -> bool {
        self.has_role(Self::ADMIN) || self.permissions.iter().flatten().any(|p| p == action)
    }

    /// The channel in which this user's devices meet.
    pub fn channel(&self) -> ChannelName {
        ChannelName {
            realm: self.realm,
            tenant: self.tenant.clone(),
            kind: Kind::User,
            id: self.user.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(roles: &[&str], permissions: Option<&[&str]>) -> Principal {
        Principal {
            realm: RealmId(0),
            tenant: Principal::DEFAULT_TENANT.into(),
            user: "u".into(),
            username: None,
            roles: roles.iter().map(ToString::to_string).collect(),
            permissions: permissions.map(|p| p.iter().map(ToString::to_string).collect()),
            verified: true,
            expires: None,
            service: false,
        }
    }

    #[test]
    fn an_administrator_may_all_and_a_permission_one_thing() {
        assert!(with(&["admin"], None).may("create_room"));
        assert!(with(&[], Some(&["create_room"])).may("create_room"));
        assert!(!with(&[], Some(&["create_room"])).may("moderate"));
        assert!(!with(&["user"], None).may("create_room"));
    }
}
