//! The store against its oracle, against crashes, and against files that are none of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::super::check;
use super::super::oracle::Oracle;
use super::super::rows::KeptRow;
use super::super::scratch::Scratch;
use super::*;

// ---- Against the oracle ------------------------------------------------------------------------

const NAMES: [&str; 3] = ["ann", "ben", "eve"];
const TEXTS: [&str; 6] = ["", "one two", "Two three", "three ONE one", "x\0y", "four, one; \"two\""];
const SOUGHT: [&str; 6] = ["one", "TWO", "one two", "", "three  one", "nothing"];

/// A change in small numbers, so that they meet.
#[derive(Clone, Debug)]
enum Move {
    Append {
        owner: usize,
        what: u8,
        id: Option<u8>,
        sender: usize,
        peer: Option<usize>,
        at_ms: u64,
        text: usize,
        request: Option<u8>,
    },
    Amend {
        owner: usize,
        id: u8,
        by: usize,
        text: Option<usize>,
    },
    Receipt {
        owner: usize,
        user: usize,
        id: u8,
        at_ms: u64,
    },
    Queue {
        owner: usize,
        id: u8,
        seq: u64,
        since_ms: u64,
        text: usize,
    },
    Drain {
        owner: usize,
        ids: Vec<u8>,
    },
    Put {
        owner: usize,
        kind: u8,
        key: usize,
        bytes: Vec<u8>,
    },
    Remove {
        owner: usize,
        kind: u8,
        key: usize,
    },
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Vec<Move>>),
    Log { owner: usize, after: u64, peer: Option<usize>, messages: bool, limit: usize, bytes: usize },
    Search { owners: Vec<usize>, words: usize, limit: usize },
    Receipts(usize),
    Snapshot,
    Place,
    Trim(u64),
    Index,
    Reopen,
}

fn moves() -> impl Strategy<Value = Move> {
    let (owner, name, id, text) = (|| 0..4usize, || 0..NAMES.len(), || 0..6u8, || 0..TEXTS.len());
    let kind =
        prop_oneof![4 => Just(what::MESSAGE), 2 => Just(what::DIRECT), 1 => Just(what::EDITED), 1 => Just(8)];
    prop_oneof![
        6 => (owner(), kind, of(id()), name(), of(name()), 0..300u64, text(), of(0..5u8)).prop_map(
            |(owner, what, id, sender, peer, at_ms, text, request)|
            Move::Append { owner, what, id, sender, peer, at_ms, text, request }),
        2 => (owner(), id(), name(), of(text()))
            .prop_map(|(owner, id, by, text)| Move::Amend { owner, id, by, text }),
        1 => (owner(), name(), id(), any::<u64>())
            .prop_map(|(owner, user, id, at_ms)| Move::Receipt { owner, user, id, at_ms }),
        1 => (owner(), id(), any::<u64>(), 0..300u64, text())
            .prop_map(|(owner, id, seq, since_ms, text)| Move::Queue { owner, id, seq, since_ms, text }),
        1 => (owner(), vec(id(), 0..3)).prop_map(|(owner, ids)| Move::Drain { owner, ids }),
        1 => (owner(), 0..2u8, name(), vec(any::<u8>(), 0..4))
            .prop_map(|(owner, kind, key, bytes)| Move::Put { owner, kind, key, bytes }),
        1 => (owner(), 0..2u8, name()).prop_map(|(owner, kind, key)| Move::Remove { owner, kind, key }),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let owner = || 0..4usize;
    let after = prop_oneof![0..6u64, Just(u64::MAX)];
    let bytes = prop_oneof![0..60usize, Just(usize::MAX)];
    let limit = || prop_oneof![0..4usize, Just(usize::MAX)];
    prop_oneof![
        8 => vec(vec(moves(), 0..4), 0..4).prop_map(Step::Commit),
        4 => (owner(), after, of(0..NAMES.len()), any::<bool>(), limit(), bytes).prop_map(
            |(owner, after, peer, messages, limit, bytes)|
            Step::Log { owner, after, peer, messages, limit, bytes }),
        2 => (vec(owner(), 0..4), 0..SOUGHT.len(), limit())
            .prop_map(|(owners, words, limit)| Step::Search { owners, words, limit }),
        1 => owner().prop_map(Step::Receipts),
        1 => Just(Step::Snapshot),
        3 => Just(Step::Place),
        2 => (0..500u64).prop_map(Step::Trim),
        2 => Just(Step::Index),
        1 => Just(Step::Reopen),
    ]
}

fn owner(number: usize) -> Owner<'static> {
    let base = Owner { realm: "sge", tenant: "default", kind: 0, name: "room" };
    match number {
        0 => base,
        1 => Owner { realm: "nexus", ..base },
        2 => Owner { kind: 2, ..base },
        _ => Owner { tenant: "other", name: "ro\0om'", ..base },
    }
}

