//! What each message means, and what is said to each wrong one.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::MAX_NAME_BYTES;
use crate::dialect::json_strategy::{any_json, long_request, no_strings, requests, sinces};

const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

fn limited<R>(text: &str, max: usize, see: impl FnOnce(Result<Request, Refusal>) -> R) -> R {
    let mut original = b"of the message before".to_vec();
    see(decode(&mut text.as_bytes().to_vec(), &mut original, &mut JsonScratch::new(), max))
}

fn means(message: Value, expected: Request) {
    let text = message.to_string();
    limited(&text, 0, |got| assert_eq!(got, Ok(expected), "{text}"));
}

fn refusal(text: &str) -> Refusal {
    limited(text, 0, |got| got.expect_err(text))
}

fn id() -> MessageId {
    MessageId::parse(ID).unwrap()
}

fn speech(text: &str, verbatim: &str) -> Speech<'static> {
    Speech { text: Cow::Owned(text.into()), verbatim: Some(verbatim.into()), ..Speech::default() }
}

fn presence<'a>(status: Option<Status>, message: Option<&'a str>, location: Option<&'a str>) -> Request<'a> {
    Request::SetPresence { user: None, status, message, location }
}

/// One legal message of each kind, the document's own where it has one.
fn each_kind() -> Vec<Value> {
    vec![
        json!({"event_type": "chat.message", "conversation_id": "conv_123", "content": "Hello everyone!",
            "content_type": "text", "mentions": ["user456"], "attachments": []}),
        json!({"event_type": "room.broadcast", "room_id": "room_general", "message": "m", "content": "c",
            "username": "John Doe"}),
        json!({"event_type": "chat.typing", "conversation_id": "conv_123", "is_typing": true, "username": "John Doe"}),
        json!({"event_type": "chat.read", "conversation_id": "conv_123", "message_id": ID}),
        json!({"event_type": "chat.edit", "conversation_id": "conv_123", "message_id": ID, "content": "x"}),
        json!({"event_type": "chat.delete", "conversation_id": "conv_123", "message_id": ID}),
        json!({"event_type": "room.join", "room_id": "room_general", "username": "John Doe"}),
        json!({"event_type": "room.leave", "room_id": "room_general", "username": "John Doe"}),
        json!({"event_type": "presence.update", "status": "away", "status_message": "In a meeting",
            "location": "Meeting Room"}),
        json!({"event_type": "presence.busy", "status_message": "s", "location": "l"}),
        json!({"event_type": "ping"}),
        json!({"event_type": "pong"}),
        json!({"event_type": "disconnect"}),
        json!({"event_type": "notification.read", "notification_id": ID}),
        json!({"event_type": "notification.clear", "notification_id": ID}),
        json!({"event_type": "custom.action", "data": [1, {"x": null}]}),
        json!({"event_type": "room.join", "room_id": "r", "since": "00000000000000ab:7"}),
        json!({"event_type": "chat.message", "conversation_id": "c", "content": "x", "message_id": "m-1"}),
        json!({"event_type": "room.broadcast", "room_id": "r", "message": "m", "message_id": "m-1"}),
    ]
}

#[test]
fn the_documents_chat_messages() {
    let text = r#"{"event_type": "chat.message", "conversation_id": "conv_123", "content": "Hello, World!",
        "content_type": "text"}"#;
    let plain = Speech::plain("Hello, World!");
    let place = Address::Conversation("conv_123");
    limited(text, 0, |got| assert_eq!(got, Ok(Request::Publish { place, speech: plain })));

    let full = speech("Hello everyone!", r#""content_type":"text","mentions":["user456"],"attachments":[]"#);
    let full = Speech { mentions: vec!["user456"], ..full };
    means(each_kind()[0].clone(), Request::Publish { place, speech: full });

    let bare =
        json!({"event_type": "chat.message", "conversation_id": "test_conv", "content": "Test message"});
    let speech = Speech::plain("Test message");
    means(bare, Request::Publish { place: Address::Conversation("test_conv"), speech });
}

