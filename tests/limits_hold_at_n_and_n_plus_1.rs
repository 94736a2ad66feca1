//! Every limit lets N pass and refuses one more, in its dialect's words; what was refused does not count, and what is
//! given back is there again.

mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Aegisx, Gator, Nexus, Sge, Speaker, TONGUES, TestServer, Tongue, Tusk, signed};

fn token(tenant: &str, user: &str) -> String {
    signed(json!({ "sub": user, "tenantId": tenant }))
}

/// Whether one more is let in. How it is refused must be as its dialect has it.
async fn lets_in(server: &TestServer, tongue: Tongue, path: &str) -> Option<Speaker> {
    match (tongue, Speaker::try_connect(server.address, tongue, path, &[]).await) {
        (Sge | Nexus, Err(refused)) => {
            assert_eq!(refused, (429, "too many connections of this user".into()));
            None
        }
        (_, Err(refused)) => panic!("{tongue:?}: {refused:?}"),
        (Gator | Aegisx, Ok(mut speaker)) => match speaker.message().await {
            tokio_tungstenite::tungstenite::Message::Close(frame) => {
                let frame = frame.expect("with a code");
                assert_eq!((frame.code.into(), &*frame.reason), (1008_u16, "Too many connections"));
                None
            }
            _ => Some(speaker),
        },
        (_, Ok(mut speaker)) => {
            speaker.expect_no_more_after_greeting().await;
            Some(speaker)
        }
    }
}

trait AfterGreeting {
    async fn expect_no_more_after_greeting(&mut self);
}

impl AfterGreeting for Speaker {
    async fn expect_no_more_after_greeting(&mut self) {
        if let Some(greeting) = self.tongue.greeting() {
            self.next_is(greeting).await;
        }
        self.expect_no_more().await;
    }
}

/// Fills the places of one, is refused one more, others are not, and a place given back is taken again.
async fn places(settings: &str, tongue: Tongue, n: usize, path: &str, other: &str) {
    let server = TestServer::start(settings);
    let mut held = Vec::new();
    for place in 0..n {
        let speaker = lets_in(&server, tongue, path).await;
        held.push(speaker.unwrap_or_else(|| panic!("{tongue:?}: place {place} of {n} ({settings})")));
    }
    for _ in 0..2 {
        assert!(lets_in(&server, tongue, path).await.is_none(), "{tongue:?}: one more than {n} ({settings})");
        assert!(lets_in(&server, tongue, other).await.is_some(), "{tongue:?}: another one ({settings})");
        let before = held.len() as f64;
        held.pop().expect("there is one").close().await;
        server.metric_becomes("lanecast_connections_open", before - 1.0).await;
        held.push(lets_in(&server, tongue, path).await.expect("the place is free again"));
    }
    let mut first = held.swap_remove(0);
    first.send(&tongue.ping()).await;
    first.expect(tongue.pong()).await;
}

#[tokio::test]
async fn connections_of_a_user() {
    for tongue in [Sge, Nexus, Gator, Aegisx] {
        let settings = format!("[{}]\nmax_connections_per_user = 3", tongue.name());
        let path = |user| tongue.path_with(user, &token("t1", user));
        places(&settings, tongue, 3, &path("ann"), &path("bob")).await;
    }
    // Gator's document has a number; NEXUS' has none.
    let path = |user| Gator.path_with(user, &token("t1", user));
    places("", Gator, 5, &path("ann"), &path("bob")).await;
    places("", Gator, 5, "/gator/ws/ann", "/gator/ws/bob").await;
    let none = TestServer::start("[gator]\nmax_connections_per_user = 0");
    let mut held = Vec::new();
    for tongue in [Gator, Nexus, Sge, Aegisx] {
        for _ in 0..12 {
            let path = tongue.path_with("ann", &token("t1", "ann"));
            held.push(lets_in(&none, tongue, &path).await.expect("there is no limit"));
        }
    }
}

#[tokio::test]
async fn a_user_of_another_tenant_is_another_user() {
    for tongue in [Sge, Nexus, Gator, Aegisx] {
        let settings = format!("[{}]\nmax_connections_per_user = 1", tongue.name());
        let path = |tenant| tongue.path_with("ann", &token(tenant, "ann"));
        places(&settings, tongue, 1, &path("t1"), &path("t2")).await;
    }
}

