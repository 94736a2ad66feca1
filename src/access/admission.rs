//! The decision: what is built in, then the first rule that matches, then what holds without rules.

use super::{Rule, Verb};
use crate::model::{Code, Dialect, Kind, Principal, Refusal};

/// A channel by the name that whoever asks gave it. Whether it is there plays no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    pub kind: Kind,
    pub id: &'a str,
}

impl<'a> Channel<'a> {
    pub const fn room(id: &'a str) -> Self {
        Self { kind: Kind::Room, id }
    }

    /// `kind:id`, as rules write it.
    fn name(self) -> impl Iterator<Item = char> + use<'a> {
        let kind = match self.kind {
            Kind::Room => "room",
            Kind::User => "user",
        };
        kind.chars().chain([':']).chain(self.id.chars())
    }
}

/// What is asked, as far as the decision needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Authentication and heartbeats.
    Free,
    /// Read a list of channels; what it may show is asked by channel.
    List,
    /// Something that rules can speak of.
    On(Verb, Channel<'a>),
    Leave,
    /// Talk to one user.
    Direct,
    /// Say whether one is there.
    Presence,
    Acknowledge,
    /// A message that an extension handles.
    Custom,
}

/// Who asks, and by which way.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// `None`: a guest.
    pub who: Option<&'a Principal>,
    pub dialect: Dialect,
    /// Whether this way in demands credentials.
    pub require_auth: bool,
    /// Whether it sits at the machine itself, which only REST can know.
    pub local: bool,
}

/// All rules, compiled. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Box<[Rule]>,
    names_count: bool,
}

const UNAUTHENTICATED: Refusal = Refusal::new(Code::Unauthenticated, "Authentication required");
const FORBIDDEN: Refusal = Refusal::new(Code::Forbidden, "Permission denied");

impl Policy {
    /// `open`: the mode in which everybody is who they say. There the rules believe a name as everything else
    /// does: a `user:` would mean nobody otherwise. In the other mode a name needs a credential, even on a
    /// listener that lets people in without.
    pub fn new(rules: Vec<Rule>, open: bool) -> Self {
        Self { rules: rules.into(), names_count: open }
    }

    /// Lets an action pass, or says why not. Looks at each rule at most once.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`]: it takes a credential. [`Code::Forbidden`]: not to this one.
    pub fn admit(&self, action: Action<'_>, asker: &Asker<'_>) -> Result<(), Refusal> {
        match (action, asker.who) {
            (Action::Free, _) => Ok(()),
            (_, None) if asker.require_auth => Err(UNAUTHENTICATED),
            // In open mode a guest may join, leave and speak; what concerns one user needs one.
            (Action::Direct | Action::Acknowledge, None) => Err(UNAUTHENTICATED),
            (Action::On(Verb::Manage, _), None) if !asker.local => Err(UNAUTHENTICATED),
            (Action::On(verb, channel), _) => match self.grants(verb, channel, asker) {
                true => Ok(()),
                false => Err(FORBIDDEN),
            },
            // A guest's presence: the document ignores it before authentication (TUS-16).
            (Action::List | Action::Leave | Action::Presence | Action::Custom, _) => Ok(()),
            (Action::Direct | Action::Acknowledge, Some(_)) => Ok(()),
        }
    }