fn wide(id: u8) -> Id {
    [id; 16]
}

fn said<'a>(
    what: u8,
    id: Option<u8>,
    sender: &'a str,
    peer: Option<&'a str>,
    at_ms: u64,
    text: &'a str,
) -> Row<'a> {
    Row {
        what,
        id: id.map(wide),
        sender: Some(sender.into()),
        peer: peer.map(Into::into),
        at_ms,
        text: text.into(),
        body: b"body".as_slice().into(),
    }
}

const REQUESTS: [&str; 5] = ["", "a", "b", "A", "a\0"];

fn change(made: &Move) -> Change<'_> {
    match made {
        Move::Append { owner: of, what, id, sender, peer, at_ms, text, request } => Change::Append {
            owner: owner(*of),
            row: said(*what, *id, NAMES[*sender], peer.map(|peer| NAMES[peer]), *at_ms, TEXTS[*text]),
            request: request.map(|request| REQUESTS[usize::from(request)]),
        },
        Move::Amend { owner: of, id, by, text } => Change::Amend {
            owner: owner(*of),
            id: wide(*id),
            by: NAMES[*by],
            text: text.map(|text| TEXTS[text]),
        },
        Move::Receipt { owner: of, user, id, at_ms } => {
            Change::Receipt { owner: owner(*of), user: NAMES[*user], id: wide(*id), at_ms: *at_ms }
        }
        Move::Queue { owner: of, id, seq, since_ms, text } => Change::Queue {
            owner: owner(*of),
            item: Item {
                id: wide(*id),
                seq: *seq,
                transit: seq % 2 == 0,
                priority: (seq % 4) as u8,
                since_ms: *since_ms,
                row: said(what::DIRECT, Some(*id), "ann", None, 5, TEXTS[*text]),
            },
        },
        Move::Drain { owner: of, ids } => {
            Change::Drain { owner: owner(*of), ids: ids.iter().copied().map(wide).collect() }
        }
        Move::Put { owner: of, kind, key, bytes } => {
            Change::Put { owner: owner(*of), kind: *kind, key: NAMES[*key], bytes: bytes.clone() }
        }
        Move::Remove { owner: of, kind, key } => {
            Change::Remove { owner: owner(*of), kind: *kind, key: NAMES[*key] }
        }
    }
}

type KeptOf = (String, String, u8, String, KeptRow);

fn kept(store: &dyn Store) -> Vec<KeptOf> {
    let mut kept = Vec::new();
    let mut each = |owner: Owner, row| {
        kept.push((owner.realm.into(), owner.tenant.into(), owner.kind, owner.name.into(), row));
        Ok(())
    };
    store.snapshot(&mut each).expect("it can be read");
    kept
}

/// Does a step; what it answered, as text.
fn taken(store: &mut dyn Store, step: &Step) -> String {
    match step {
        Step::Commit(batch) => {
            let batch: Vec<Transaction> =
                batch.iter().map(|changes| changes.iter().map(change).collect()).collect();
            format!("{:?}", store.commit(&batch).expect("it can be written"))
        }
        Step::Log { owner: of, after, peer, messages, limit, bytes } => {
            let peer = peer.map(|peer| NAMES[peer]);
            let ask = LogAsk {
                owner: owner(*of),
                after: *after,
                peer,
                messages: *messages,
                limit: *limit,
                bytes: *bytes,
            };
            format!("{:?}", store.log(&ask).expect("it can be read"))
        }
        Step::Search { owners, words, limit } => {
            let mut owners = owners.clone();
            owners.sort_unstable();
            owners.dedup();
            let owners: Vec<Owner> = owners.into_iter().map(owner).collect();
            format!("{:?}", store.search(&owners, SOUGHT[*words], *limit).expect("it can be read"))
        }
        Step::Receipts(of) => format!("{:?}", store.receipts(&owner(*of)).expect("it can be read")),
        Step::Snapshot | Step::Reopen => format!("{:?}", kept(store)),
        Step::Place => {
            store.place().expect("it can be written");
            String::new()
        }
        Step::Trim(now_ms) => {
            while store.trim(*now_ms).expect("it can be written") {}
            String::new()
        }
        Step::Index => {
            while store.index().expect("it can be written") {}
            String::new()
        }
    }
}

