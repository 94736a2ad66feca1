//! Floods cost those who make them an error each and nobody else anything, and nothing of them is left behind.

mod support;

use std::time::Instant;

use serde_json::{Value, json};
use support::{Aegisx, Gator, Nexus, Process, Raw, Sge, Speaker, TONGUES, TestServer, Tongue, Tusk, signed};

/// Sends a lot of messages in pieces that fit between two readers, and counts answers by pattern; each message has one.
async fn flood(speaker: &mut Speaker, messages: impl Iterator<Item = Value>, wanted: &[Value]) -> Vec<usize> {
    let mut counts = vec![0; wanted.len()];
    let mut messages = messages.peekable();
    while messages.peek().is_some() {
        let mut sent = 0;
        for message in messages.by_ref().take(200) {
            speaker.send(&message).await;
            sent += 1;
        }
        while sent > 0 {
            let answer = speaker.expect(json!({})).await;
            let which = wanted.iter().position(|pattern| support::fits(pattern, &answer));
            counts[which.unwrap_or_else(|| panic!("{answer}"))] += 1;
            sent -= 1;
        }
    }
    counts
}

/// Everything that says how much is there.
const GAUGES: [&str; 5] = [
    "lanecast_connections_open",
    "lanecast_rooms",
    "lanecast_users_online",
    "lanecast_channels",
    "lanecast_queued_direct_messages",
];

async fn nothing_is_left(server: &TestServer) {
    for gauge in GAUGES {
        server.metric_becomes(gauge, 0.0).await;
    }
    assert_eq!(server.metric("lanecast_users").await, 0.0);
    assert_eq!(server.metric("lanecast_backlog_entries").await, 0.0);
}

const LIMITS: &str = "[limits]\nchannels_per_user = 50\n[tusk]\nmax_rooms_per_user = 50\n";

fn over(tongue: Tongue) -> Value {
    tongue.error(match tongue {
        Aegisx => "Failed to join channel",
        _ => "Too many rooms (at most 50 per user)",
    })
}

fn joined(tongue: Tongue) -> Value {
    match tongue {
        Sge => json!({ "type": "Subscribed" }),
        Nexus => json!({ "event_type": "room.join" }),
        Gator => json!({ "type": "conversation_joined" }),
        Aegisx => json!({ "type": "channel_joined" }),
        Tusk => json!({ "type": "room_joined" }),
    }
}

#[tokio::test]
async fn ten_thousand_rooms_of_one_user_are_refused_but_for_its_places() {
    let server = TestServer::start(LIMITS);
    for tongue in TONGUES {
        let mut flooder = server.speaker(tongue, "flooder").await;
        let mut bob = server.speaker(tongue, "bob").await;
        bob.join("quiet").await;
        flooder.settle().await;
        let before = server.sample("lanecast_message_errors_total", "code=\"limit_reached\"").await;
        let rooms = (0..10_000).map(|n| tongue.join(&format!("room-{n}")));
        let counts = flood(&mut flooder, rooms, &[joined(tongue), over(tongue)]).await;
        assert_eq!(counts, [50, 9_950], "{tongue:?}");
        let refused = server.sample("lanecast_message_errors_total", "code=\"limit_reached\"").await;
        assert_eq!(refused - before, 9_950.0, "{tongue:?}");
        // It is still there, and so are others and what they do.
        flooder.expect_no_more().await;
        bob.say("quiet", "undisturbed").await;
        if tongue != Aegisx {
            bob.hear("bob", "quiet", "undisturbed").await;
        }
        assert_eq!(server.metric("lanecast_rooms").await, 51.0, "{tongue:?}");
        flooder.close().await;
        bob.close().await;
        nothing_is_left(&server).await;
    }
}

#[tokio::test]
async fn rooms_joined_and_left_leave_nothing() {
    let server = TestServer::start("");
    for tongue in TONGUES {
        let mut ann = server.speaker(tongue, "ann").await;
        for round in 0..20 {
            for n in 0..25 {
                let room = format!("room-{round}-{n}");
                ann.send(&tongue.join(&room)).await;
                ann.send(&tongue.leave(&room)).await;
            }
            for n in 0..25 {
                let _ = n;
                ann.expect(json!({})).await;
                ann.expect(json!({})).await;
            }
        }
        server.metric_becomes("lanecast_rooms", 0.0).await;
        server.metric_becomes("lanecast_channels", 0.0).await;
        ann.close().await;
        nothing_is_left(&server).await;
    }
}

