//! Who is one of a conversation, a contact or an addressee stays it while away: what was said meanwhile is told after
//! the greeting, in order and once.

mod support;

use serde_json::{Value, json};
use support::{Nexus, Sge, Speaker, TestServer, signed};

/// A NEXUS connection that has read nothing yet.
async fn arriving(server: &TestServer, user: &str) -> Speaker {
    let path = Nexus.path_with(user, &signed(json!({ "sub": user })));
    let mut speaker = Speaker::connect(server.address, Nexus, &path).await;
    speaker.user = user.into();
    speaker
}

async fn gone(server: &TestServer, speaker: Speaker, left: f64) {
    speaker.close().await;
    server.metric_becomes("lanecast_users_online", left).await;
}

const QUIET: &str = "[nexus]\npresence_broadcast = false\n";

#[tokio::test]
async fn what_a_conversation_said_meanwhile_is_told_after_the_greeting_and_confirmed() {
    let server = TestServer::start(QUIET);
    let mut ann = server.speaker(Nexus, "ann").await;
    let mut bob = server.speaker(Nexus, "bob").await;
    bob.say("conv", "I am one of you").await;
    bob.hear("bob", "conv", "I am one of you").await;
    gone(&server, bob, 1.0).await;
    let mut ids = Vec::new();
    for text in ["first", "second", "third"] {
        ann.say("conv", text).await;
        ids.push(ann.next_is(Nexus.said("ann", "conv", text)).await["message_id"].clone());
    }
    // Nobody has heard them yet.
    ann.expect_nothing().await;
    let mut bob = arriving(&server, "bob").await;
    bob.next_is(json!({ "event_type": "system.message", "user_id": "bob" })).await;
    for (text, id) in ["first", "second", "third"].into_iter().zip(&ids) {
        let told = bob.next_is(Nexus.said("ann", "conv", text)).await;
        assert_eq!(told["message_id"], *id);
    }
    for id in &ids {
        ann.next_is(json!({ "event_type": "chat.delivered", "message_id": id, "conversation_id": "conv" }))
            .await;
    }
    // It is a member again without saying so, and hears nothing twice.
    ann.say("conv", "welcome back").await;
    bob.next_is(Nexus.said("ann", "conv", "welcome back")).await;
    bob.expect_nothing().await;
    gone(&server, bob, 1.0).await;
    let mut bob = arriving(&server, "bob").await;
    bob.next_is(json!({ "event_type": "system.message" })).await;
    bob.expect_nothing().await;
}

#[tokio::test]
async fn who_left_a_conversation_is_told_nothing_of_it() {
    let server = TestServer::start(QUIET);
    let mut ann = server.speaker(Nexus, "ann").await;
    let mut bob = server.speaker(Nexus, "bob").await;
    bob.say("conv", "hello and").await;
    bob.hear("bob", "conv", "hello and").await;
    bob.send(&Nexus.leave("conv")).await;
    bob.expect(Nexus.left("conv")).await;
    bob.expect_nothing().await;
    gone(&server, bob, 1.0).await;
    ann.say("conv", "gone?").await;
    ann.hear("ann", "conv", "gone?").await;
    ann.expect_nothing().await;
    let mut bob = arriving(&server, "bob").await;
    bob.next_is(json!({ "event_type": "system.message" })).await;
    bob.expect_nothing().await;
}

#[tokio::test]
async fn who_is_mentioned_and_not_there_is_notified_of_it() {
    let server = TestServer::start(QUIET);
    let mut ann = server.speaker(Nexus, "ann").await;
    let mut here = server.speaker(Nexus, "here").await;
    let mut member = server.speaker(Nexus, "member").await;
    member.join("conv").await;
    let mentions = json!(["here", "away", "member", "ann"]);
    let said = json!({ "event_type": "chat.message", "conversation_id": "conv", "content": "all of you",
        "mentions": mentions });
    ann.send(&said).await;
    let echo = ann.expect(said.clone()).await;
    member.expect(said).await;
    let notice = json!({ "event_type": "notification", "conversation_id": "conv", "message_id": echo["message_id"],
        "title": "ann mentioned you" });
    let told = here.next_is(notice.clone()).await;
    assert!(!told.to_string().contains("all of you"), "told where, and not what: {told}");
    let mut away = arriving(&server, "away").await;
    away.next_is(json!({ "event_type": "system.message" })).await;
    away.next_is(notice).await;
    here.expect_nothing().await;
    member.expect_nothing().await;
}

fn notice(user: &str, title: &str, priority: &str) -> Value {
    json!({ "user_id": user, "title": title, "message": "m", "notification_type": "info", "priority": priority })
}

#[tokio::test]
async fn notifications_wait_in_the_order_of_their_priority() {
    let server = TestServer::start(QUIET);
    for (title, priority) in
        [("1", "low"), ("2", "normal"), ("3", "urgent"), ("4", "high"), ("5", "normal"), ("6", "urgent")]
    {
        let body = notice("ann", title, priority);
        let answer = server.rest("POST", "/api/notifications/send", Some(body)).await;
        assert_eq!((answer.status, &answer.json()["delivered"]), (200, &json!(false)), "{answer:?}");
    }
    let mut ann = arriving(&server, "ann").await;
    ann.next_is(json!({ "event_type": "system.message" })).await;
    for title in ["3", "6", "4", "2", "5", "1"] {
        ann.next_is(json!({ "event_type": "notification", "title": title })).await;
    }
    ann.expect_nothing().await;
}

