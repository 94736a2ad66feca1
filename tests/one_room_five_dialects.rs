//! In a realm that dialects share, a room is one room: each member is told in its own dialect's words, and only what
//! that has words for.

mod support;

use serde_json::{Value, json};
use support::{Aegisx, Gator, Nexus, Sge, Speaker, TONGUES, TestServer, Tongue, Tusk};

const ROOM: &str = "plaza";

/// All five in one realm, on so many shards.
fn shared(shards: usize) -> TestServer {
    let realms = TONGUES.map(|t| format!("[{}]\nrealm = 'square'\npresence_broadcast = false\n", t.name()));
    TestServer::start(&format!("[server]\nshards = {shards}\n{}", realms.concat()))
}

/// A member of each dialect, its user named after it.
async fn plaza(server: &TestServer) -> Vec<Speaker> {
    let mut members: Vec<Speaker> = Vec::new();
    for tongue in TONGUES {
        let mut member = server.speaker(tongue, tongue.name()).await;
        member.join(ROOM).await;
        members.push(member);
    }
    for member in &mut members {
        settle(member).await;
    }
    members
}

/// Passes over what others' coming led to.
async fn settle(member: &mut Speaker) {
    let tongue = member.tongue;
    for room in ["settled-1", "settled-2", "settled-3", ROOM] {
        member.send(&tongue.join(room)).await;
        member.expect(tongue.joined(room)).await;
    }
}

fn of(members: &mut [Speaker], tongue: Tongue) -> &mut Speaker {
    members.iter_mut().find(|m| m.tongue == tongue).expect("there is one of each")
}

#[tokio::test]
async fn each_hears_each_in_its_own_words() {
    let server = shared(2);
    let mut members = plaza(&server).await;
    for speaker in TONGUES {
        let text = format!("\u{201c}{speaker:?}\u{201d} & <others>");
        of(&mut members, speaker).say(ROOM, &text).await;
        for member in members.iter_mut().filter(|m| (m.tongue, speaker) != (Aegisx, Aegisx)) {
            // Tusk escapes what a browser would take for HTML.
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let text = if member.tongue == Tusk { &escaped } else { &text };
            member.hear(speaker.name(), ROOM, text).await;
            if (member.tongue, speaker) == (Nexus, Nexus) {
                member.expect(json!({ "event_type": "chat.delivered" })).await;
            }
        }
    }
    // AegisX does not echo, and nothing comes twice.
    for member in &mut members {
        member.expect_nothing().await;
    }
}

#[tokio::test]
async fn an_event_is_encoded_once_per_dialect_and_not_per_member() {
    let server = shared(1);
    let mut members = Vec::new();
    for round in 0..3 {
        for tongue in TONGUES {
            let mut member = server.speaker(tongue, &format!("{}-{round}", tongue.name())).await;
            member.join(ROOM).await;
            members.push(member);
        }
    }
    for member in &mut members {
        settle(member).await;
    }
    let before = server.metric("lanecast_events_encoded_total").await;
    of(&mut members, Gator).say(ROOM, "once").await;
    for member in &mut members {
        member.hear("gator-0", ROOM, "once").await;
    }
    assert_eq!(server.metric("lanecast_events_encoded_total").await - before, 5.0);
}

#[tokio::test]
async fn typing_reaches_only_those_with_words_for_it() {
    let server = shared(2);
    let mut members = plaza(&server).await;
    let start = json!({ "type": "typing_start", "conversation_id": ROOM });
    of(&mut members, Gator).send(&start).await;
    let nexus = json!({ "event_type": "chat.typing", "conversation_id": ROOM, "user_id": "gator", "is_typing": true });
    of(&mut members, Nexus).expect(nexus).await;
    let sge = json!({ "type": "Typing", "from": "gator", "to": "group:plaza", "typing": true });
    of(&mut members, Sge).expect(sge).await;
    for tongue in [Aegisx, Tusk, Gator] {
        of(&mut members, tongue).expect_nothing().await;
    }
    // And the other way round.
    let start = json!({ "type": "Typing", "from": "sge", "to": "group:plaza", "typing": true });
    of(&mut members, Sge).send(&start).await;
    let gator =
        json!({ "type": "typing_indicator", "conversation_id": ROOM, "user_id": "sge", "is_typing": true });
    of(&mut members, Gator).expect(gator).await;
    let nexus =
        json!({ "event_type": "chat.typing", "conversation_id": ROOM, "user_id": "sge", "is_typing": true });
    of(&mut members, Nexus).expect(nexus).await;
    for tongue in [Aegisx, Tusk] {
        of(&mut members, tongue).expect_nothing().await;
    }
}

#[tokio::test]
async fn edits_and_deletions_reach_only_those_with_words_for_them() {
    let server = shared(2);
    let mut members = plaza(&server).await;
    let mut second = server.speaker(Nexus, "nexus-2").await;
    second.join(ROOM).await;
    of(&mut members, Nexus).say(ROOM, "draft").await;
    let mut id = Value::Null;
    for member in members.iter_mut().chain([&mut second]) {
        let said = member.hear("nexus", ROOM, "draft").await;
        if member.tongue == Nexus {
            id = said["message_id"].clone();
        }
    }
    let about = json!({ "conversation_id": ROOM, "message_id": id });
    for (kind, more) in [("chat.edit", json!({ "content": "final" })), ("chat.delete", json!({}))] {
        let mut frame = about.clone();
        let members_of = frame.as_object_mut().expect("an object");
        members_of.insert("event_type".into(), kind.into());
        members_of.extend(more.as_object().expect("an object").clone());
        of(&mut members, Nexus).send(&frame).await;
        of(&mut members, Nexus).expect(frame.clone()).await;
        second.expect(frame).await;
    }
    for tongue in [Sge, Gator, Aegisx, Tusk] {
        of(&mut members, tongue).expect_nothing().await;
    }
}

#[tokio::test]
async fn without_a_common_realm_rooms_of_one_name_are_as_many_as_dialects() {
    let quiet = TONGUES.map(|t| format!("[{}]\npresence_broadcast = false\n", t.name()));
    let server = TestServer::start(&quiet.concat());
    let mut members = plaza(&server).await;
    for speaker in TONGUES {
        of(&mut members, speaker).say(ROOM, "only here").await;
        if speaker != Aegisx {
            of(&mut members, speaker).hear(speaker.name(), ROOM, "only here").await;
        }
    }
    for member in &mut members {
        member.expect_nothing().await;
    }
}

#[tokio::test]
async fn who_speaks_where_nobody_is_hears_itself_and_leaves_no_room_behind() {
    let server = TestServer::start("");
    for tongue in [Sge, Gator] {
        let mut ann = server.speaker(tongue, "ann").await;
        ann.say("empty", "anybody?").await;
        ann.next_is(tongue.said("ann", "empty", "anybody?")).await;
        ann.expect_nothing().await;
        assert_eq!(server.metric("lanecast_rooms").await, 0.0);
    }
}
