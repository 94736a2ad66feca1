//! What each message means, and what is said to each wrong one.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::json_strategy::{long_request, no_strings, requests, sinces};
use crate::dialect::unknown_type;

fn to_room<'a>(room: &'a str, text: &'a str) -> Request<'a> {
    Request::Publish { place: Address::Room(room), speech: Speech::plain(text) }
}

fn showing(status: Status) -> Request<'static> {
    Request::SetPresence { user: None, status: Some(status), message: None, location: None }
}

fn with_limits<R>(text: &str, limits: Limits, see: impl FnOnce(Result<Request, Refusal>) -> R) -> R {
    let mut bytes = text.as_bytes().to_vec();
    see(decode(&mut bytes, &mut JsonScratch::new(), &limits))
}

fn means(text: &str, expected: Request) {
    with_limits(text, Limits::default(), |got| assert_eq!(got, Ok(expected), "{text}"));
}

fn refusal_with(text: &str, limits: Limits) -> Refusal {
    with_limits(text, limits, |got| got.expect_err(text))
}

fn refusal(text: &str) -> Refusal {
    refusal_with(text, Limits::default())
}

fn says(text: &str, expected: &str) {
    assert_eq!(refusal(text).text, expected, "{text}");
}

fn broadcast(message: &str) -> String {
    json!({"type": "broadcast", "room": "general", "message": message}).to_string()
}

/// One legal message of each kind, the document's own where it has one.
const EACH_KIND: [&str; 13] = [
    r#"{"type": "auth", "token": "jwt-token-here"}"#,
    r#"{"type": "join_room", "room": "general", "password": "p"}"#,
    r#"{"type": "leave_room", "room": "general"}"#,
    r#"{"type": "broadcast", "room": "general", "message": "Hello everyone!"}"#,
    r#"{"type": "private_message", "to": "user123", "message": "Hello there!"}"#,
    r#"{"type": "presence", "status": "busy"}"#,
    r#"{"type": "ping"}"#,
    r#"{"type": "create_room", "room": "r", "settings": {"max_members": 50, "public": true, "moderated": false, "password": null}}"#,
    r#"{"type": "ack", "id": "0000002a-0000-4000-8000-00000000002b"}"#,
    r#"{"type": "custom_action", "data": [1, {"x": null}]}"#,
    r#"{"type":"join_room","room":"r","since":"00000000000000ab:7"}"#,
    r#"{"type":"broadcast","room":"r","message":"m","id":"m-1"}"#,
    r#"{"type":"private_message","to":"u","message":"m","id":"m-1"}"#,
];