#[tokio::test]
async fn what_one_device_has_read_or_cleared_the_others_are_told() {
    let server = TestServer::start(QUIET);
    let mut phone = server.speaker(Nexus, "ann").await;
    let mut desk = server.speaker(Nexus, "ann").await;
    let mut bob = server.speaker(Nexus, "bob").await;
    let body = Some(notice("ann", "once", "normal"));
    assert_eq!(server.rest("POST", "/api/notifications/send", body).await.json()["delivered"], true);
    let told = phone.next_is(json!({ "event_type": "notification", "title": "once" })).await;
    let id = &told["notification_id"];
    desk.next_is(json!({ "event_type": "notification", "notification_id": id })).await;
    for kind in ["notification.read", "notification.clear"] {
        phone.send(&json!({ "event_type": kind, "notification_id": id })).await;
        desk.next_is(json!({ "event_type": kind, "notification_id": id })).await;
    }
    phone.send(&json!({ "event_type": "notification.clear" })).await;
    desk.next_is(json!({ "event_type": "notification.clear", "notification_id": null })).await;
    for speaker in [&mut phone, &mut desk, &mut bob] {
        speaker.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_notification_of_another_user_cannot_be_cleared() {
    let server = TestServer::start(QUIET);
    let mut ann = server.speaker(Nexus, "ann").await;
    let mut eve = server.speaker(Nexus, "eve").await;
    let body = Some(notice("ann", "hers", "normal"));
    server.rest("POST", "/api/notifications/send", body).await;
    let told = ann.next_is(json!({ "event_type": "notification" })).await;
    for kind in ["notification.read", "notification.clear"] {
        eve.send(&json!({ "event_type": kind, "notification_id": told["notification_id"] })).await;
    }
    eve.send(&json!({ "event_type": "notification.clear" })).await;
    eve.expect_nothing().await;
    ann.expect_nothing().await;
}

fn chat(from: &str, to: &str, text: &str) -> Value {
    json!({ "type": "ChatMessage", "message": { "from": from, "to": to, "message": text,
        "timestamp": 1_732_147_200_123_u64, "message_type": "chat" } })
}

#[tokio::test]
async fn an_sge_chat_waits_for_its_user_and_comes_once_and_in_order() {
    let server = TestServer::start("");
    let mut ann = server.speaker(Sge, "ann").await;
    let mut far = server.speaker(Sge, "ann").await;
    for text in ["one", "two", "three"] {
        ann.send(&chat("ann", "bob", text)).await;
        ann.next_is(chat("ann", "bob", text)).await;
        far.next_is(chat("ann", "bob", text)).await;
    }
    assert_eq!(server.metric("lanecast_queued_direct_messages").await, 3.0);
    let mut bob = server.speaker(Sge, "bob").await;
    for text in ["one", "two", "three"] {
        bob.next_is(chat("ann", "bob", text)).await;
    }
    bob.expect_nothing().await;
    server.metric_becomes("lanecast_queued_direct_messages", 0.0).await;
    let mut other = server.speaker(Sge, "bob").await;
    other.expect_nothing().await;
    bob.expect_nothing().await;
    bob.close().await;
    other.close().await;
    server.metric_becomes("lanecast_users_online", 1.0).await;
    server.speaker(Sge, "bob").await.expect_nothing().await;
}

#[tokio::test]
async fn what_was_delivered_to_one_who_was_there_is_not_told_again() {
    let server = TestServer::start("");
    let mut ann = server.speaker(Sge, "ann").await;
    let mut bob = server.speaker(Sge, "bob").await;
    ann.send(&chat("ann", "bob", "live")).await;
    bob.next_is(chat("ann", "bob", "live")).await;
    server.speaker(Sge, "bob").await.expect_nothing().await;
    bob.expect_nothing().await;
    bob.close().await;
    server.metric_becomes("lanecast_users_online", 1.0).await;
    server.speaker(Sge, "bob").await.expect_nothing().await;
}

#[tokio::test]
async fn a_contact_entered_on_one_device_is_watched_by_all_of_them_and_after_coming_back() {
    let server = TestServer::start("");
    let mut phone = server.speaker(Sge, "ann").await;
    let mut desk = server.speaker(Sge, "ann").await;
    let contact = json!({ "user_id": "bob", "name": "Bob", "groups": ["friends"] });
    phone.send(&json!({ "type": "RosterUpdate", "id": "r1", "contact": contact })).await;
    let roster = phone.expect(json!({ "type": "Roster", "id": "r1" })).await;
    assert_eq!(
        roster["contacts"],
        json!([{ "user_id": "bob", "name": "Bob", "groups": ["friends"], "status": "offline" }])
    );
    phone.expect_nothing().await;
    desk.expect_nothing().await;
    let bob = server.speaker(Sge, "bob").await;
    let is = |status: &str| json!({ "type": "PresenceStatus", "user_id": "bob", "status": status });
    phone.expect(is("online")).await;
    desk.expect(is("online")).await;
    phone.close().await;
    desk.close().await;
    server.metric_becomes("lanecast_users_online", 1.0).await;
    let mut back = server.speaker(Sge, "ann").await;
    back.send(&json!({ "type": "RosterGet" })).await;
    let roster = back.expect(json!({ "type": "Roster" })).await;
    assert_eq!(roster["contacts"][0]["status"], "online", "{roster}");
    bob.close().await;
    back.expect(is("offline")).await;
    back.send(&json!({ "type": "RosterRemove", "user_id": "bob" })).await;
    assert_eq!(back.expect(json!({ "type": "Roster" })).await["contacts"], json!([]));
    let _bob = server.speaker(Sge, "bob").await;
    back.expect_nothing().await;
}
