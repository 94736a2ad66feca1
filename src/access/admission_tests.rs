//! The matrix: every action, of everybody, under every kind of rule, in every word; and the traps of names.

use super::Action::{
    Acknowledge, Administer, As, Custom, Direct, Free, Leave, List, Notify, On, Own, Presence,
};
use super::Address::{
    Chat, Conversation, Foreign, Group, Inbox, Named, Notifications, Presence as Watch, Public, Room, System,
    Tenant,
};
use super::Dialect::{Aegisx, Gator, Nexus, Sge, Tusk};
use super::Verb::{Manage, Publish, Subscribe};
use super::*;
use crate::access::{Grants, Someone};
use crate::model::{Glob, RealmId};

fn principal(user: &str, verified: bool, roles: &[&str], permissions: &[&str]) -> Principal {
    Principal {
        roles: roles.iter().map(ToString::to_string).collect(),
        permissions: Some(permissions.iter().map(ToString::to_string).collect()),
        verified,
        ..Principal::named(user, RealmId(0))
    }
}

/// Those who ask, a letter each in this order.
///
/// | letter | who |
/// |---|---|
/// | G | a guest where credentials are demanded |
/// | g | a guest |
/// | l | a guest at the machine itself |
/// | s | staff, by role |
/// | b | the boss |
/// | n | who says it is the boss |
/// | o | another |
/// | m | may make rooms |
/// | p | a service that may publish |
/// | e | a service that may set presence |
/// | t | a tenant's own credential, tenant t1, no user |
/// | a | an administrator |
fn cast() -> Vec<(Option<Principal>, bool, bool)> {
    let tenant = Principal { tenant: "t1".into(), ..principal("", true, &[], &[]) };
    let known = [
        principal("s", true, &["user", "staff"], &[]),
        principal("boss", true, &[], &[]),
        principal("boss", false, &[], &[]),
        principal("o", true, &["user"], &[]),
        principal("m", true, &[], &["create_room"]),
        Principal { service: true, ..principal("p", true, &[], &["publish"]) },
        Principal { service: true, ..principal("e", true, &[], &["presence"]) },
        tenant,
        principal("a", true, &["admin"], &[]),
    ];
    let guests = [(None, true, false), (None, false, false), (None, false, true)];
    guests.into_iter().chain(known.into_iter().map(|who| (Some(who), true, false))).collect()
}

fn asker(who: Option<&Principal>, dialect: Dialect) -> Asker<'_> {
    Asker { who, dialect, require_auth: false, local: false, shared: false }
}

/// y: admitted, a: "Authentication required", f: "Permission denied".
fn letter(policy: &Policy, action: Action<'_>, asker: &Asker<'_>) -> char {
    match policy.admit(action, asker) {
        Ok(()) => 'y',
        Err(refusal) if refusal == UNAUTHENTICATED => 'a',
        Err(refusal) => {
            assert_eq!((refusal.code, &*refusal.text), (Code::Forbidden, "Permission denied"));
            'f'
        }
    }
}

fn row(policy: &Policy, dialect: Dialect, action: Action<'_>) -> String {
    let ask = |(who, require_auth, local): &(Option<Principal>, bool, bool)| {
        let asker = Asker { require_auth: *require_auth, local: *local, ..asker(who.as_ref(), dialect) };
        letter(policy, action, &asker)
    };
    cast().iter().map(ask).collect()
}

