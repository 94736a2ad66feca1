//! The one decision on who may do what, for sockets and REST alike.
//!
//! What only the channel's home can know (its password, its members) the home decides; everything that
//! follows from the principal and the configuration is decided here.

use super::Rules;
use crate::model::{Code, Principal, Refusal};

/// What is asked, as far as the decision needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Authentication and heartbeats.
    Free,
    Join,
    Leave,
    Publish,
    /// Talk to one user.
    Direct,
    /// Say whether one is there.
    Presence,
    Acknowledge,
    CreateRoom,
    /// A message that an extension handles.
    Custom,
    /// Read listings and statistics.
    Look,
}

const UNAUTHENTICATED: Refusal = Refusal::new(Code::Unauthenticated, "Authentication required");
const FORBIDDEN: Refusal = Refusal::new(Code::Forbidden, "Permission denied");

/// Lets an action pass, or says why not.
pub fn admit(action: Action, who: Option<&Principal>, rules: &Rules) -> Result<(), Refusal> {
    match (action, who) {
        (Action::Free | Action::Look, _) => Ok(()),
        (Action::CreateRoom, Some(p)) if p.may("create_room") => Ok(()),
        (Action::CreateRoom, Some(_)) => Err(FORBIDDEN),
        (_, Some(_)) => Ok(()),
        (_, None) if rules.require_auth => Err(UNAUTHENTICATED),
        // In open mode a guest may join, leave and speak; what concerns one user needs one.
        (Action::Join | Action::Leave | Action::Publish | Action::Custom, None) => Ok(()),
        // The document ignores it before authentication (TUS-16): nobody's presence changes.
        (Action::Presence, None) => Ok(()),
        (Action::Direct | Action::Acknowledge | Action::CreateRoom, None) => Err(UNAUTHENTICATED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Times;
    use crate::model::{Dialect, RealmId};

    fn rules(require_auth: bool) -> Rules {
        Rules {
            dialect: Dialect::Tusk,
            realm: RealmId(0),
            require_auth,
            messages: Default::default(),
            pings: Default::default(),
            max_rooms_per_user: 0,
            sizes: Default::default(),
            frames: crate::ws::Limits { max_message: 1, deflate: false, reserve: 1024 },
            times: Times::default(),
            welcome: false,
            batch_window: 0,
        }
    }

    fn principal(roles: &[&str], permissions: &[&str]) -> Principal {
        Principal {
            realm: RealmId(0),
            tenant: "default".into(),
            user: "u".into(),
            username: None,
            roles: roles.iter().map(ToString::to_string).collect(),
            permissions: Some(permissions.iter().map(ToString::to_string).collect()),
            verified: true,
            expires: None,
        }
    }

    /// The whole table: action by who asks. y: admitted, a: "Authentication required", f: "Permission denied".
    #[test]
    fn the_matrix() {
        use Action::*;
        let plain = principal(&["user"], &[]);
        let admin = principal(&["admin"], &[]);
        let maker = principal(&[], &["create_room"]);
        let columns =
            [(None, false), (None, true), (Some(&plain), true), (Some(&admin), true), (Some(&maker), true)];
        for (action, row) in [
            (Free, "yyyyy"),
            (Look, "yyyyy"),
            (Join, "yayyy"),
            (Leave, "yayyy"),
            (Publish, "yayyy"),
            (Custom, "yayyy"),
            (Presence, "yayyy"),
            (Direct, "aayyy"),
            (Acknowledge, "aayyy"),
            (CreateRoom, "aafyy"),
        ] {
            let got: String = columns
                .iter()
                .map(|(who, required)| match admit(action, *who, &rules(*required)) {
                    Ok(()) => 'y',
                    Err(r) if r.code == Code::Unauthenticated => 'a',
                    Err(_) => 'f',
                })
                .collect();
            assert_eq!(got, row, "{action:?}");
        }
    }
}
