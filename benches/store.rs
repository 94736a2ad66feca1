//! The store against a bare loop over SQLite, on the same disk: what the way to it costs.
//!
//! 64 publishers in a closed loop: each waits until what it said is durable. They are multiplexed on one thread, as a
//! shard does it. The bare loop is the least that does the same for one table: collects what waits, inserts it in one
//! transaction, answers. Rounds alternate, so that whatever else the machine does hits both.
//!
//! `cargo bench --bench store`, with any of: `normal` (no wait for the disk), `unsearched` (no index), `channels=N` (that many
//! rooms, 64 unless said), `seconds=N` (of each round), `rounds=N`, `kept=N` (of each room, all unless said), `million` (instead:
//! opening a store with a million rows), and `folder=PATH` (where; a folder on the disk that is meant). Before the bare loop
//! has its turn, the store makes all searchable, which it puts off while there is no end of requests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::sync::{Parker, Unparker};
use lanecast::config::Config;
use lanecast::lane::Notify;
use lanecast::model::{
    Answer, ChannelName, Contact, Event, Fact, Kind, Message, MessageId, Outcome, Query, RealmId, Record,
    Ticket,
};
use lanecast::store::{Client, Opened, Options, Retention, Synchronous};
use rusqlite::{Connection, params};

const PUBLISHERS: usize = 64;
/// The length of a message.
const TEXT: usize = 120;

struct Plan {
    folder: PathBuf,
    synchronous: Synchronous,
    search: bool,
    channels: usize,
    round: Duration,
    rounds: usize,
    /// Of each room; the rest goes.
    kept: Option<u64>,
    million: bool,
}

impl Plan {
    fn read() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |word: &str| arguments.iter().any(|argument| argument == word);
        let value =
            |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str, default| value(name).map_or(default, |n| n.parse().expect("a number"));
        let folder =
            value("folder").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).into(), PathBuf::from);
        Self {
            folder: folder.join("store-bench"),
            synchronous: if has("normal") { Synchronous::Normal } else { Synchronous::Full },
            search: !has("unsearched"),
            channels: number("channels", 64) as usize,
            round: Duration::from_secs(number("seconds", 2)),
            rounds: number("rounds", 5) as usize,
            kept: value("kept").map(|n| n.parse().expect("a number")),
            million: has("million"),
        }
    }

    fn options(&self) -> Options {
        let options = Options::new(self.folder.join("ours"), vec!["bench".into()], &Config::default().store);
        Options {
            synchronous: self.synchronous,
            search: self.search,
            history: Retention { count: self.kept, ..Retention::default() },
            ..options
        }
    }
}

fn room(number: usize) -> ChannelName {
    ChannelName {
        realm: RealmId(0),
        tenant: "default".into(),
        kind: Kind::Room,
        id: format!("room{number}").into(),
    }
}

fn text(random: &mut fastrand::Rng) -> String {
    (0..TEXT / 6).map(|_| format!("{:05} ", random.u32(0..100_000))).collect()
}

fn message(rooms: &[ChannelName], random: &mut fastrand::Rng, number: u64) -> Record {
    let text = text(random);
    saying(rooms, random, number, text)
}

fn saying(rooms: &[ChannelName], random: &mut fastrand::Rng, number: u64, text: String) -> Record {
    let room = &rooms[number as usize % rooms.len()];
    let message = Message {
        id: MessageId::random(random.u128(..)),
        kind: Kind::Room,
        place: room.id.clone(),
        from: "publisher".into(),
        connection: None,
        text: text.into(),
        detail: None,
        at_ms: 1_700_000_000_000 + number,
    };
    Record::Append { channel: room.clone(), event: Event::Message(message), request: None }
}

struct Wake(Unparker);

impl Notify for Wake {
    fn notify(&self) {
        self.0.unpark();
    }
}

/// Durations from handing over to hearing of it.
#[derive(Default)]
struct Waits(Vec<u32>);

impl Waits {
    fn at(&mut self, part: f64) -> f64 {
        self.0.sort_unstable();
        let place = ((self.0.len().max(1) - 1) as f64 * part) as usize;
        f64::from(self.0.get(place).copied().unwrap_or(0)) / 1000.0
    }
}

