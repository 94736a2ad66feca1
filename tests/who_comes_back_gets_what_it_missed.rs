//! Who says where it stopped gets what it missed before what is new, each event once, or is told that it cannot be had:
//! in rooms and in its inbox, at once and after a restart, in each dialect.

mod support;

use serde_json::{Value, json};
use support::{
    Aegisx, Folder, Gator, Nexus, Place, Sge, Speaker, TONGUES, TestServer, Tongue, Tusk, gap, join_since,
    place, seq, signed,
};

async fn say(speaker: &mut Speaker, texts: &[&str]) {
    let user = speaker.user.clone();
    for text in texts {
        speaker.say("hall", text).await;
        if speaker.tongue != Aegisx {
            speaker.hear(&user, "hall", text).await;
        }
    }
    if speaker.tongue == Aegisx {
        // Its own words do not come back to it: that they are durable, another one says.
        speaker.settle().await;
    }
}

/// Joins the hall since then; where that is.
async fn join(speaker: &mut Speaker, since: &Place) -> Place {
    let tongue = speaker.tongue;
    speaker.send(&join_since(tongue, "hall", since)).await;
    place(tongue, &speaker.expect(tongue.joined("hall")).await)
}

/// These are the next things it is told, under numbers from `first` on.
async fn hears(speaker: &mut Speaker, first: u64, texts: &[&str]) {
    let tongue = speaker.tongue;
    for (number, text) in (first..).zip(texts) {
        let said = speaker.expect(json!({})).await;
        assert!(support::fits(&tongue.said("ann", "hall", text), &said), "{tongue:?}: {text}: {said}");
        assert_eq!(seq(tongue, &said), Some(number), "{tongue:?}: {said}");
    }
}

/// It is told of a gap, from where it goes on, and of nothing else.
async fn is_told_of_a_gap(speaker: &mut Speaker, since: &Place) {
    let there = join(speaker, since).await;
    let tongue = speaker.tongue;
    let gap = speaker.next_is(gap(tongue, "hall")).await;
    assert_eq!(place(tongue, &gap), there, "{tongue:?}: {since:?}");
    speaker.expect_no_more().await;
}

async fn room(server: TestServer, folder: Option<&Folder>, tongue: Tongue) -> TestServer {
    let mut ann = server.numbered(tongue, "ann").await;
    ann.send(&tongue.join("hall")).await;
    let start = place(tongue, &ann.expect(tongue.joined("hall")).await);
    assert_eq!(start.seq, 0, "{tongue:?}");
    let at = |seq| Place { seq, ..start.clone() };
    say(&mut ann, &["1", "2", "3"]).await;
    let mut ben = server.numbered(tongue, "ben").await;
    assert_eq!(join(&mut ben, &at(3)).await, at(3), "{tongue:?}: nothing is missed");
    ben.expect_no_more().await;
    ben.close().await;
    say(&mut ann, &["4", "5"]).await;
    let (server, mut ann) = match folder {
        None => (server, ann),
        Some(folder) => {
            drop(ann);
            let server = server.again(folder.path(), "").await;
            let mut ann = server.numbered(tongue, "ann").await;
            ann.join("hall").await;
            ann.settle().await;
            (server, ann)
        }
    };
    let mut ben = server.numbered(tongue, "ben").await;
    assert_eq!(join(&mut ben, &at(3)).await, at(5), "{tongue:?}: the epoch is the same");
    hears(&mut ben, 4, &["4", "5"]).await;
    ben.expect_no_more().await;
    ben.settle().await;
    say(&mut ann, &["6"]).await;
    hears(&mut ben, 6, &["6"]).await;
    // One that is in already may ask again, and nothing new comes twice for that.
    assert_eq!(join(&mut ben, &at(4)).await, at(6), "{tongue:?}");
    ben.settle().await;
    say(&mut ann, &["7"]).await;
    hears(&mut ben, 7, &["7"]).await;
    let other = if start.epoch.starts_with('0') { "1" } else { "0" }.repeat(16);
    for since in [at(8), at(u64::MAX), Place { epoch: other, seq: 1 }, Place { epoch: "?".into(), seq: 1 }] {
        let mut carl = server.numbered(tongue, "carl").await;
        is_told_of_a_gap(&mut carl, &since).await;
        carl.close().await;
    }
    // Who does not ask for numbers hears none, but in SGE, where all do; who names a position hears them there.
    let mut dora = server.speaker(tongue, "dora").await;
    dora.join("hall").await;
    dora.settle().await;
    let mut emil = server.speaker(tongue, "emil").await;
    join(&mut emil, &at(6)).await;
    hears(&mut emil, 7, &["7"]).await;
    emil.settle().await;
    say(&mut ann, &["8"]).await;
    let heard = dora.hear("ann", "hall", "8").await;
    assert_eq!(seq(tongue, &heard), (tongue == Sge).then_some(8), "{tongue:?}: {heard}");
    hears(&mut emil, 8, &["8"]).await;
    for speaker in [ann, ben, dora, emil] {
        speaker.close().await;
    }
    // The log outlasts the room.
    server.nobody_is_online().await;
    let mut late = server.numbered(tongue, "late").await;
    assert_eq!(join(&mut late, &at(0)).await, at(8), "{tongue:?}");
    hears(&mut late, 1, &["1", "2", "3", "4", "5", "6", "7", "8"]).await;
    late.expect_no_more().await;
    late.close().await;
    server.nobody_is_online().await;
    server
}