    fn grants(&self, verb: Verb, channel: Channel<'_>, asker: &Asker<'_>) -> bool {
        if channel.kind == Kind::User {
            return asker.who.is_some_and(|who| *who.user == *channel.id);
        }
        let spoken_of = |rule: &&Rule| {
            rule.dialect.is_none_or(|dialect| dialect == asker.dialect)
                && rule.channel.matches(channel.name())
        };
        match self.rules.iter().find(spoken_of) {
            Some(rule) => {
                rule.grants(asker.who, self.names_count).contains(verb)
                    || asker.who.is_some_and(|who| who.has_role(Principal::ADMIN))
            }
            // A guest comes this far only from the machine itself.
            None => verb != Verb::Manage || asker.who.is_none_or(|who| who.may("create_room")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Grants, Someone};
    use crate::model::{Glob, RealmId};

    fn principal(user: &str, verified: bool, roles: &[&str], permissions: &[&str]) -> Principal {
        Principal {
            realm: RealmId(0),
            tenant: "default".into(),
            user: user.into(),
            username: None,
            roles: roles.iter().map(ToString::to_string).collect(),
            permissions: Some(permissions.iter().map(ToString::to_string).collect()),
            verified,
            expires: None,
        }
    }

    /// Those who ask, in the order of the tables' letters.
    struct Cast {
        staff: Principal,
        boss: Principal,
        /// Says that it is the boss.
        name: Principal,
        other: Principal,
        maker: Principal,
        admin: Principal,
    }

    impl Cast {
        fn new() -> Self {
            Self {
                staff: principal("s", true, &["user", "staff"], &[]),
                boss: principal("boss", true, &[], &[]),
                name: principal("boss", false, &[], &[]),
                other: principal("o", true, &["user"], &[]),
                maker: principal("m", true, &[], &["create_room"]),
                admin: principal("a", true, &["admin"], &[]),
            }
        }

        /// A guest where credentials are demanded; one where not; one at the machine itself; then the others.
        fn askers(&self) -> Vec<Asker<'_>> {
            let guest = Asker { who: None, dialect: Dialect::Tusk, require_auth: false, local: false };
            let mut askers =
                vec![Asker { require_auth: true, ..guest }, guest, Asker { local: true, ..guest }];
            for who in [&self.staff, &self.boss, &self.name, &self.other, &self.maker, &self.admin] {
                askers.push(Asker { who: Some(who), require_auth: true, ..guest });
            }
            askers
        }
    }

    fn rule(channel: &str, who: Option<&[&str]>, allow: &[Verb], otherwise: &[Verb]) -> Rule {
        let someone = |text: &&str| match text.split_once(':') {
            Some(("role", name)) => Someone::Role(name.into()),
            Some(("user", name)) => Someone::User(name.into()),
            _ => panic!("{text}"),
        };
        Rule {
            dialect: None,
            channel: Glob::new(channel).expect("short"),
            who: who.map(|who| who.iter().map(someone).collect()),
            allow: allow.iter().copied().collect(),
            otherwise: otherwise.iter().copied().collect(),
        }
    }

    /// y: admitted, a: "Authentication required", f: "Permission denied".
    fn row(policy: &Policy, action: Action<'_>) -> String {
        let cast = Cast::new();
        let letter = |asker: &Asker<'_>| match policy.admit(action, asker) {
            Ok(()) => 'y',
            Err(refusal) if refusal == UNAUTHENTICATED => 'a',
            Err(refusal) => {
                assert_eq!((refusal.code, &*refusal.text), (Code::Forbidden, "Permission denied"));
                'f'
            }
        };
        cast.askers().iter().map(letter).collect()
    }

    fn one(rule: Rule) -> Policy {
        Policy::new(vec![rule], false)
    }