/// A round of the store; publishes per second.
fn our_round(
    client: &mut Client,
    parker: &Parker,
    rooms: &[ChannelName],
    round: Duration,
    waits: &mut Waits,
) -> f64 {
    let mut random = fastrand::Rng::with_seed(7);
    let mut begun = [Instant::now(); PUBLISHERS];
    let start = Instant::now();
    let mut said = 0u64;
    let mut publish = |client: &mut Client, publisher: usize, said: &mut u64| {
        client.write(publisher as Ticket, vec![message(rooms, &mut random, *said)]).expect("there is room");
        *said += 1;
    };
    for publisher in 0..PUBLISHERS {
        publish(client, publisher, &mut said);
    }
    client.kick();
    let mut under_way = PUBLISHERS;
    while under_way > 0 {
        while let Some((ticket, answer)) = client.next() {
            assert!(matches!(answer, Answer::Written(Outcome::Done { .. })), "{answer:?}");
            let publisher = ticket as usize;
            waits.0.push(begun[publisher].elapsed().as_micros() as u32);
            if start.elapsed() < round {
                begun[publisher] = Instant::now();
                publish(client, publisher, &mut said);
            } else {
                under_way -= 1;
            }
        }
        client.kick();
        if under_way > 0 {
            parker.park();
        }
    }
    said as f64 / start.elapsed().as_secs_f64()
}

/// Waits until all that was said can be found, so that the other one's round has the machine for itself; seconds.
fn catch_up(client: &mut Client, parker: &Parker, rooms: &[ChannelName], round: usize) -> f64 {
    let begun = Instant::now();
    let words = format!("thelast{round}");
    let last = saying(rooms, &mut fastrand::Rng::new(), 0, words.clone());
    client.write(0, vec![last]).expect("there is room");
    loop {
        client.kick();
        parker.park_timeout(Duration::from_millis(20));
        while let Some((_, answer)) = client.next() {
            match answer {
                Answer::Found(found) if !found.is_empty() => return begun.elapsed().as_secs_f64(),
                _ => {
                    let query = Query::Search {
                        channels: vec![rooms[0].clone()],
                        words: words.clone().into(),
                        limit: 1,
                    };
                    client.read(1, query).expect("there is room");
                }
            }
        }
    }
}

/// What a publisher hands to the bare loop.
struct Bare {
    publisher: usize,
    id: [u8; 16],
    text: String,
}

/// One table with the same bytes a row, one transaction for all that waits, and nothing else.
fn bare_loop(path: &Path, synchronous: Synchronous, requests: &Receiver<Bare>, answers: &Sender<usize>) {
    let conn = Connection::open(path).expect("a file");
    let synchronous = if synchronous == Synchronous::Full { "FULL" } else { "NORMAL" };
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 16384;
         CREATE TABLE IF NOT EXISTS log (entry INTEGER PRIMARY KEY, channel INTEGER, seq INTEGER, what INTEGER,
            id BLOB, sender TEXT, peer TEXT, at_ms INTEGER, text TEXT, body BLOB, request TEXT)"
    ))
    .expect("a table");
    let mut waiting = Vec::new();
    while let Ok(first) = requests.recv() {
        waiting.push(first);
        waiting.extend(requests.try_iter().take(4095));
        conn.execute_batch("BEGIN IMMEDIATE").expect("begun");
        let sql = "INSERT INTO log (channel, seq, what, id, sender, at_ms, text, body) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7)";
        let mut insert = conn.prepare_cached(sql).expect("a statement");
        for request in &waiting {
            let values =
                params![1, 2, request.id, "publisher", 1_700_000_000_000i64, request.text, b"\x01\0\0\0\0"];
            insert.execute(values).expect("inserted");
        }
        drop(insert);
        conn.execute_batch("COMMIT").expect("committed");
        for request in waiting.drain(..) {
            answers.send(request.publisher).expect("somebody waits");
        }
    }
}

fn bare_round(requests: &Sender<Bare>, answers: &Receiver<usize>, round: Duration, waits: &mut Waits) -> f64 {
    let mut random = fastrand::Rng::with_seed(7);
    let mut begun = [Instant::now(); PUBLISHERS];
    let start = Instant::now();
    let mut said = 0u64;
    let mut publish = |publisher: usize, said: &mut u64| {
        let text = text(&mut random);
        *said += 1;
        requests.send(Bare { publisher, id: random.u128(..).to_be_bytes(), text }).expect("the loop runs");
    };
    (0..PUBLISHERS).for_each(|publisher| publish(publisher, &mut said));
    let mut under_way = PUBLISHERS;
    while under_way > 0 {
        let publisher = answers.recv().expect("the loop runs");
        waits.0.push(begun[publisher].elapsed().as_micros() as u32);
        if start.elapsed() < round {
            begun[publisher] = Instant::now();
            publish(publisher, &mut said);
        } else {
            under_way -= 1;
        }
    }
    said as f64 / start.elapsed().as_secs_f64()
}