prop_compose! {
    fn rules()(
        count in of(0..6u64), bytes in of(0..80u64), age_ms in of(0..300u64),
        queue_ttl_ms in prop_oneof![Just(0), 1..300u64], amendable in 0..4usize, search in prop::bool::weighted(0.8),
    ) -> (Retention, u64, usize, bool) {
        (Retention { count, bytes, age_ms }, queue_ttl_ms, amendable, search)
    }
}

proptest! {
    #[test]
    fn it_answers_as_the_oracle_does(rules in rules(), steps in vec(steps(), 1..40)) {
        let scratch = Scratch::new();
        let (history, queue_ttl_ms, amendable, search) = rules;
        let options = Options { history, queue_ttl_ms, amendable, search, ..scratch.options() };
        let mut oracle = Oracle::new(&options);
        let mut store = Sqlite::open(&options).expect("a store");
        let epoch = store.epoch();
        for step in &steps {
            if let Step::Reopen = step {
                drop(store);
                store = Sqlite::open(&options).expect("the same store");
                prop_assert_eq!(store.epoch(), epoch);
            }
            prop_assert_eq!(taken(&mut store, step), taken(&mut oracle, step), "{:?}", step);
        }
        prop_assert_eq!(kept(&store), kept(&oracle));
        for of in 0..4 {
            let all = Step::Log { owner: of, after: 0, peer: None, messages: false, limit: 1000, bytes: usize::MAX };
            prop_assert_eq!(taken(&mut store, &all), taken(&mut oracle, &all));
        }
        let words = "INSERT INTO words (words) VALUES ('integrity-check')";
        store.conn.execute_batch(words).expect("the index is whole");
        let report = check(scratch.path()).expect("it can be read");
        let is_about_rows = |line: &&String| !line.contains(": number ") && !line.contains("something kept");
        prop_assert_eq!(report.wrong.iter().find(is_about_rows), None, "bodies are none here");
        let before = format!("{:?}", store.heads.tail());
        store.unsure = true;
        store.mend().expect("it can be read");
        prop_assert_eq!(format!("{:?}", store.heads.tail()), before);
    }
}

// ---- One thing at a time -----------------------------------------------------------------------

/// A message in the first room.
fn append(id: u8, text: &str) -> Change<'_> {
    Change::Append {
        owner: owner(0),
        row: said(what::MESSAGE, Some(id), "ann", None, 5, text),
        request: None,
    }
}

fn write(store: &mut Sqlite, change: Change) -> Done {
    let done = store.commit(&[vec![change]]).expect("it can be written");
    done[0]
}

fn page(store: &Sqlite) -> LogPage {
    let ask =
        LogAsk { owner: owner(0), after: 0, peer: None, messages: false, limit: 10_000, bytes: usize::MAX };
    store.log(&ask).expect("it can be read")
}

fn found(store: &Sqlite, words: &str) -> Vec<u64> {
    let hits = store.search(&[owner(0)], words, 100).expect("it can be read");
    hits.into_iter().map(|hit| hit.seq).collect()
}

#[test]
fn numbers_go_on_after_everything_was_thrown_away() {
    let scratch = Scratch::new();
    let options =
        Options { history: Retention { age_ms: Some(10), ..Retention::default() }, ..scratch.options() };
    let mut store = Sqlite::open(&options).expect("a store");
    for _ in 0..3 {
        write(&mut store, append(1, "x"));
    }
    assert!(!store.trim(15).expect("trimmed"));
    let none = page(&store);
    assert_eq!((none.head, none.first, none.rows.len()), (3, 4, 0));
    drop(store);
    let mut store = Sqlite::open(&options).expect("the same store");
    assert_eq!(write(&mut store, append(1, "x")), Done::All { seq: 4 });
}