#[tokio::test]
async fn who_is_named_in_a_message_needs_a_place_and_a_newer_token_no_other() {
    let server = TestServer::start("[sge]\nmax_connections_per_user = 1");
    let auth = |user: &str| json!({ "type": "Auth", "token": token("default", user) });
    let mut ann = server.speaker(Sge, "ann").await;
    ann.send(&auth("ann")).await;
    ann.next_is(json!({ "type": "Authenticated", "user_id": "ann" })).await;
    ann.expect_nothing().await;
    let nobody = async || Speaker::connect(server.address, Sge, "/sge/ws/connect").await;
    let full = (1008, "Too many connections".to_owned());
    let mut by_token = nobody().await;
    by_token.send(&auth("ann")).await;
    assert_eq!(by_token.closed_at_once().await, full);
    // In open mode a name is enough; then it counts like any other.
    let mut by_name = nobody().await;
    by_name.send(&Sge.say("ann", "hall", "me too")).await;
    assert_eq!(by_name.closed_at_once().await, full);
    // As somebody else it takes that one's place, and gives back its own.
    ann.send(&auth("bob")).await;
    ann.next_is(json!({ "type": "Authenticated", "user_id": "bob" })).await;
    let mut by_name = nobody().await;
    by_name.send(&Sge.say("ann", "hall", "there is room now")).await;
    by_name.next_is(Sge.said("ann", "hall", "there is room now")).await;
    let mut late = nobody().await;
    late.send(&auth("bob")).await;
    assert_eq!(late.closed_at_once().await, full);
}

#[tokio::test]
async fn connections_of_a_service() {
    let keys =
        "[auth]\napi_keys = ['one=key-of-the-first-012345:publish', 'two=key-of-the-second-01234:publish']\n";
    let path = |key: &str| format!("/sge/ws/connect?api_key={key}");
    let (one, two) = (path("key-of-the-first-012345"), path("key-of-the-second-01234"));
    places(&format!("{keys}[sge]\nmax_connections_per_service = 2"), Sge, 2, &one, &two).await;
    // The number of users says nothing of services.
    let settings = format!("{keys}[sge]\nmax_connections_per_user = 1\nmax_connections_per_service = 2");
    places(&settings, Sge, 2, &one, &Sge.path_with("ann", &token("t1", "ann"))).await;
}

#[tokio::test]
async fn connections_of_a_tenant() {
    let path = |tenant: &str, user: &str| Aegisx.path_with(user, &token(tenant, user));
    let settings = "[aegisx]\nmax_connections_per_tenant = 2";
    places(settings, Aegisx, 2, &path("t1", "ann"), &path("t2", "ann")).await;
    let server = TestServer::start(settings);
    let _first = lets_in(&server, Aegisx, &path("t1", "ann")).await.expect("the first of two");
    let _second = lets_in(&server, Aegisx, &path("t1", "bob")).await.expect("the second of two");
    assert!(lets_in(&server, Aegisx, &path("t1", "eve")).await.is_none());
}

#[tokio::test]
async fn connections_of_a_dialect() {
    let server = TestServer::start("[sge]\nws_max_connections = 2");
    let path = |user| Sge.path_with(user, &token("t1", user));
    let _first = Speaker::connect(server.address, Sge, &path("ann")).await;
    let second = Speaker::connect(server.address, Sge, &path("bob")).await;
    let refused = Speaker::try_connect(server.address, Sge, &path("eve"), &[]).await.err();
    assert_eq!(refused, Some((503, "too many connections".into())));
    let _other = server.speaker(Nexus, "eve").await;
    second.close().await;
    server.metric_becomes("lanecast_connections_open", 2.0).await;
    let _third = Speaker::connect(server.address, Sge, &path("eve")).await;
}

