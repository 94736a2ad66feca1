//! What each message means, and what is said to each wrong one.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::json_strategy::{long_request, no_strings, requests, sinces};
use crate::model::Code;

fn heard<R>(text: &str, see: impl FnOnce(Heard) -> R) -> R {
    let mut original = b"of the message before".to_vec();
    see(decode(&mut text.as_bytes().to_vec(), &mut original, &mut JsonScratch::new()))
}

/// The same flat and in an envelope, with a tag and without.
fn means(message: Value, expected: Request) {
    let mut payload = message.clone();
    let kind = payload.as_object_mut().unwrap().remove("type").unwrap();
    for tag in [None, Some(json!("m\"1")), Some(json!("")), Some(json!(-7))] {
        let mut flat = message.clone();
        let mut envelope = json!({"type": kind, "payload": payload});
        if let Some(tag) = &tag {
            flat["id"] = tag.clone();
            envelope["id"] = tag.clone();
        }
        let tag: Option<Box<str>> = tag.map(|tag| tag.to_string().into());
        for text in [flat.to_string(), envelope.to_string()] {
            heard(&text, |got| {
                assert_eq!(got.tag, tag, "{text}");
                assert_eq!(got.request, Ok(expected.clone()), "{text}");
            });
        }
    }
}

fn refusal(text: &str) -> Refusal {
    heard(text, |got| got.request.expect_err(text))
}

fn must(text: &str, field: &str, what: &str) {
    let want = Refusal::with(Code::InvalidField, format!("Field \"{field}\" must be {what}"));
    assert_eq!(refusal(text), want, "{text}");
}

fn chat(kind: &str) -> Value {
    json!({"type": "ChatMessage", "message": {"from": "user123", "to": "user456", "message": "Hello, how are you?",
        "timestamp": 1_732_147_200_123_u64, "message_type": kind}})
}

/// One legal message of each kind, the document's own where it has one.
fn each_kind() -> Vec<Value> {
    vec![
        json!({"type": "PresenceUpdate", "user_id": "user123", "status": "online",
            "status_message": "Available for chat"}),
        json!({"type": "Subscribe", "channel": "presence:user123"}),
        json!({"type": "Unsubscribe", "channel": "chat:user123"}),
        chat("chat"),
        json!({"type": "Typing", "from": "user123", "to": "user456", "typing": true}),
        json!({"type": "Ping"}),
        json!({"type": "Auth", "token": "t"}),
        json!({"type": "RosterGet"}),
        json!({"type": "RosterUpdate", "contact": {"user_id": "f", "name": "A Friend", "groups": ["work"]}}),
        json!({"type": "RosterRemove", "user_id": "f"}),
        json!({"type": "Custom", "data": [1, {"x": null}]}),
        json!({"type": "Subscribe", "channel": "group:g", "since": "00000000000000ab:7"}),
        json!({"type": "ChatMessage", "message": {"to": "b", "message": "x", "id": "m-1"}}),
    ]
}

#[test]
fn channels_of_each_type() {
    for (channel, place) in [
        ("user:u", Address::Inbox("u")),
        ("presence:user456", Address::Presence("user456")),
        ("chat:user123", Address::Chat("user123")),
        ("group:g", Address::Group("g")),
        ("group:a:b", Address::Group("a:b")),
        ("group:system", Address::Group("system")),
        ("system", Address::System),
        ("notifications", Address::Named("notifications")),
        ("System", Address::Named("System")),
        ("room:x", Address::Foreign("room:x")),
        ("Group:x", Address::Foreign("Group:x")),
        ("group:", Address::Foreign("group:")),
        (":", Address::Foreign(":")),
        (":x", Address::Foreign(":x")),
        ("system:", Address::Foreign("system:")),
    ] {
        let join = Request::Join { place, password: None, username: None, since: None };
        means(json!({"type": "Subscribe", "channel": channel}), join);
        means(json!({"type": "Unsubscribe", "channel": channel}), Request::Leave { place, username: None });
    }
}

