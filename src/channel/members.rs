//! The users with a name who are in a room: on how many devices, and whether they are of the conversation also
//! while they are away. Guests are only counted, elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Users of one conversation who are away and yet told when they come back; who goes when so many are away
/// already is one of it no more. Names cost nothing, so their number must have a bound.
const ABSENT_MAX: usize = 1000;

/// By name.
#[derive(Debug, Default)]
pub struct Members {
    users: BTreeMap<Arc<str>, Member>,
    /// How many have a device in the room.
    present: usize,
    /// How many are away and yet of the conversation.
    absent: usize,
}

#[derive(Debug, Default)]
struct Member {
    devices: u32,
    stands: bool,
}

impl Members {
    /// A device came. `stands`: the user is one of the conversation from now on. Whether it is the user's first.
    pub fn came(&mut self, user: Arc<str>, stands: bool) -> bool {
        let member = self.users.entry(user).or_default();
        if member.devices == 0 {
            self.present += 1;
            self.absent -= usize::from(member.stands);
        }
        member.devices += 1;
        member.stands |= stands;
        member.devices == 1
    }

    /// The user is away and one of the conversation.
    pub fn stands(&mut self, user: Arc<str>) {
        if self.absent >= ABSENT_MAX {
            return;
        }
        let member = self.users.entry(user).or_default();
        self.absent += usize::from(member.devices == 0 && !member.stands);
        member.stands = true;
    }

    /// A device went. `quiet`: it only ended, and its user did not leave. Whether the user is still here, or one
    /// of the conversation.
    pub fn went(&mut self, user: &str, quiet: bool) -> bool {
        let Some(member) = self.users.get_mut(user).filter(|m| m.devices > 0) else { return false };
        member.devices -= 1;
        if member.devices > 0 {
            // Where another device still is, the user is.
            return true;
        }
        self.present -= 1;
        let stands = member.stands && quiet && self.absent < ABSENT_MAX;
        if stands {
            self.absent += 1;
        } else {
            self.users.remove(user);
        }
        stands
    }

    /// The user is one of the conversation no more, present or not.
    pub fn forsake(&mut self, user: &str) {
        let Some(member) = self.users.get_mut(user) else { return };
        let was_absent = member.stands && member.devices == 0;
        member.stands = false;
        if was_absent {
            self.absent -= 1;
            self.users.remove(user);
        }
    }

    pub fn contains(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// Whether anybody but that user has a device here.
    pub fn others_present(&self, user: &str) -> bool {
        let own = self.users.get(user).is_some_and(|m| m.devices > 0);
        self.present > usize::from(own)
    }

    pub fn has_absent(&self) -> bool {
        self.absent > 0
    }

    /// Those who are away and yet of the conversation. Costs nothing when there are none.
    pub fn absent(&self) -> impl Iterator<Item = &Arc<str>> {
        let looked = if self.absent > 0 { &self.users } else { const { &BTreeMap::new() } };
        looked.iter().filter(|(_, m)| m.stands && m.devices == 0).map(|(user, _)| user)
    }

    /// Who has a device here, by name, at most `max`, and how many there are.
    pub fn present(&self, max: usize) -> (Vec<Arc<str>>, usize) {
        let there = self.users.iter().filter(|(_, m)| m.devices > 0).map(|(user, _)| user);
        (there.take(max).cloned().collect(), self.present)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(members: &Members) -> (usize, usize) {
        let present = members.users.values().filter(|m| m.devices > 0).count();
        (present, members.users.values().filter(|m| m.devices == 0 && m.stands).count())
    }

    proptest! {
        #[test]
        fn the_counts_are_true_and_nobody_is_kept_without_a_reason(
            steps in proptest::collection::vec((0u8..4, "[ab]", any::<bool>()), 0..60),
        ) {
            let mut members = Members::default();
            for (what, user, flag) in steps {
                match what {
                    0 | 1 => { members.came(user.as_str().into(), flag); }
                    2 => { members.went(&user, flag); }
                    _ => members.forsake(&user),
                }
                prop_assert_eq!((members.present, members.absent), counted(&members));
                prop_assert!(members.users.values().all(|m| m.devices > 0 || m.stands));
                prop_assert_eq!(members.absent().count(), members.absent);
                prop_assert_eq!(members.present(1).1, members.present);
            }
        }
    }

    #[test]
    fn a_crowd_that_only_passed_by_is_not_kept() {
        let mut members = Members::default();
        for n in 0..ABSENT_MAX + 10 {
            let user: Arc<str> = format!("u{n}").into();
            members.came(user.clone(), true);
            assert_eq!(members.went(&user, true), n < ABSENT_MAX);
        }
        assert_eq!(members.users.len(), ABSENT_MAX);
    }
}