fn against_the_bare_loop(plan: &Plan) {
    let parker = Parker::new();
    let opened = Opened::open(plan.options()).expect("a store");
    let (running, mut clients) =
        opened.start(vec![Box::new(Wake(parker.unparker().clone()))]).expect("threads");
    let client = &mut clients[0];
    let rooms: Vec<_> = (0..plan.channels).map(room).collect();
    let (requests, received) = channel();
    let (answer, answers) = channel();
    let (path, synchronous) = (plan.folder.join("bare.db"), plan.synchronous);
    let bare = thread::spawn(move || bare_loop(&path, synchronous, &received, &answer));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut our_waits, mut their_waits) = (Waits::default(), Waits::default());
    println!(
        "{PUBLISHERS} publishers, {} rooms, {TEXT} bytes a message, synchronous {synchronous:?}",
        plan.channels
    );
    for number in 1..=plan.rounds {
        theirs.push(bare_round(&requests, &answers, plan.round, &mut their_waits));
        ours.push(our_round(client, &parker, &rooms, plan.round, &mut our_waits));
        let (our, their) = (ours[number - 1], theirs[number - 1]);
        print!("round {number}: store {our:.0}/s, bare loop {their:.0}/s, ratio {:.2}", our / their);
        if plan.search {
            print!(", all can be searched after {:.1} s", catch_up(client, &parker, &rooms, number));
        }
        println!();
    }
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    println!(
        "store     {:>7.0}/s  p50 {:.2} ms  p99 {:.2} ms",
        mean(&ours),
        our_waits.at(0.5),
        our_waits.at(0.99)
    );
    println!(
        "bare loop {:>7.0}/s  p50 {:.2} ms  p99 {:.2} ms",
        mean(&theirs),
        their_waits.at(0.5),
        their_waits.at(0.99)
    );
    let mut ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(our, their)| our / their).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    println!(
        "ratio     {:>7.2} of the means, {:.2} in the median",
        mean(&ours) / mean(&theirs),
        ratios[plan.rounds / 2]
    );
    let health = running.health();
    println!("{} publishes in {} commits", health.rows.get(), health.commits.get());
    drop(requests);
    bare.join().expect("the loop ends");
    running.stop();
}

fn open_a_million(plan: &Plan) {
    let parker = Parker::new();
    let opened =
        Opened::open(Options { synchronous: Synchronous::Normal, ..plan.options() }).expect("a store");
    let (running, mut clients) =
        opened.start(vec![Box::new(Wake(parker.unparker().clone()))]).expect("threads");
    let client = &mut clients[0];
    let rooms: Vec<_> = (0..1000).map(room).collect();
    let mut random = fastrand::Rng::with_seed(7);
    let begun = Instant::now();
    let mut number = 0;
    while number < 1_000_000 || client.under_way() > 0 {
        while number < 1_000_000 {
            let mut records = vec![message(&rooms, &mut random, number)];
            if number % 100 == 0 {
                let user = ChannelName { kind: Kind::User, ..room(number as usize) };
                let contact = Contact { user: Arc::from("ann"), name: None, groups: vec![] };
                records.push(Record::Know { channel: user, fact: Fact::Contact(contact) });
            }
            if client.write(number, records).is_err() {
                break;
            }
            number += 1;
        }
        client.kick();
        parker.park_timeout(Duration::from_millis(10));
        while client.next().is_some() {}
    }
    println!("a million rows and ten thousand facts written in {:.1} s", begun.elapsed().as_secs_f64());
    running.stop();
    let tail = Connection::open(plan.folder.join("ours/lanecast.db")).and_then(|conn| {
        let sql = "SELECT count(*) FROM log WHERE entry > (SELECT value FROM meta WHERE key = 'placed')";
        conn.query_row(sql, [], |row| row.get::<_, i64>(0))
    });
    println!("{} of them have no place yet", tail.expect("readable"));
    let bytes = fs::metadata(plan.folder.join("ours/lanecast.db")).map_or(0, |file| file.len());
    for _ in 0..3 {
        let begun = Instant::now();
        let opened = Opened::open(plan.options()).expect("the same store");
        let open = begun.elapsed();
        let mut kept = 0;
        opened.snapshot(|_, _| kept += 1).expect("readable");
        println!(
            "{} MiB: open {:.1} ms, snapshot of {kept} {:.1} ms",
            bytes >> 20,
            open.as_secs_f64() * 1e3,
            (begun.elapsed() - open).as_secs_f64() * 1e3
        );
    }
}

fn main() {
    let plan = Plan::read();
    // Asked for its tests, of which it has none.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let _ = fs::remove_dir_all(&plan.folder);
    fs::create_dir_all(&plan.folder).expect("a folder");
    if plan.million {
        open_a_million(&plan)
    } else {
        against_the_bare_loop(&plan)
    }
    let _ = fs::remove_dir_all(&plan.folder);
}
