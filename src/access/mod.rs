//! Who may do what: the one decision, for sockets and REST alike, of every dialect.
//!
//! What only the channel's home can know (its password, its settings, its members) the home decides, after
//! this; everything that follows from the principal and the configuration is decided here ([`Policy::admit`]).
//! It is pure, made once at boot and the same on every shard.
//!
//! In this order, and the first that has something to say decides:
//!
//! 1. Where credentials are demanded nobody does anything without one but authenticate and answer heartbeats.
//! 2. What is built in, below. No rule can open it.
//! 3. Where the table says "rules": the first [`Rule`] whose dialect and channel match. What it does not list is
//!    refused, also to members. To somebody with the role `admin` no rule refuses anything.
//! 4. Where none matches: everybody subscribes and publishes, and making a channel takes the role `admin` or the
//!    permission `create_room`.
//!
//! | channel | its name in rules | subscribe | publish | manage |
//! |---|---|---|---|---|
//! | room | `room:X` | rules | rules | rules, not a guest unless at the machine itself |
//! | conversation | `conversation:X` | rules | rules | the same |
//! | SGE group | `group:X` | rules | rules | the same |
//! | AegisX public | `channel:public:X` | rules | rules | the same |
//! | AegisX tenant | `channel:tenant:T:X` | its tenant (`:admin`: those with the role), then rules | the same | the same |
//! | AegisX notifications | | their user | administrators | nobody |
//! | SGE bare name | `channel:X` | rules | who may notify, then rules | as a room |
//! | SGE `user:`, `chat:` | | that user | who may notify | nobody |
//! | SGE `presence:` | `presence:X` | who is known, in open mode everybody; then rules | who may notify, then rules | nobody |
//! | SGE `system` | | everybody | who may notify | nobody |
//! | no channel of the dialect | | nobody | nobody | nobody |
//!
//! NEXUS has two words for one channel: there the first rule that matches `room:X` or `conversation:X` is the rule
//! of both. In a realm that dialects share, `room:X`, `conversation:X`, `group:X` and `channel:public:X` are words for one
//! channel: a rule about one is about all, unless it names a dialect.
//!
//! | action | who |
//! |---|---|
//! | authentication, heartbeats | everybody |
//! | lists, leaving, messages of extensions | everybody that 1. leaves |
//! | direct messages, acknowledgements, one's own roster, notifications and receipts | users |
//! | one's own presence | users; a guest's is ignored later |
//! | speaking or showing oneself as user U | U; the role `admin`; services whose key has the scope that it takes |
//! | notifying users and channels | the role `admin`; the permission `publish` or `admin`; in open mode whoever is known or at the machine itself, in NEXUS everybody (ruling N14) |
//! | administering | the role or permission `admin`; in open mode whoever is at the machine itself |
//!
//! A user is somebody whose name is not empty: a tenant's own credential has none, and may use channels only. Tenants
//! need no rule: they are part of every channel's name, so a rule holds in each of them by itself. In the names of
//! AegisX the tenant is a part among others, so there a tenant whose id has a `:` has no channels of its own: nobody
//! could tell `tenant:a:b` of tenant `a` from that of tenant `a:b`.
//!
//! What leaves a handler of another crate (an effect) is the server's own word and not decided on; the message
//! that called the handler was.

mod admission;
mod rule;

pub use admission::{Action, Asker, Policy};
pub use rule::{Grants, Rule, Someone, Verb};
