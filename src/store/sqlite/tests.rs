//! The store against its oracle, against crashes, and against files that are none of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

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
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

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
    }
}
