//! The decision: what is built in, then the first rule that matches, then what holds without rules.

use super::{Rule, Verb};
use crate::model::{Address, Code, Dialect, Principal, Refusal};

/// What is asked, as far as the decision needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Authentication and heartbeats.
    Free,
    /// Read a list of channels; what it may show is asked by channel.
    List,
    /// Something that rules can speak of. Whether the channel is there plays no part.
    On(Verb, Address<'a>),
    Leave,
    /// Talk to one user.
    Direct,
    /// Speak as that user, or show it so. `scope`: the permission with which a service may do that for others,
    /// `publish` or `presence` (ruling S10).
    As {
        user: &'a str,
        scope: &'a str,
    },
    /// Say how one is oneself.
    Presence,
    Acknowledge,
    /// One's own roster, notifications, receipts; that one writes.
    Own,
    /// A message that an extension handles.
    Custom,
    /// Tell users or channels something, outside of conversations (SGE-33, SGE-34, NEX-58, NEX-59).
    Notify,
    /// What only administrators may (AEG-03, AEG-64).
    Administer,
}

/// Who asks, and by which way.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// `None`: a guest. The user of a tenant's own credential is empty: that one is nobody in particular.
    pub who: Option<&'a Principal>,
    pub dialect: Dialect,
    /// Whether this way in demands credentials.
    pub require_auth: bool,
    /// Whether it sits at the machine itself, which only REST can know.
    pub local: bool,
    /// Whether other dialects share its realm: then a room, conversation, group and public channel of one name
    /// are one channel, and a rule about either is about all.
    pub shared: bool,
}

impl Asker<'_> {
    fn tenant(&self) -> &str {
        self.who.map_or(Principal::DEFAULT_TENANT, |who| &who.tenant)
    }

    /// The user it is, if it is one.
    fn user(&self) -> Option<&str> {
        self.who.map(|who| &*who.user).filter(|user| !user.is_empty())
    }

    fn is_admin(&self) -> bool {
        self.who.is_some_and(|who| who.has_role(Principal::ADMIN))
    }

    fn may(&self, permission: &str) -> bool {
        self.who.is_some_and(|who| who.may(permission))
    }

    /// `Ok` if `granted`. To a guest the refusal says that a credential might help.
    fn with_credential(&self, granted: bool) -> Result<(), Refusal> {
        match (granted, self.who) {
            (true, _) => Ok(()),
            (false, None) => Err(UNAUTHENTICATED),
            (false, Some(_)) => Err(FORBIDDEN),
        }
    }

    /// Whether that is a channel of its tenant, and, if it is one for administrators, it is one of them (ruling A4).
    ///
    /// `tenant:a:b` is a channel of tenant `a`, and read naively one of a tenant `a:b` too. So the id of its tenant
    /// must have no `:`, or none of these channels is its own.
    fn reaches(&self, name: &str) -> bool {
        let own = name.strip_prefix("tenant:").and_then(|name| name.strip_prefix(self.tenant()));
        let Some(rest) = own else { return false };
        let within = rest.is_empty() || rest.starts_with(':');
        let for_admins = rest == ":admin" || rest.starts_with(":admin:");
        within && is_plain(self.tenant()) && (!for_admins || self.is_admin())
    }

    /// Whether that is `notifications:{tenant}:{user}:{type}` of itself. A type has no `:`, or user `u` could name a
    /// type `v:x` and hear what user `u:v` is told.
    fn owns(&self, name: &str) -> bool {
        let kind = || behind(behind(behind(name, "notifications")?, self.tenant())?, self.user()?);
        is_plain(self.tenant()) && kind().is_some_and(|kind| !kind.is_empty() && is_plain(kind))
    }
}

/// What follows `part:`.
fn behind<'n>(name: &'n str, part: &str) -> Option<&'n str> {
    name.strip_prefix(part)?.strip_prefix(':')
}

/// Whether an id can stand in a name whose parts are separated by `:`.
fn is_plain(id: &str) -> bool {
    !id.contains(':')
}

/// All rules, compiled. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Box<[Rule]>,
    open: bool,
}

const UNAUTHENTICATED: Refusal = Refusal::new(Code::Unauthenticated, "Authentication required");
const FORBIDDEN: Refusal = Refusal::new(Code::Forbidden, "Permission denied");

impl Policy {
    /// `open`: the mode in which everybody is who they say. There the rules believe a name as everything else
    /// does: a `user:` would mean nobody otherwise. In the other mode a name needs a credential, even on a
    /// listener that lets people in without.
    pub fn new(rules: Vec<Rule>, open: bool) -> Self {
        Self { rules: rules.into(), open }
    }

