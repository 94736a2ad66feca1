//! Proves for one receiver that nothing was lost, doubled or disordered.
//!
//! Memory per publisher in the receiver's room: the next number expected and one bit for each of the
//! last 64 numbers, which tells a late message (missing until now) from a doubled one. A number older
//! than these 64 counts as disordered.

/// What one arrival means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The number expected, or one after a gap of `missing` numbers.
    Fresh { missing: u64 },
    /// A number that was counted as missing: it came after a later one.
    Late,
    /// A number that had come already.
    Doubled,
    /// Too old to say whether it came before.
    Ancient,
}

/// Numbers from the publishers of one room as one receiver sees them.
#[derive(Debug)]
pub struct Checker {
    tracks: Vec<Track>,
}

#[derive(Clone, Debug, Default)]
struct Track {
    /// The number expected next.
    next: u64,
    /// Bit k: number `next - 1 - k` has come.
    seen: u64,
    /// Numbers below `next` that have not come.
    missing: u64,
}

impl Checker {
    /// A checker for as many publishers as the receiver's room has.
    pub fn new(publishers: usize) -> Checker {
        Checker { tracks: vec![Track::default(); publishers] }
    }

    /// Takes note of number `seq` from the room's publisher `index`. `None`: the room has no such publisher.
    pub fn observe(&mut self, index: usize, seq: u64) -> Option<Verdict> {
        self.tracks.get_mut(index).map(|track| track.observe(seq))
    }

    /// How many of the `sent` messages of publisher `index` have not come.
    pub fn missing(&self, index: usize, sent: u64) -> u64 {
        self.tracks.get(index).map_or(0, |track| track.missing + sent.saturating_sub(track.next))
    }
}

impl Track {
    fn observe(&mut self, seq: u64) -> Verdict {
        if seq >= self.next {
            return self.advance(seq);
        }
        let age = self.next - 1 - seq;
        if age >= u64::from(u64::BITS) {
            return Verdict::Ancient;
        }
        if self.seen & (1 << age) != 0 {
            return Verdict::Doubled;
        }
        self.seen |= 1 << age;
        self.missing -= 1;
        Verdict::Late
    }

    fn advance(&mut self, seq: u64) -> Verdict {
        let missing = seq - self.next;
        let shift = u32::try_from(missing).unwrap_or(u32::MAX).saturating_add(1);
        self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
        self.missing += missing;
        self.next = seq + 1;
        Verdict::Fresh { missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn verdicts(numbers: &[u64]) -> (Vec<Verdict>, Checker) {
        let mut checker = Checker::new(1);
        let verdicts = numbers.iter().map(|&n| checker.observe(0, n).expect("one publisher")).collect();
        (verdicts, checker)
    }

    const NEXT: Verdict = Verdict::Fresh { missing: 0 };

    #[test]
    fn accepts_numbers_in_order() {
        let (verdicts, checker) = verdicts(&[0, 1, 2, 3]);
        assert_eq!(verdicts, [NEXT; 4]);
        assert_eq!(checker.missing(0, 4), 0);
    }

    #[test]
    fn finds_a_lost_one_in_the_middle_and_at_the_end() {
        let (verdicts, checker) = verdicts(&[0, 2, 3]);
        assert_eq!(verdicts[1], Verdict::Fresh { missing: 1 });
        assert_eq!(checker.missing(0, 4), 1);
        assert_eq!(checker.missing(0, 6), 3, "two more were sent and never came");
    }

    #[test]
    fn finds_a_doubled_one_at_once_and_later() {
        let (verdicts, checker) = verdicts(&[0, 0, 1, 2, 0]);
        assert_eq!(verdicts, [NEXT, Verdict::Doubled, NEXT, NEXT, Verdict::Doubled]);
        assert_eq!(checker.missing(0, 3), 0);
    }

    #[test]
    fn finds_two_swapped_and_does_not_call_them_lost_or_doubled() {
        let (verdicts, checker) = verdicts(&[0, 2, 1, 3, 1]);
        assert_eq!(
            verdicts,
            [NEXT, Verdict::Fresh { missing: 1 }, Verdict::Late, NEXT, Verdict::Doubled],
            "the second 1 is a double of the late one"
        );
        assert_eq!(checker.missing(0, 4), 0);
    }

    #[test]
    fn remembers_exactly_64_numbers() {
        let (mut all, mut checker) = verdicts(&[0, 65]);
        all.push(checker.observe(0, 2).expect("known"));
        all.push(checker.observe(0, 1).expect("known"));
        assert_eq!(all, [NEXT, Verdict::Fresh { missing: 64 }, Verdict::Late, Verdict::Ancient]);
    }

    #[test]
    fn survives_the_largest_numbers() {
        let (verdicts, checker) = verdicts(&[u64::MAX - 1, 0]);
        assert_eq!(verdicts, [Verdict::Fresh { missing: u64::MAX - 1 }, Verdict::Ancient]);
        assert_eq!(checker.missing(0, u64::MAX), u64::MAX - 1);
    }

    #[test]
    fn keeps_publishers_apart_and_refuses_unknown_ones() {
        let mut checker = Checker::new(2);
        assert_eq!(checker.observe(0, 0), Some(NEXT));
        assert_eq!(checker.observe(1, 0), Some(NEXT));
        assert_eq!(checker.observe(2, 0), None);
    }

    /// The slow obvious version: remembers every number that came.
    fn oracle(came: &mut BTreeSet<u64>, seq: u64) -> Verdict {
        let next = came.last().map_or(0, |last| last + 1);
        if !came.insert(seq) {
            Verdict::Doubled
        } else if seq >= next {
            Verdict::Fresh { missing: seq - next }
        } else {
            Verdict::Late
        }
    }

    #[test]
    fn agrees_with_a_checker_that_remembers_everything() {
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let (mut checker, mut came) = (Checker::new(1), BTreeSet::new());
        for step in 0..10_000_u64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let next = came.last().map_or(0, |last: &u64| last + 1);
            let seq = (next + 3).saturating_sub(random % 40);
            let expected = oracle(&mut came, seq);
            assert_eq!(checker.observe(0, seq), Some(expected), "step {step}, number {seq}");
        }
        let sent = came.last().expect("some came") + 5;
        assert_eq!(checker.missing(0, sent), sent - came.len() as u64);
    }
}