#[test]
fn a_step_throws_away_no_more_than_it_should_take_and_nothing_that_is_not_over() {
    let scratch = Scratch::new();
    let options =
        Options { history: Retention { count: Some(100), ..Retention::default() }, ..scratch.options() };
    let mut store = Sqlite::open(&options).expect("a store");
    let batch: Vec<Transaction> = (0..1300).map(|_| vec![append(1, "x")]).collect();
    store.commit(&batch).expect("written");
    assert!(store.trim(0).expect("a step") && store.trim(0).expect("a step"));
    assert_eq!(page(&store).rows.len(), 300);
    assert!(!store.trim(0).expect("the last step") && !store.trim(0).expect("nothing to do"));
    let left = page(&store);
    assert_eq!((left.head, left.first, left.rows.len(), left.rows[0].0), (1300, 1201, 100, 1201));
}

#[test]
fn what_is_over_is_found_again_after_a_restart() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    for _ in 0..5 {
        write(&mut store, append(1, "x"));
    }
    drop(store);
    let options =
        Options { history: Retention { count: Some(2), ..Retention::default() }, ..scratch.options() };
    let mut store = Sqlite::open(&options).expect("the same store");
    assert!(!store.trim(0).expect("a step"));
    assert_eq!(page(&store).first, 4);
}

#[test]
fn edits_and_deletions_keep_the_index_right_on_both_sides_of_its_end() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    for id in 1..=3 {
        write(&mut store, append(id, "old words"));
    }
    assert!(found(&store, "old").is_empty(), "not yet");
    assert!(!store.index().expect("a step"));
    write(&mut store, append(4, "old words"));
    let amend = |id, text| Change::Amend { owner: owner(0), id: wide(id), by: "ann", text };
    for (id, text) in [(1, Some("new words")), (2, None), (4, Some("new too"))] {
        assert_eq!(write(&mut store, amend(id, text)), Done::All { seq: 0 });
    }
    assert_eq!((found(&store, "old"), found(&store, "new")), (vec![3], vec![1]));
    assert!(!store.index().expect("a step"));
    assert_eq!((found(&store, "old"), found(&store, "NEW")), (vec![3], vec![4, 1]));
}

#[test]
fn what_was_taken_back_is_nowhere_in_the_rows() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    write(&mut store, append(1, "secret one"));
    let edit = Row { what: what::EDITED, ..said(1, Some(1), "ann", None, 5, "secret two") };
    let amend = |text| Change::Amend { owner: owner(0), id: wide(1), by: "ann", text };
    let edited =
        vec![amend(Some("secret two")), Change::Append { owner: owner(0), row: edit, request: None }];
    assert_eq!(store.commit(&[edited]).expect("written"), [Done::All { seq: 2 }]);
    assert_eq!(write(&mut store, amend(None)), Done::All { seq: 0 });
    assert_eq!(write(&mut store, amend(None)), Done::NoMessage, "once is enough");
    let left = page(&store);
    assert_eq!((left.head, left.first, left.rows.len()), (2, 1, 0));
    let sql = "SELECT count(*) FROM log WHERE text LIKE '%secret%' OR octet_length(body) > 0";
    assert_eq!(store.conn.query_row(sql, [], |row| row.get::<_, i64>(0)), Ok(0));
}

#[test]
fn a_message_too_far_back_is_not_amended() {
    let scratch = Scratch::new();
    let options = Options { amendable: 3, ..scratch.options() };
    let mut store = Sqlite::open(&options).expect("a store");
    for id in 1..=4 {
        write(&mut store, append(id, "x"));
    }
    let amend = |id| Change::Amend { owner: owner(0), id: wide(id), by: "ann", text: Some("y") };
    assert_eq!(write(&mut store, amend(1)), Done::NoMessage);
    assert_eq!(write(&mut store, amend(2)), Done::All { seq: 0 });
}

#[test]
fn a_search_over_a_thousand_channels_is_one() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    let names: Vec<String> = (0..1000).map(|n| format!("room{n}")).collect();
    let owners: Vec<Owner> = names.iter().map(|name| Owner { name, ..owner(0) }).collect();
    let batch: Vec<Transaction> = owners
        .iter()
        .map(|owner| {
            let row = said(what::MESSAGE, Some(1), "ann", None, 5, "needle");
            vec![Change::Append { owner: *owner, row, request: None }]
        })
        .collect();
    store.commit(&batch).expect("written");
    while store.index().expect("a step") {}
    let hits = store.search(&owners[1..], "needle", 5000).expect("it can be read");
    assert_eq!(hits.len(), 999);
    assert_eq!((hits[0].owner, hits[998].owner), (998, 0), "the newest first");
}

