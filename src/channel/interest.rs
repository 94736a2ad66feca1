//! How many connections of which variant each shard has in a channel.
//!
//! The home counts; which connections they are only their own shard knows.

use crate::model::Variant;

/// Counts per shard and variant, kept dense and small: most channels live on one shard in one variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    shard: u16,
    variant: Variant,
    count: u32,
}

impl Interest {
    /// One more subscriber.
    pub fn add(&mut self, shard: u16, variant: Variant) {
        match self.entries.iter_mut().find(|e| e.shard == shard && e.variant == variant) {
            Some(entry) => entry.count += 1,
            None => {
                let at = self.entries.partition_point(|e| e.shard <= shard);
                self.entries.insert(at, Entry { shard, variant, count: 1 });
            }
        }
    }

    /// One less. Returns false, and changes nothing, when there was none.
    pub fn remove(&mut self, shard: u16, variant: Variant) -> bool {
        let Some(at) = self.entries.iter().position(|e| e.shard == shard && e.variant == variant) else {
            return false;
        };
        self.entries[at].count -= 1;
        if self.entries[at].count == 0 {
            self.entries.remove(at);
        }
        true
    }

    /// The dialects with at least one subscriber, a bit each by [`Dialect::index`].
    pub fn dialects(&self) -> u8 {
        self.entries.iter().fold(0, |mask, e| mask | 1 << e.variant.dialect.index())
    }

    /// All subscribers.
    pub fn total(&self) -> usize {
        self.entries.iter().map(|e| e.count as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The shards with at least one subscriber, each once, in order.
    pub fn shards(&self) -> impl Iterator<Item = u16> {
        let mut last = None;
        self.entries.iter().filter_map(move |e| (last.replace(e.shard) != Some(e.shard)).then_some(e.shard))
    }

    /// The variants with at least one subscriber anywhere, each once.
    pub fn variants(&self) -> impl Iterator<Item = Variant> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(i, e)| !self.entries[..*i].iter().any(|other| other.variant == e.variant))
            .map(|(_, e)| e.variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dialect;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const VARIANTS: [Variant; 3] = [
        Variant { dialect: Dialect::Tusk, deflate: false, numbered: false },
        Variant { dialect: Dialect::Tusk, deflate: true, numbered: true },
        Variant { dialect: Dialect::Echo, deflate: false, numbered: false },
    ];

    proptest! {
        #[test]
        fn counts_like_a_map(steps in proptest::collection::vec((0u16..4, 0usize..3, any::<bool>()), 0..200)) {
            let mut interest = Interest::default();
            let mut oracle: BTreeMap<(u16, usize), usize> = BTreeMap::new();
            for (shard, v, add) in steps {
                if add {
                    interest.add(shard, VARIANTS[v]);
                    *oracle.entry((shard, v)).or_default() += 1;
                } else {
                    let had = oracle.contains_key(&(shard, v));
                    prop_assert_eq!(interest.remove(shard, VARIANTS[v]), had);
                    if had {
                        let n = oracle.get_mut(&(shard, v)).expect("just seen");
                        *n -= 1;
                        if *n == 0 { oracle.remove(&(shard, v)); }
                    }
                }
                prop_assert_eq!(interest.total(), oracle.values().sum::<usize>());
                let mut shards: Vec<u16> = oracle.keys().map(|k| k.0).collect();
                shards.dedup();
                prop_assert_eq!(interest.shards().collect::<Vec<_>>(), shards);
                let mut variants: Vec<usize> = oracle.keys().map(|k| k.1).collect();
                variants.sort_unstable();
                variants.dedup();
                prop_assert_eq!(interest.variants().count(), variants.len());
            }
        }
    }
}
