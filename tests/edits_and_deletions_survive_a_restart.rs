//! An edited message is what it was changed to, and a deleted one is gone, for whoever reads the history or comes back,
//! before a restart and after it; and only its author may change it, however old it is.

mod support;

use serde_json::{Value, json};
use support::{Folder, Nexus, Place, Sge, Speaker, TestServer, join_since, place, seq};

/// SGE reads the history of the rooms that NEXUS edits in.
const SETTINGS: &str = "[nexus]\nrealm = 'one'\npresence_broadcast = false\n[sge]\nrealm = 'one'";

async fn texts(server: &TestServer) -> Value {
    let path = "/xmpp/messages?with=group:conv&limit=500";
    let page = server.rest_as(json!({ "sub": "ann" }), "GET", path, None).await.json();
    let texts =
        page["messages"].as_array().expect("messages").iter().map(|m| m["message"]["message"].clone());
    texts.collect()
}

fn about(kind: &str, id: &Value, content: &str) -> Value {
    json!({ "event_type": kind, "conversation_id": "conv", "message_id": id, "content": content })
}

/// What one is told who has missed all of it.
async fn missed(server: &TestServer, user: &str, epoch: &str) -> Vec<(Option<u64>, String, Value)> {
    let mut late = server.numbered(Nexus, user).await;
    let since = Place { epoch: epoch.into(), seq: 0 };
    late.send(&join_since(Nexus, "conv", &since)).await;
    let joined = late.expect(Nexus.joined("conv")).await;
    let head = place(Nexus, &joined);
    assert_eq!(head.epoch, epoch);
    let mut told = Vec::new();
    while told.last().is_none_or(|(seq, _, _)| *seq != Some(head.seq)) {
        let event = late.next_is(json!({ "conversation_id": "conv" })).await;
        let kind = event["event_type"].as_str().expect("a type").to_owned();
        told.push((seq(Nexus, &event), kind, event["content"].clone()));
    }
    late.expect_no_more().await;
    late.close().await;
    told
}

async fn say(speaker: &mut Speaker, text: &str) -> Value {
    let user = speaker.user.clone();
    speaker.say("conv", text).await;
    speaker.hear(&user, "conv", text).await["message_id"].clone()
}

#[tokio::test]
async fn history_and_recovery_show_what_became_of_each_message() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), SETTINGS);
    let mut ann = server.numbered(Nexus, "ann").await;
    ann.send(&Nexus.join("conv")).await;
    let epoch = place(Nexus, &ann.expect(Nexus.joined("conv")).await).epoch;
    let mut ids = Vec::new();
    for text in ["one", "two", "three", "four"] {
        ids.push(say(&mut ann, text).await);
    }
    for message in [about("chat.edit", &ids[1], "two, edited"), about("chat.delete", &ids[2], "")] {
        ann.send(&message).await;
        ann.expect(json!({ "event_type": message["event_type"], "message_id": message["message_id"] })).await;
    }
    let wanted = json!(["one", "two, edited", "four"]);
    assert_eq!(texts(&server).await, wanted);
    let told = [
        (Some(1), "chat.message".to_owned(), json!("one")),
        (Some(2), "chat.message".to_owned(), json!("two, edited")),
        (Some(4), "chat.message".to_owned(), json!("four")),
        (Some(5), "chat.edit".to_owned(), json!("two, edited")),
        (Some(6), "chat.delete".to_owned(), Value::Null),
    ];
    assert_eq!(missed(&server, "late", &epoch).await, told);
    drop(ann);
    let server = server.again(folder.path(), SETTINGS).await;
    // From the disk, and then from the memory that was filled from it.
    for user in ["later", "latest"] {
        assert_eq!(texts(&server).await, wanted);
        assert_eq!(missed(&server, user, &epoch).await, told);
    }
    let mut eve = server.speaker(Nexus, "eve").await;
    eve.join("conv").await;
    for kind in ["chat.edit", "chat.delete"] {
        eve.send(&about(kind, &ids[0], "mine now")).await;
        eve.refused("Only the author may change a message").await;
    }
    let mut ann = server.numbered(Nexus, "ann").await;
    ann.join("conv").await;
    ann.send(&about("chat.edit", &ids[2], "back again")).await;
    ann.refused("Message not found").await;
    ann.send(&about("chat.edit", &ids[0], "one, edited")).await;
    assert_eq!(ann.expect(json!({ "event_type": "chat.edit", "message_id": ids[0] })).await["seq"], 7);
    ann.send(&about("chat.delete", &ids[3], "")).await;
    assert_eq!(ann.expect(json!({ "event_type": "chat.delete", "message_id": ids[3] })).await["seq"], 8);
    let wanted = json!(["one, edited", "two, edited"]);
    assert_eq!(texts(&server).await, wanted);
    drop((ann, eve));
    let server = server.again(folder.path(), SETTINGS).await;
    assert_eq!(texts(&server).await, wanted);
    server.stop().await;
}

/// Without a store the same holds while the process lives.
#[tokio::test]
async fn without_a_store_too_while_the_process_lives() {
    let server = TestServer::start(SETTINGS);
    let mut ann = server.numbered(Nexus, "ann").await;
    ann.send(&Nexus.join("conv")).await;
    let epoch = place(Nexus, &ann.expect(Nexus.joined("conv")).await).epoch;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(say(&mut ann, text).await);
    }
    for message in [about("chat.edit", &ids[1], "two, edited"), about("chat.delete", &ids[2], "")] {
        ann.send(&message).await;
        ann.expect(json!({ "event_type": message["event_type"], "message_id": message["message_id"] })).await;
    }
    assert_eq!(texts(&server).await, json!(["one", "two, edited"]));
    let told = missed(&server, "late", &epoch).await;
    assert_eq!(told.iter().map(|(seq, _, _)| seq.unwrap_or(0)).collect::<Vec<_>>(), [1, 2, 4, 5]);
    let _sge = server.speaker(Sge, "ann").await;
}
