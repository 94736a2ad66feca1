//! Who comes back and says where it stopped: told what it missed, or that this cannot be had. And nothing is left.

use proptest::prelude::*;

use super::stored::{answer, assert_no_lines, done, durable, request, user_message};
use super::*;
use crate::channel::ReplayLimits;
use crate::model::{
    Answer, Begun, Epoch, HistoryQuery, LogQuery, Message, Outcome, Position, Since, Wording,
};

const EPOCH: Epoch = Epoch(5);
const NONE: std::ops::RangeInclusive<u64> = std::ops::RangeInclusive::new(1, 0);

fn at(seq: u64) -> Position {
    Position { epoch: EPOCH, seq }
}

fn since(seq: u64) -> Option<Since> {
    Some(Since::At(at(seq)))
}

fn room() -> Target {
    named(Kind::Room, "r")
}

fn homes_with_log(log_events: usize) -> Homes {
    durable(|limits| {
        limits.epoch = EPOCH;
        limits.log_events = log_events;
        limits.replay = ReplayLimits { events: 3, bytes: 1 << 20 };
    })
}

fn coming(since: Option<Since>) -> Op {
    let variant = Variant { numbered: true, ..VARIANT };
    Op::Join { variant, password: None, manner: JoinManner::Quiet, username: None, since, again: false }
}

fn come(homes: &mut Homes, n: u32, since: Option<Since>) -> Heard {
    act(homes, room(), origin(n, None), coming(since))
}

/// A room in which so many were said, under the numbers from `first` on.
fn say_all(homes: &mut Homes, numbers: std::ops::RangeInclusive<u64>) {
    for seq in numbers {
        let asked = act(homes, room(), me("ann", 0), saying(&seq.to_string(), true));
        done(homes, request(&asked).0, seq);
    }
}

fn begun(heard: &Heard) -> &Begun {
    let of = |(_, reply): &(ReplyTo, Reply)| matches!(reply, Reply::Joined { .. } | Reply::Attached { .. });
    match heard.replies.iter().find(|reply| of(reply)) {
        Some((_, Reply::Joined { begun: Some(begun), .. } | Reply::Attached { begun: Some(begun), .. })) => {
            begun
        }
        _ => panic!("{heard:?}"),
    }
}

/// Position, gap, and what was missed.
fn told(heard: &Heard) -> (Option<u64>, bool, Vec<(u64, String)>) {
    let begun = begun(heard);
    let missed = begun.missed.iter().map(|(seq, event)| (*seq, text_of(event).to_owned())).collect();
    (begun.position.map(|at| at.seq), begun.gap, missed)
}

fn texts_of(numbers: std::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
    numbers.map(|seq| (seq, seq.to_string())).collect()
}

fn event(seq: u64) -> (u64, Event) {
    let Event::Direct(message) = user_message("r", u128::from(seq)) else { unreachable!() };
    (seq, Event::Message(Message { kind: Kind::Room, ..message }))
}

fn page(head: u64, first: u64, events: std::ops::RangeInclusive<u64>, more: bool) -> Answer {
    Answer::Page(Page { head, first, events: events.map(event).collect(), more, receipts: Vec::new() })
}

fn question(heard: &Heard) -> (Ticket, &LogQuery) {
    match &heard.asked[..] {
        [(ticket, Query::Log(query))] => (*ticket, query),
        _ => panic!("{heard:?}"),
    }
}

#[test]
fn what_was_missed_is_told_from_memory_where_it_is() {
    let mut homes = homes_with_log(4);
    join(&mut homes, "r", 9, None);
    say_all(&mut homes, 11..=16);
    assert_eq!(told(&come(&mut homes, 1, None)), (Some(16), false, vec![]));
    assert_eq!(told(&come(&mut homes, 2, since(16))), (Some(16), false, vec![]));
    assert_eq!(told(&come(&mut homes, 3, since(14))), (Some(16), false, texts_of(15..=16)));
    assert_eq!(told(&come(&mut homes, 4, since(13))), (Some(16), false, texts_of(14..=16)));
    assert_eq!(told(&come(&mut homes, 5, since(12))), (Some(16), true, vec![]), "more than is told");
    assert_eq!(told(&come(&mut homes, 6, since(17))), (Some(16), true, vec![]), "of the future");
    let other = Some(Since::At(Position { epoch: Epoch(6), seq: 15 }));
    assert_eq!(told(&come(&mut homes, 7, other)), (Some(16), true, vec![]));
    assert_eq!(told(&come(&mut homes, 8, Some(Since::Unreadable))), (Some(16), true, vec![]));
    assert_no_lines(&homes);
}

