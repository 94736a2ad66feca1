//! What each message means, and what is said to each wrong one.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dialect::json_strategy::{long_request, no_strings, requests, sinces};
use crate::dialect::{MAX_ITEMS, MAX_NAME_BYTES};

/// The document's, in code points.
const MAX: usize = 5000;

fn heard<R>(text: &str, max: usize, see: impl FnOnce(Result<Request, Refusal>) -> R) -> R {
    let mut bytes = text.as_bytes().to_vec();
    see(decode(&mut bytes, &mut JsonScratch::new(), max))
}

fn means(text: &str, expected: Request) {
    heard(text, MAX, |got| assert_eq!(got, Ok(expected), "{text}"));
}

fn refused(text: &str) -> Refusal {
    heard(text, MAX, |got| got.expect_err(text))
}

fn says(text: &str, code: Code, expected: &str) {
    assert_eq!(refused(text), Refusal::with(code, expected.into()), "{text}");
}

fn say(content: &str) -> String {
    json!({"type": "send_message", "conversation_id": "c", "content": content}).to_string()
}

fn spoken<'a>(id: &'a str, content: &'a str) -> Request<'a> {
    Request::Publish { place: Address::Conversation(id), speech: Speech::plain(content) }
}

fn typed(id: &str, on: bool) -> Request<'_> {
    let to = Reader::Channel(Address::Conversation(id));
    Request::Typing { to, from: None, username: None, on }
}

/// One legal message of each kind, as the document writes it.
const EACH_KIND: [&str; 9] = [
    "{\n  \"type\": \"join_conversation\",\n  \"conversation_id\": \"conversation-uuid\"\n}",
    "{\n  \"type\": \"leave_conversation\",\n  \"conversation_id\": \"conversation-uuid\"\n}",
    r#"{
  "type": "send_message",
  "conversation_id": "conversation-uuid",
  "content": "Hello! This is my message.",
  "persona_id": "persona-uuid"
}"#,
    "{\n  \"type\": \"typing_start\",\n  \"conversation_id\": \"conversation-uuid\"\n}",
    "{\n  \"type\": \"typing_stop\",\n  \"conversation_id\": \"conversation-uuid\"\n}",
    "{\n  \"type\": \"get_online_status\",\n  \"user_ids\": [\"user1-uuid\", \"user2-uuid\"]\n}",
    r#"{"type": "custom_action", "data": [1, {"x": null}]}"#,
    r#"{"type":"join_conversation","conversation_id":"c","since":"00000000000000ab:7"}"#,
    r#"{"type":"send_message","conversation_id":"c","content":"x","message_id":"m-1"}"#,
];

#[test]
fn the_documents_messages() {
    let id = "conversation-uuid";
    let place = Address::Conversation(id);
    means(EACH_KIND[0], Request::Join { place, password: None, username: None, since: None });
    means(EACH_KIND[1], Request::Leave { place, username: None });
    let hello = Speech { persona: Some("persona-uuid"), ..Speech::plain("Hello! This is my message.") };
    means(EACH_KIND[2], Request::Publish { place, speech: hello });
    means(EACH_KIND[3], typed(id, true));
    means(EACH_KIND[4], typed(id, false));
    means(EACH_KIND[5], Request::AskOnline { users: vec!["user1-uuid", "user2-uuid"] });
    means(EACH_KIND[6], Request::Custom { kind: "custom_action" });
}

