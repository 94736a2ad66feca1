//! Which of a shard's connections receive which channel.
//!
//! Dense lists of slab places, walked once per event: no hash, no allocation, no atomic per subscriber.
//! A connection remembers its place in each list, so that leaving is a swap.

use rustc_hash::FxHashMap;

use crate::model::{ChannelId, Variant};

/// One local subscriber of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in the shard's slab. Valid as long as it is listed: a connection is taken out before its
    /// place is given away.
    pub index: u32,
    pub variant: Variant,
}

/// The local members of every channel that has some.
#[derive(Debug, Default)]
pub struct Membership {
    channels: FxHashMap<ChannelId, Vec<Member>>,
}

impl Membership {
    /// Adds a member and returns its place in the list. The caller makes sure it is not in it.
    pub fn add(&mut self, channel: ChannelId, member: Member) -> u32 {
        let members = self.channels.entry(channel).or_default();
        members.push(member);
        (members.len() - 1) as u32
    }

    /// Takes out the member at that place. When another one moves there, its slab place is returned, so
    /// that the caller can tell it.
    pub fn remove(&mut self, channel: ChannelId, place: u32) -> Option<u32> {
        let members = self.channels.get_mut(&channel)?;
        if (place as usize) < members.len() {
            members.swap_remove(place as usize);
        }
        let moved = members.get(place as usize).map(|m| m.index);
        if members.is_empty() {
            self.channels.remove(&channel);
        } else if members.len() * 4 < members.capacity() && members.capacity() > 64 {
            members.shrink_to(members.len() * 2);
        }
        moved
    }

    /// The local members, in no particular order.
    pub fn members(&self, channel: ChannelId) -> &[Member] {
        self.channels.get(&channel).map_or(&[], Vec::as_slice)
    }

    /// Channels with a local member.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dialect;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// The lists and what the connections remember of their places stay each other's mirror.
        #[test]
        fn places_stay_true(steps in proptest::collection::vec((0u32..4, 0u32..20), 0..300)) {
            let variant = Variant { dialect: Dialect::Tusk, deflate: false, numbered: false };
            let mut membership = Membership::default();
            let mut places: BTreeMap<(u32, u32), u32> = BTreeMap::new();
            for (c, index) in steps {
                let channel = ChannelId { home: 0, generation: 0, index: c };
                match places.remove(&(c, index)) {
                    None => {
                        places.insert((c, index), membership.add(channel, Member { index, variant }));
                    }
                    Some(place) => {
                        if let Some(moved) = membership.remove(channel, place) {
                            places.insert((c, moved), place);
                        }
                    }
                }
                for c in 0..4 {
                    let members = membership.members(ChannelId { home: 0, generation: 0, index: c });
                    prop_assert_eq!(members.len(), places.range((c, 0)..(c + 1, 0)).count());
                    for (place, member) in members.iter().enumerate() {
                        prop_assert_eq!(places.get(&(c, member.index)), Some(&(place as u32)));
                    }
                }
            }
            prop_assert!(membership.channels() <= 4);
        }
    }
}