#[test]
fn a_store_without_search_indexes_nothing_and_catches_up_when_it_has_one() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&Options { search: false, ..scratch.options() }).expect("a store");
    write(&mut store, append(1, "word"));
    assert!(!store.index().expect("nothing to do"));
    assert!(found(&store, "word").is_empty());
    drop(store);
    let mut store = Sqlite::open(&scratch.options()).expect("the same store");
    assert!(!store.index().expect("a step"));
    assert_eq!(found(&store, "word"), [1]);
}

// ---- Placed and not yet placed -----------------------------------------------------------------

/// Rows of a channel that has some in their places and some behind them.
fn half_placed(scratch: &Scratch) -> Sqlite {
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    for id in 1..=6 {
        write(&mut store, append(id, "one word"));
        if id == 3 {
            store.place().expect("placed");
            assert!(!store.index().expect("a step"));
        }
    }
    assert_eq!((store.placed, store.heads.tail().len()), (3, 3));
    store
}

#[test]
fn a_log_is_one_on_both_sides_of_what_has_its_place() {
    let scratch = Scratch::new();
    let mut store = half_placed(&scratch);
    for placed in [false, true] {
        let all = page(&store);
        assert_eq!((all.head, all.first), (6, 1));
        assert_eq!(all.rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        for (after, limit) in [(0, 3), (0, 4), (2, 1), (2, 2), (3, 1), (5, 1), (6, 1)] {
            let ask = LogAsk { owner: owner(0), after, peer: None, messages: true, limit, bytes: usize::MAX };
            let part = store.log(&ask).expect("it can be read");
            let want: Vec<u64> = (after + 1..=6).take(limit).collect();
            assert_eq!(part.rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), want, "{after} {limit}");
            assert_eq!((part.head, part.more), (6, after + (limit as u64) < 6), "{after} {limit}");
        }
        if !placed {
            store.place().expect("placed");
            assert!(store.heads.tail().is_empty());
        }
    }
}

#[test]
fn rows_with_and_without_a_place_are_amended_and_read_alike() {
    let scratch = Scratch::new();
    let mut store = half_placed(&scratch);
    let amend = |id, text| Change::Amend { owner: owner(0), id: wide(id), by: "ann", text };
    for (id, text) in [(2, Some("other")), (5, Some("other")), (3, None), (6, None)] {
        assert_eq!(write(&mut store, amend(id, text)), Done::All { seq: 0 });
        let receipt = Change::Receipt { owner: owner(0), user: "ben", id: wide(id), at_ms: 1 };
        let read = if text.is_some() { Done::All { seq: 0 } } else { Done::NoMessage };
        assert_eq!(write(&mut store, receipt), read);
    }
    assert_eq!(store.receipts(&owner(0)).expect("it can be read")[0].seq, 5);
    let sums = |store: &Sqlite| -> (i64, i64) {
        let sql = "SELECT kept, bytes FROM channels";
        store.conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a channel")
    };
    assert_eq!(sums(&store), (3, 12 + 9));
    store.place().expect("placed");
    assert_eq!(sums(&store), (6, 2 * (12 + 9)));
    assert_eq!(page(&store).rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 4, 5]);
    while store.index().expect("a step") {}
    assert_eq!((found(&store, "word"), found(&store, "other")), (vec![4, 1], vec![5, 2]));
}

