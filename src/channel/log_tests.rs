//! Logs in memory: what one who comes back is told, and that no number comes twice.

use proptest::prelude::*;

use super::*;
use crate::model::{Kind, Message, MessageId, RealmId};

const EPOCH: Epoch = Epoch(7);
const LIMITS: ReplayLimits = ReplayLimits { events: 5, bytes: 1 << 20 };

fn event(n: u64) -> Arc<Event> {
    Arc::new(Event::Message(Message {
        id: MessageId::random(u128::from(n) << 70),
        kind: Kind::Room,
        place: "r".into(),
        from: "u".into(),
        connection: None,
        text: format!("m{n}").into(),
        detail: None,
        at_ms: n,
    }))
}

fn since(seq: u64) -> Option<Since> {
    Some(Since::At(Position { epoch: EPOCH, seq }))
}

fn numbers(recovery: Recovery) -> Result<Vec<u64>, &'static str> {
    match recovery {
        Recovery::Told(begun) if begun.gap => Err("gap"),
        Recovery::Told(begun) => Ok(begun.missed.iter().map(|(seq, _)| *seq).collect()),
        Recovery::Ask { .. } => Err("ask"),
    }
}

fn name(n: usize) -> ChannelName {
    ChannelName { realm: RealmId(0), tenant: "t".into(), kind: Kind::Room, id: format!("r{n}").into() }
}

#[test]
fn what_was_missed_is_told_up_to_the_limit_and_a_gap_beyond_it() {
    let mut log = Log::starting_at(0);
    for seq in 1..=10 {
        log.push(seq, event(seq), 8);
    }
    let begin = |log: &Log, s| numbers(log.begin(EPOCH, s, LIMITS, None, false));
    assert_eq!(begin(&log, None), Ok(vec![]));
    assert_eq!(begin(&log, since(10)), Ok(vec![]));
    assert_eq!(begin(&log, since(5)), Ok(vec![6, 7, 8, 9, 10]), "as many as may be");
    assert_eq!(begin(&log, since(4)), Err("gap"), "one more");
    assert_eq!(begin(&log, since(1)), Err("gap"), "forgotten");
    assert_eq!(begin(&log, since(11)), Err("gap"), "beyond the present");
    assert_eq!(begin(&log, Some(Since::Unreadable)), Err("gap"));
    let other = Some(Since::At(Position { epoch: Epoch(8), seq: 9 }));
    assert_eq!(begin(&log, other), Err("gap"), "of another life");
}

#[test]
fn what_is_not_here_is_asked_of_the_store() {
    let mut log = Log::default();
    assert_eq!(log.begin(EPOCH, None, LIMITS, None, true), Recovery::Ask { after: 0, limit: 0 });
    assert_eq!(log.begin(EPOCH, since(3), LIMITS, None, true), Recovery::Ask { after: 3, limit: 6 });
    let stored = |range: std::ops::RangeInclusive<u64>, head, first, more| Page {
        head,
        first,
        events: range.map(|n| (n, (*event(n)).clone())).collect(),
        more,
        receipts: Vec::new(),
    };
    let told = |log: &Log, page: &Page| numbers(log.begin(EPOCH, since(3), LIMITS, Some(page), true));
    assert_eq!(told(&log, &stored(4..=6, 6, 1, false)), Ok(vec![4, 5, 6]));
    assert_eq!(told(&log, &stored(5..=6, 6, 5, false)), Err("gap"), "trimmed");
    assert_eq!(told(&log, &stored(4..=9, 12, 1, true)), Err("gap"), "too much");
    let short = Page { head: 2, first: 3, ..Page::default() };
    assert_eq!(told(&log, &short), Err("gap"), "beyond the present");
    log.learn(&stored(4..=6, 6, 1, false), 100);
    assert_eq!(numbers(log.begin(EPOCH, since(4), LIMITS, None, true)), Ok(vec![5, 6]));
    assert_eq!(log.begin(EPOCH, since(2), LIMITS, None, true), Recovery::Ask { after: 2, limit: 6 });
}

#[test]
fn what_is_taken_back_is_told_no_more_and_what_is_edited_is_told_as_it_reads_now() {
    let mut log = Log::starting_at(0);
    for seq in 1..=3 {
        log.push(seq, event(seq), 8);
    }
    log.amend(event(2).id().expect("an id"), None);
    log.amend(event(3).id().expect("an id"), Some("new"));
    let told: Vec<_> = log.after(0).expect("all is here").cloned().collect();
    assert_eq!(told.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 3]);
    assert!(matches!(&*told[1].1, Event::Message(m) if &*m.text == "new"));
    assert_eq!(log.bytes(), told.iter().map(|(_, e)| size_of_event(e)).sum::<usize>());
}

#[test]
fn a_forgotten_log_gives_out_none_of_its_numbers_again() {
    let mut sleeping = Sleeping::default();
    for n in 0..3 {
        let mut log = sleeping.wake(&name(n));
        let next = log.next();
        log.push(next, event(next), 8);
        log.push(next + 1, event(next + 1), 8);
        sleeping.lay(name(n), log, 2);
    }
    assert_eq!(sleeping.wake(&name(0)).next(), 3, "it was forgotten at 2");
    assert_eq!(sleeping.wake(&name(1)).head(), Some(2));
    assert_eq!(sleeping.wake(&name(2)).head(), Some(2), "it was begun before");
    assert_eq!(sleeping.bytes(), 0);
}

proptest! {
    /// Against the whole list: whatever is told is exactly what is missing, or a gap is said.
    #[test]
    fn nothing_is_told_twice_or_left_out_without_a_word(
        pushes in 0u64..40, max in 1usize..20, at in 0u64..45, limit in 0usize..12,
    ) {
        let mut log = Log::starting_at(0);
        for seq in 1..=pushes {
            log.push(seq, event(seq), max);
        }
        let limits = ReplayLimits { events: limit, bytes: 1 << 20 };
        let want: Vec<u64> = (at + 1..=pushes).collect();
        match numbers(log.begin(EPOCH, since(at), limits, None, false)) {
            Ok(told) => prop_assert_eq!(told, want),
            Err(_) => prop_assert!(at > pushes || want.len() > limit || want.len() > max),
        }
    }
}