/// Rules as text, `;` between them: `CHANNEL WHO ALLOW ELSE`, with a dialect and `!` before the channel if it is of one.
/// `WHO`: as in the configuration, `,` between; `all`, `none`. The others: letters of subscribe, publish, manage; `-`.
fn policy(rules: &str, open: bool) -> Policy {
    let verbs = |letters: &str| -> Grants {
        let meant = |verb: &Verb| letters.contains(['s', 'p', 'm'][*verb as usize]);
        Verb::ALL.into_iter().filter(meant).collect()
    };
    let someone = |text: &str| match text.split_once(':') {
        Some(("role", name)) => Someone::Role(name.into()),
        Some(("user", name)) => Someone::User(name.into()),
        _ => panic!("{text}"),
    };
    let rule = |text: &str| {
        let [channel, who, allow, otherwise] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        let (dialect, channel) = match channel.split_once('!') {
            Some((dialect, channel)) => (Some(Dialect::named(dialect).expect(dialect)), channel),
            None => (None, channel),
        };
        let who = match who {
            "all" => None,
            "none" => Some(vec![]),
            some => Some(some.split(',').map(someone).collect()),
        };
        let channel = Glob::new(channel).expect("short");
        Rule { dialect, channel, who, allow: verbs(allow), otherwise: verbs(otherwise) }
    };
    Policy::new(rules.split(';').filter(|rule| !rule.trim().is_empty()).map(rule).collect(), open)
}

const HALL: Address<'_> = Tenant("tenant:default");
const THEIRS: Address<'_> = Tenant("tenant:t1:g");
const OFFICE: Address<'_> = Tenant("tenant:default:admin");
const TOLD: Address<'_> = Notifications("notifications:default:boss:all");