#[test]
fn a_request_that_comes_to_nothing_leaves_the_tail_as_it_was() {
    let scratch = Scratch::new();
    let mut store = half_placed(&scratch);
    let before = store.heads.tail().to_vec();
    let fresh = Owner { name: "fresh", ..owner(0) };
    let row = said(what::MESSAGE, Some(9), "ann", None, 5, "x");
    let changes = vec![
        append(7, "x"),
        Change::Amend { owner: owner(0), id: wide(5), by: "ann", text: None },
        Change::Append { owner: fresh, row: row.clone(), request: None },
        Change::Amend { owner: owner(0), id: wide(1), by: "eve", text: None },
    ];
    assert_eq!(store.commit(&[changes]).expect("written"), [Done::NotTheSender]);
    assert_eq!(store.heads.tail(), before);
    let again = Change::Append { owner: fresh, row, request: None };
    assert_eq!(write(&mut store, again), Done::All { seq: 1 });
    assert_eq!(write(&mut store, append(7, "x")), Done::All { seq: 7 });
    assert!(
        check(scratch.path()).expect("it can be read").wrong.iter().all(|line| line.contains(": number "))
    );
}

#[test]
fn numbers_go_on_after_a_kill_wherever_placing_was() {
    let scratch = Scratch::new();
    let mut store = half_placed(&scratch);
    // As after kill -9: the files as they are.
    let killed = |want: usize| {
        let away = Scratch::new();
        fs::create_dir(away.path()).expect("a folder");
        let (from, to) = (folder::database(scratch.path()), folder::database(away.path()));
        fs::copy(folder::wal(&from), folder::wal(&to)).expect("copied");
        fs::copy(folder::mark(scratch.path()), folder::mark(away.path())).expect("copied");
        fs::copy(from, to).expect("copied");
        for history in [Retention::default(), Retention { count: Some(0), ..Retention::default() }] {
            let mut store = Sqlite::open(&Options { history, ..away.options() }).expect("a store");
            let (head, tail) = (page(&store).head, store.heads.tail().len());
            assert_eq!(tail, if history.count.is_some() { 0 } else { want });
            assert_eq!(write(&mut store, append(7, "x")), Done::All { seq: head + 1 });
        }
        let mut store = Sqlite::open(&away.options()).expect("a store");
        let head = page(&store).head;
        assert_eq!(write(&mut store, append(7, "x")), Done::All { seq: head + 1 });
    };
    killed(3);
    let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.quietly(|store| -> Result<(), StoreError> {
            store.place_rows(6)?;
            panic!("on purpose")
        })
    }));
    assert!(cut.is_err());
    killed(3);
    assert_eq!(write(&mut store, append(7, "x")), Done::All { seq: 7 });
    store.place().expect("placed");
    killed(0);
}

#[test]
fn the_tail_has_an_end_whoever_does_not_place_it() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    let batch: Vec<Transaction> = (0..1000).map(|_| vec![append(1, "x")]).collect();
    let mut longest = 0;
    for _ in 0..12 {
        store.commit(&batch).expect("written");
        longest = longest.max(store.heads.tail().len());
    }
    assert_eq!((longest, page(&store).rows.len()), (5000, 10_000));
    drop(store);
    let mut store = Sqlite::open(&scratch.options()).expect("the same store");
    assert_eq!((store.heads.tail().len(), page(&store).head), (2000, 12_000));
    store.place().expect("placed");
    let large = "x".repeat(1 << 20);
    for _ in 0..5 {
        write(&mut store, append(1, &large));
    }
    assert_eq!(store.heads.tail().len(), 1, "by bytes too");
}

#[test]
fn who_reads_while_rows_get_their_places_misses_none_and_has_none_twice() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    write(&mut store, append(1, "x"));
    let path = store.path().to_owned();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let conn = reading::open_read_only(&path).expect("readable");
            let mut reads = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let limit = usize::MAX;
                let ask =
                    LogAsk { owner: owner(0), after: 0, peer: None, messages: false, limit, bytes: limit };
                let page = reading::log(&conn, &ask).expect("it can be read");
                let numbers: Vec<u64> = page.rows.iter().map(|(seq, _)| *seq).collect();
                assert_eq!(numbers, (1..=page.head).collect::<Vec<_>>());
                reads += 1;
            }
            reads
        });
        for turn in 0..200 {
            let batch: Vec<Transaction> = (0..5).map(|_| vec![append(1, "x")]).collect();
            store.commit(&batch).expect("written");
            if turn % 3 == 0 {
                store.place().expect("placed");
            }
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().expect("no gap") > 0);
    });
}

// ---- Epochs ------------------------------------------------------------------------------------