#[test]
fn the_documents_wscat_session() {
    let place = Address::Conversation("test-conv-id");
    means(
        r#"{"type": "join_conversation", "conversation_id": "test-conv-id"}"#,
        Request::Join { place, password: None, username: None, since: None },
    );
    means(
        r#"{"type": "send_message", "conversation_id": "test-conv-id", "content": "Hello!"}"#,
        spoken("test-conv-id", "Hello!"),
    );
    means(r#"{"type": "typing_start", "conversation_id": "test-conv-id"}"#, typed("test-conv-id", true));
    means(r#"{"type": "typing_stop", "conversation_id": "test-conv-id"}"#, typed("test-conv-id", false));
}

#[test]
fn what_absence_means() {
    for persona in [r#""persona_id":null"#, r#""persona_id":"""#, r#""other":[]"#] {
        let text = format!(r#"{{"type":"send_message","conversation_id":"c","content":"hi",{persona}}}"#);
        means(&text, spoken("c", "hi"));
    }
    means(r#"{"type":"get_online_status","user_ids":[]}"#, Request::AskOnline { users: vec![] });
    let text = r#"{"type":"join_conversation","conversation_id":"c","since":null,"x":{"y":[]}}"#;
    means(
        text,
        Request::Join { place: Address::Conversation("c"), password: None, username: None, since: None },
    );
}

#[test]
fn a_message_has_a_name_of_its_senders() {
    let place = Address::Conversation("c");
    let message = |id: serde_json::Value| {
        json!({"type": "send_message", "conversation_id": "c", "content": "x", "message_id": id}).to_string()
    };
    for (given, request) in requests() {
        let speech = Speech { request: request.as_deref(), ..Speech::plain("x") };
        means(&message(given), Request::Publish { place, speech });
    }
    let said = "Field \"message_id\" has 129 bytes, at most 128 are allowed";
    says(&message(long_request().into()), Code::TooLarge, said);
    for wrong in no_strings() {
        says(&message(wrong), Code::InvalidField, "Field \"message_id\" must be a string");
    }
}

#[test]
fn a_join_says_since_when() {
    let place = Address::Conversation("c");
    let message = |kind: &str, since: serde_json::Value| {
        json!({"type": kind, "conversation_id": "c", "since": since}).to_string()
    };
    for (given, since) in sinces() {
        let join = Request::Join { place, password: None, username: None, since };
        means(&message("join_conversation", given), join);
    }
    for wrong in no_strings() {
        let said = "Field \"since\" must be a string";
        says(&message("join_conversation", wrong.clone()), Code::InvalidField, said);
        means(&message("leave_conversation", wrong), Request::Leave { place, username: None });
    }
}

#[test]
fn content_stays_as_it_was_sent() {
    means(&say("  <b>\"'&\t ünï 会話 "), spoken("c", "  <b>\"'&\t ünï 会話 "));
    let text =
        r#"{"\u0074ype":"send\u005fmessage","conversation_id":"\ud83d\ude00","content":"a\n\u0001\"\\\/"}"#;
    means(text, spoken("😀", "a\n\u{1}\"\\/"));
}

#[test]
fn of_equal_keys_the_last_wins() {
    means(r#"{"type":7,"type":"typing_stop","conversation_id":1,"conversation_id":"b"}"#, typed("b", false));
    says(r#"{"type":"typing_stop","type":7}"#, Code::InvalidField, "Field \"type\" must be a string");
}

#[test]
fn what_is_no_object_is_malformed() {
    let comment =
        "{\"type\": \"send_message\", \"conversation_id\": \"c\", \"content\": \"x\" // Optional\n}";
    for text in ["{", "", " ", "nonsense", "[]", "\"text\"", "1", "null", "{}{}", "[{}]", comment] {
        says(text, Code::Malformed, "Invalid message format");
    }
    says(&say("x").replace('x', r"\ud800"), Code::Malformed, "Invalid message format");
}

#[test]
fn each_wrong_field_is_named() {
    let of = |kind: &str, rest: &str| format!(r#"{{"type":"{kind}"{rest}}}"#);
    let typed = ["{}", r#"{"type": null}"#, r#"{"type": 5}"#, r#"{"conversation_id": "c"}"#];
    let typed = typed.map(|text| (text.to_owned(), "Field \"type\" must be a string"));
    let sent = [
        (r#","conversation_id":"c""#, "Field \"content\" must be a string"),
        (r#","conversation_id":"c","content":null"#, "Field \"content\" must be a string"),
        (r#","conversation_id":"c","content":5"#, "Field \"content\" must be a string"),
        (r#","conversation_id":"c","content":{"a":1}"#, "Field \"content\" must be a string"),
        (r#","conversation_id":["c"],"content":"x""#, "Field \"conversation_id\" must be a string"),
        (r#","content":"x""#, "Field \"conversation_id\" must be a non-empty string"),
        (r#","conversation_id":"c","content":"x","persona_id":5"#, "Field \"persona_id\" must be a string"),
    ];
    let sent = sent.map(|(rest, said)| (of("send_message", rest), said));
    let names = "Field \"user_ids\" must be an array of strings of 1 to 256 bytes";
    let asked = [
        ("", "Field \"user_ids\" must be an array of strings"),
        (r#","user_ids":null"#, "Field \"user_ids\" must be an array of strings"),
        (r#","user_ids":"u""#, names),
        (r#","user_ids":[1]"#, names),
        (r#","user_ids":["u",null]"#, names),
        (r#","user_ids":[""]"#, names),
    ];
    let asked = asked.map(|(rest, said)| (of("get_online_status", rest), said));
    for (text, said) in typed.into_iter().chain(sent).chain(asked) {
        says(&text, Code::InvalidField, said);
    }
    for kind in ["join_conversation", "leave_conversation", "typing_start", "typing_stop"] {
        for (rest, said) in [
            ("", "Field \"conversation_id\" must be a non-empty string"),
            (r#","conversation_id":null"#, "Field \"conversation_id\" must be a non-empty string"),
            (r#","conversation_id":"""#, "Field \"conversation_id\" must be a non-empty string"),
            (r#","conversation_id":5"#, "Field \"conversation_id\" must be a string"),
        ] {
            says(&of(kind, rest), Code::InvalidField, said);
        }
    }
}

#[test]
fn content_of_5000_code_points_passes_and_5001_does_not() {
    for c in ["x", "é", "😀", " x"] {
        let fits: String = c.chars().cycle().take(MAX).collect();
        means(&say(&fits), spoken("c", &fits));
        says(&say(&format!("{fits}x")), Code::TooLarge, "Message too long");
    }
    // Length counts before blankness, as in the document's validator.
    says(&say(&" ".repeat(MAX)), Code::InvalidField, "Message cannot be empty");
    says(&say(&" ".repeat(MAX + 1)), Code::TooLarge, "Message too long");
    says(&say(&"\0".repeat(MAX + 1)), Code::TooLarge, "Message too long");
}

#[test]
fn a_limit_of_0_is_none_and_of_1_is_1() {
    let long = "x".repeat(100_000);
    heard(&say(&long), 0, |got| assert_eq!(got, Ok(spoken("c", &long))));
    heard(&say("é"), 1, |got| assert_eq!(got, Ok(spoken("c", "é"))));
    heard(&say("éx"), 1, |got| assert_eq!(got, Err(TOO_LONG)));
    heard(&say(""), 1, |got| assert_eq!(got, Err(EMPTY)));
}

#[test]
fn blank_content_is_refused_as_python_strips() {
    for blank in ["", " ", "  \t\n ", "\u{a0}\u{2003}\u{3000}", "\u{85}\u{2028}", "\u{1c}\u{1d}\u{1e}\u{1f}"]
    {
        says(&say(blank), Code::InvalidField, "Message cannot be empty");
    }
    // Neither is white space: not to Python either.
    for shown in ["\u{200b}", "\u{feff}", "\u{1b}"] {
        means(&say(shown), spoken("c", shown));
    }
}

#[test]
fn a_nul_is_refused_wherever_it_stands() {
    for content in ["\0", "a\0", "\0a", "a\0b", " \0 "] {
        says(&say(content), Code::InvalidField, "Field \"content\" must be without NUL characters");
    }
    means(&say("\u{1}\u{7f}"), spoken("c", "\u{1}\u{7f}"));
}

#[test]
fn names_of_256_bytes_pass_and_of_257_do_not() {
    let (fits, long) = ("é".repeat(MAX_NAME_BYTES / 2), "x".repeat(MAX_NAME_BYTES + 1));
    let message = |id: &str, persona: &str| {
        let message =
            json!({"type": "send_message", "conversation_id": id, "content": "x", "persona_id": persona});
        message.to_string()
    };
    let speech = Speech { persona: Some(&fits), ..Speech::plain("x") };
    means(&message(&fits, &fits), Request::Publish { place: Address::Conversation(&fits), speech });
    for (text, field) in [(message(&long, "p"), "conversation_id"), (message("c", &long), "persona_id")] {
        let said = format!("Field \"{field}\" has 257 bytes, at most 256 are allowed");
        says(&text, Code::TooLarge, &said);
    }
}

#[test]
fn a_hundred_users_may_be_asked_for_and_no_more() {
    let ask = |users: &[&str]| json!({"type": "get_online_status", "user_ids": users}).to_string();
    means(&ask(&["u"; MAX_ITEMS]), Request::AskOnline { users: vec!["u"; MAX_ITEMS] });
    let said = "Field \"user_ids\" has 101 items, at most 100 are allowed";
    says(&ask(&["u"; MAX_ITEMS + 1]), Code::TooLarge, said);
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    assert_eq!(refused(&ask(&[&long])).code, Code::InvalidField);
}

#[test]
fn a_message_cut_anywhere_is_malformed() {
    for text in EACH_KIND {
        for end in 0..text.len() {
            heard(&text[..end], MAX, |got| assert_eq!(got, Err(MALFORMED), "{}", &text[..end]));
        }
    }
}

#[test]
fn hostile_texts_are_refused_and_the_next_message_is_read() {
    let mut scratch = JsonScratch::new();
    for unit in ["[", "{\"type\":", "\"\\", "{\"type\":\"typing_stop\",", "\u{feff}", "0"] {
        let mut text = unit.repeat((1 << 20) / unit.len()).into_bytes();
        assert_eq!(decode(&mut text, &mut scratch, MAX), Err(MALFORMED));
    }
    for text in EACH_KIND.iter().cycle().take(50) {
        let mut bytes = text.as_bytes().to_vec();
        let got = decode(&mut bytes, &mut scratch, MAX);
        heard(text, MAX, |fresh| assert_eq!(got, fresh));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&mut bytes, &mut JsonScratch::new(), MAX);
    }

    #[test]
    fn a_damaged_message_is_refused_or_read(
        kind in 0..EACH_KIND.len(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut bytes = EACH_KIND[kind].as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&mut bytes, &mut JsonScratch::new(), MAX);
    }

    #[test]
    fn any_content_arrives_as_it_was_sent_or_is_refused_for_a_reason(
        id in "\\PC{1,60}",
        content in any::<String>(),
        max in 0..40usize,
    ) {
        let text = json!({"type": "send_message", "conversation_id": id, "content": content}).to_string();
        heard(&text, max, |got| {
            let expected = if max != 0 && content.chars().count() > max {
                Err(TOO_LONG)
            } else if content.trim_matches(is_blank).is_empty() {
                Err(EMPTY)
            } else if content.contains('\0') {
                Err(must_be("content", "without NUL characters"))
            } else {
                Ok(spoken(&id, &content))
            };
            assert_eq!(got, expected);
        });
    }
}