    /// The whole table: action by who asks by rule. Columns: a guest where credentials are demanded, a guest, one
    /// at the machine itself, staff, boss, an unproven name "boss", another, a maker of rooms, an administrator.
    /// The three rows of a policy: subscribe, publish, manage.
    #[test]
    fn the_matrix() {
        use Verb::{Manage, Publish, Subscribe};
        let all = &Verb::ALL[..];
        let staff: Option<&[&str]> = Some(&["role:staff"]);
        let boss: Option<&[&str]> = Some(&["user:boss"]);
        let both: Option<&[&str]> = Some(&["role:staff", "user:boss"]);
        let x = |who, allow, otherwise| vec![rule("room:x", who, allow, otherwise)];
        for (name, rules, open, rows) in [
            ("none", vec![], false, ["ayyyyyyyy", "ayyyyyyyy", "aayffffyy"]),
            ("of y", vec![rule("room:y", staff, &[], &[])], false, ["ayyyyyyyy", "ayyyyyyyy", "aayffffyy"]),
            ("all to all", x(None, all, &[]), false, ["ayyyyyyyy", "ayyyyyyyy", "aayyyyyyy"]),
            ("nothing", x(None, &[], all), false, ["afffffffy", "afffffffy", "aaffffffy"]),
            ("to nobody", x(Some(&[]), all, &[]), false, ["afffffffy", "afffffffy", "aaffffffy"]),
            ("to staff", x(staff, all, &[]), false, ["affyffffy", "affyffffy", "aafyffffy"]),
            ("to boss", x(boss, all, &[]), false, ["afffyfffy", "afffyfffy", "aaffyfffy"]),
            ("to boss, open", x(boss, all, &[]), true, ["afffyyffy", "afffyyffy", "aaffyyffy"]),
            ("to both", x(both, all, &[]), false, ["affyyfffy", "affyyfffy", "aafyyfffy"]),
            (
                "others listen",
                x(staff, &[Subscribe, Publish], &[Subscribe]),
                false,
                ["ayyyyyyyy", "affyffffy", "aaffffffy"],
            ),
            (
                "staff may not",
                x(staff, &[], &[Publish, Manage]),
                false,
                ["afffffffy", "ayyfyyyyy", "aayfyyyyy"],
            ),
        ] {
            let policy = Policy::new(rules, open);
            for (verb, want) in Verb::ALL.into_iter().zip(rows) {
                assert_eq!(row(&policy, Action::On(verb, Channel::room("x"))), want, "{name}: {verb:?}");
            }
            for (action, want) in [
                (Action::Free, "yyyyyyyyy"),
                (Action::List, "ayyyyyyyy"),
                (Action::Leave, "ayyyyyyyy"),
                (Action::Custom, "ayyyyyyyy"),
                (Action::Presence, "ayyyyyyyy"),
                (Action::Direct, "aaayyyyyy"),
                (Action::Acknowledge, "aaayyyyyy"),
            ] {
                assert_eq!(row(&policy, action), want, "{name}: {action:?}");
            }
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let policy = Policy::new(
            vec![
                rule("room:staff-lounge", None, &[Verb::Subscribe], &[]),
                rule("room:staff-*", Some(&["role:staff"]), &[Verb::Subscribe], &[]),
                rule("room:*", None, &[], &[]),
            ],
            false,
        );
        for (room, want) in [("staff-lounge", "ayyyyyyyy"), ("staff-7", "affyffffy"), ("hall", "afffffffy")] {
            assert_eq!(row(&policy, Action::On(Verb::Subscribe, Channel::room(room))), want, "{room}");
        }
    }

    #[test]
    fn a_rule_of_another_dialect_says_nothing() {
        let closed = rule("*", None, &[], &[]);
        for (dialect, want) in
            [(None, "afffffffy"), (Some(Dialect::Tusk), "afffffffy"), (Some(Dialect::Echo), "ayyyyyyyy")]
        {
            let policy = one(Rule { dialect, ..closed.clone() });
            assert_eq!(row(&policy, Action::On(Verb::Publish, Channel::room("x"))), want, "{dialect:?}");
        }
    }

    #[test]
    fn no_rule_opens_an_inbox() {
        let policy = one(rule("*", None, &Verb::ALL, &Verb::ALL));
        let inbox = Channel { kind: Kind::User, id: "boss" };
        assert_eq!(row(&policy, Action::On(Verb::Subscribe, inbox)), "afffyyfff");
        assert_eq!(row(&one(rule("*", None, &[], &[])), Action::On(Verb::Subscribe, inbox)), "afffyyfff");
    }

    #[test]
    fn grants_are_a_set() {
        let grants: Grants = [Verb::Publish, Verb::Publish].into_iter().collect();
        assert_eq!(Verb::ALL.map(|verb| grants.contains(verb)), [false, true, false]);
    }
}