#[test]
fn the_epoch_stays_over_restarts_and_without_a_mark() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    let epoch = store.epoch();
    write(&mut store, append(1, "x"));
    store.finish().expect("in order");
    drop(store);
    assert_eq!(Sqlite::open(&scratch.options()).expect("the same store").epoch(), epoch);
    fs::remove_file(folder::mark(scratch.path())).expect("it was there");
    assert_eq!(Sqlite::open(&scratch.options()).expect("the same store").epoch(), epoch);
    assert_eq!(fs::metadata(folder::mark(scratch.path())).expect("made anew").len(), 16);
}

#[test]
fn an_older_file_put_back_begins_another_epoch() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    let epoch = store.epoch();
    write(&mut store, append(1, "x"));
    store.finish().expect("in order");
    drop(store);
    let database = folder::database(scratch.path());
    let old = fs::read(&database).expect("a file");
    let mut store = Sqlite::open(&scratch.options()).expect("the same store");
    assert_eq!(store.epoch(), epoch);
    write(&mut store, append(2, "y"));
    drop(store);
    fs::write(&database, old).expect("put back");
    let mut store = Sqlite::open(&scratch.options()).expect("the older store");
    let second = store.epoch();
    assert_ne!(second, epoch);
    assert_eq!(write(&mut store, append(3, "z")), Done::All { seq: 2 }, "a number that was given out before");
    drop(store);
    assert_eq!(Sqlite::open(&scratch.options()).expect("it goes on").epoch(), second);
}

#[test]
fn a_tail_of_the_log_that_is_lost_begins_another_epoch() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    let epoch = store.epoch();
    write(&mut store, append(1, "x"));
    // As after kill -9: the files as they are, with a write-ahead log that has the commits.
    let away = Scratch::new();
    fs::create_dir(away.path()).expect("a folder");
    let (database, wal) = (folder::database(scratch.path()), folder::wal(&folder::database(scratch.path())));
    let (there, there_wal) = (folder::database(away.path()), folder::wal(&folder::database(away.path())));
    let copy = || {
        fs::copy(&database, &there).expect("copied");
        fs::copy(&wal, &there_wal).expect("copied");
        fs::copy(folder::mark(scratch.path()), folder::mark(away.path())).expect("copied");
    };
    copy();
    let killed = Sqlite::open(&away.options()).expect("a store that was killed");
    assert_eq!((killed.epoch(), page(&killed).head), (epoch, 1));
    drop(killed);
    copy();
    let length = fs::metadata(&there_wal).expect("a log").len();
    let log = fs::OpenOptions::new().write(true).open(&there_wal).expect("a log");
    log.set_len(length - 100).expect("cut");
    let lost = Sqlite::open(&away.options()).expect("a store that lost its last commit");
    assert_ne!(lost.epoch(), epoch);
    assert_eq!(page(&lost).head, 0);
}

#[test]
fn a_power_cut_begins_another_epoch_where_commits_were_left_to_the_kernel() {
    let scratch = Scratch::new();
    let open = |synchronous| Sqlite::open(&Options { synchronous, ..scratch.options() }).expect("a store");
    let other_boot = |store: &Sqlite| set_meta(&store.conn, "boot", 1).expect("written");
    let store = open(Synchronous::Normal);
    let epoch = store.epoch();
    drop(store);
    let store = open(Synchronous::Normal);
    assert_eq!(store.epoch(), epoch, "the process alone was killed");
    other_boot(&store);
    drop(store);
    let mut store = open(Synchronous::Normal);
    let second = store.epoch();
    assert_ne!(second, epoch);
    other_boot(&store);
    store.finish().expect("in order");
    drop(store);
    let store = open(Synchronous::Full);
    assert_eq!(store.epoch(), second, "it had ended in peace");
    assert_eq!(meta(&store.conn, "boot").expect("readable"), None);
}

// ---- Folders and files -------------------------------------------------------------------------

#[test]
fn two_servers_never_have_one_folder_open() {
    let scratch = Scratch::new();
    let store = Sqlite::open(&scratch.options()).expect("a store");
    let refusal = Sqlite::open(&scratch.options()).expect_err("it is taken").to_string();
    assert!(refusal.contains("another server has this folder open"), "{refusal}");
    drop(store);
    Sqlite::open(&scratch.options()).expect("it is free");
}

#[test]
fn nobody_else_may_read_what_is_kept() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    write(&mut store, append(1, "x"));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(scratch.path()), 0o700);
    let files: Vec<_> =
        fs::read_dir(scratch.path()).expect("a folder").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
}

