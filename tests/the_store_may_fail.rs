//! While the disk takes nothing, what must last is refused and seen by nobody, all else goes on, and `/readyz` says why;
//! when it takes something again, so does the server. What cannot be opened is named when the server is started.

mod support;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use support::{
    Aegisx, Gator, Nexus, NotReady, Process, Sge, Speaker, Starting, TONGUES, Tongue, Tusk, fits, get,
    request, seq, signed, soon, tempfolder,
};

const FLAGS: &[&str] = &["--shards", "2", "--data-dir", "data"];
const SETTINGS: &str =
    "[server]\npin = false\n[auth]\njwt_secret = 'only-for-tests-0123456789abcdefghijklmnopqrstuv'";
const NOT_STORED: &str = "The store cannot be written; nothing was done. Please try again";

/// A user by name, who is told numbers.
async fn come(address: SocketAddr, tongue: Tongue, user: &str) -> Speaker {
    let mut speaker = Speaker::connect(address, tongue, &tongue.path_asking(user, user, "seq=1")).await;
    speaker.user = user.to_owned();
    if let Some(greeting) = tongue.greeting() {
        speaker.next_is(greeting).await;
    }
    if tongue == Tusk {
        speaker.send(&json!({ "type": "auth", "token": user })).await;
        speaker.expect(json!({ "type": "auth_success" })).await;
    }
    speaker.join("hall").await;
    speaker
}

/// One who speaks and one who hears, of each dialect.
struct Pair {
    tongue: Tongue,
    ann: Speaker,
    ben: Speaker,
    /// The number of the last thing said.
    seq: u64,
}

impl Pair {
    async fn new(address: SocketAddr, tongue: Tongue) -> Self {
        let (ann, ben) = (come(address, tongue, "ann").await, come(address, tongue, "ben").await);
        Self { tongue, ann, ben, seq: 0 }
    }

    /// Says something, and it is heard under the next number.
    async fn talk(&mut self, text: &str) {
        self.ann.say("hall", text).await;
        let heard = self.heard_next(text).await;
        self.seq += 1;
        assert_eq!(seq(self.tongue, &heard), Some(self.seq), "{:?}: {heard}", self.tongue);
        if self.tongue != Aegisx {
            self.ann.hear("ann", "hall", text).await;
        }
    }

    /// The next thing said in the room is that; how users are, is passed over.
    async fn heard_next(&mut self, text: &str) -> Value {
        loop {
            let frame = self.ben.expect(json!({})).await;
            if fits(&self.tongue.said("ann", "hall", text), &frame) {
                return frame;
            }
            assert_eq!(seq(self.tongue, &frame), None, "{:?}: heard before {text:?}: {frame}", self.tongue);
        }
    }

    async fn is_refused(&mut self, message: &Value) {
        self.ann.send(message).await;
        self.ann.refused(NOT_STORED).await;
    }
}

async fn pairs(address: SocketAddr) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for tongue in TONGUES {
        pairs.push(Pair::new(address, tongue).await);
    }
    pairs
}

/// What must last, besides words in a room.
async fn durable_commands_are_refused(pairs: &mut [Pair], address: SocketAddr) {
    for pair in pairs {
        let direct = json!({ "type": "ChatMessage", "message": { "to": "ben", "message": "lost" } });
        let id = "00000000-0000-4000-8000-000000000001";
        let others = match pair.tongue {
            Sge => vec![direct, json!({ "type": "RosterUpdate", "contact": { "user_id": "carl" } })],
            Tusk => vec![json!({ "type": "private_message", "to": "ben", "message": "lost" })],
            Nexus => ["chat.edit", "chat.delete", "chat.read"]
                .map(|kind| {
                    json!({ "event_type": kind, "conversation_id": "hall", "message_id": id,
                        "content": "lost" })
                })
                .into(),
            Gator | Aegisx => Vec::new(),
        };
        for message in &others {
            pair.is_refused(message).await;
        }
    }
    let notice = json!({ "user_id": "ben", "title": "t", "message": "lost", "notification_type": "info",
        "priority": "normal" });
    let room = json!({ "name": "new" });
    let contact = json!({ "user_id": "carl" });
    let by = format!("Authorization: Bearer {}\r\n", signed(json!({ "sub": "ann", "roles": ["admin"] })));
    for (path, body) in [("/api/notifications/send", notice), ("/rooms", room), ("/xmpp/roster", contact)] {
        let answer = request(address, "POST", path, &by, Some(&body)).await;
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
        assert!(answer.body.contains("cannot be written"), "{path}: {answer:?}");
    }
}