#[test]
fn what_memory_has_no_more_is_asked_of_the_store_and_nothing_comes_in_between() {
    let mut homes = homes_with_log(1);
    join(&mut homes, "r", 9, None);
    say_all(&mut homes, 11..=13);
    let asked = come(&mut homes, 1, since(11));
    let (ticket, query) = question(&asked);
    assert_eq!((query.after, query.limit, query.messages), (11, 4, false));
    let said = act(&mut homes, room(), me("ann", 0), saying("14", true));
    assert!(said.is_silent() && said.written.is_empty());
    let heard = answer(&mut homes, ticket, page(13, 1, 12..=13, false));
    assert_eq!(told(&heard), (Some(13), false, texts_of(12..=13)));
    let next = done(&mut homes, request(&heard).0, 14);
    assert_eq!((next.numbers, next.events[0].of), (vec![Some(14)], 2), "it goes on where that ended");
    assert_no_lines(&homes);
}

#[test]
fn a_room_that_nobody_was_in_begins_where_the_store_says() {
    for (since, page, wanted) in [
        (None, page(7, 1, NONE, false), (Some(7), false, vec![])),
        (since(5), page(7, 1, 6..=7, false), (Some(7), false, texts_of(6..=7))),
        (since(7), page(7, 1, NONE, false), (Some(7), false, vec![])),
        (since(5), page(7, 7, 7..=7, false), (Some(7), true, vec![])),
        (since(1), page(9, 1, 2..=5, true), (Some(9), true, vec![])),
        (since(5), page(0, 1, NONE, false), (Some(0), true, vec![])),
        (since(5), Answer::Unreadable, (None, true, vec![])),
        (None, Answer::Unreadable, (None, false, vec![])),
    ] {
        let mut homes = homes_with_log(100);
        let asked = come(&mut homes, 1, since);
        let heard = answer(&mut homes, question(&asked).0, page.clone());
        assert_eq!(told(&heard), wanted, "{since:?} {page:?}");
        assert_no_lines(&homes);
        // What was learned is in memory now.
        if matches!(page, Answer::Page(_)) {
            let again = come(&mut homes, 2, None);
            assert!(again.asked.is_empty() && begun(&again).position == begun(&heard).position);
        }
    }
}

#[test]
fn what_the_store_cannot_read_is_a_gap_from_where_memory_knows() {
    let mut homes = homes_with_log(1);
    join(&mut homes, "r", 9, None);
    say_all(&mut homes, 11..=13);
    let asked = come(&mut homes, 1, since(11));
    let heard = answer(&mut homes, question(&asked).0, Answer::Unreadable);
    assert_eq!(told(&heard), (Some(13), true, vec![]));
    let query = HistoryQuery { after: 0, with: None, limit: 5 };
    let asked = act(&mut homes, room(), me("ann", 0), Op::History(Box::new(query)));
    let heard = answer(&mut homes, question(&asked).0, Answer::Unreadable);
    assert_eq!(refused(&heard), Code::Unavailable);
    let beyond = HistoryQuery { after: u64::MAX, with: None, limit: 5 };
    let heard = act(&mut homes, room(), me("ann", 0), Op::History(Box::new(beyond)));
    assert_eq!(heard.answer(), &Reply::History { events: vec![], next: None });
    assert_no_lines(&homes);
}

#[test]
fn a_device_that_comes_back_has_what_waits_once() {
    let mut homes = homes_with_log(100);
    let bob = || named(Kind::User, "bob");
    for (text, seq) in [("a", 1), ("b", 2)] {
        let asked = direct(&mut homes, "bob", text);
        done(&mut homes, request(&asked).0, seq);
    }
    let attach = |since| Op::Attach { variant: Variant { numbered: true, ..VARIANT }, rooms: vec![], since };
    let heard = act(&mut homes, bob(), me("bob", 1), attach(since(1)));
    assert_eq!(told(&heard), (Some(2), false, vec![(2, "b".into())]));
    assert_eq!(handed(&heard), [""; 0], "a it has had, and b is told already");
    let settled = written_to(&mut homes, "bob", 1);
    assert_eq!((super::stored::unqueued(&settled).len(), homes.held()), (2, 0));
    let locate = Op::Locate { wording: Wording::Inbox };
    let heard = act(&mut homes, bob(), me("bob", 1), locate);
    let located = Reply::Located { wording: Wording::Inbox, position: Some(at(2)) };
    assert_eq!(heard.answer(), &located);
    assert_no_lines(&homes);
}

