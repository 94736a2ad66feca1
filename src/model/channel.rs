//! The one unit of pub/sub and how its home is found.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

/// A namespace of users and channels. An index into the configuration's table of realm names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RealmId(pub u8);

/// What a channel is for; channels of different kinds never meet, whatever their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Members talk: a room, a conversation, a group, a public channel.
    Room,
    /// Some publish and some listen, and nobody is told who they are.
    Topic,
    /// One user: its devices are the subscribers, its presence and its pending messages live here.
    User,
    /// Whoever wants to know how a user is. At home where its user is.
    Presence,
}

/// Realm, tenant, kind and id. A key without realm and tenant is not a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelName {
    pub realm: RealmId,
    pub tenant: Arc<str>,
    pub kind: Kind,
    pub id: Arc<str>,
}

impl ChannelName {
    /// The shard that owns the channel. `seed` is drawn at boot, so that nobody outside can aim
    /// many names at one shard.
    pub fn home(&self, seed: u64, shards: usize) -> usize {
        let mut hasher = FxHasher::default();
        seed.hash(&mut hasher);
        self.realm.hash(&mut hasher);
        self.tenant.hash(&mut hasher);
        // A user's home tells those who watch it.
        if self.kind == Kind::Presence { Kind::User } else { self.kind }.hash(&mut hasher);
        self.id.hash(&mut hasher);
        // The high bits of this hash are the well-mixed ones.
        ((u128::from(hasher.finish()) * shards as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(n: usize) -> ChannelName {
        ChannelName {
            realm: RealmId(0),
            tenant: "default".into(),
            kind: Kind::Room,
            id: format!("r{n}").into(),
        }
    }

    #[test]
    fn homes_are_spread_evenly() {
        for shards in [1, 2, 3, 8] {
            let mut count = vec![0usize; shards];
            for n in 0..8000 {
                count[room(n).home(99, shards)] += 1;
            }
            let fair = 8000 / shards;
            assert!(count.iter().all(|c| *c > fair * 8 / 10 && *c < fair * 12 / 10), "{count:?}");
        }
    }

    #[test]
    fn those_who_watch_a_user_are_at_home_where_it_is() {
        for n in 0..100 {
            let user = ChannelName { kind: Kind::User, ..room(n) };
            let watchers = ChannelName { kind: Kind::Presence, ..room(n) };
            assert_eq!(user.home(7, 13), watchers.home(7, 13));
        }
    }

    #[test]
    fn realm_tenant_and_kind_are_part_of_the_key() {
        let a = room(1);
        for b in [
            ChannelName { realm: RealmId(1), ..a.clone() },
            ChannelName { tenant: "t1".into(), ..a.clone() },
            ChannelName { kind: Kind::User, ..a.clone() },
        ] {
            assert_ne!(a, b);
        }
    }
}