/// Says something and is told so; whether it was granted.
async fn may_say(speaker: &mut Speaker, text: &str) -> bool {
    let tongue = speaker.tongue;
    speaker.say("hall", text).await;
    if tongue == Aegisx {
        // It is told nothing of its own message; what comes before the answer to a ping is the refusal, if not what
        // another device has said.
        speaker.send(&tongue.ping()).await;
        let mut granted = true;
        loop {
            let answer = speaker.expect(json!({})).await;
            if support::fits(&tongue.pong(), &answer) {
                return granted;
            }
            if answer["type"] == "error" {
                assert!(support::fits(&tongue.error("Rate limit exceeded"), &answer), "{answer}");
                granted = false;
            }
        }
    }
    let said = tongue.said(&speaker.user, "hall", text);
    loop {
        let answer = speaker.expect(json!({})).await;
        if support::fits(&said, &answer) {
            return true;
        }
        if support::fits(&tongue.any_error(), &answer) {
            assert!(support::fits(&tongue.error("Rate limit exceeded"), &answer), "{answer}");
            return false;
        }
    }
}

#[tokio::test]
async fn messages_of_a_user_in_a_sliding_window_over_all_of_its_devices() {
    join_all([Sge, Nexus, Gator, Aegisx].map(sliding_window)).await;
}

async fn sliding_window(tongue: Tongue) {
    const WINDOW: Duration = Duration::from_secs(2);
    let server = TestServer::start(&format!("[{}]\nmax_messages = 6\ntime_window = 2", tongue.name()));
    let mut devices = [server.speaker(tongue, "ann").await, server.speaker(tongue, "ann").await];
    for device in &mut devices {
        device.join("hall").await;
        device.settle().await;
    }
    let mut bob = server.speaker(tongue, "bob").await;
    bob.join("hall").await;
    let begun = Instant::now();
    for n in 0..6 {
        if n == 3 {
            tokio::time::sleep(WINDOW / 2).await;
        }
        assert!(may_say(&mut devices[n % 2], &format!("{n}")).await, "{tongue:?}: message {n} of 6");
    }
    // What is refused, however often, does not count; another user is not concerned, and heartbeats need no place.
    for n in 0..8 {
        assert!(!may_say(&mut devices[n % 2], "too much").await, "{tongue:?}");
    }
    assert!(may_say(&mut bob, "I may").await, "{tongue:?}");
    devices[0].send(&tongue.ping()).await;
    devices[0].expect(tongue.pong()).await;
    assert!(begun.elapsed() < WINDOW, "the machine is too slow for this");
    // It frees gradually: half of the places come back half a window before the others.
    let (mut granted, mut refused_between) = (0, 0);
    while granted < 6 {
        match may_say(&mut devices[0], "again").await {
            true => granted += 1,
            false if granted > 0 => refused_between += 1,
            false => {}
        }
        assert!(begun.elapsed() < support::PATIENCE, "{tongue:?}: only {granted}");
    }
    assert!(refused_between > 0, "{tongue:?}: all at once");
    assert!(begun.elapsed() >= WINDOW * 3 / 2, "{tongue:?}: after {:?}", begun.elapsed());
    assert!(begun.elapsed() < WINDOW * 3, "{tongue:?}: after {:?}", begun.elapsed());
}

#[tokio::test]
async fn no_limit_on_messages_is_none() {
    for tongue in [Sge, Nexus, Gator, Aegisx] {
        let server = TestServer::start(&format!("[{}]\nmax_messages = 0", tongue.name()));
        let mut ann = server.speaker(tongue, "ann").await;
        ann.join("hall").await;
        for n in 0..100 {
            assert!(may_say(&mut ann, &format!("{n}")).await, "{tongue:?}: {n}");
        }
    }
}

