//! Where an event stands in its channel's order, and how a client says where it stopped.

use std::fmt;

/// A life of the store's numbers. It survives a restart, and changes when numbers that were given out are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The last event that somebody has of a channel; its number is 0 before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub epoch: Epoch,
    pub seq: u64,
}

impl Position {
    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = text.split_once(':')?;
        let hex = epoch.len() == 16 && epoch.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let digits = (1..=20).contains(&seq.len()) && seq.bytes().all(|b| b.is_ascii_digit());
        let epoch = u64::from_str_radix(epoch, 16).ok().filter(|_| hex)?;
        Some(Self { epoch: Epoch(epoch), seq: seq.parse().ok().filter(|_| digits)? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// Where a client says it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    At(Position),
    /// No position that this server gave out: nothing can be told from there, and the client is to know it.
    Unreadable,
}

impl Since {
    pub fn parse(text: &str) -> Self {
        Position::parse(text).map_or(Self::Unreadable, Self::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_nothing_else_does() {
        for (epoch, seq) in [(0, 0), (0x1f, 7), (u64::MAX, u64::MAX)] {
            let position = Position { epoch: Epoch(epoch), seq };
            assert_eq!(Position::parse(&position.to_string()), Some(position));
        }
        let text = Position { epoch: Epoch(0xab), seq: 12 }.to_string();
        for cut in 0..text.len() - 2 {
            assert_eq!(Position::parse(&text[..cut]), None, "{cut}");
        }
        for text in ["", ":", "x:1", "00000000000000AB:1", "00000000000000ab:-1", "00000000000000ab:+1"] {
            assert_eq!(Position::parse(text), None, "{text:?}");
        }
        assert_eq!(Position::parse("00000000000000ab:18446744073709551616"), None, "beyond 64 bits");
    }
}
