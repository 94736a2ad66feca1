//! Keys that name things across shards without pointing at them.

use std::fmt;

use uuid::Uuid;

/// A connection: the shard it lives on, its place in that shard's slab, and how many connections
/// held the place before, so that a late reply can never reach a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnKey {
    pub shard: u16,
    pub generation: u16,
    pub index: u32,
}

impl ConnKey {
    /// All three parts in one number: the connection's id in logs and on the wire.
    pub fn id(self) -> u64 {
        (u64::from(self.shard) << 48) | (u64::from(self.generation) << 32) | u64::from(self.index)
    }
}

impl ConnKey {
    /// The id that clients and other systems know it by (AEG-27). `seed` is drawn at boot. No two open
    /// connections share one; a later connection may have it again once 65,536 others held its place.
    pub fn uuid(self, seed: u64) -> Uuid {
        let high = mixed(self.id() ^ seed);
        let low = mixed(self.id().wrapping_add(seed.rotate_left(32)) ^ high);
        MessageId::random((u128::from(high) << 64) | u128::from(low)).0
    }
}

/// A bijection that spreads every bit over all (the finalizer of SplitMix64).
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

impl fmt::Display for ConnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.id())
    }
}

/// A channel by its place at home. Spares hashing the name once a connection is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId {
    pub home: u16,
    pub generation: u16,
    pub index: u32,
}

/// A message, notification or connection as clients see it: a random UUID (RFC 9562 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub Uuid);

impl MessageId {
    /// Of 128 random bits.
    pub fn random(bits: u128) -> Self {
        Self(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        // Other notations of the same id are none that the server gave out.
        (text.len() == 36).then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_reads_back_and_nothing_else_does() {
        for bits in [0, 1, 42 << 64, u128::MAX] {
            let id = MessageId::random(bits);
            assert_eq!(MessageId::parse(&id.to_string()), Some(id));
            assert_eq!(id.0.get_version_num(), 4);
        }
        for text in ["", "m", "{67e55044-10b1-426f-9247-bb680e5fe0c8}", "67e5504410b1426f9247bb680e5fe0c8"] {
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_ids_of_connections_differ_by_key_and_by_process() {
        let key = ConnKey { shard: 1, generation: 2, index: 3 };
        let ids = [
            key.uuid(7),
            key.uuid(8),
            ConnKey { generation: 3, ..key }.uuid(7),
            ConnKey { index: 4, ..key }.uuid(7),
        ];
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(id.get_version_num(), 4);
            assert!(!ids[..n].contains(id));
        }
    }
}
