//! What the store said is durable is there after kill -9, in the same epoch; in either mode.
//!
//! The one that is killed is this very program, asked for the one test that writes until it dies.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crossbeam::sync::{Parker, Unparker};
use lanecast::config::Config;
use lanecast::lane::Notify;
use lanecast::model::{
    Answer, ChannelName, Dialect, Event, Kind, LogQuery, Outcome, Page, Query, RealmId, Record, Ticket,
};
use lanecast::store::{Client, Opened, Options, Running, Synchronous, check};

/// Tells the program that is to be killed which folder, and how durable.
const FOLDER: &str = "LANECAST_KILLED_STORE";
const NORMAL: &str = "LANECAST_KILLED_STORE_NORMAL";
const ROOMS: u64 = 3;

struct Wake(Unparker);

impl Notify for Wake {
    fn notify(&self) {
        self.0.unpark();
    }
}

fn start(folder: &Path, synchronous: Synchronous) -> (Running, Client, Parker) {
    let options = Options::new(folder.into(), vec!["sge".into()], &Config::default().store);
    let opened = Opened::open(Options { synchronous, ..options }).unwrap();
    let parker = Parker::new();
    let (running, mut clients) = opened.start(vec![Box::new(Wake(parker.unparker().clone()))]).unwrap();
    (running, clients.pop().unwrap(), parker)
}

fn next(client: &mut Client, parker: &Parker) -> (Ticket, Answer) {
    client.kick();
    loop {
        match client.next() {
            Some(answer) => return answer,
            None => parker.park(),
        }
    }
}

fn room(number: u64) -> ChannelName {
    ChannelName { realm: RealmId(0), tenant: "t".into(), kind: Kind::Room, id: format!("{number}").into() }
}

fn synchronous() -> Synchronous {
    if std::env::var_os(NORMAL).is_some() { Synchronous::Normal } else { Synchronous::Full }
}

/// Writes with 16 requests under way and says what became durable, until it is killed; a test only by its form.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (_running, mut client, parker) = start(Path::new(&folder), synchronous());
    println!("\nepoch {}", client.epoch());
    for ticket in 0.. {
        let event = Event::Custom { dialect: Dialect::Sge, json: format!("[{ticket}]").into() };
        let append = Record::Append { channel: room(ticket % ROOMS), event, request: None };
        client.write(ticket, vec![append]).unwrap();
        while client.under_way() >= 16 {
            let (ticket, answer) = next(&mut client, &parker);
            let Answer::Written(Outcome::Done { seq }) = answer else { panic!("{answer:?}") };
            println!("durable {ticket} {seq}");
            std::io::stdout().flush().unwrap();
        }
    }
}

/// Lets it write until it has told `told` times, and kills it. Its epoch, and what it told.
fn kill_after(folder: &Path, normal: bool, told: usize) -> (String, HashMap<Ticket, u64>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_until_it_is_killed", "--nocapture"]).env(FOLDER, folder);
    if normal {
        command.env(NORMAL, "1");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut epoch, mut durable) = (String::new(), HashMap::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["epoch", said] => epoch = said.into(),
            ["durable", ticket, seq] => {
                durable.insert(ticket.parse().unwrap(), seq.parse().unwrap());
                if durable.len() == told {
                    child.kill().unwrap();
                }
            }
            _ => {}
        }
    }
    child.wait().unwrap();
    (epoch, durable)
}

fn all(client: &mut Client, parker: &Parker, number: u64) -> Page {
    let query = LogQuery {
        channel: room(number),
        after: 0,
        with: None,
        messages: false,
        limit: 1 << 20,
        bytes: usize::MAX,
        receipts: 0,
    };
    client.read(1, Query::Log(query)).unwrap();
    let (_, Answer::Page(page)) = next(client, parker) else { panic!("it can be read") };
    page
}

/// Rows of the log that are found nowhere else yet. Nothing is put in order by who only reads.
fn unplaced(folder: &Path) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(folder.join("lanecast.db"), flags).unwrap();
    let sql = "SELECT count(*) FROM log WHERE entry > (SELECT value FROM meta WHERE key = 'placed')";
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn survives(normal: bool) {
    let name = format!("lanecast-killed-{}-{normal}", std::process::id());
    let folder: PathBuf = std::env::temp_dir().join(name);
    let mut before = 0;
    let mut first = None;
    let mut tails = 0;
    for told in [1, 40, 300, 5000] {
        let (epoch, durable) = kill_after(&folder, normal, told);
        assert!(durable.len() >= told);
        assert_eq!(first.get_or_insert_with(|| epoch.clone()), &epoch, "no number was lost");
        tails += unplaced(&folder);
        let synchronous = if normal { Synchronous::Normal } else { Synchronous::Full };
        let (running, mut client, parker) = start(&folder, synchronous);
        assert_eq!(client.epoch().to_string(), epoch);
        let pages: Vec<Page> = (0..ROOMS).map(|number| all(&mut client, &parker, number)).collect();
        for (ticket, seq) in durable {
            let events = &pages[(ticket % ROOMS) as usize].events;
            let (_, event) = events.iter().find(|(at, _)| *at == seq).expect("what was told is there");
            assert_eq!(event, &Event::Custom { dialect: Dialect::Sge, json: format!("[{ticket}]").into() });
        }
        for page in &pages {
            let numbers: Vec<u64> = page.events.iter().map(|(seq, _)| *seq).collect();
            assert_eq!(numbers, (1..=page.head).collect::<Vec<_>>(), "no gap");
        }
        let head: u64 = pages.iter().map(|page| page.head).sum();
        assert!(head >= before + told as u64);
        before = head;
        running.stop();
        assert!(check(&folder).unwrap().is_fine());
    }
    assert!(tails > 0, "it was killed with rows that had no place yet");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_was_told_survives_kill_9_when_commits_wait_for_the_disk() {
    survives(false);
}

#[test]
fn and_when_they_do_not() {
    survives(true);
}