#[tokio::test]
async fn in_a_room() {
    let folder = Folder::new();
    let mut server = TestServer::start_on(folder.path(), "");
    for tongue in TONGUES {
        server = room(server, None, tongue).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn in_a_room_over_a_restart() {
    let folder = Folder::new();
    let mut server = TestServer::start_on(folder.path(), "");
    for tongue in TONGUES {
        server = room(server, Some(&folder), tongue).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn in_a_room_without_a_store_while_the_process_lives() {
    let mut server = TestServer::start("");
    for tongue in TONGUES {
        server = room(server, None, tongue).await;
    }
}

#[tokio::test]
async fn who_missed_more_than_is_told_at_once_is_told_so_at_n_and_n_plus_1() {
    let folder = Folder::new();
    let settings = "[limits]\nreplay_events = 5";
    for server in [TestServer::start_on(folder.path(), settings), TestServer::start(settings)] {
        for tongue in TONGUES {
            let mut ann = server.numbered(tongue, "ann").await;
            ann.send(&tongue.join("hall")).await;
            let start = place(tongue, &ann.expect(tongue.joined("hall")).await);
            say(&mut ann, &["1", "2", "3", "4", "5", "6"]).await;
            let mut ben = server.numbered(tongue, "ben").await;
            join(&mut ben, &Place { seq: 1, ..start.clone() }).await;
            hears(&mut ben, 2, &["2", "3", "4", "5", "6"]).await;
            ben.expect_no_more().await;
            let mut carl = server.numbered(tongue, "carl").await;
            is_told_of_a_gap(&mut carl, &start).await;
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn what_was_trimmed_is_told_as_a_gap_and_numbers_go_on() {
    let folder = Folder::new();
    let settings = "[store]\nhistory_count = 3\n[limits]\nhistory_memory_events = 1";
    let server = TestServer::start_on(folder.path(), settings);
    let mut ann = server.numbered(Tusk, "ann").await;
    ann.send(&Tusk.join("hall")).await;
    let start = place(Tusk, &ann.expect(Tusk.joined("hall")).await);
    say(&mut ann, &["1", "2", "3", "4", "5", "6"]).await;
    drop(ann);
    // What is over is thrown away by and by; whoever comes meanwhile gets all it asks for, or hears of a gap.
    let server = server.again(folder.path(), settings).await;
    let trimmed = support::soon("the log to be trimmed", async {
        loop {
            let mut ben = server.numbered(Tusk, "ben").await;
            ben.send(&join_since(Tusk, "hall", &Place { seq: 2, ..start.clone() })).await;
            ben.expect(Tusk.joined("hall")).await;
            let next = ben.expect(json!({})).await;
            ben.close().await;
            if next["type"] == "gap" {
                return place(Tusk, &next);
            }
            assert_eq!(seq(Tusk, &next), Some(3), "{next}");
        }
    })
    .await;
    assert_eq!(trimmed, Place { seq: 6, ..start.clone() });
    let mut ben = server.numbered(Tusk, "ben").await;
    join(&mut ben, &Place { seq: 3, ..start.clone() }).await;
    hears(&mut ben, 4, &["4", "5", "6"]).await;
    let mut ann = server.numbered(Tusk, "ann").await;
    ann.join("hall").await;
    say(&mut ann, &["7"]).await;
    drop((ann, ben));
    server.stop().await;
}

/// A connection of a user that names a position in its inbox, and what it is greeted with.
async fn back(server: &TestServer, tongue: Tongue, user: &str, query: &str) -> (Speaker, Option<Value>) {
    let token = signed(json!({ "sub": user }));
    let path = tongue.path_asking(user, &token, query);
    let mut speaker = Speaker::connect(server.address, tongue, &path).await;
    speaker.user = user.to_owned();
    let greeting = match tongue {
        Tusk => {
            speaker.send(&json!({ "type": "auth", "token": token })).await;
            Some(speaker.next_is(json!({ "type": "auth_success" })).await)
        }
        Sge => None,
        _ => Some(speaker.next_is(tongue.greeting().expect("it greets")).await),
    };
    (speaker, greeting)
}

async fn mail(server: &TestServer, tongue: Tongue, text: &str) {
    if tongue == Nexus {
        let body = json!({ "user_id": "ben", "title": text, "message": "m", "notification_type": "info",
            "priority": "normal" });
        assert_eq!(server.rest("POST", "/api/notifications/send", Some(body)).await.status, 200);
        return;
    }
    let mut ann = server.speaker(tongue, "ann").await;
    let (message, answer) = match tongue {
        Sge => {
            let chat = json!({ "type": "ChatMessage", "message": { "to": "ben", "message": text } });
            (chat.clone(), chat)
        }
        _ => {
            let message = json!({ "type": "private_message", "to": "ben", "message": text });
            (message, json!({ "type": "message_sent" }))
        }
    };
    ann.send(&message).await;
    ann.expect(answer).await;
    ann.settle().await;
    ann.close().await;
}

fn mailed(tongue: Tongue, text: &str) -> Value {
    match tongue {
        Nexus => json!({ "event_type": "notification", "title": text }),
        Sge => json!({ "type": "ChatMessage", "message": { "to": "ben", "message": text } }),
        _ => json!({ "type": "private_message", "message": text }),
    }
}

/// Where its inbox stands.
async fn inbox(speaker: &mut Speaker, greeting: Option<Value>) -> Place {
    match greeting {
        Some(greeting) => place(speaker.tongue, &greeting),
        None => {
            speaker.send(&json!({ "type": "Subscribe", "channel": "chat:ben" })).await;
            place(Sge, &speaker.expect(json!({ "type": "Subscribed", "channel": "chat:ben" })).await)
        }
    }
}

/// Whether the dialect says with its first words where the inbox is.
const fn greets_with_position(tongue: Tongue) -> bool {
    matches!(tongue, Nexus | Gator)
}

#[tokio::test]
async fn in_an_inbox_together_with_what_waits_each_message_comes_once() {
    let settings =
        "[tusk]\npresence_broadcast = false\nmessage_rate_limit = 0\n[nexus]\npresence_broadcast = false";
    for tongue in [Sge, Nexus, Tusk] {
        let folder = Folder::new();
        let server = TestServer::start_on(folder.path(), settings);
        let (mut ben, greeting) = back(&server, tongue, "ben", "seq=1").await;
        let start = match tongue {
            Tusk => None,
            _ => Some(inbox(&mut ben, greeting).await),
        };
        mail(&server, tongue, "one").await;
        let told = ben.expect(mailed(tongue, "one")).await;
        assert_eq!(told["seq"], 1, "{told}");
        ben.settle().await;
        ben.close().await;
        server.nobody_is_online().await;
        mail(&server, tongue, "two").await;
        mail(&server, tongue, "three").await;
        // The epoch is that of all channels.
        let mut probe = server.numbered(tongue, "probe").await;
        probe.send(&tongue.join("probe")).await;
        let epoch = place(tongue, &probe.expect(tongue.joined("probe")).await).epoch;
        assert!(start.is_none_or(|start| start.epoch == epoch && start.seq == 0));
        drop(probe);
        let server = server.again(folder.path(), settings).await;
        let (mut ben, greeting) = back(&server, tongue, "ben", &format!("since={epoch}:1")).await;
        if greets_with_position(tongue) {
            assert_eq!(greeting.map(|g| place(tongue, &g)), Some(Place { epoch: epoch.clone(), seq: 3 }));
        }
        for (number, text) in [(2, "two"), (3, "three")] {
            assert_eq!(ben.expect(mailed(tongue, text)).await["seq"], number, "{tongue:?}");
        }
        ben.expect_nothing().await;
        ben.close().await;
        server.nobody_is_online().await;
        // It was handed over with that, and waits no more.
        let (mut ben, _) = back(&server, tongue, "ben", "").await;
        ben.expect_nothing().await;
        ben.close().await;
        // Another device that has heard nothing gets all of it; one from another life is told so.
        let (mut desk, _) = back(&server, tongue, "ben", &format!("since={epoch}:0")).await;
        for text in ["one", "two", "three"] {
            desk.expect(mailed(tongue, text)).await;
        }
        desk.expect_nothing().await;
        let (mut lost, _) = back(&server, tongue, "ben", "since=0123456789abcdef:1").await;
        let kind = if tongue == Nexus { "event_type" } else { "type" };
        let word = match tongue {
            Sge => "Gap",
            Nexus => "system.gap",
            _ => "gap",
        };
        let gap = lost.expect(json!({ kind: word })).await;
        assert_eq!(place(tongue, &gap), Place { epoch, seq: 3 }, "{tongue:?}");
        drop((desk, lost));
        server.stop().await;
    }
}
