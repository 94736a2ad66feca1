//! Keys that name things across shards without pointing at them.

use std::fmt;

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

/// A message that can be acknowledged: unique within the process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

impl MessageId {
    /// Numbers of one home never meet those of another.
    pub fn new(home: u16, count: u64) -> Self {
        Self((u64::from(home) << 48) | (count & 0xffff_ffff_ffff))
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('m')?;
        if digits.is_empty() || digits.len() > 16 || digits.starts_with('+') {
            return None;
        }
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_reads_back_and_nothing_else_does() {
        for id in [MessageId::new(0, 0), MessageId::new(7, 42), MessageId::new(u16::MAX, u64::MAX)] {
            assert_eq!(MessageId::parse(&id.to_string()), Some(id));
        }
        for text in ["", "m", "x1", "m+1", "mzz", "m00000000000000001"] {
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
    }
}
