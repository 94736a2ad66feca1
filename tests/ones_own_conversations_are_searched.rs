//! A search finds what was said in conversations that one is one of, as it reads now, and nothing of anybody else's.

mod support;

use serde_json::{Value, json};
use support::{Folder, Gator, Nexus, Sge, TestServer, soon};

fn of(tenant: &str, user: &str) -> Value {
    json!({ "sub": user, "tenantId": tenant })
}

async fn found(server: &TestServer, who: Value, path: &str, words: &str) -> Vec<String> {
    let answer = server.rest_as(who, "GET", &format!("{path}?q={words}"), None).await;
    assert_eq!(answer.status, 200, "{path} {words}: {answer:?}");
    let messages = answer.json()["messages"].clone();
    let text = |m: &Value| m["text"].as_str().expect("a text").to_owned();
    messages.as_array().expect("messages").iter().map(text).collect()
}

/// Asks until it finds that: what was said is searchable a little later.
async fn becomes(server: &TestServer, who: Value, path: &str, words: &str, wanted: &[&str]) {
    soon("the words to be searchable", async {
        while found(server, who.clone(), path, words).await != wanted {}
    })
    .await;
}

const SGE: &str = "/xmpp/messages/search";
const NEXUS: &str = "/api/messages/search";
const GATOR: &str = "/api/conversations/search";

async fn a_talk_of_two(server: &TestServer) {
    becomes(server, of("t1", "ann"), SGE, "parrot", &["the parrot sleeps"]).await;
    becomes(server, of("t1", "ben"), SGE, "parrot", &["the parrot sleeps"]).await;
    becomes(server, of("t2", "ann"), SGE, "parrot", &["another parrot"]).await;
    for (tenant, user) in [("t1", "eve"), ("t1", "carl"), ("t2", "eve"), ("t3", "ann")] {
        assert_eq!(found(server, of(tenant, user), SGE, "parrot").await, [""; 0], "{tenant} {user}");
    }
}

#[tokio::test]
async fn a_talk_of_two_is_found_by_these_two() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    let chat =
        |to: &str, text: &str| json!({ "type": "ChatMessage", "message": { "to": to, "message": text } });
    for (tenant, text) in [("t1", "the parrot sleeps"), ("t2", "another parrot")] {
        let mut ann = server.member(Sge, tenant, "ann").await;
        ann.send(&chat("ben", text)).await;
        ann.expect(chat("ben", text)).await;
        ann.send(&chat("carl", "no bird at all")).await;
        ann.expect(chat("carl", "no bird at all")).await;
    }
    a_talk_of_two(&server).await;
    let server = server.again(folder.path(), "").await;
    a_talk_of_two(&server).await;
    server.stop().await;
}

async fn as_it_reads_now(server: &TestServer) {
    becomes(server, of("t1", "ann"), NEXUS, "giraffe", &["giraffe, not zebra", "a giraffe"]).await;
    becomes(server, of("t1", "ann"), NEXUS, "giraffe%20zebra", &["giraffe, not zebra"]).await;
    becomes(server, of("t1", "ann"), NEXUS, "elephant", &[]).await;
    becomes(server, of("t1", "ann"), NEXUS, "lion", &[]).await;
    for (tenant, user) in [("t1", "eve"), ("t2", "ann")] {
        assert_eq!(found(server, of(tenant, user), NEXUS, "giraffe").await, [""; 0], "{tenant} {user}");
    }
}

