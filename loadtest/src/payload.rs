//! The text inside each published message: who sent it, which number it has and when it was due.
//!
//! Form: `RUN.PUBLISHER.SEQ.DUE.xxxx…`, decimal numbers and padding. Only digits, dots and `x` occur, so
//! neither JSON nor HTML escaping changes a byte and a receiver can demand it back exactly.

use std::fmt::Write;

/// Fewest bytes that hold every stamp: four separators and the longest decimal of each field.
pub const MIN_SIZE: usize = 4 + 10 + 10 + 20 + 20;

/// What a message says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Tells this run's messages from those of other clients in the same rooms.
    pub run: u32,
    /// Publisher's number in this run, from 0.
    pub publisher: u32,
    /// Message's number at its publisher, from 0 without gaps.
    pub seq: u64,
    /// Nanoseconds on the run's clock: when the message was due to be sent.
    pub due_ns: u64,
}

impl Stamp {
    /// Replaces `out` by the text of this stamp, padded to `size` bytes (at least [`MIN_SIZE`]).
    pub fn encode(&self, size: usize, out: &mut String) {
        out.clear();
        // Writing to a String cannot fail.
        let _ = write!(out, "{}.{}.{}.{}.", self.run, self.publisher, self.seq, self.due_ns);
        out.extend(std::iter::repeat_n('x', size.saturating_sub(out.len())));
    }

    /// Reads a text that must be exactly what [`Stamp::encode`] wrote for `size`; `None` otherwise.
    pub fn decode(text: &str, size: usize) -> Option<Stamp> {
        if text.len() != size {
            return None;
        }
        let mut parts = text.splitn(5, '.');
        let stamp = Stamp {
            run: number(parts.next()?)?.try_into().ok()?,
            publisher: number(parts.next()?)?.try_into().ok()?,
            seq: number(parts.next()?)?,
            due_ns: number(parts.next()?)?,
        };
        parts.next()?.bytes().all(|byte| byte == b'x').then_some(stamp)
    }
}

/// The run that a text says it belongs to, even if the rest of it is damaged.
pub fn run_of(text: &str) -> Option<u32> {
    number(text.split_once('.')?.0)?.try_into().ok()
}

/// A decimal as `encode` writes it: digits only (`u64::from_str` would take `+1`), no leading zero.
fn number(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stamp: Stamp, size: usize) -> String {
        let mut out = String::from("stale");
        stamp.encode(size, &mut out);
        out
    }

    #[test]
    fn comes_back_as_it_was_sent() {
        let largest = Stamp { run: u32::MAX, publisher: u32::MAX, seq: u64::MAX, due_ns: u64::MAX };
        let smallest = Stamp { run: 0, publisher: 0, seq: 0, due_ns: 0 };
        for stamp in [largest, smallest, Stamp { run: 7, publisher: 12, seq: 345, due_ns: 678_900 }] {
            for size in [MIN_SIZE, MIN_SIZE + 1, 128, 4096] {
                let text = text(stamp, size);
                assert_eq!(text.len(), size);
                assert_eq!(Stamp::decode(&text, size), Some(stamp));
            }
        }
    }

    #[test]
    fn holds_only_bytes_that_escaping_keeps() {
        let text = text(Stamp { run: 1, publisher: 2, seq: 3, due_ns: 4 }, 128);
        assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'x'), "{text}");
    }

    #[test]
    fn refuses_every_truncation_and_every_changed_byte() {
        let stamp = Stamp { run: 10, publisher: 20, seq: 30, due_ns: 40 };
        let good = text(stamp, 64);
        for end in 0..good.len() {
            assert_eq!(Stamp::decode(&good[..end], 64), None, "truncated at {end}");
        }
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = b'!';
            let bad = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(Stamp::decode(&bad, 64), None, "byte {at}");
        }
    }

    #[test]
    fn a_damaged_text_still_names_its_run() {
        assert_eq!(run_of("17.2.3.4.y"), Some(17));
        for other in ["", "17", "hello. all", "4294967296.1", ".1"] {
            assert_eq!(run_of(other), None, "{other}");
        }
    }

    #[test]
    fn refuses_numbers_that_encode_never_writes() {
        for head in ["+1.2.3.4.", "01.2.3.4.", "4294967296.2.3.4.", "1.2.18446744073709551616.4.", "..1.2."] {
            let text = format!("{head:x<64}");
            assert_eq!(Stamp::decode(&text, 64), None, "{text}");
        }
    }
}