#[tokio::test]
async fn memory_of_rooms_is_given_back() {
    let server = Process::start(&["--auth", "open", "--shards", "2"], "[server]\npin = false\n").await;
    let mut peak = Vec::new();
    for round in 0..4 {
        let mut users = Vec::new();
        for user in 0..4 {
            let path = format!("/sge/ws/connect?token=user-{user}");
            let mut user = Speaker::connect(server.address, Sge, &path).await;
            let rooms = (0..1_000).map(|n| Sge.join(&format!("{round}-a-room-with-a-name-of-its-own-{n}")));
            assert_eq!(flood(&mut user, rooms, &[joined(Sge)]).await, [1_000]);
            users.push(user);
        }
        peak.push(server.resident());
        for user in users {
            user.close().await;
        }
    }
    // The first time memory is taken; afterwards the same memory serves.
    assert!(peak[3] < peak[0] + peak[0] / 4, "{peak:?}");
}

#[tokio::test]
async fn leaving_where_one_is_not_leaves_nothing() {
    let server = TestServer::start("");
    for tongue in TONGUES {
        let mut ann = server.speaker(tongue, "ann").await;
        ann.settle().await;
        let answer = match tongue {
            Nexus | Tusk => tongue.error("Not a member of this room"),
            Sge => json!({ "type": "Unsubscribed" }),
            Gator => json!({ "type": "conversation_left" }),
            Aegisx => json!({ "type": "channel_left" }),
        };
        let leaves = (0..2_000).map(|n| tongue.leave(&format!("room-{n}")));
        assert_eq!(flood(&mut ann, leaves, &[answer]).await, [2_000]);
        assert_eq!(server.metric("lanecast_rooms").await, 0.0, "{tongue:?}");
        ann.expect_no_more().await;
        ann.close().await;
        nothing_is_left(&server).await;
    }
}