#[tokio::test]
async fn a_conversation_is_found_as_it_reads_now_by_those_who_are_of_it() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    let mut ann = server.member(Nexus, "t1", "ann").await;
    let mut ids = Vec::new();
    for text in ["a giraffe", "an elephant", "a lion"] {
        ann.say("zoo", text).await;
        ids.push(ann.hear("ann", "zoo", text).await["message_id"].clone());
    }
    for (kind, id, text) in [("chat.edit", &ids[1], "giraffe, not zebra"), ("chat.delete", &ids[2], "")] {
        let message =
            json!({ "event_type": kind, "conversation_id": "zoo", "message_id": id, "content": text });
        ann.send(&message).await;
        ann.expect(json!({ "event_type": kind, "message_id": id })).await;
    }
    // Of another tenant, in a conversation of the same name, and one that is there and not of this conversation.
    let mut other = server.member(Nexus, "t2", "ben").await;
    other.say("zoo", "their giraffe").await;
    other.hear("ben", "zoo", "their giraffe").await;
    let mut eve = server.member(Nexus, "t1", "eve").await;
    eve.say("garden", "a rose").await;
    eve.hear("eve", "garden", "a rose").await;
    as_it_reads_now(&server).await;
    drop((ann, other, eve));
    // Who is one of a conversation is that after a restart as well.
    let server = server.again(folder.path(), "").await;
    as_it_reads_now(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn who_left_a_conversation_finds_it_no_more_and_rules_are_asked() {
    let rules = "
[[access]]
dialect = 'nexus'
channel = 'conversation:staff'
who = ['role:staff']
allow = ['subscribe', 'publish']
";
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), rules);
    let staff = json!({ "sub": "ann", "tenantId": "t1", "roles": ["staff"] });
    let mut ann = server.speaker_with(Nexus, staff.clone()).await;
    for conversation in ["staff", "zoo"] {
        ann.say(conversation, "a heron").await;
        ann.hear("ann", conversation, "a heron").await;
    }
    becomes(&server, staff.clone(), NEXUS, "heron", &["a heron", "a heron"]).await;
    // Without the role it may not hear the one.
    assert_eq!(found(&server, of("t1", "ann"), NEXUS, "heron").await, ["a heron"]);
    ann.send(&Nexus.leave("zoo")).await;
    ann.expect(Nexus.left("zoo")).await;
    ann.settle().await;
    assert_eq!(found(&server, of("t1", "ann"), NEXUS, "heron").await, [""; 0]);
    assert_eq!(found(&server, staff, NEXUS, "heron").await, ["a heron"]);
    server.stop().await;
}

#[tokio::test]
async fn gator_finds_what_was_said_where_one_is() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    let mut ann = server.member(Gator, "t1", "ann").await;
    let mut eve = server.member(Gator, "t1", "eve").await;
    ann.join("pond").await;
    eve.join("lake").await;
    ann.say("pond", "an otter").await;
    ann.hear("ann", "pond", "an otter").await;
    becomes(&server, of("t1", "ann"), GATOR, "otter", &["an otter"]).await;
    assert_eq!(found(&server, of("t1", "eve"), GATOR, "otter").await, [""; 0]);
    assert_eq!(found(&server, of("t2", "ann"), GATOR, "otter").await, [""; 0]);
    for wrong in ["", "?q=", "?q=%20", "?q=otter&limit=0"] {
        let answer = server.rest_as(of("t1", "ann"), "GET", &format!("{GATOR}{wrong}"), None).await;
        assert!(matches!(answer.status, 400 | 422), "{wrong}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn words_are_words_and_no_language_of_queries() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    let mut ann = server.member(Sge, "t1", "ann").await;
    let chat = |text: &str| json!({ "type": "ChatMessage", "message": { "to": "ben", "message": text } });
    for text in ["say \"NEAR\" to me", "colour: OR red", "Über die Brücke"] {
        ann.send(&chat(text)).await;
        ann.expect(chat(text)).await;
    }
    becomes(&server, of("t1", "ann"), SGE, "near", &["say \"NEAR\" to me"]).await;
    becomes(&server, of("t1", "ann"), SGE, "OR%20red", &["colour: OR red"]).await;
    becomes(&server, of("t1", "ann"), SGE, "%C3%BCber", &["Über die Brücke"]).await;
    for odd in ["%22", "%22near", "a*", "NOT", "(", "near(", "colour:", "-red", "%27--", "^", "%7B%7D"] {
        // Whatever it finds, it is no error and nobody else's.
        for text in found(&server, of("t1", "ann"), SGE, odd).await {
            assert!(
                text.contains("NEAR") || text.contains("colour") || text.contains("Über"),
                "{odd}: {text}"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_store_it_is_said_that_there_is_none() {
    let server = TestServer::start("");
    for path in [SGE, NEXUS, GATOR] {
        let answer = server.rest_as(of("t1", "ann"), "GET", &format!("{path}?q=word"), None).await;
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
    }
}