#[test]
fn a_file_that_is_no_store_is_refused_by_name_and_left_alone() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path()).expect("a folder");
    let database = folder::database(scratch.path());
    for (bytes, why) in
        [(b"x".repeat(5000), "no SQLite database"), (b"SQLite format 3\0".to_vec(), "no SQLite database")]
    {
        fs::write(&database, &bytes).expect("written");
        let refusal = Sqlite::open(&scratch.options()).expect_err("no store").to_string();
        assert!(refusal.contains("lanecast.db") && refusal.contains(why), "{refusal}");
        assert_eq!(fs::read(&database).expect("still there"), bytes);
    }
    fs::remove_file(&database).expect("it was there");
    Connection::open(&database).expect("theirs").execute_batch("CREATE TABLE theirs (x)").expect("a table");
    let refusal = Sqlite::open(&scratch.options()).expect_err("no store").to_string();
    assert!(refusal.contains("lanecast.db") && refusal.contains("another program"), "{refusal}");
    Connection::open(&database).expect("theirs").execute_batch("SELECT x FROM theirs").expect("as it was");
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    let batch: Vec<Transaction> =
        (0..500).map(|_| vec![append(1, "many words to fill some pages")]).collect();
    store.commit(&batch).expect("written");
    store.finish().expect("in order");
    drop(store);
    let database = folder::database(scratch.path());
    let mut bytes = fs::read(&database).expect("a file");
    for at in (4096..bytes.len()).step_by(16) {
        bytes[at] ^= 0xff;
    }
    fs::write(&database, bytes).expect("written");
    let error = Sqlite::open(&scratch.options()).expect_err("it is damaged").to_string();
    assert!(error.contains("lanecast.db") && error.contains("damaged"), "{error}");
}

#[test]
fn the_log_of_another_database_is_never_written_into_a_copy() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    write(&mut store, append(1, "x"));
    let copy = Scratch::new();
    fs::create_dir(copy.path()).expect("a folder");
    let (database, wal) = (folder::database(copy.path()), folder::wal(&folder::database(copy.path())));
    store.conn.execute("VACUUM INTO ?1", [database.to_str().expect("UTF-8")]).expect("a copy");
    fs::copy(folder::wal(&folder::database(scratch.path())), &wal).expect("a log of another");
    let refusal = Sqlite::open(&copy.options()).expect_err("it is not its own").to_string();
    assert!(refusal.contains("lanecast.db-wal") && refusal.contains("remove"), "{refusal}");
    fs::remove_file(&wal).expect("it was there");
    assert_eq!(page(&Sqlite::open(&copy.options()).expect("a copy")).head, 1);
}

// ---- Failures ----------------------------------------------------------------------------------

#[test]
fn a_full_disk_fails_the_batch_and_nothing_else() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    write(&mut store, append(1, "x"));
    let pages: i64 = store.conn.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number");
    let limit = |store: &Sqlite, pages: i64| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        store.conn.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("a limit")
    };
    limit(&store, pages + 1);
    let long = "x".repeat(100_000);
    let batch = [vec![append(2, "y")], vec![append(3, &long)]];
    let error = store.commit(&batch).expect_err("it is full").to_string();
    assert!(error.contains("full"), "{error}");
    assert_eq!(page(&store).head, 1, "all or nothing");
    limit(&store, 1 << 30);
    assert_eq!(store.commit(&batch).expect("there is room"), [Done::All { seq: 2 }, Done::All { seq: 3 }]);
    assert!(found(&store, "y").is_empty() && !store.index().expect("a step"));
    assert_eq!(found(&store, "y"), [2]);
}

#[test]
fn a_panic_in_the_midst_of_a_commit_leaves_nothing_of_it() {
    let scratch = Scratch::new();
    let mut store = Sqlite::open(&scratch.options()).expect("a store");
    write(&mut store, append(1, "x"));
    let panicking = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.durably(|store| -> Result<(), StoreError> {
            store.transaction(&[append(2, "y")])?;
            panic!("on purpose")
        })
    }));
    assert!(panicking.is_err());
    assert_eq!(write(&mut store, append(3, "z")), Done::All { seq: 2 });
    assert_eq!(page(&store).rows.len(), 2);
}