#[test]
fn where_a_user_is_whose_log_memory_does_not_have_the_store_says() {
    let mut homes = homes_with_log(100);
    attach(&mut homes, "bob", 1);
    let locate = || Op::Locate { wording: Wording::Chat };
    for (page, position) in [(Answer::Unreadable, None), (page(9, 1, NONE, false), Some(at(9)))] {
        let asked = act(&mut homes, named(Kind::User, "bob"), me("bob", 1), locate());
        let heard = answer(&mut homes, question(&asked).0, page);
        assert_eq!(heard.answer(), &Reply::Located { wording: Wording::Chat, position });
    }
    assert!(act(&mut homes, named(Kind::User, "bob"), me("bob", 1), locate()).asked.is_empty());
    assert_no_lines(&homes);
}

#[test]
fn what_is_learned_counts_among_what_is_in_memory() {
    let mut homes = homes_with_log(100);
    homes.limits = Rc::new(HomeLimits { log_total: 600, ..(*homes.limits).clone() });
    for (n, name) in (0..).zip(["a", "b", "c"]) {
        let asked = act(&mut homes, named(Kind::Room, name), origin(n, None), coming(since(4)));
        let heard = answer(&mut homes, question(&asked).0, page(6, 1, 5..=6, false));
        assert_eq!(told(&heard), (Some(6), false, texts_of(5..=6)), "told all the same");
        assert!(homes.log_bytes <= 600, "{}", homes.log_bytes);
    }
    for (n, name) in (0..).zip(["a", "b", "c"]) {
        let variant = Variant { numbered: true, ..VARIANT };
        let leave = Op::Leave { variant, quiet: true, username: None };
        act(&mut homes, named(Kind::Room, name), origin(n, None), leave);
    }
    assert_eq!((homes.log_bytes, homes.names.len()), (0, 0));
}

/// Somebody in the crowd does something.
fn step(homes: &mut Homes, there: &mut [bool; 4], n: usize, what: usize, heard: &mut Vec<Heard>) {
    let (user, index) = (["a", "b"][n % 2], n as u32);
    let variant = Variant { numbered: n.is_multiple_of(2), ..VARIANT };
    let (room, inbox) = (named(Kind::Room, ["r", "s"][what % 2]), named(Kind::User, user));
    if !there[n] {
        there[n] = true;
        let attach = Op::Attach { variant, rooms: vec![], since: since(1).filter(|_| what > 3) };
        heard.push(act(homes, inbox, me(user, index), attach));
        for room in ["r", "s"] {
            let op = Op::Join {
                variant,
                password: None,
                manner: [JoinManner::Quiet, JoinManner::Standing][what % 2],
                username: None,
                since: since(what as u64).filter(|_| what > 5),
                again: false,
            };
            heard.push(act(homes, named(Kind::Room, room), me(user, index), op));
        }
        return;
    }
    let op = match what {
        0..=3 => saying("x", true),
        4 => Op::Edit { message: MessageId::random(1), text: "y".into() },
        5 => Op::History(Box::new(HistoryQuery { after: 0, with: None, limit: 3 })),
        6 => Op::CreateRoom { settings: RoomSettings::default() },
        7 => return heard.push(direct(homes, ["a", "b"][n / 2], "x")),
        8 => return heard.push(act(homes, inbox, me(user, index), Op::Settle)),
        9 => {
            let contact = super::stored::contact("z");
            return heard.push(act(homes, inbox, me(user, index), Op::RosterUpdate { contact }));
        }
        _ => return heard.extend(end(homes, there, n, true)),
    };
    heard.push(act(homes, room, me(user, index), op));
}