#[tokio::test]
async fn channels_that_no_dialect_has_are_errors_and_nothing_else() {
    let server = TestServer::start("");
    let mut sge = server.speaker(Sge, "ann").await;
    let strange = |n: usize| {
        let names = ["group:", ":", "nobody:x", "user:bob", "chat:bob", "user:", "", "doc:1", "GROUP:x"];
        json!({ "type": "Subscribe", "channel": names[n % names.len()] })
    };
    assert_eq!(flood(&mut sge, (0..900).map(strange), &[Sge.any_error()]).await, [900]);
    sge.expect_no_more().await;
    let mut aegisx = server.member(Aegisx, "t1", "ann").await;
    let strange = |n: usize| {
        let names =
            ["public:", "tenant:", "tenant:t2", "notifications:t1:ann:all", "room", "", ":", "PUBLIC:x"];
        json!({ "type": "join_channel", "data": { "channel": names[n % names.len()] } })
    };
    let denied = Aegisx.error("Access denied to channel");
    assert_eq!(flood(&mut aegisx, (0..800).map(strange), &[denied]).await, [800]);
    aegisx.expect_no_more().await;
    assert_eq!((server.metric("lanecast_rooms").await, server.metric("lanecast_channels").await), (0.0, 0.0));
    sge.close().await;
    aegisx.close().await;
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn words_that_no_dialect_has_are_errors_and_nothing_else() {
    let server = TestServer::start("");
    for tongue in TONGUES {
        let mut ann = server.speaker(tongue, "ann").await;
        ann.settle().await;
        let member = if tongue == Nexus { "event_type" } else { "type" };
        let odd = |n: usize| match n % 5 {
            0 => json!({ member: format!("no-such-word-{n}") }),
            1 => json!([1, 2, 3]),
            2 => json!({}),
            3 => json!({ member: null }),
            _ => json!("text"),
        };
        assert_eq!(flood(&mut ann, (0..1_000).map(odd), &[tongue.any_error()]).await, [1_000], "{tongue:?}");
        ann.expect_no_more().await;
        ann.close().await;
    }
    assert_eq!(server.metric("lanecast_message_errors_total").await, 5_000.0);
    nothing_is_left(&server).await;
}

/// Says that one types, in a way that the dialect has.
fn typing(tongue: Tongue, on: bool) -> Value {
    match tongue {
        Sge => json!({ "type": "Typing", "from": "ann", "to": "group:hall", "typing": on }),
        Nexus => json!({ "event_type": "chat.typing", "conversation_id": "hall", "is_typing": on }),
        _ => json!({ "type": if on { "typing_start" } else { "typing_stop" }, "conversation_id": "hall" }),
    }
}

fn types(tongue: Tongue, on: bool) -> Value {
    match tongue {
        Sge => json!({ "type": "Typing", "from": "ann", "to": "group:hall", "typing": on }),
        Nexus => json!({ "event_type": "chat.typing", "user_id": "ann", "is_typing": on }),
        _ => json!({ "type": "typing_indicator", "user_id": "ann", "is_typing": on }),
    }
}

#[tokio::test]
async fn typing_key_by_key_is_told_once_and_ends_by_itself() {
    let server = TestServer::start("[gator]\ntyping_timeout = 0.5");
    for tongue in [Sge, Nexus, Gator] {
        let mut ann = server.speaker(tongue, "ann").await;
        let mut bob = server.speaker(tongue, "bob").await;
        for member in [&mut ann, &mut bob] {
            member.join("hall").await;
            member.settle().await;
        }
        ann.settle().await;
        for _ in 0..1_000 {
            ann.send(&typing(tongue, true)).await;
        }
        ann.settle().await;
        // Nobody says stop.
        bob.next_is(types(tongue, true)).await;
        bob.next_is(types(tongue, false)).await;
        for _ in 0..3 {
            ann.send(&typing(tongue, true)).await;
            bob.next_is(types(tongue, true)).await;
            for _ in 0..300 {
                ann.send(&typing(tongue, false)).await;
            }
            bob.next_is(types(tongue, false)).await;
        }
        // Whoever speaks, leaves or goes has stopped.
        ann.send(&typing(tongue, true)).await;
        bob.next_is(types(tongue, true)).await;
        ann.say("hall", "done").await;
        bob.next_is(types(tongue, false)).await;
        bob.next_is(tongue.said("ann", "hall", "done")).await;
        ann.send(&typing(tongue, true)).await;
        bob.next_is(types(tongue, true)).await;
        drop(ann);
        bob.expect(types(tongue, false)).await;
        bob.close().await;
        nothing_is_left(&server).await;
    }
}

#[tokio::test]
async fn presence_flips_are_told_no_oftener_than_turns_and_end_with_the_last() {
    const FLIPS: usize = 2_000;
    let server = TestServer::start("");
    let mut bob = server.speaker(Nexus, "bob").await;
    let token = signed(json!({ "sub": "ann" }));
    let mut ann = Raw::upgraded_to(&Nexus.path_with("ann", &token), server.address).await;
    bob.next_is(json!({ "event_type": "presence.online", "user_id": "ann" })).await;
    let flip = |n: usize| {
        let status = if n.is_multiple_of(2) { "away" } else { "busy" };
        json!({ "event_type": "presence.update", "status": status, "status_message": n.to_string() })
    };
    // All at once, so that many share a turn.
    let frames = (0..FLIPS).flat_map(|n| support::masked(0x81, flip(n).to_string().as_bytes()));
    ann.write(&frames.collect::<Vec<_>>()).await;
    let (last, mut told) = ((FLIPS - 1).to_string(), 0);
    loop {
        let update = bob.expect(json!({ "event_type": "presence.update" })).await;
        told += 1;
        if update["status_message"] == last.as_str() {
            break;
        }
    }
    // If the status itself is another than the one told before, that is said too.
    bob.settle().await;
    assert!(told < FLIPS / 4, "{told} of {FLIPS} were told");
    assert_eq!(server.metric("presence_updates_total").await, FLIPS as f64);
    let shown = server.rest("GET", "/api/presence/ann", None).await.json();
    assert_eq!(shown["status"], "busy", "{shown}");
}

#[tokio::test]
async fn a_storm_of_comings_and_goings_leaves_nothing() {
    let server = TestServer::start("[gator]\nmax_connections_per_user = 0");
    let token = signed(json!({ "sub": "ann", "tenantId": "t1" }));
    let begun = Instant::now();
    for round in 0..40 {
        for tongue in TONGUES {
            let path = tongue.path_with("ann", &token);
            let mut speaker = Speaker::connect(server.address, tongue, &path).await;
            speaker.send(&tongue.join(&format!("room-{round}"))).await;
            // Half of them break off while their join is under way.
            match round % 2 {
                0 => drop(speaker),
                _ => speaker.close().await,
            }
        }
        assert!(begun.elapsed() < support::PATIENCE);
    }
    nothing_is_left(&server).await;
    let mut still = server.speaker(Sge, "ann").await;
    still.expect_nothing().await;
}