/// Every action. The columns: no rules; no rules in open mode; a rule that allows all to all; one that allows nothing
/// to nobody. The letters of a column are those of the cast.
const ACTIONS: &[(Action<'_>, [&str; 4])] = &[
    (Free, ["yyyyyyyyyyyy", "yyyyyyyyyyyy", "yyyyyyyyyyyy", "yyyyyyyyyyyy"]),
    (List, ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy"]),
    (Leave, ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy"]),
    (Custom, ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy"]),
    (Presence, ["ayyyyyyyyyfy", "ayyyyyyyyyfy", "ayyyyyyyyyfy", "ayyyyyyyyyfy"]),
    (Direct, ["aaayyyyyyyfy", "aaayyyyyyyfy", "aaayyyyyyyfy", "aaayyyyyyyfy"]),
    (Acknowledge, ["aaayyyyyyyfy", "aaayyyyyyyfy", "aaayyyyyyyfy", "aaayyyyyyyfy"]),
    (Own, ["aaayyyyyyyfy", "aaayyyyyyyfy", "aaayyyyyyyfy", "aaayyyyyyyfy"]),
    (As { user: "boss", scope: "publish" }, ["aaafyyffyffy", "aaafyyffyffy", "aaafyyffyffy", "aaafyyffyffy"]),
    (
        As { user: "boss", scope: "presence" },
        ["aaafyyfffyfy", "aaafyyfffyfy", "aaafyyfffyfy", "aaafyyfffyfy"],
    ),
    (Notify, ["aaafffffyffy", "aayyyyyyyyyy", "aaafffffyffy", "aaafffffyffy"]),
    (Administer, ["aaaffffffffy", "aayffffffffy", "aaaffffffffy", "aaaffffffffy"]),
    (On(Subscribe, Room("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Publish, Room("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Manage, Room("x")), ["aayffffyfffy", "aayffffyfffy", "aayyyyyyyyyy", "aafffffffffy"]),
    (On(Subscribe, Conversation("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Publish, Conversation("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Manage, Conversation("x")), ["aayffffyfffy", "aayffffyfffy", "aayyyyyyyyyy", "aafffffffffy"]),
    (On(Subscribe, Group("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Publish, Group("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Manage, Group("x")), ["aayffffyfffy", "aayffffyfffy", "aayyyyyyyyyy", "aafffffffffy"]),
    (On(Subscribe, Public("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Publish, Public("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Manage, Public("x")), ["aayffffyfffy", "aayffffyfffy", "aayyyyyyyyyy", "aafffffffffy"]),
    (On(Subscribe, HALL), ["ayyyyyyyyyfy", "ayyyyyyyyyfy", "ayyyyyyyyyfy", "affffffffffy"]),
    (On(Publish, HALL), ["ayyyyyyyyyfy", "ayyyyyyyyyfy", "ayyyyyyyyyfy", "affffffffffy"]),
    (On(Manage, HALL), ["aayffffyfffy", "aayffffyfffy", "aayyyyyyyyfy", "aafffffffffy"]),
    (On(Subscribe, THEIRS), ["afffffffffyf", "afffffffffyf", "afffffffffyf", "afffffffffff"]),
    (On(Publish, THEIRS), ["afffffffffyf", "afffffffffyf", "afffffffffyf", "afffffffffff"]),
    (On(Manage, THEIRS), ["aaffffffffff", "aaffffffffff", "aaffffffffyf", "aaffffffffff"]),
    (On(Subscribe, OFFICE), ["affffffffffy", "affffffffffy", "affffffffffy", "affffffffffy"]),
    (On(Publish, OFFICE), ["affffffffffy", "affffffffffy", "affffffffffy", "affffffffffy"]),
    (On(Manage, OFFICE), ["aafffffffffy", "aafffffffffy", "aafffffffffy", "aafffffffffy"]),
    (On(Subscribe, TOLD), ["afffyyffffff", "afffyyffffff", "afffyyffffff", "afffyyffffff"]),
    (On(Publish, TOLD), ["aaaffffffffy", "aayffffffffy", "aaaffffffffy", "aaaffffffffy"]),
    (On(Manage, TOLD), ["aaffffffffff", "aaffffffffff", "aaffffffffff", "aaffffffffff"]),
    (On(Subscribe, Named("x")), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "affffffffffy"]),
    (On(Publish, Named("x")), ["aaafffffyffy", "aayyyyyyyyyy", "aaafffffyffy", "aaaffffffffy"]),
    (On(Manage, Named("x")), ["aayffffyfffy", "aayffffyfffy", "aayyyyyyyyyy", "aafffffffffy"]),
    (On(Subscribe, Inbox("boss")), ["afffyyffffff", "afffyyffffff", "afffyyffffff", "afffyyffffff"]),
    (On(Publish, Inbox("boss")), ["aaafffffyffy", "aayyyyyyyyyy", "aaafffffyffy", "aaafffffyffy"]),
    (On(Manage, Inbox("boss")), ["aaffffffffff", "aaffffffffff", "aaffffffffff", "aaffffffffff"]),
    (On(Subscribe, Chat("boss")), ["afffyyffffff", "afffyyffffff", "afffyyffffff", "afffyyffffff"]),
    (On(Publish, Chat("boss")), ["aaafffffyffy", "aayyyyyyyyyy", "aaafffffyffy", "aaafffffyffy"]),
    (On(Manage, Chat("boss")), ["aaffffffffff", "aaffffffffff", "aaffffffffff", "aaffffffffff"]),
    (On(Subscribe, Watch("boss")), ["aaayyyyyyyyy", "ayyyyyyyyyyy", "aaayyyyyyyyy", "aaaffffffffy"]),
    (On(Publish, Watch("boss")), ["aaafffffyffy", "aayyyyyyyyyy", "aaafffffyffy", "aaaffffffffy"]),
    (On(Manage, Watch("boss")), ["aaffffffffff", "aaffffffffff", "aaffffffffff", "aaffffffffff"]),
    (On(Subscribe, System), ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy", "ayyyyyyyyyyy"]),
    (On(Publish, System), ["aaafffffyffy", "aayyyyyyyyyy", "aaafffffyffy", "aaafffffyffy"]),
    (On(Manage, System), ["aaffffffffff", "aaffffffffff", "aaffffffffff", "aaffffffffff"]),
    (On(Subscribe, Foreign("x")), ["afffffffffff", "afffffffffff", "afffffffffff", "afffffffffff"]),
    (On(Publish, Foreign("x")), ["afffffffffff", "afffffffffff", "afffffffffff", "afffffffffff"]),
    (On(Manage, Foreign("x")), ["afffffffffff", "afffffffffff", "afffffffffff", "afffffffffff"]),
];

/// A rule about `room:x`, and who may subscribe, publish, manage there. With `open` before it: in open mode.
const RULES: &[(&str, [&str; 3])] = &[
    ("room:y role:staff - -", ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "aayffffyfffy"]),
    ("room:x all spm -", ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "aayyyyyyyyyy"]),
    ("room:x all - spm", ["affffffffffy", "affffffffffy", "aafffffffffy"]),
    ("room:x none spm -", ["affffffffffy", "affffffffffy", "aafffffffffy"]),
    ("room:x role:staff spm -", ["affyfffffffy", "affyfffffffy", "aafyfffffffy"]),
    ("room:x user:boss spm -", ["afffyffffffy", "afffyffffffy", "aaffyffffffy"]),
    ("open room:x user:boss spm -", ["afffyyfffffy", "afffyyfffffy", "aaffyyfffffy"]),
    ("room:x role:staff,user:boss spm -", ["affyyffffffy", "affyyffffffy", "aafyyffffffy"]),
    ("room:x role:staff sp s", ["ayyyyyyyyyyy", "affyfffffffy", "aafffffffffy"]),
    ("room:x role:staff - pm", ["affffffffffy", "ayyfyyyyyyyy", "aayfyyyyyyyy"]),
    ("tusk!room:x none - -", ["affffffffffy", "affffffffffy", "aafffffffffy"]),
    ("echo!room:x none - -", ["ayyyyyyyyyyy", "ayyyyyyyyyyy", "aayffffyfffy"]),
];

/// A dialect, rules, a channel in the dialect's words, and who may subscribe.
const WORDS: &[(Dialect, &str, Address<'_>, &str)] = &[
    (Tusk, "room:x none - -", Room("x"), "affffffffffy"),
    (Tusk, "conversation:x none - -", Room("x"), "ayyyyyyyyyyy"),
    (Gator, "conversation:x none - -", Conversation("x"), "affffffffffy"),
    (Gator, "room:x none - -", Conversation("x"), "ayyyyyyyyyyy"),
    (Nexus, "room:x none - -", Room("x"), "affffffffffy"),
    (Nexus, "conversation:x none - -", Room("x"), "affffffffffy"),
    (Nexus, "room:x none - -", Conversation("x"), "affffffffffy"),
    (Nexus, "conversation:x none - -", Conversation("x"), "affffffffffy"),
    (Nexus, "conversation:x role:staff s -; room:x none - -", Room("x"), "affyfffffffy"),
    (Nexus, "conversation:x role:staff s -; room:x none - -", Conversation("x"), "affyfffffffy"),
    (Nexus, "nexus!room:x none - -", Conversation("x"), "affffffffffy"),
    (Nexus, "gator!conversation:x none - -", Conversation("x"), "ayyyyyyyyyyy"),
    (Sge, "group:x none - -", Group("x"), "affffffffffy"),
    (Sge, "room:x none - -", Group("x"), "ayyyyyyyyyyy"),
    (Sge, "channel:x none - -", Named("x"), "affffffffffy"),
    (Sge, "channel:x none - -", Group("x"), "ayyyyyyyyyyy"),
    (Sge, "presence:boss role:staff s -", Watch("boss"), "aaayfffffffy"),
    (Sge, "channel:* none - -", System, "ayyyyyyyyyyy"),
    (Aegisx, "channel:public:x none - -", Public("x"), "affffffffffy"),
    (Aegisx, "channel:x none - -", Public("x"), "ayyyyyyyyyyy"),
    (Aegisx, "channel:tenant:default:g role:staff s -", Tenant("tenant:default:g"), "affyfffffffy"),
    (Aegisx, "channel:tenant:t1:g all spm -", Tenant("tenant:t1:g"), "afffffffffyf"),
    (Aegisx, "channel:* none - -", Notifications("notifications:default:boss:all"), "afffyyffffff"),
];

/// The whole table: action by who asks by rule by dialect.
#[test]
fn the_matrix() {
    for (action, rows) in ACTIONS {
        let policies = [("", false), ("", true), ("* all spm spm", false), ("* none - -", false)];
        for ((rules, open), want) in policies.into_iter().zip(*rows) {
            let got = row(&policy(rules, open), Dialect::Sge, *action);
            assert_eq!(got, want, "{action:?} with {rules:?}, open: {open}");
        }
    }
    for (rules, rows) in RULES {
        let (open, text) = rules.strip_prefix("open ").map_or((false, *rules), |text| (true, text));
        for (verb, want) in Verb::ALL.into_iter().zip(*rows) {
            let got = row(&policy(text, open), Dialect::Tusk, On(verb, Room("x")));
            assert_eq!(got, want, "{rules}: {verb:?}");
        }
    }
    for (dialect, rules, place, want) in WORDS {
        let got = row(&policy(rules, false), *dialect, On(Subscribe, *place));
        assert_eq!(got, *want, "{dialect}: {rules}: {place:?}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = "room:staff-lounge all s -; room:staff-* role:staff s -; room:* all - -";
    for (room, want) in
        [("staff-lounge", "ayyyyyyyyyyy"), ("staff-7", "affyfffffffy"), ("hall", "affffffffffy")]
    {
        assert_eq!(row(&policy(rules, false), Dialect::Tusk, On(Subscribe, Room(room))), want, "{room}");
    }
}

/// Whether somebody of that tenant, with that user's id and role, may subscribe that.
fn reaches(tenant: &str, user: &str, role: &str, place: Address<'_>) -> bool {
    let who = Principal { tenant: tenant.into(), ..principal(user, true, &[role], &["admin"]) };
    policy("", false).admit(On(Subscribe, place), &asker(Some(&who), Dialect::Aegisx)).is_ok()
}

#[test]
fn a_tenant_reaches_its_own_channels_and_no_other_begins_like_it() {
    for (tenant, name, user, admin) in [
        ("t1", "tenant:t1", true, true),
        ("t1", "tenant:t1:", true, true),
        ("t1", "tenant:t1:general", true, true),
        ("t1", "tenant:t1:a:b", true, true),
        ("t1", "tenant:t1:administrators", true, true),
        ("t1", "tenant:t1:x:admin", true, true),
        ("t1", "tenant:t1:admin", false, true),
        ("t1", "tenant:t1:admin:", false, true),
        ("t1", "tenant:t1:admin:x", false, true),
        ("t1", "tenant:t10", false, false),
        ("t1", "tenant:t10:general", false, false),
        ("t1", "tenant:t1general", false, false),
        ("t1", "tenant:T1:general", false, false),
        ("t1", "tenant:", false, false),
        ("t1", "tenant::", false, false),
        ("t1", "tenant", false, false),
        ("t1", "t1:general", false, false),
        ("t1", "", false, false),
        // Of `a` or of `a:b`? Of the one whose id has no colon.
        ("a", "tenant:a:b:g", true, true),
        ("a:b", "tenant:a:b:g", false, false),
        ("a:b", "tenant:a:b", false, false),
        ("a:admin", "tenant:a:admin", false, false),
    ] {
        assert_eq!(reaches(tenant, "u", "user", Tenant(name)), user, "{tenant}: {name}");
        assert_eq!(reaches(tenant, "u", "admin", Tenant(name)), admin, "{tenant}: {name}");
    }
    let guest = |name| policy("", false).admit(On(Subscribe, Tenant(name)), &asker(None, Dialect::Aegisx));
    assert_eq!((guest("tenant:default:g"), guest("tenant:t1:g")), (Ok(()), Err(FORBIDDEN)));
}

#[test]
fn notifications_are_their_users_and_no_name_has_two_owners() {
    for (tenant, user, name, want) in [
        ("t", "u", "notifications:t:u:all", true),
        ("t", "u:v", "notifications:t:u:v:all", true),
        ("t", "u", "notifications:t:u:v:all", false),
        ("t", "v", "notifications:t:u:all", false),
        ("x", "u", "notifications:t:u:all", false),
        ("t:u", "v", "notifications:t:u:v:all", false),
        ("t", "", "notifications:t::all", false),
        ("t", "u", "notifications:t:u:", false),
        ("t", "u", "notifications:t:u", false),
        ("t", "u", "notifications:t:uall", false),
        ("t", "u", "t:u:all", false),
        ("t", "u", "", false),
    ] {
        assert_eq!(reaches(tenant, user, "admin", Notifications(name)), want, "{tenant} {user}: {name}");
    }
}

#[test]
fn whose_inbox_is_whose() {
    for (user, owner, want) in [("u", "u", true), ("u", "v", false), ("", "", false), ("u", "", false)] {
        assert_eq!(reaches("t", user, "admin", Inbox(owner)), want);
        assert_eq!(reaches("t", user, "admin", Chat(owner)), want);
    }
}

#[test]
fn only_administrators_and_services_speak_for_others() {
    let ask =
        |who: &Principal, user| policy("", true).admit(As { user, scope: "publish" }, &asker(Some(who), Sge));
    let unproven = principal("boss", false, &["admin"], &["publish"]);
    let user = principal("boss", true, &["user"], &["publish", "admin"]);
    let service = Principal { service: true, ..user.clone() };
    for (who, others) in [(&unproven, Err(FORBIDDEN)), (&user, Err(FORBIDDEN)), (&service, Ok(()))] {
        assert_eq!((ask(who, "boss"), ask(who, "other")), (Ok(()), others));
    }
}

#[test]
fn the_permission_admin_is_enough_to_administer_and_so_is_the_machine_itself_in_open_mode() {
    let (service, user) = (principal("s", true, &[], &["admin"]), principal("u", true, &["user"], &[]));
    for (who, open, local, want) in [
        (&service, false, false, true),
        (&service, true, false, true),
        (&user, true, true, true),
        (&user, true, false, false),
        (&user, false, true, false),
    ] {
        let asker = Asker { local, ..asker(Some(who), Aegisx) };
        assert_eq!(policy("", open).admit(Administer, &asker).is_ok(), want, "{} {open} {local}", who.user);
        assert!(policy("", open).admit(Notify, &asker).is_ok() == (open || want));
    }
}

#[test]
fn a_guest_of_nexus_notifies_where_everything_is_open_and_of_others_does_not() {
    for dialect in Dialect::ALL {
        let guest = asker(None, dialect);
        let may = |open, asker: &Asker<'_>| policy("", open).admit(Notify, asker).is_ok();
        assert_eq!(may(true, &guest), dialect == Nexus, "{dialect}");
        assert!(!may(false, &guest) && !may(true, &Asker { require_auth: true, ..guest }), "{dialect}");
    }
}

#[test]
fn grants_are_a_set() {
    let grants: Grants = [Publish, Publish].into_iter().collect();
    assert_eq!(Verb::ALL.map(|verb| grants.contains(verb)), [false, true, false]);
}

/// One channel in a shared realm: what closes it in one dialect's word closes it in all.
#[test]
fn in_a_shared_realm_a_rule_about_one_word_is_about_all() {
    let closed = policy_of("room:staff-*");
    let who = principal("u", true, &[], &[]);
    for (dialect, place) in [
        (Tusk, Address::Room("staff-1")),
        (Gator, Address::Conversation("staff-1")),
        (Nexus, Address::Conversation("staff-1")),
        (Sge, Address::Group("staff-1")),
        (Aegisx, Address::Public("staff-1")),
    ] {
        let alone = Asker { who: Some(&who), dialect, require_auth: true, local: false, shared: false };
        let meant = matches!(dialect, Tusk | Nexus);
        assert_eq!(closed.admit(On(Subscribe, place), &alone).is_err(), meant, "{place:?}");
        let shared = Asker { shared: true, ..alone };
        assert!(closed.admit(On(Subscribe, place), &shared).is_err(), "{place:?}");
    }
}

/// One rule that closes those channels to everybody.
fn policy_of(channel: &str) -> Policy {
    let closed = Rule {
        dialect: None,
        channel: Glob::new(channel).expect("short"),
        who: None,
        allow: Grants::default(),
        otherwise: Grants::default(),
    };
    Policy::new(vec![closed], false)
}