fn end(homes: &mut Homes, there: &mut [bool; 4], n: usize, quiet: bool) -> Vec<Heard> {
    if !std::mem::take(&mut there[n]) {
        return vec![];
    }
    let (user, index) = (["a", "b"][n % 2], n as u32);
    let variant = Variant { numbered: n.is_multiple_of(2), ..VARIANT };
    let leave = |quiet| Op::Leave { variant, quiet, username: None };
    let mut heard: Vec<_> =
        ["r", "s"].map(|room| act(homes, named(Kind::Room, room), me(user, index), leave(quiet))).into();
    let detach = Op::Detach { variant, rooms: vec![] };
    for op in [Op::Settle, detach] {
        heard.push(act(homes, named(Kind::User, user), me(user, index), op));
    }
    heard
}

/// A store that answers as chance has it. What has been asked of it and what it was told are in order.
#[derive(Default)]
struct Store {
    writes: std::collections::VecDeque<Ticket>,
    reads: Vec<Ticket>,
    numbers: u64,
}

impl Store {
    fn take(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            self.writes.extend(heard.written.iter().map(|(ticket, _)| *ticket).filter(|ticket| *ticket != 0));
            self.reads.extend(heard.asked.iter().map(|(ticket, _)| *ticket));
        }
    }

    /// Answers one request; `false`: there is none.
    fn answer(&mut self, homes: &mut Homes, dice: usize) -> bool {
        let heard = if dice.is_multiple_of(3) || self.writes.is_empty() {
            let Some(ticket) = self.reads.pop() else { return !self.writes.is_empty() };
            let page = Page { head: self.numbers, first: 1, ..Page::default() };
            answer(
                homes,
                ticket,
                if dice.is_multiple_of(5) { Answer::Unreadable } else { Answer::Page(page) },
            )
        } else {
            let Some(ticket) = self.writes.pop_front() else { return true };
            self.numbers += 1;
            let (seq, message) = (self.numbers, MessageId::random(3));
            let outcome = match dice % 7 {
                0 => Outcome::Failed,
                1 => Outcome::NoMessage,
                2 => Outcome::Again { seq: 1, message },
                _ => Outcome::Done { seq },
            };
            answer(homes, ticket, Answer::Written(outcome))
        };
        self.take(vec![heard]);
        true
    }

    fn answer_all(&mut self, homes: &mut Homes) {
        let mut dice = 4;
        while self.answer(homes, dice) {
            dice += 1;
        }
    }
}

proptest! {
    /// Whatever they did and whatever the store said: when all have gone and it has answered, nothing waits.
    #[test]
    fn no_line_is_left_when_the_store_has_answered_and_all_are_gone(
        steps in proptest::collection::vec((0usize..4, 0usize..12, 0usize..100), 0..100),
    ) {
        let mut homes = homes_with_log(3);
        let (mut store, mut there) = (Store::default(), [false; 4]);
        for (n, what, dice) in steps {
            let mut heard = Vec::new();
            step(&mut homes, &mut there, n, what, &mut heard);
            store.take(heard);
            for _ in 0..dice % 3 {
                store.answer(&mut homes, dice);
            }
            prop_assert_eq!(homes.awaited(), homes.lines.values().map(|line| line.waiting()).sum::<usize>());
            prop_assert_eq!(homes.tickets.len(), store.writes.len() + store.reads.len());
        }
        for n in 0..4 {
            let heard = end(&mut homes, &mut there, n, false);
            store.take(heard);
        }
        store.answer_all(&mut homes);
        // Mail that waits is taken, and rooms made by hand are still there.
        for (n, user) in [(0, "a"), (1, "b")] {
            attach(&mut homes, user, n);
            written_to(&mut homes, user, n);
            detach(&mut homes, user, n);
        }
        homes.save_presences(&mut Heard::default());
        settle(&mut homes);
        assert_no_lines(&homes);
        prop_assert_eq!((homes.held(), homes.users_online(), homes.unsaved.len()), (0, 0, 0));
        let logged: usize = homes.slots.iter().flat_map(|slot| &slot.channel).map(|body| body.log().bytes()).sum();
        prop_assert_eq!(homes.log_bytes, logged);
        prop_assert!(homes.names.len() <= 4, "{:?}", homes.names);
        prop_assert_eq!(Dialect::ALL.map(|d| homes.with(d)), Dialect::ALL.map(|_| (0, 0)));
    }
}