#[tokio::test]
async fn code_points_of_a_message() {
    let server = TestServer::start("[nexus]\nmax_content_length = 50");
    let mut gator = server.speaker(Gator, "ann").await;
    let mut nexus = server.speaker(Nexus, "ann").await;
    gator.join("hall").await;
    for unit in ["x", "\u{e9}", "\u{1f600}", "\u{301}", "\""] {
        for (speaker, max) in [(&mut gator, 5000), (&mut nexus, 50)] {
            let tongue = speaker.tongue;
            let (fits, over) = (unit.repeat(max), unit.repeat(max + 1));
            speaker.say("hall", &fits).await;
            speaker.expect(tongue.said("ann", "hall", &fits)).await;
            speaker.say("hall", &over).await;
            match tongue {
                Gator => drop(speaker.next_is(tongue.error("Message too long")).await),
                _ => {
                    let told = speaker.next_is(tongue.any_error()).await;
                    let text = told["message"].as_str().expect("a text");
                    assert!(text.contains("content") && text.contains("51") && text.contains("50"), "{told}");
                }
            }
            speaker.expect_no_more().await;
        }
    }
    for blank in ["", " ", "\t\n", "\u{3000}"] {
        gator.say("hall", blank).await;
        gator.next_is(Gator.error("Message cannot be empty")).await;
    }
    let none = TestServer::start("[nexus]\nmax_content_length = 0");
    let mut nexus = none.speaker(Nexus, "ann").await;
    let long = "x".repeat(100_000);
    nexus.say("hall", &long).await;
    nexus.expect(Nexus.said("ann", "hall", &long)).await;
}

/// A ping that is exactly so many bytes long.
fn ping_of(tongue: Tongue, bytes: usize) -> String {
    let mut text = tongue.ping().to_string();
    let padding = bytes - text.len();
    text.truncate(text.len() - 1);
    text + &" ".repeat(padding) + "}"
}

#[tokio::test]
async fn bytes_of_a_message() {
    for (tongue, key, n) in [
        (Sge, "ws_max_message_size", 1000),
        (Nexus, "max_message_bytes", 1000),
        (Aegisx, "max_payload", 1000),
        (Sge, "", 65_536),
        (Nexus, "", 1_048_576),
        (Aegisx, "", 1_048_576),
        (Gator, "", 65_536),
    ] {
        let settings =
            if key.is_empty() { String::new() } else { format!("[{}]\n{key} = {n}", tongue.name()) };
        let server = TestServer::start(&settings);
        let mut speaker = server.speaker(tongue, "ann").await;
        speaker.send_text(&ping_of(tongue, n)).await;
        speaker.next_is(tongue.pong()).await;
        speaker.send_text(&ping_of(tongue, n + 1)).await;
        let (code, _) = speaker.closed_at_once().await;
        assert_eq!(code, 1009, "{tongue:?} {n}");
    }
}

#[tokio::test]
async fn channels_of_a_user() {
    for tongue in [Sge, Nexus, Gator, Aegisx] {
        let server = TestServer::start("[limits]\nchannels_per_user = 3\n[tusk]\nmax_rooms_per_user = 3");
        let mut ann = server.speaker(tongue, "ann").await;
        for n in 0..3 {
            ann.join(&format!("hall-{n}")).await;
        }
        ann.send(&tongue.join("hall-3")).await;
        let words =
            if tongue == Aegisx { "Failed to join channel" } else { "Too many rooms (at most 3 per user)" };
        ann.refused(words).await;
        // One it is in already takes no place, and one it leaves gives it back.
        ann.join("hall-0").await;
        ann.send(&tongue.leave("hall-0")).await;
        ann.expect(tongue.left("hall-0")).await;
        ann.join("hall-3").await;
        ann.send(&tongue.join("hall-0")).await;
        ann.refused(words).await;
        // They are the user's and not the connection's; others have their own.
        let mut second = server.speaker(tongue, "ann").await;
        second.join("hall-3").await;
        second.send(&tongue.join("hall-4")).await;
        second.refused(words).await;
        let mut bob = server.speaker(tongue, "bob").await;
        bob.join("hall-4").await;
    }
    let server = TestServer::start("[limits]\nchannels_per_user = 0\n[tusk]\nmax_rooms_per_user = 0");
    for tongue in TONGUES {
        let mut ann = server.speaker(tongue, "ann").await;
        for n in 0..60 {
            ann.join(&format!("hall-{n}")).await;
        }
    }
}