#[test]
fn the_documents_messages() {
    means(EACH_KIND[0], Request::Authenticate { token: "jwt-token-here" });
    means(
        EACH_KIND[1],
        Request::Join { place: Address::Room("general"), password: Some("p"), username: None, since: None },
    );
    means(
        r#"{"type":"join_room","room":"general"}"#,
        Request::Join { place: Address::Room("general"), password: None, username: None, since: None },
    );
    means(EACH_KIND[2], Request::Leave { place: Address::Room("general"), username: None });
    means(EACH_KIND[3], to_room("general", "Hello everyone!"));
    means(EACH_KIND[4], Request::Direct { to: "user123", speech: Speech::plain("Hello there!") });
    for status in [Status::Online, Status::Away, Status::Busy, Status::Offline] {
        let text = format!(r#"{{"type":"presence","status":"{}"}}"#, status.as_str());
        means(&text, showing(status));
    }
    means(EACH_KIND[6], Request::Ping);
    means(EACH_KIND[8], Request::Acknowledge(MessageId::random((0x2a << 96) | 0x2b)));
    means(EACH_KIND[9], Request::Custom { kind: "custom_action" });
}

#[test]
fn what_absence_means() {
    means(r#"{"type":"auth"}"#, Request::Authenticate { token: "" });
    means(r#"{"type":"auth","token":null}"#, Request::Authenticate { token: "" });
    means(r#"{"type":"presence"}"#, showing(Status::Online));
    means(r#"{"type":"presence","status":null}"#, showing(Status::Online));
    means(
        r#"{"type":"join_room","room":"r","password":""}"#,
        Request::Join { place: Address::Room("r"), password: Some(""), username: None, since: None },
    );
}

#[test]
fn a_message_has_a_name_of_its_senders() {
    let message = |kind: &str, id: &Value| {
        json!({"type": kind, "room": "r", "to": "u", "message": "m", "id": id}).to_string()
    };
    for (given, request) in requests() {
        let speech = Speech { request: request.as_deref(), ..Speech::plain("m") };
        let said = Request::Publish { place: Address::Room("r"), speech: speech.clone() };
        means(&message("broadcast", &given), said);
        means(&message("private_message", &given), Request::Direct { to: "u", speech });
    }
    for kind in ["broadcast", "private_message"] {
        let refusal = refusal(&message(kind, &long_request().into()));
        let said = "Field \"id\" has 129 bytes, at most 128 are allowed";
        assert_eq!(refusal, Refusal::new(Code::TooLarge, said));
        for wrong in no_strings() {
            says(&message(kind, &wrong), "Field \"id\" must be a string");
        }
    }
}

#[test]
fn a_join_says_since_when() {
    let place = Address::Room("r");
    let message = |kind: &str, since: Value| json!({"type": kind, "room": "r", "since": since}).to_string();
    for (given, since) in sinces() {
        let join = Request::Join { place, password: None, username: None, since };
        means(&message("join_room", given), join);
    }
    for wrong in no_strings() {
        says(&message("join_room", wrong.clone()), "Field \"since\" must be a string");
        means(&message("leave_room", wrong), Request::Leave { place, username: None });
    }
}

#[test]
fn text_stays_raw_and_escapes_are_undone() {
    means(&broadcast("<b>\"'& ünï"), to_room("general", "<b>\"'& ünï"));
    let text = r#"{"\u0074ype":"broad\u0063ast","room":"\ud83d\ude00","message":"a\n\u0000\"\\\/"}"#;
    means(text, to_room("😀", "a\n\0\"\\/"));
}

#[test]
fn of_equal_keys_the_last_wins() {
    means(
        r#"{"type":"ping","type":"leave_room","room":"a","room":"b"}"#,
        Request::Leave { place: Address::Room("b"), username: None },
    );
    means(r#"{"type":7,"type":"ping"}"#, Request::Ping);
    says(r#"{"type":"ping","type":7}"#, "Invalid message format");
}

#[test]
fn a_room_with_settings() {
    let settings =
        RoomSettings { max_members: 50, public: false, moderated: true, password: Some("pw".into()) };
    let wanted = Request::CreateRoom { room: "lobby", settings };
    let inner = r#"{"max_members":50,"public":false,"moderated":true,"password":"pw"}"#;
    for text in [
        format!(r#"{{"type":"create_room","room":"lobby","settings":{inner}}}"#),
        format!(r#"{{"type":"create_room","name":"lobby","settings":{inner}}}"#),
        format!(r#"{{"type":"create_room","room":"lobby","name":"other",{}"#, &inner[1..]),
        format!(
            r#"{{"type":"create_room","room":"lobby","max_members":1,"public":true,"settings":{inner}}}"#
        ),
    ] {
        means(&text, wanted.clone());
    }
    for text in
        [r#"{"type":"create_room","room":"r"}"#, r#"{"type":"create_room","room":"r","settings":null}"#]
    {
        means(text, Request::CreateRoom { room: "r", settings: RoomSettings::default() });
    }
    let text = r#"{"type":"create_room","room":"r","settings":{"password":""}}"#;
    says(text, "Field \"password\" must be null or a non-empty string");
}

#[test]
fn the_documented_errors() {
    for (text, said) in [
        (r#"{"type":"join_room"}"#, "Room name required"),
        (r#"{"type":"join_room","room":""}"#, "Room name required"),
        (r#"{"type":"join_room","room":null}"#, "Room name required"),
        (r#"{"type":"leave_room"}"#, "Room name required"),
        (r#"{"type":"create_room"}"#, "Room name required"),
        (r#"{"type":"broadcast"}"#, "Room and message required"),
        (r#"{"type":"broadcast","room":"r"}"#, "Room and message required"),
        (r#"{"type":"broadcast","room":"r","message":""}"#, "Room and message required"),
        (r#"{"type":"broadcast","message":"m"}"#, "Room and message required"),
        (r#"{"type":"private_message","message":"m"}"#, "Target user ID and message required"),
        (r#"{"type":"private_message","to":"","message":"m"}"#, "Target user ID and message required"),
        (r#"{"type":"private_message","to":"u"}"#, "Target user ID and message required"),
        (r#"{"type":"ack"}"#, "Field \"id\" must be the id of a message"),
        (r#"{"type":"ack","id":"17"}"#, "Field \"id\" must be the id of a message"),
        (r#"{"type":"ack","id":"m2a"}"#, "Field \"id\" must be the id of a message"),
    ] {
        says(text, said);
        assert_eq!(refusal(text).code, Code::InvalidField);
    }
    for text in [
        "",
        " ",
        "{",
        "nonsense",
        "{}",
        "[]",
        "null",
        "5",
        "\"ping\"",
        "[{\"type\":\"ping\"}]",
        r#"{"type":null}"#,
        r#"{"type":7}"#,
        r#"{"type":["ping"]}"#,
        r#"{"message":"no type"}"#,
        r#"{"type":"ping"}{}"#,
        r#"{"type":"broadcast","room":"r","message":"\ud800"}"#,
    ] {
        says(text, "Invalid message format");
        assert_eq!(refusal(text).code, Code::Malformed);
    }
    for status in ["online|away|busy|offline", "Online", "dnd", ""] {
        let text = format!(r#"{{"type":"presence","status":"{status}"}}"#);
        says(&text, "Field \"status\" must be one of online, away, busy, offline");
    }
}

#[test]
fn an_unknown_type_is_said_back_up_to_64_characters() {
    assert_eq!(unknown_type("dance").text, "Unknown message type: dance");
    assert_eq!(unknown_type("dance").code, Code::UnknownType);
    for (chars, shown) in [(64, 64), (65, 64)] {
        assert_eq!(
            unknown_type(&"é".repeat(chars)).text,
            format!("Unknown message type: {}", "é".repeat(shown))
        );
    }
    means(r#"{"type":""}"#, Request::Custom { kind: "" });
    means(r#"{"type":"Ping"}"#, Request::Custom { kind: "Ping" });
}

/// A message with every other field in order, its field, and the JSON types that are right there.
const FIELDS: [(&str, &str, &[&str]); 20] = [
    ("auth", "token", &["string"]),
    ("join_room", "room", &["string"]),
    ("join_room", "password", &["string"]),
    ("join_room", "since", &["string"]),
    ("leave_room", "room", &["string"]),
    ("broadcast", "room", &["string"]),
    ("broadcast", "message", &["string"]),
    ("broadcast", "id", &["string"]),
    ("private_message", "to", &["string"]),
    ("private_message", "message", &["string"]),
    ("private_message", "id", &["string"]),
    ("presence", "status", &[]),
    ("ack", "id", &[]),
    ("create_room", "room", &["string"]),
    ("create_room", "name", &["string"]),
    ("create_room", "settings", &["object"]),
    ("create_room", "max_members", &["zero"]),
    ("create_room", "public", &["bool"]),
    ("create_room", "moderated", &["bool"]),
    ("create_room", "password", &["string"]),
];

#[test]
fn every_json_type_in_every_field() {
    let values = [
        ("string", r#""x""#),
        ("zero", "0"),
        ("minus", "-1"),
        ("real", "1.5"),
        ("bool", "true"),
        ("list", "[]"),
        ("list", r#"["r"]"#),
        ("object", "{}"),
        ("object", r#"{"a":1}"#),
    ];
    for (kind, field, right) in FIELDS {
        for (json_type, value) in values {
            let others = [("room", "r"), ("to", "u"), ("message", "m")];
            let mut text = format!(r#"{{"type":"{kind}","{field}":{value}"#);
            // `name` is looked at only without a `room`.
            for (other, v) in others.iter().filter(|(o, _)| *o != field && (field, *o) != ("name", "room")) {
                text += &format!(r#","{other}":"{v}""#);
            }
            text.push('}');
            with_limits(&text, Limits::default(), |got| match got {
                Ok(_) => assert!(right.contains(&json_type), "{text}"),
                Err(refusal) => {
                    assert!(!right.contains(&json_type), "{text}: {}", refusal.text);
                    let beginning = format!("Field \"{field}\" must be ");
                    assert!(refusal.text.starts_with(&beginning), "{text}: {}", refusal.text);
                    assert_eq!(refusal.code, Code::InvalidField);
                }
            });
        }
    }
}

#[test]
fn each_message_cut_at_each_byte_is_malformed() {
    for text in EACH_KIND {
        for end in 0..text.len() {
            says(&text[..end], "Invalid message format");
        }
    }
}

#[test]
fn a_text_of_n_bytes_after_escaping_passes_and_n_plus_1_does_not() {
    for (unit, times, rest) in
        [("x", 1000, ""), ("é", 500, ""), ("€", 333, "x"), ("<", 250, ""), ("\"", 166, "éé")]
    {
        let longest = format!("{}{rest}", unit.repeat(times));
        assert_eq!(html_len(&longest), 1000);
        let wide = Limits { max_frame: 0, ..Limits::default() };
        let over = format!("{longest}y");
        for (to, kind) in [("room", "broadcast"), ("to", "private_message")] {
            let message = |text: &str| json!({"type": kind, to: "r", "message": text}).to_string();
            with_limits(&message(&longest), wide, |got| assert!(got.is_ok()));
            let refusal = refusal_with(&message(&over), wide);
            assert_eq!(refusal.code, Code::TooLarge);
            let said = "Field \"message\" has 1001 bytes after HTML escaping, at most 1000 are allowed";
            assert_eq!(refusal.text, said);
        }
        with_limits(&broadcast(&over), Limits { max_text: 0, ..wide }, |got| assert!(got.is_ok()));
    }
    assert_eq!(refusal(&broadcast(&"<".repeat(300))).code, Code::TooLarge);
    assert_eq!(refusal(&broadcast(&"€".repeat(334))).code, Code::TooLarge);
}

#[test]
fn a_frame_of_n_bytes_passes_and_n_plus_1_does_not() {
    let padded = |kind: &str, len: usize| {
        let text = format!(r#"{{"type":"{kind}"}}"#);
        format!("{text}{}", " ".repeat(len - text.len()))
    };
    means(&padded("ping", 1280), Request::Ping);
    says(&padded("ping", 1281), "Invalid message format");
    means(&padded("auth", 8192), Request::Authenticate { token: "" });
    says(&padded("auth", 8193), "Invalid message format");
    let longest = broadcast(&"x".repeat(1000));
    with_limits(&longest, Limits::default(), |got| assert!(got.is_ok()));

    let none = Limits { max_frame: 0, max_auth_frame: 0, max_text: 0 };
    with_limits(&padded("ping", 70_000), none, |got| assert_eq!(got, Ok(Request::Ping)));
    assert_eq!(Limits::new(0, 5), Limits { max_frame: 0, max_auth_frame: 8192, max_text: 5 });
    assert_eq!(Limits::new(usize::MAX, 5).max_frame, usize::MAX);
    let only_frames = Limits { max_auth_frame: 0, ..Limits::default() };
    with_limits(&padded("auth", 70_000), only_frames, |got| assert!(got.is_ok()));
    assert_eq!(refusal_with(&padded("ping", 1281), only_frames).code, Code::Malformed);
}

#[test]
fn a_name_of_n_bytes_passes_and_n_plus_1_does_not() {
    for (kind, field) in [
        ("join_room", "room"),
        ("leave_room", "room"),
        ("broadcast", "room"),
        ("private_message", "to"),
        ("create_room", "room"),
        ("create_room", "name"),
        ("create_room", "password"),
    ] {
        let text = |name: &str| {
            let mut message = json!({"type": kind, "message": "m"});
            if field == "password" {
                message["room"] = "r".into();
            }
            message[field] = name.into();
            message.to_string()
        };
        with_limits(&text(&"é".repeat(128)), Limits::default(), |got| {
            assert!(got.is_ok(), "{kind} {field}")
        });
        let refusal = refusal(&text(&format!("{}x", "é".repeat(128))));
        assert_eq!(refusal.text, format!("Field \"{field}\" has 257 bytes, at most 256 are allowed"));
        assert_eq!(refusal.code, Code::TooLarge);
    }
}

#[test]
fn hostile_text_is_malformed_and_the_scratch_goes_on() {
    let none = Limits { max_frame: 0, max_auth_frame: 0, max_text: 0 };
    let mut scratch = JsonScratch::new();
    for unit in ["[", "{\"type\":", "\"\\", "{\"type\":\"ping\",", "\u{feff}", "0"] {
        let mut text = unit.repeat((1 << 20) / unit.len()).into_bytes();
        assert_eq!(decode(&mut text, &mut scratch, &none), Err(MALFORMED));
    }
    let mut text = br#"{"type":"ping"}"#.to_vec();
    assert_eq!(decode(&mut text, &mut scratch, &none), Ok(Request::Ping));
}

#[test]
fn one_scratch_serves_messages_of_all_kinds_in_turn() {
    let mut scratch = JsonScratch::new();
    for text in EACH_KIND.iter().cycle().take(50) {
        let mut bytes = text.as_bytes().to_vec();
        let got = decode(&mut bytes, &mut scratch, &Limits::default());
        with_limits(text, Limits::default(), |fresh| assert_eq!(got, fresh));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&mut bytes, &mut JsonScratch::new(), &Limits::default());
    }

    #[test]
    fn a_damaged_message_is_refused_or_read(kind in 0..EACH_KIND.len(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = EACH_KIND[kind].as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&mut bytes, &mut JsonScratch::new(), &Limits::default());
    }

    #[test]
    fn any_text_arrives_as_it_was_sent(room in "\\PC{1,60}", text in any::<String>()) {
        let none = Limits { max_frame: 0, max_auth_frame: 0, max_text: 0 };
        let message = json!({"type": "broadcast", "room": room, "message": text}).to_string();
        with_limits(&message, none, |got| match got {
            Ok(request) => assert_eq!(request, to_room(&room, &text)),
            Err(_) => assert!(text.is_empty()),
        });
    }
}