/// Who types, how users are, and who comes, waits for no disk.
async fn the_rest_goes_on(pairs: &mut [Pair], address: SocketAddr) {
    for pair in pairs {
        let Pair { tongue, ann, ben, .. } = pair;
        let (said, heard) = match tongue {
            Sge => (
                json!({ "type": "Typing", "from": "ann", "to": "group:hall", "typing": true }),
                json!({ "type": "Typing", "from": "ann", "typing": true }),
            ),
            Nexus => (
                json!({ "event_type": "chat.typing", "conversation_id": "hall", "is_typing": true }),
                json!({ "event_type": "chat.typing", "user_id": "ann", "is_typing": true }),
            ),
            Gator => (
                json!({ "type": "typing_start", "conversation_id": "hall" }),
                json!({ "type": "typing_indicator", "user_id": "ann", "is_typing": true }),
            ),
            Aegisx => (json!({ "type": "ping" }), Value::Null),
            Tusk => (
                json!({ "type": "presence", "status": "away" }),
                json!({ "type": "presence_update", "userId": "ann", "status": "away" }),
            ),
        };
        ann.send(&said).await;
        if heard.is_null() {
            ann.expect(tongue.pong()).await;
        } else {
            ben.expect(heard).await;
        }
        let mut carl = come(address, *tongue, "carl").await;
        carl.send(&tongue.ping()).await;
        carl.expect(tongue.pong()).await;
        carl.close().await;
    }
    let body = json!({ "user_id": "ann", "status": "busy" });
    let answer =
        request(address, "POST", "/xmpp/presence", "Authorization: Bearer ann\r\n", Some(&body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(get(address, "/xmpp/presence/ann").await.json()["status"], "busy");
}

async fn ready_becomes(address: SocketAddr, status: u16) -> String {
    soon("another word of /readyz", async {
        loop {
            let answer = get(address, "/readyz").await;
            if answer.status == status {
                return answer.body;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_full_disk_refuses_what_must_last_and_nothing_else_and_is_forgotten_when_it_has_room() {
    let folder = tempfolder();
    let process = Process::start_in(&folder, FLAGS, SETTINGS).await;
    let address = process.address;
    let mut pairs = pairs(address).await;
    for round in 0..3 {
        for pair in &mut pairs {
            pair.talk(&format!("before {round}")).await;
        }
        assert_eq!(ready_becomes(address, 200).await, "ready: 2 shards answered\n");
        process.limit_files(Some(0));
        for pair in &mut pairs {
            for _ in 0..3 {
                let lost = pair.tongue.say("ann", "hall", "lost");
                pair.is_refused(&lost).await;
            }
        }
        let why = ready_becomes(address, 503).await;
        assert!(why.starts_with("not ready: store: ") && why.trim_end().len() > 25, "{why}");
        let metrics = get(address, "/metrics").await.body;
        assert!(metrics.contains("\nlanecast_store_up 0\n"), "{metrics}");
        durable_commands_are_refused(&mut pairs, address).await;
        the_rest_goes_on(&mut pairs, address).await;
        assert_eq!(get(address, "/healthz").await.status, 200);
        process.limit_files(None);
        // Nobody has to ask for anything durable before it is well.
        ready_becomes(address, 200).await;
        for pair in &mut pairs {
            pair.talk(&format!("after {round}")).await;
        }
    }
    let page = get(address, "/xmpp/messages?with=group:hall&limit=500").await.json();
    let texts: Vec<&str> = page["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| m["message"]["message"].as_str().expect("a text"))
        .collect();
    assert_eq!(texts, ["before 0", "after 0", "before 1", "after 1", "before 2", "after 2"]);
    let roster = request(address, "GET", "/xmpp/roster", "Authorization: Bearer ann\r\n", None).await;
    assert_eq!(roster.json()["contacts"], json!([]));
    assert_eq!(get(address, "/rooms/new").await.status, 404);
    std::fs::remove_dir_all(&folder).expect("is removed");
}

/// Who sends faster than it reads answers gets one answer for each, in their order, across the failure.
#[tokio::test]
async fn a_stream_of_messages_across_a_failure_is_heard_as_it_was_answered() {
    let folder = tempfolder();
    let process = Process::start_in(&folder, FLAGS, SETTINGS).await;
    let mut ann = come(process.address, Sge, "ann").await;
    let mut ben = come(process.address, Sge, "ben").await;
    let (mut kept, mut refused, mut number) = (Vec::new(), 0, 0);
    for full in [false, true, false, true, false] {
        process.limit_files(full.then_some(0));
        if !full {
            ready_becomes(process.address, 200).await;
        }
        for _ in 0..40 {
            number += 1;
            ann.say("hall", &number.to_string()).await;
        }
        for _ in 0..40 {
            let answer = ann.expect(json!({})).await;
            match answer["type"].as_str() {
                Some("Error") => refused += 1,
                _ => kept.push((answer["seq"].clone(), answer["message"]["message"].clone())),
            }
        }
    }
    assert_eq!((kept.len() + refused, refused), (200, 80));
    assert_eq!(kept.iter().map(|(seq, _)| seq.clone()).collect::<Vec<_>>(), (1..=120).collect::<Vec<u64>>());
    for (seq, text) in &kept {
        let heard = ben.next_is(json!({ "type": "ChatMessage", "seq": seq })).await;
        assert_eq!(heard["message"]["message"], *text);
    }
    std::fs::remove_dir_all(&folder).expect("is removed");
}

/// What was acknowledged before the disk was full is there when the server dies of it, and numbers go on.
#[tokio::test]
async fn a_server_that_is_killed_while_the_disk_is_full_has_lost_nothing() {
    let folder = tempfolder();
    let mut seq = 0;
    for round in 0..3 {
        let mut process = Process::start_in(&folder, FLAGS, SETTINGS).await;
        let mut pair = Pair { seq, ..Pair::new(process.address, Sge).await };
        pair.talk(&format!("before {round}")).await;
        process.limit_files(Some(0));
        let lost = Sge.say("ann", "hall", "lost");
        pair.is_refused(&lost).await;
        seq = pair.seq;
        process.kill().await;
    }
    let process = Process::start_in(&folder, FLAGS, SETTINGS).await;
    let page = get(process.address, "/xmpp/messages?with=group:hall").await.json();
    let texts = page["messages"].as_array().expect("messages").iter().map(|m| &m["message"]["message"]);
    assert_eq!(texts.collect::<Vec<_>>(), ["before 0", "before 1", "before 2"]);
    std::fs::remove_dir_all(&folder).expect("is removed");
}

async fn refused_start(folder: &Path) -> String {
    match Starting::new(folder, FLAGS, SETTINGS).ready().await {
        Ok(_) => panic!("it starts"),
        Err(NotReady { code, log }) => {
            assert_eq!(code, Some(1), "{log}");
            assert_eq!(log.lines().count(), 1, "one line says it: {log}");
            log
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_store_is_named_and_left_alone() {
    let folder = tempfolder();
    let path = folder.join("data/lanecast.db");
    std::fs::create_dir(folder.join("data")).expect("is made");
    let garbage: String = (0..1000).map(|n| format!("{n} bottles of beer on the wall\n")).collect();
    std::fs::write(&path, &garbage).expect("is written");
    let said = refused_start(&folder).await;
    assert!(said.contains("data/lanecast.db is no store of lanecast"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), garbage);
    std::fs::remove_dir_all(&folder).expect("is removed");
}

#[tokio::test]
async fn a_store_whose_pages_are_garbled_is_named() {
    let folder = tempfolder();
    let path = folder.join("data/lanecast.db");
    let mut process = Process::start_in(&folder, FLAGS, SETTINGS).await;
    Pair::new(process.address, Sge).await.talk("kept").await;
    process.terminate();
    assert_eq!(process.exit_code().await, Some(0));
    let mut bytes = std::fs::read(&path).expect("is there");
    // The header stays, and says that this is a database.
    bytes[100..].fill(0xa5);
    std::fs::write(&path, &bytes).expect("is written");
    let said = refused_start(&folder).await;
    assert!(said.contains("data/lanecast.db"), "{said}");
    std::fs::remove_dir_all(&folder).expect("is removed");
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let folder = tempfolder();
    let mut process = Process::start_in(&folder, FLAGS, SETTINGS).await;
    let mut pair = Pair::new(process.address, Sge).await;
    pair.talk("one").await;
    let said = refused_start(&folder).await;
    assert!(said.contains("data: another server has this folder open"), "{said}");
    pair.talk("two").await;
    // Nothing of a killed one keeps the folder.
    process.kill().await;
    let process = Process::start_in(&folder, FLAGS, SETTINGS).await;
    let mut pair = Pair { seq: 2, ..Pair::new(process.address, Sge).await };
    pair.talk("three").await;
    std::fs::remove_dir_all(&folder).expect("is removed");
}