#[tokio::test]
async fn channels_that_are_no_rooms_are_limited_too() {
    let server = TestServer::start("[limits]\nchannels_per_user = 3");
    let mut ann = server.speaker(Sge, "ann").await;
    for channel in ["news", "presence:bob", "weather"] {
        ann.send(&json!({ "type": "Subscribe", "channel": channel })).await;
        ann.next_is(json!({ "type": "Subscribed", "channel": channel })).await;
    }
    for channel in ["sport", "presence:carl"] {
        ann.send(&json!({ "type": "Subscribe", "channel": channel })).await;
        ann.next_is(Sge.error("Too many rooms (at most 3 per user)")).await;
    }
    // Its own channels it is always in.
    for channel in ["user:ann", "chat:ann", "system"] {
        ann.send(&json!({ "type": "Subscribe", "channel": channel })).await;
        ann.next_is(json!({ "type": "Subscribed", "channel": channel })).await;
    }
    let mut member = server.member(Aegisx, "t1", "ann").await;
    for n in 0..4 {
        let channel = format!("tenant:t1:{n}");
        member.send(&json!({ "type": "join_channel", "data": { "channel": channel } })).await;
        match n {
            0..3 => member.next_is(json!({ "type": "channel_joined", "data": { "channel": channel } })).await,
            _ => member.next_is(Aegisx.error("Failed to join channel")).await,
        };
    }
}

#[tokio::test]
async fn contacts_of_a_user() {
    let server = TestServer::start("[limits]\ncontacts_per_user = 2");
    let mut ann = server.speaker(Sge, "ann").await;
    let update = |user: &str, name: &str| json!({ "type": "RosterUpdate", "contact": { "user_id": user, "name": name } });
    for user in ["bob", "carl"] {
        ann.send(&update(user, "n")).await;
        ann.expect(json!({ "type": "Roster" })).await;
    }
    ann.send(&update("dora", "n")).await;
    ann.refused("Too many contacts (at most 2)").await;
    ann.send(&update("bob", "another name")).await;
    let roster = ann.expect(json!({ "type": "Roster" })).await;
    assert_eq!(roster["contacts"].as_array().map(Vec::len), Some(2), "{roster}");
    let body = json!({ "user_id": "dora" });
    let answer = server.rest_as(json!({ "sub": "ann" }), "POST", "/xmpp/roster", Some(body)).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    ann.send(&json!({ "type": "RosterRemove", "user_id": "carl" })).await;
    ann.expect(json!({ "type": "Roster" })).await;
    ann.send(&update("dora", "n")).await;
    ann.expect(json!({ "type": "Roster" })).await;
}

fn notice(title: &str) -> Value {
    json!({ "user_id": "ann", "title": title, "message": "m", "notification_type": "info", "priority": "normal" })
}

async fn waiting(server: &TestServer) -> Vec<String> {
    let path = Nexus.path_with("ann", &token("default", "ann"));
    let mut ann = Speaker::connect(server.address, Nexus, &path).await;
    ann.next_is(json!({ "event_type": "system.message" })).await;
    ann.send(&Nexus.join("fence")).await;
    let mut titles = Vec::new();
    loop {
        let message = ann.expect(json!({})).await;
        if support::fits(&Nexus.joined("fence"), &message) {
            return titles;
        }
        titles.push(message["title"].as_str().expect("a notification").to_owned());
    }
}

