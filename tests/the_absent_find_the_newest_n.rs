//! What waits for one who is away: N messages wait, of N and one more the oldest gives way, what has waited too long is
//! gone; in order and once, with a store and over a restart as without one.

mod support;

use serde_json::{Value, json};
use support::{Folder, Nexus, Sge, Speaker, TestServer, Tongue, Tusk, signed};

const N: usize = 3;
const SETTINGS: &str = "
[limits]
offline_messages = 3
offline_ttl = 60
[nexus]
max_queue_size = 3
queue_ttl = 60
presence_broadcast = false
[tusk]
presence_broadcast = false
message_rate_limit = 0
";

/// How something is said to Ben, who is away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Chat,
    Private,
    Conversation,
    Notification,
}

const WAYS: [Way; 4] = [Way::Chat, Way::Private, Way::Conversation, Way::Notification];

impl Way {
    fn tongue(self) -> Tongue {
        match self {
            Way::Chat => Sge,
            Way::Private => Tusk,
            Way::Conversation | Way::Notification => Nexus,
        }
    }

    /// Ben is known, where that is needed, and has gone.
    async fn prepare(self, server: &TestServer) {
        if self == Way::Conversation {
            let mut ben = server.speaker(Nexus, "ben").await;
            ben.say("conv", "I am one of you").await;
            ben.hear("ben", "conv", "I am one of you").await;
            ben.close().await;
            server.nobody_is_online().await;
        }
    }

    /// Says these and is answered each time.
    async fn say(self, server: &TestServer, texts: &[&str]) {
        if self == Way::Notification {
            for text in texts {
                let body = json!({ "user_id": "ben", "title": text, "message": "m",
                    "notification_type": "info", "priority": "normal" });
                let answer = server.rest("POST", "/api/notifications/send", Some(body)).await;
                assert_eq!((answer.status, &answer.json()["delivered"]), (200, &json!(false)), "{answer:?}");
            }
            return;
        }
        let mut ann = server.speaker(self.tongue(), "ann").await;
        for text in texts {
            let (message, answer) = match self {
                Way::Chat => (chat(text), chat(text)),
                Way::Private => (
                    json!({ "type": "private_message", "to": "ben", "message": text }),
                    json!({ "type": "message_sent", "to": "ben", "queued": true }),
                ),
                _ => (Nexus.say("ann", "conv", text), Nexus.said("ann", "conv", text)),
            };
            ann.send(&message).await;
            ann.expect(answer).await;
        }
        // What the answer does not wait for is on its way.
        ann.settle().await;
        ann.close().await;
        server.nobody_is_online().await;
    }

    fn heard(self, text: &str) -> Value {
        match self {
            Way::Chat => chat(text),
            Way::Private => json!({ "type": "private_message", "from": "ann", "message": text }),
            Way::Conversation => Nexus.said("ann", "conv", text),
            Way::Notification => json!({ "event_type": "notification", "title": text }),
        }
    }

    /// Ben comes, finds exactly that, and goes.
    async fn finds(self, server: &TestServer, texts: &[&str]) {
        let token = signed(json!({ "sub": "ben" }));
        let path = self.tongue().path_with("ben", &token);
        let mut ben = Speaker::connect(server.address, self.tongue(), &path).await;
        ben.user = "ben".into();
        match self {
            Way::Private => {
                ben.send(&json!({ "type": "auth", "token": token })).await;
                ben.next_is(json!({ "type": "auth_success" })).await;
            }
            Way::Chat => {}
            _ => drop(ben.next_is(json!({ "event_type": "system.message" })).await),
        }
        for text in texts {
            ben.next_is(self.heard(text)).await;
        }
        ben.expect_nothing().await;
        ben.close().await;
        server.nobody_is_online().await;
    }
}

fn chat(text: &str) -> Value {
    json!({ "type": "ChatMessage",
        "message": { "from": "ann", "to": "ben", "message": text, "message_type": "chat" } })
}

/// A server of these settings, and how it is started again; without a store it goes on.
struct House {
    folder: Option<Folder>,
    server: TestServer,
}

impl House {
    fn new(stores: bool) -> Self {
        let folder = stores.then(Folder::new);
        let server = match &folder {
            Some(folder) => TestServer::start_on(folder.path(), SETTINGS),
            None => TestServer::start(SETTINGS),
        };
        Self { folder, server }
    }