#[test]
fn what_goes_with_a_chat_message_is_relayed_as_it_was_written() {
    let text = r#"{"attachments":[1],"event_type":"chat.message","conversation_id":"c","content":"x",
        "m\u0065ntions" : ["\u0061",  "b"],"content_type":"te\u0078t/é",
        "attachments" : [ {"url":"\/a","size":1.50e2}, null ] }"#;
    let verbatim = r#""content_type":"te\u0078t/é","mentions":["\u0061",  "b"],"attachments":[ {"url":"\/a","size":1.50e2}, null ]"#;
    let speech = Speech { mentions: vec!["a", "b"], ..speech("x", verbatim) };
    let place = Address::Conversation("c");
    limited(text, 0, |got| assert_eq!(got, Ok(Request::Publish { place, speech })));
}

#[test]
fn absent_null_and_empty_are_one_and_the_same() {
    let place = Address::Conversation("c");
    let text = r#"{"event_type":"chat.message","conversation_id":"c","content":"x","content_type":null,
        "mentions":["a"],"mentions":null,"attachments":null}"#;
    limited(text, 0, |got| assert_eq!(got, Ok(Request::Publish { place, speech: Speech::plain("x") })));
    // The same where something else makes the server repeat it.
    let with = text.replace("\"attachments\":null", "\"attachments\":[1]");
    let verbatim = r#""content_type":"text","mentions":[],"attachments":[1]"#;
    limited(&with, 0, |got| assert_eq!(got, Ok(Request::Publish { place, speech: speech("x", verbatim) })));
    let chat =
        json!({"event_type": "chat.message", "conversation_id": "c", "content": "x", "content_type": ""});
    means(chat, Request::Publish { place, speech: Speech::plain("x") });
    let join = json!({"event_type": "room.join", "room_id": "r", "username": ""});
    means(join, Request::Join { place: Address::Room("r"), password: None, username: None, since: None });
}