#[tokio::test]
async fn messages_that_wait_for_a_user() {
    for (settings, sent, kept) in [
        ("[nexus]\nmax_queue_size = 3", 3, 3),
        ("[nexus]\nmax_queue_size = 3", 4, 3),
        ("[nexus]\nmax_queue_size = 3", 7, 3),
        ("", 101, 100),
        ("[nexus]\nmax_queue_size = 0", 150, 150),
        ("[limits]\noffline_messages_total = 2\n[server]\nshards = 1", 2, 2),
    ] {
        let server = TestServer::start(settings);
        for n in 0..sent {
            let answer = server.rest("POST", "/api/notifications/send", Some(notice(&n.to_string()))).await;
            assert_eq!(answer.status, 200, "{settings} {n}: {answer:?}");
        }
        let newest: Vec<_> = (sent - kept..sent).map(|n| n.to_string()).collect();
        assert_eq!(waiting(&server).await, newest, "{settings}");
        assert!(waiting(&server).await.is_empty(), "once");
    }
    let server = TestServer::start("[limits]\noffline_messages_total = 2\n[server]\nshards = 1");
    for status in [200, 200, 503] {
        let answer = server.rest("POST", "/api/notifications/send", Some(notice("x"))).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn time_that_a_message_waits() {
    let server = TestServer::start("[nexus]\nqueue_ttl = 0.3");
    server.rest("POST", "/api/notifications/send", Some(notice("late"))).await;
    // Another one that waits as long tells that the time is over.
    let ends = Instant::now() + Duration::from_millis(350);
    tokio::time::sleep_until(ends.into()).await;
    server.rest("POST", "/api/notifications/send", Some(notice("fresh"))).await;
    assert_eq!(waiting(&server).await, ["fresh"]);
}

#[tokio::test]
async fn items_of_a_list() {
    let n = lanecast::dialect::MAX_ITEMS;
    let names = |n: usize| (0..n).map(|i| format!("u{i}")).collect::<Vec<_>>();
    let server = TestServer::start("");
    let mut gator = server.speaker(Gator, "ann").await;
    let mut nexus = server.speaker(Nexus, "ann").await;
    let mut aegisx = server.speaker(Aegisx, "ann").await;
    let mut sge = server.speaker(Sge, "ann").await;
    let ask = |n| json!({ "type": "get_online_status", "user_ids": names(n) });
    gator.send(&ask(n)).await;
    gator.next_is(json!({ "type": "online_users", "users": [] })).await;
    gator.send(&ask(n + 1)).await;
    gator.next_is(Gator.any_error()).await;
    let mention = |n| json!({ "event_type": "chat.message", "conversation_id": "hall", "content": "x", "mentions": names(n) });
    nexus.send(&mention(n)).await;
    nexus.expect(json!({ "event_type": "chat.message" })).await;
    nexus.send(&mention(n + 1)).await;
    nexus.expect(Nexus.any_error()).await;
    let contact = |n| json!({ "type": "RosterUpdate", "contact": { "user_id": "bob", "groups": names(n) } });
    sge.send(&contact(n)).await;
    sge.next_is(json!({ "type": "Roster" })).await;
    sge.send(&contact(n + 1)).await;
    sge.next_is(Sge.any_error()).await;
    let types = |n| json!({ "type": "subscribe_notifications", "data": { "types": names(n) } });
    aegisx.send(&types(n)).await;
    aegisx.next_is(json!({ "type": "notifications_subscribed" })).await;
    aegisx.send(&types(n + 1)).await;
    aegisx.next_is(Aegisx.any_error()).await;
}

#[tokio::test]
async fn bytes_of_a_name() {
    let n = lanecast::dialect::MAX_NAME_BYTES;
    let server = TestServer::start("");
    for tongue in TONGUES {
        let mut ann = server.speaker(tongue, "ann").await;
        // SGE counts the kind of a channel as part of its name.
        let n = if tongue == Sge { n - "group:".len() } else { n };
        for unit in ["x", "\u{e9}"] {
            let fits = unit.repeat(n / unit.len());
            ann.join(&fits).await;
            ann.send(&tongue.join(&(fits + "x"))).await;
            ann.next_is(tongue.any_error()).await;
        }
    }
}

#[tokio::test]
async fn tusk_limits_of_the_document() {
    let settings = "[tusk]\nmax_message_size = 300\nmessage_max_length = 100\nmessage_rate_limit = 0";
    let server = TestServer::start(settings);
    let mut ann = server.speaker(Tusk, "ann").await;
    ann.join("hall").await;
    for (unit, escaped) in [("x", 1), ("\u{e9}", 2), ("<", 4), ("&", 5)] {
        let fits = unit.repeat(100 / escaped);
        ann.say("hall", &fits).await;
        ann.expect(json!({ "type": "room_message" })).await;
        ann.say("hall", &(fits + unit)).await;
        ann.next_is(Tusk.any_error()).await;
    }
    ann.send_text(&ping_of(Tusk, 300 + 256)).await;
    ann.next_is(Tusk.pong()).await;
    ann.send_text(&ping_of(Tusk, 300 + 257)).await;
    ann.next_is(Tusk.error("Invalid message format")).await;
    ann.expect_no_more().await;
}