    async fn again(self) -> Self {
        let server = match &self.folder {
            Some(folder) => self.server.again(folder.path(), SETTINGS).await,
            None => self.server,
        };
        Self { server, ..self }
    }
}

async fn n_and_one_more(stores: bool, restarts: bool) {
    let texts = ["1", "2", "3", "4", "5"];
    for way in WAYS {
        for (said, found) in [(N, 0..N), (N + 1, 1..N + 1), (N + 2, 2..N + 2)] {
            let mut house = House::new(stores);
            way.prepare(&house.server).await;
            way.say(&house.server, &texts[..said]).await;
            if restarts {
                house = house.again().await;
            }
            way.finds(&house.server, &texts[found]).await;
            if restarts {
                house = house.again().await;
            }
            way.finds(&house.server, &[]).await;
            house.server.stop().await;
        }
    }
}

#[tokio::test]
async fn without_a_store() {
    n_and_one_more(false, false).await;
}

#[tokio::test]
async fn with_a_store() {
    n_and_one_more(true, false).await;
}

#[tokio::test]
async fn with_a_store_over_a_restart() {
    n_and_one_more(true, true).await;
}

#[tokio::test]
async fn what_was_said_before_and_after_a_restart_is_one_queue() {
    for way in WAYS {
        let house = House::new(true);
        way.prepare(&house.server).await;
        way.say(&house.server, &["1", "2"]).await;
        let house = house.again().await;
        way.say(&house.server, &["3"]).await;
        let house = house.again().await;
        way.say(&house.server, &["4"]).await;
        way.finds(&house.server, &["2", "3", "4"]).await;
        house.server.stop().await;
    }
}

/// A crash may come between what is written and what gives way for it; a limit may be lowered.
#[tokio::test]
async fn what_is_too_much_at_a_start_is_gone_for_good() {
    for way in WAYS {
        let folder = Folder::new();
        let more = SETTINGS.replace("offline_messages = 3", "offline_messages = 5");
        let more = more.replace("max_queue_size = 3", "max_queue_size = 5");
        let server = TestServer::start_on(folder.path(), &more);
        way.prepare(&server).await;
        way.say(&server, &["1", "2", "3", "4", "5"]).await;
        let server = server.again(folder.path(), SETTINGS).await;
        way.finds(&server, &["3", "4", "5"]).await;
        let server = server.again(folder.path(), &more).await;
        way.finds(&server, &[]).await;
        server.stop().await;
    }
}

/// Makes what waits older, as if the server had been away for so long.
fn ages(folder: &Folder, text: &str, seconds: u64) {
    let store = rusqlite::Connection::open(folder.path().join("lanecast.db")).expect("is a database");
    let changed = store.execute(
        "UPDATE queue SET since_ms = since_ms - ?1 WHERE text = ?2 OR instr(body, CAST(?2 AS BLOB)) > 0",
        rusqlite::params![seconds as i64 * 1000, text],
    );
    assert_eq!(changed, Ok(1), "{text}");
}

#[tokio::test]
async fn what_has_waited_for_too_long_is_gone_and_what_has_not_is_not() {
    for way in WAYS {
        let house = House::new(true);
        way.prepare(&house.server).await;
        way.say(&house.server, &["too old", "nearly", "new"]).await;
        let House { folder, server } = house;
        let folder = folder.expect("there is a store");
        server.stop().await;
        ages(&folder, "too old", 60);
        // Slow machines take a while to get here.
        ages(&folder, "nearly", 15);
        let server = TestServer::start_on(folder.path(), SETTINGS);
        way.finds(&server, &["nearly", "new"]).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn every_device_of_one_who_is_there_hears_it_and_nothing_waits() {
    for stores in [false, true] {
        let house = House::new(stores);
        let mut phone = house.server.speaker(Sge, "ben").await;
        let mut desk = house.server.speaker(Sge, "ben").await;
        let mut ann = house.server.speaker(Sge, "ann").await;
        ann.send(&chat("live")).await;
        ann.next_is(chat("live")).await;
        for device in [&mut phone, &mut desk] {
            device.next_is(chat("live")).await;
            device.expect_nothing().await;
        }
        for speaker in [phone, desk, ann] {
            speaker.close().await;
        }
        house.server.nobody_is_online().await;
        let house = house.again().await;
        Way::Chat.finds(&house.server, &[]).await;
        house.server.stop().await;
    }
}