#[test]
fn a_broadcast_says_the_same_in_both_fields() {
    for (given, text, verbatim) in [
        (json!({"message": "m"}), "m", r#""message":"m","content":"m""#),
        (json!({"content": "c"}), "c", r#""message":"c","content":"c""#),
        (json!({"message": "m", "content": "c"}), "m", r#""message":"m","content":"c""#),
        (json!({"message": "", "content": "c"}), "c", r#""message":"c","content":"c""#),
        (json!({"message": null, "content": "c"}), "c", r#""message":"c","content":"c""#),
        (
            json!({"message": "\"\n", "username": "John \"Doe\""}),
            "\"\n",
            r#""message":"\"\n","content":"\"\n","username":"John \"Doe\"""#,
        ),
    ] {
        let mut message = json!({"event_type": "room.broadcast", "room_id": "r"});
        for (key, value) in given.as_object().unwrap() {
            message[key] = value.clone();
        }
        let speech = Speech { manner: Manner::Broadcast, ..speech(text, verbatim) };
        means(message, Request::Publish { place: Address::Room("r"), speech });
    }
    for text in [
        r#"{"event_type":"room.broadcast","room_id":"r"}"#,
        r#"{"event_type":"room.broadcast","room_id":"r","message":"","content":""}"#,
    ] {
        assert_eq!(refusal(text).text, "Field \"message\" must be a non-empty string");
    }
}

#[test]
fn a_message_has_a_name_of_its_senders() {
    for (given, request) in requests() {
        let request = request.as_deref();
        let message = json!({"event_type": "chat.message", "conversation_id": "c", "content": "x", "message_id": given});
        let said = Speech { request, ..Speech::plain("x") };
        means(message, Request::Publish { place: Address::Conversation("c"), speech: said });
        let message =
            json!({"event_type": "room.broadcast", "room_id": "r", "message": "m", "message_id": given});
        let said = speech("m", r#""message":"m","content":"m""#);
        let said = Speech { manner: Manner::Broadcast, request, ..said };
        means(message, Request::Publish { place: Address::Room("r"), speech: said });
    }
    for kind in [17, 18] {
        let mut message = each_kind()[kind].clone();
        message["message_id"] = long_request().into();
        let said = "Field \"message_id\" has 129 bytes, at most 128 are allowed";
        assert_eq!(refusal(&message.to_string()), Refusal::new(Code::TooLarge, said));
    }
}

#[test]
fn a_join_says_since_when() {
    for (given, since) in sinces() {
        let join = json!({"event_type": "room.join", "room_id": "r", "since": given});
        means(join, Request::Join { place: Address::Room("r"), password: None, username: None, since });
    }
    for wrong in no_strings() {
        let leave = json!({"event_type": "room.leave", "room_id": "r", "since": wrong});
        means(leave, Request::Leave { place: Address::Room("r"), username: None });
    }
}

#[test]
fn the_other_messages() {
    let kinds = each_kind();
    let place = Address::Conversation("conv_123");
    let username = Some("John Doe");
    let to = Reader::Channel(place);
    means(kinds[2].clone(), Request::Typing { to, from: None, username, on: true });
    means(kinds[3].clone(), Request::Read { place, message: id() });
    means(kinds[4].clone(), Request::Edit { place, message: id(), text: "x" });
    means(kinds[5].clone(), Request::Delete { place, message: id() });
    let room = Address::Room("room_general");
    means(kinds[6].clone(), Request::Join { place: room, password: None, username, since: None });
    means(kinds[7].clone(), Request::Leave { place: room, username });
    means(kinds[8].clone(), presence(Some(Status::Away), Some("In a meeting"), Some("Meeting Room")));
    means(kinds[10].clone(), Request::Ping);
    means(kinds[11].clone(), Request::Pong);
    means(kinds[12].clone(), Request::Goodbye);
    means(kinds[13].clone(), Request::NotificationRead { id: id() });
    means(kinds[14].clone(), Request::NotificationClear { id: Some(id()) });
    means(json!({"event_type": "notification.clear"}), Request::NotificationClear { id: None });
}

#[test]
fn each_status_and_its_shorthand() {
    for status in [Status::Online, Status::Away, Status::Busy, Status::Offline] {
        let word = status.as_str();
        means(json!({"event_type": "presence.update", "status": word}), presence(Some(status), None, None));
        means(json!({"event_type": format!("presence.{word}")}), presence(Some(status), None, None));
        let full = json!({"event_type": format!("presence.{word}"), "status_message": "s", "location": "l"});
        means(full, presence(Some(status), Some("s"), Some("l")));
    }
    means(json!({"event_type": "presence.update", "status_message": "s"}), presence(None, Some("s"), None));
    means(json!({"event_type": "presence.update", "location": "l"}), presence(None, None, Some("l")));
    means(json!({"event_type": "presence.update", "status_message": ""}), presence(None, None, None));
}

#[test]
fn what_only_the_server_says_is_no_request() {
    for kind in [
        "connect",
        "error",
        "system.message",
        "chat.delivered",
        "notification",
        "presence.gone",
        "Ping",
        "",
        "doc",
    ] {
        means(json!({"event_type": kind}), Request::Custom { kind });
    }
}

#[test]
fn documents_are_not_served_yet() {
    for kind in ["doc.open", "doc.edit", "doc.cursor", "doc.anything"] {
        let refusal = refusal(&json!({"event_type": kind, "document_id": "d"}).to_string());
        assert_eq!(refusal, NO_DOCUMENTS);
    }
}

#[test]
fn what_is_no_object_is_malformed() {
    for text in ["", " ", "{not json", "[]", "\"x\"", "null", "7", r#"{"event_type":"ping"}{}"#] {
        assert_eq!(refusal(text), MALFORMED, "{text}");
    }
    let bytes = b"{\"event_type\":\"chat.message\",\"conversation_id\":\"c\",\"content\":\"\xff\"}";
    let got = decode(&mut bytes.to_vec(), &mut Vec::new(), &mut JsonScratch::new(), 0).map(|_| ());
    assert_eq!(got, Err(MALFORMED));
}

#[test]
fn every_refusal_names_the_field() {
    let chat =
        |more: &str| format!(r#"{{"event_type":"chat.message","conversation_id":"c","content":"x",{more}}}"#);
    let cases = [
        ("{}".to_string(), "event_type", "a string"),
        (r#"{"type":"chat.message"}"#.into(), "event_type", "a string"),
        (r#"{"event_type":7}"#.into(), "event_type", "a string"),
        (r#"{"event_type":null}"#.into(), "event_type", "a string"),
        (chat(r#""conversation_id":5"#), "conversation_id", "a string"),
        (chat(r#""conversation_id":"""#), "conversation_id", "a non-empty string"),
        (chat(r#""conversation_id":null"#), "conversation_id", "a non-empty string"),
        (chat(r#""content":5"#), "content", "a string"),
        (chat(r#""content":"""#), "content", "a non-empty string"),
        (chat(r#""content":null"#), "content", "a non-empty string"),
        (chat(r#""content_type":{}"#), "content_type", "a string"),
        (chat(r#""mentions":"user456""#), "mentions", "an array of strings of 1 to 256 bytes"),
        (chat(r#""mentions":[7]"#), "mentions", "an array of strings of 1 to 256 bytes"),
        (chat(r#""mentions":[""]"#), "mentions", "an array of strings of 1 to 256 bytes"),
        (chat(r#""attachments":{}"#), "attachments", "an array"),
        (chat(r#""attachments":"[]""#), "attachments", "an array"),
    ];
    for (text, field, what) in cases {
        let want = Refusal::with(Code::InvalidField, format!("Field \"{field}\" must be {what}"));
        assert_eq!(refusal(&text), want, "{text}");
    }
}

/// Each kind with each of its fields, and what is wrong with a missing one; `""`: nothing.
const FIELDS: &[(usize, &str, &str)] = &[
    (1, "room_id", "a non-empty string"),
    (1, "username", ""),
    (2, "conversation_id", "a non-empty string"),
    (2, "is_typing", "true or false"),
    (2, "username", ""),
    (3, "conversation_id", "a non-empty string"),
    (3, "message_id", "a non-empty string"),
    (4, "conversation_id", "a non-empty string"),
    (4, "message_id", "a non-empty string"),
    (4, "content", "a non-empty string"),
    (5, "conversation_id", "a non-empty string"),
    (5, "message_id", "a non-empty string"),
    (6, "room_id", "a non-empty string"),
    (6, "username", ""),
    (7, "room_id", "a non-empty string"),
    (7, "username", ""),
    (8, "status", ""),
    (8, "status_message", ""),
    (8, "location", ""),
    (9, "status_message", ""),
    (9, "location", ""),
    (13, "notification_id", "a non-empty string"),
    (14, "notification_id", ""),
    (16, "since", ""),
    (17, "message_id", ""),
    (18, "message_id", ""),
];

#[test]
fn each_field_missing_or_of_another_type() {
    for &(kind, field, what) in FIELDS {
        let whole = each_kind()[kind].clone();
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove(field);
        limited(&without.to_string(), 0, |got| match what {
            "" => assert!(got.is_ok(), "{without}"),
            what => {
                let want = Refusal::with(Code::InvalidField, format!("Field \"{field}\" must be {what}"));
                assert_eq!(got, Err(want), "{without}");
            }
        });
        for wrong in [json!(5), json!(-1.5), json!([]), json!(["x"]), json!({}), json!("yes"), json!(true)] {
            let fits = if field == "is_typing" { wrong.is_boolean() } else { wrong.is_string() };
            if fits {
                continue;
            }
            let mut message = whole.clone();
            message[field] = wrong;
            let refusal = refusal(&message.to_string());
            assert_eq!(refusal.code, Code::InvalidField, "{message}");
            assert!(
                refusal.text.starts_with(&format!("Field \"{field}\" must be ")),
                "{message}: {}",
                refusal.text
            );
        }
    }
    for status in ["asleep", "Online", ""] {
        let refusal = refusal(&json!({"event_type": "presence.update", "status": status}).to_string());
        assert_eq!(refusal.text, "Field \"status\" must be one of online, offline, away, busy");
    }
    let refusal = refusal(r#"{"event_type":"presence.update"}"#);
    assert_eq!(refusal.text, "Field \"status\" must be one of online, offline, away, busy");
}

#[test]
fn an_id_that_is_none_is_not_found() {
    for kind in ["chat.read", "chat.edit", "chat.delete"] {
        for id in ["m1", "67e5504410b1426f9247bb680e5fe0c8", &ID[1..]] {
            let message =
                json!({"event_type": kind, "conversation_id": "c", "message_id": id, "content": "x"});
            assert_eq!(refusal(&message.to_string()), Refusal::new(Code::NotFound, "Message not found"));
        }
    }
    for kind in ["notification.read", "notification.clear"] {
        let message = json!({"event_type": kind, "notification_id": "n1"});
        assert_eq!(refusal(&message.to_string()), Refusal::new(Code::NotFound, "Notification not found"));
    }
}

#[test]
fn a_name_of_n_bytes_passes_and_n_plus_1_does_not() {
    for (kind, field) in [
        (0, "conversation_id"),
        (0, "content_type"),
        (1, "room_id"),
        (1, "username"),
        (2, "conversation_id"),
        (2, "username"),
        (6, "room_id"),
        (6, "username"),
        (7, "room_id"),
        (8, "status_message"),
        (8, "location"),
        (9, "status_message"),
    ] {
        let mut message = each_kind()[kind].clone();
        message[field] = "é".repeat(MAX_NAME_BYTES / 2).into();
        limited(&message.to_string(), 0, |got| assert!(got.is_ok(), "{kind} {field}"));
        message[field] = format!("{}x", "é".repeat(MAX_NAME_BYTES / 2)).into();
        let refusal = refusal(&message.to_string());
        assert_eq!(refusal.text, format!("Field \"{field}\" has 257 bytes, at most 256 are allowed"));
        assert_eq!(refusal.code, Code::TooLarge);
    }
}

#[test]
fn content_of_n_characters_passes_and_n_plus_1_does_not() {
    for (kind, field) in [(0, "content"), (1, "message"), (1, "content"), (4, "content")] {
        for unit in ["x", "é", "😀", "\n"] {
            let mut message = each_kind()[kind].clone();
            message[field] = unit.repeat(10).into();
            limited(&message.to_string(), 10, |got| assert!(got.is_ok(), "{message}"));
            message[field] = format!("{}y", unit.repeat(10)).into();
            limited(&message.to_string(), 10, |got| {
                let said = format!("Field \"{field}\" has 11 characters, at most 10 are allowed");
                assert_eq!(got, Err(Refusal::with(Code::TooLarge, said)));
            });
            limited(&message.to_string(), 0, |got| assert!(got.is_ok()));
        }
    }
}

#[test]
fn as_many_mentions_as_allowed_and_one_more() {
    let mentions = |count: usize| {
        let mut message = each_kind()[0].clone();
        message["mentions"] = vec!["u"; count].into();
        message.to_string()
    };
    limited(&mentions(100), 0, |got| assert!(got.is_ok()));
    let said = "Field \"mentions\" has 101 items, at most 100 are allowed";
    assert_eq!(refusal(&mentions(101)), Refusal::new(Code::TooLarge, said));
}

#[test]
fn each_message_cut_at_each_byte_is_malformed() {
    for message in each_kind() {
        let text = message.to_string();
        for end in 0..text.len() {
            assert_eq!(refusal(&text[..end]), MALFORMED);
        }
    }
}

#[test]
fn hostile_text_is_malformed_and_the_buffers_go_on() {
    let (mut scratch, mut original) = (JsonScratch::new(), Vec::new());
    for unit in ["[", "{\"event_type\":", "\"\\", "{\"event_type\":\"ping\",", "\u{feff}", "0"] {
        let mut text = unit.repeat((1 << 20) / unit.len()).into_bytes();
        assert_eq!(decode(&mut text, &mut original, &mut scratch, 0), Err(MALFORMED));
    }
    let mut text = br#"{"event_type":"ping"}"#.to_vec();
    assert_eq!(decode(&mut text, &mut original, &mut scratch, 0), Ok(Request::Ping));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&mut bytes, &mut Vec::new(), &mut JsonScratch::new(), 10);
    }

    #[test]
    fn a_damaged_message_is_refused_or_read(kind in 0..19usize, at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = each_kind()[kind].to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&mut bytes, &mut Vec::new(), &mut JsonScratch::new(), 10);
    }

    #[test]
    fn attachments_of_any_kind_are_relayed_byte_for_byte(
        attachments in proptest::collection::vec(any_json(), 0..4),
        text in "\\PC{1,40}",
        pretty: bool,
    ) {
        let none = attachments.is_empty();
        let written = Value::from(attachments);
        let written = if pretty { format!("{written:#}") } else { written.to_string() };
        let content = Value::from(text.as_str());
        let message = format!(
            r#"{{"event_type":"chat.message","attachments" : {written} ,"conversation_id":"c","content":{content}}}"#
        );
        let want = format!(r#""content_type":"text","mentions":[],"attachments":{written}"#);
        let speech = if none { Speech::plain(&text) } else { speech(&text, &want) };
        limited(&message, 0, |got| {
            assert_eq!(got, Ok(Request::Publish { place: Address::Conversation("c"), speech }));
        });
    }
}