#[test]
fn a_chat_message_is_kept_as_it_was_written() {
    for (kind, is_direct) in [("chat", true), ("groupchat", false), ("muc", false)] {
        let verbatim = Some(chat(kind)["message"].to_string().into());
        let text = Cow::Borrowed("Hello, how are you?");
        let speech = Speech { text, from: Some("user123"), verbatim, ..Speech::default() };
        let expected = match is_direct {
            true => Request::Direct { to: "user456", speech },
            false => Request::Publish { place: Address::Group("user456"), speech },
        };
        means(chat(kind), expected);
    }
}

#[test]
fn a_chat_message_with_nothing_but_words() {
    let verbatim = Some(r#""message":"hi","to":"b","message_type":"chat""#.into());
    let speech = Speech { text: Cow::Borrowed("hi"), verbatim, ..Speech::default() };
    means(
        json!({"type": "ChatMessage", "message": {"message": "hi", "to": "b"}}),
        Request::Direct { to: "b", speech },
    );
}

#[test]
fn a_message_has_a_name_of_its_senders() {
    for (given, request) in requests() {
        for kind in ["chat", "groupchat"] {
            let mut message = chat(kind);
            message["message"]["id"] = given.clone();
            let verbatim = Some(message["message"].to_string().into());
            let text = Cow::Borrowed("Hello, how are you?");
            let request = request.as_deref();
            let speech = Speech { text, from: Some("user123"), request, verbatim, ..Speech::default() };
            let expected = match kind {
                "chat" => Request::Direct { to: "user456", speech },
                _ => Request::Publish { place: Address::Group("user456"), speech },
            };
            means(message, expected);
        }
    }
    let mut message = chat("chat");
    message["message"]["id"] = long_request().into();
    let said = "Field \"id\" has 129 bytes, at most 128 are allowed";
    assert_eq!(refusal(&message.to_string()), Refusal::new(Code::TooLarge, said));
}

#[test]
fn an_id_that_is_no_string_is_one_of_the_members_that_are_only_relayed() {
    for id in no_strings() {
        let mut message = chat("chat");
        message["message"]["id"] = id;
        heard(&message.to_string(), |got| {
            let Ok(Request::Direct { speech, .. }) = got.request else { panic!("{message}") };
            assert_eq!(speech.request, None);
            assert_eq!(speech.verbatim.as_deref(), Some(&*message["message"].to_string()));
        });
    }
    // The message's own name is the inner one; the outer one is said back.
    let text = r#"{"type":"ChatMessage","id":"tag","message":{"to":"b","message":"x"}}"#;
    heard(text, |got| {
        let Ok(Request::Direct { speech, .. }) = got.request else { panic!("{text}") };
        assert_eq!((got.tag.as_deref(), speech.request), (Some("\"tag\""), None));
    });
}

#[test]
fn a_subscription_says_since_when() {
    for (given, since) in sinces() {
        let place = Address::Group("g");
        let join = Request::Join { place, password: None, username: None, since };
        means(json!({"type": "Subscribe", "channel": "group:g", "since": given}), join);
    }
    for wrong in no_strings() {
        must(&json!({"type": "Subscribe", "channel": "g", "since": wrong}).to_string(), "since", "a string");
        let leave = json!({"type": "Unsubscribe", "channel": "g", "since": wrong});
        means(leave, Request::Leave { place: Address::Named("g"), username: None });
    }
}

#[test]
fn the_other_messages() {
    let kinds = each_kind();
    let status =
        |status, user, message| Request::SetPresence { user, status: Some(status), message, location: None };
    means(kinds[0].clone(), status(Status::Online, Some("user123"), Some("Available for chat")));
    for each in [Status::Online, Status::Away, Status::Busy, Status::Offline] {
        means(json!({"type": "PresenceUpdate", "status": each.as_str()}), status(each, None, None));
        let rest = json!({"type": "PresenceUpdate", "status": each.as_str(), "message": "In meeting"});
        means(rest, status(each, None, Some("In meeting")));
    }
    for on in [true, false] {
        let typing = json!({"type": "Typing", "from": "user123", "to": "user456", "typing": on});
        let (from, username) = (Some("user123"), None);
        means(typing, Request::Typing { to: Reader::User("user456"), from, username, on });
        let typing = json!({"type": "Typing", "to": "group:g", "typing": on});
        let to = Reader::Channel(Address::Group("g"));
        means(typing, Request::Typing { to, from: None, username, on });
        let typing = json!({"type": "Typing", "to": "group:", "typing": on});
        means(typing, Request::Typing { to: Reader::User("group:"), from: None, username, on });
    }
    means(kinds[5].clone(), Request::Ping);
    means(kinds[6].clone(), Request::Authenticate { token: "t" });
    means(json!({"type": "Auth"}), Request::Authenticate { token: "" });
    means(kinds[10].clone(), Request::Custom { kind: "Custom" });
    for kind in ["NoSuchType", "", "ping", "Pong", "PresenceStatus"] {
        means(json!({"type": kind}), Request::Custom { kind });
    }
}

#[test]
fn rosters() {
    means(json!({"type": "RosterGet"}), Request::RosterGet);
    means(json!({"type": "RosterRemove", "user_id": "f"}), Request::RosterRemove { user: "f" });
    let full = Contact { user: "f".into(), name: Some("A Friend".into()), groups: vec!["work".into()] };
    means(each_kind()[8].clone(), Request::RosterUpdate(full));
    let bare = Contact { user: "f".into(), name: None, groups: vec![] };
    means(json!({"type": "RosterUpdate", "contact": {"user_id": "f"}}), Request::RosterUpdate(bare));
}

#[test]
fn the_envelope_counts_before_the_top() {
    let text = r#"{"type":"Subscribe","channel":"top","payload":{"channel":"inner","type":"Ping","id":5}}"#;
    heard(text, |got| {
        assert_eq!(got.tag, None);
        let place = Address::Named("inner");
        assert_eq!(got.request, Ok(Request::Join { place, password: None, username: None, since: None }));
    });
    for payload in ["null", "[]", "\"x\"", "5"] {
        let text = format!(r#"{{"type":"Subscribe","channel":"top","payload":{payload}}}"#);
        let place = Address::Named("top");
        heard(&text, |got| {
            assert_eq!(
                got.request,
                Ok(Request::Join { place, password: None, username: None, since: None }),
                "{text}"
            );
        });
    }
    must(r#"{"type":"Subscribe","channel":"top","payload":{}}"#, "channel", "a non-empty string");
    must(r#"{"payload":{"type":"Ping"}}"#, "type", "a string");
}

#[test]
fn of_equal_keys_the_last_counts() {
    let text = r#"{"type":"ChatMessage","payload":{"message":{}},"payload":{"message":7,"m\u0065ssage":
        {"from":"a","to":"b","message":"x","timestamp":1,"message_type":"chat","x":[ 1.0 ]}},"id":1,"id":2}"#;
    heard(text, |got| {
        assert_eq!(got.tag.as_deref(), Some("2"));
        let Ok(Request::Direct { to: "b", speech }) = got.request else { panic!() };
        let verbatim =
            r#"{"from":"a","to":"b","message":"x","timestamp":1,"message_type":"chat","x":[ 1.0 ]}"#;
        assert_eq!(speech.verbatim.as_deref(), Some(verbatim));
    });
}

#[test]
fn the_id_is_said_back_as_it_was_written() {
    for tag in [r#""m1""#, r#""\u0041\n""#, "0", "-5", "18446744073709551615"] {
        let text = format!(r#"{{"type":"Ping", "id" : {tag} }}"#);
        heard(&text, |got| assert_eq!((got.tag.as_deref(), got.request), (Some(tag), Ok(Request::Ping))));
        let text = format!(r#"{{"id":{tag},"type":"Subscribe"}}"#);
        heard(&text, |got| assert!(got.tag.as_deref() == Some(tag) && got.request.is_err()));
    }
    heard(r#"{"type":"Ping","id":null}"#, |got| {
        assert_eq!((got.tag, got.request), (None, Ok(Request::Ping)))
    });
    for wrong in ["1.5", "1e3", "true", "[]", "{}", r#"["m1"]"#] {
        let text = format!(r#"{{"type":"Ping","id":{wrong}}}"#);
        must(&text, "id", "a string or a whole number");
        heard(&text, |got| assert_eq!(got.tag, None));
    }
}

#[test]
fn what_is_no_object_is_malformed() {
    for text in ["", " ", "{not json", "\"a string\"", "[]", "42", "null", r#"{"type":"Ping"}{}"#] {
        assert_eq!(refusal(text), MALFORMED, "{text}");
    }
    let (mut text, mut original) = (b"{\"type\":\"\xff\"}".to_vec(), Vec::new());
    assert_eq!(decode(&mut text, &mut original, &mut JsonScratch::new()), Err(MALFORMED).into());
}

#[test]
fn every_refusal_names_the_field() {
    let inner = |field: &str, value: Value| {
        let mut message = chat("chat");
        message["message"][field] = value;
        message.to_string()
    };
    for (text, field, what) in [
        ("{}".into(), "type", "a string"),
        (r#"{"type":5}"#.into(), "type", "a string"),
        (r#"{"type":"Subscribe"}"#.into(), "channel", "a non-empty string"),
        (r#"{"type":"Subscribe","channel":""}"#.into(), "channel", "a non-empty string"),
        (r#"{"type":"Subscribe","channel":7}"#.into(), "channel", "a string"),
        (r#"{"type":"Unsubscribe"}"#.into(), "channel", "a non-empty string"),
        (r#"{"type":"ChatMessage"}"#.into(), "message", "an object"),
        (r#"{"type":"ChatMessage","message":"text"}"#.into(), "message", "an object"),
        (r#"{"type":"ChatMessage","message":{}}"#.into(), "to", "a non-empty string"),
        (r#"{"type":"Typing","from":"a","to":"b","typing":"yes"}"#.into(), "typing", "true or false"),
        (r#"{"type":"Typing","to":"b"}"#.into(), "typing", "true or false"),
        (r#"{"type":"Typing","typing":true}"#.into(), "to", "a non-empty string"),
        (r#"{"type":"Typing","to":"b","typing":true,"from":1}"#.into(), "from", "a string"),
        (r#"{"type":"RosterUpdate"}"#.into(), "contact", "an object"),
        (r#"{"type":"RosterUpdate","contact":{"name":"nobody"}}"#.into(), "user_id", "a non-empty string"),
        (r#"{"type":"RosterRemove"}"#.into(), "user_id", "a non-empty string"),
        (r#"{"type":"Auth","token":5}"#.into(), "token", "a string"),
        (inner("message_type", "broadcast".into()), "message_type", "one of chat, groupchat, muc"),
        (inner("message_type", "".into()), "message_type", "one of chat, groupchat, muc"),
        (inner("message_type", 5.into()), "message_type", "a string"),
        (inner("to", Value::Null), "to", "a non-empty string"),
        (inner("to", "".into()), "to", "a non-empty string"),
        (inner("to", 5.into()), "to", "a string"),
        (inner("from", 5.into()), "from", "a string"),
        (inner("message", 5.into()), "message", "a string"),
        (inner("message", Value::Null), "message", "a non-empty string"),
        (inner("message", "".into()), "message", "a non-empty string"),
    ] {
        must(&text, field, what);
    }
    let contact = r#"{"type":"RosterUpdate","contact":{"user_id":"f","groups":"work"}}"#;
    must(contact, "groups", "an array of strings of 1 to 256 bytes");
    for status in [json!("Online"), json!("dnd"), json!(""), Value::Null] {
        let text = json!({"type": "PresenceUpdate", "user_id": "a", "status": status}).to_string();
        must(&text, "status", "one of online, away, busy, offline");
    }
    must(r#"{"type":"PresenceUpdate","status":5}"#, "status", "a string");
    must(r#"{"type":"PresenceUpdate"}"#, "status", "one of online, away, busy, offline");
}

#[test]
fn a_name_of_n_bytes_passes_and_n_plus_1_does_not() {
    let longest = "é".repeat(MAX_NAME_BYTES / 2);
    for (kind, path) in [
        (0, "/user_id"),
        (0, "/status_message"),
        (1, "/channel"),
        (2, "/channel"),
        (3, "/message/from"),
        (3, "/message/to"),
        (4, "/from"),
        (4, "/to"),
        (8, "/contact/user_id"),
        (8, "/contact/name"),
        (9, "/user_id"),
    ] {
        let mut message = each_kind()[kind].clone();
        *message.pointer_mut(path).unwrap() = longest.clone().into();
        heard(&message.to_string(), |got| assert!(got.request.is_ok(), "{kind} {path}"));
        *message.pointer_mut(path).unwrap() = format!("{longest}x").into();
        let field = path.rsplit('/').next().unwrap();
        let said = format!("Field \"{field}\" has 257 bytes, at most 256 are allowed");
        assert_eq!(refusal(&message.to_string()), Refusal::with(Code::TooLarge, said));
    }
    let tagged = |tag: &str| format!(r#"{{"type":"Ping","id":"{tag}"}}"#);
    heard(&tagged(&longest), |got| assert!(got.tag.is_some() && got.request.is_ok()));
    // Escapes count as what they stand for.
    heard(&tagged(&"\\u0041".repeat(MAX_NAME_BYTES)), |got| assert!(got.request.is_ok()));
    assert_eq!(refusal(&tagged(&format!("{longest}x"))).code, Code::TooLarge);
}

#[test]
fn groups_of_a_contact_are_bounded() {
    let contact = |groups: Vec<String>| {
        json!({"type": "RosterUpdate", "contact": {"user_id": "f", "groups": groups}}).to_string()
    };
    heard(&contact(vec!["g".repeat(256); 100]), |got| assert!(got.request.is_ok()));
    assert_eq!(refusal(&contact(vec!["g".into(); 101])).code, Code::TooLarge);
    assert_eq!(refusal(&contact(vec!["g".repeat(257)])).code, Code::InvalidField);
    assert_eq!(refusal(&contact(vec!["".into()])).code, Code::InvalidField);
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
    for unit in ["[", "{\"payload\":", "\"\\", "{\"type\":\"Ping\",", "\u{feff}", "0"] {
        let mut text = unit.repeat((1 << 20) / unit.len()).into_bytes();
        assert_eq!(decode(&mut text, &mut original, &mut scratch), Err(MALFORMED).into());
    }
    let mut text = br#"{"type":"Ping"}"#.to_vec();
    assert_eq!(decode(&mut text, &mut original, &mut scratch).request, Ok(Request::Ping));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&mut bytes, &mut Vec::new(), &mut JsonScratch::new());
    }

    #[test]
    fn a_damaged_message_is_refused_or_read(kind in 0..13usize, at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = each_kind()[kind].to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&mut bytes, &mut Vec::new(), &mut JsonScratch::new());
    }

    #[test]
    fn any_text_arrives_as_it_was_sent(
        to in "\\PC{1,60}",
        text in any::<String>().prop_filter("not empty", |text| !text.is_empty()),
    ) {
        let message = json!({"type": "ChatMessage", "message": {"from": to, "to": to, "message": text}}).to_string();
        heard(&message, |got| {
            let Ok(Request::Direct { to: heard, speech }) = got.request else { panic!("{message}") };
            assert_eq!((heard, &*speech.text, speech.from), (to.as_str(), text.as_str(), Some(to.as_str())));
        });
    }
}