    /// Lets an action pass, or says why not. Looks at each rule at most once for each name of the channel.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`]: it takes a credential. [`Code::Forbidden`]: not to this one.
    pub fn admit(&self, action: Action<'_>, asker: &Asker<'_>) -> Result<(), Refusal> {
        match action {
            Action::Free => Ok(()),
            _ if asker.require_auth && asker.who.is_none() => Err(UNAUTHENTICATED),
            Action::List | Action::Leave | Action::Custom => Ok(()),
            // A guest's presence: the document ignores it before authentication (TUS-16).
            Action::Presence if asker.who.is_none() => Ok(()),
            Action::Presence | Action::Direct | Action::Acknowledge | Action::Own => {
                asker.with_credential(asker.user().is_some())
            }
            Action::As { user, scope } => {
                let may = |who: &Principal| asker.is_admin() || (who.is_service() && who.may(scope));
                let for_others = asker.who.is_some_and(|who| who.verified && may(who));
                asker.with_credential(asker.user() == Some(user) || for_others)
            }
            Action::Notify => self.notify(asker),
            Action::Administer => self.administer(asker),
            Action::On(verb, place) => self.on(verb, place, asker),
        }
    }

    fn notify(&self, asker: &Asker<'_>) -> Result<(), Refusal> {
        // NEXUS' REST is open where everything is (ruling N14).
        let anybody = asker.dialect == Dialect::Nexus && !asker.require_auth;
        let believed = self.open && (asker.local || asker.who.is_some() || anybody);
        asker.with_credential(believed || asker.may("publish") || asker.may(Principal::ADMIN))
    }

    fn administer(&self, asker: &Asker<'_>) -> Result<(), Refusal> {
        asker.with_credential((self.open && asker.local) || asker.may(Principal::ADMIN))
    }

    /// What is built in about a channel, and then, where it leaves them a say, the rules.
    fn on(&self, verb: Verb, place: Address<'_>, asker: &Asker<'_>) -> Result<(), Refusal> {
        use Address::{
            Chat, Conversation, Foreign, Group, Inbox, Named, Notifications, Presence, Public, Room, System,
            Tenant,
        };
        use Verb::{Manage, Publish, Subscribe};
        match (place, verb) {
            (Foreign(_), _) => return Err(FORBIDDEN),
            (_, Manage) if asker.who.is_none() && !asker.local => return Err(UNAUTHENTICATED),
            (Inbox(_) | Chat(_) | System | Presence(_) | Notifications(_), Manage) => return Err(FORBIDDEN),
            (System, Subscribe) => return Ok(()),
            (Inbox(user) | Chat(user), Subscribe) => return permitted(asker.user() == Some(user)),
            (Notifications(name), Subscribe) => return permitted(asker.owns(name)),
            (Inbox(_) | Chat(_) | System, Publish) => return self.notify(asker),
            (Notifications(_), Publish) => return self.administer(asker),
            (Presence(_) | Named(_), Publish) => self.notify(asker)?,
            (Presence(_), Subscribe) => asker.with_credential(self.open || asker.who.is_some())?,
            (Tenant(name), _) => permitted(asker.reaches(name))?,
            (Room(_) | Conversation(_) | Group(_) | Public(_), _) | (Named(_), Subscribe | Manage) => {}
        }
        permitted(self.grants(verb, place, asker))
    }

    fn grants(&self, verb: Verb, place: Address<'_>, asker: &Asker<'_>) -> bool {
        let (kinds, id) = names(place, asker);
        let spoken_of = |rule: &&Rule| {
            rule.dialect.is_none_or(|dialect| dialect == asker.dialect)
                && kinds.iter().any(|kind| rule.channel.matches(kind.chars().chain(id.chars())))
        };
        match self.rules.iter().find(spoken_of) {
            Some(rule) => rule.grants(asker.who, self.open).contains(verb) || asker.is_admin(),
            // A guest comes this far only from the machine itself.
            None => verb != Verb::Manage || asker.who.is_none_or(|who| who.may("create_room")),
        }
    }
}

fn permitted(granted: bool) -> Result<(), Refusal> {
    if granted { Ok(()) } else { Err(FORBIDDEN) }
}

/// What rules call a channel: each of the first with the second behind it. None for those that no rule speaks of.
/// Where several words mean one channel, a rule about either is about all.
fn names<'a>(place: Address<'a>, asker: &Asker<'_>) -> (&'static [&'static str], &'a str) {
    match place {
        Address::Room(id) | Address::Conversation(id) | Address::Group(id) | Address::Public(id)
            if asker.shared =>
        {
            (&["room:", "conversation:", "group:", "channel:public:"], id)
        }
        Address::Room(id) | Address::Conversation(id) if asker.dialect == Dialect::Nexus => {
            (&["room:", "conversation:"], id)
        }
        Address::Room(id) => (&["room:"], id),
        Address::Conversation(id) => (&["conversation:"], id),
        Address::Group(id) => (&["group:"], id),
        Address::Public(id) => (&["channel:public:"], id),
        Address::Tenant(id) | Address::Named(id) => (&["channel:"], id),
        Address::Presence(id) => (&["presence:"], id),
        Address::Notifications(_)
        | Address::Inbox(_)
        | Address::Chat(_)
        | Address::System
        | Address::Foreign(_) => (&[], ""),
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
