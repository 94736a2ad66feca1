//! What each message means, and what is said to each wrong one.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dialect::MAX_ITEMS;
use crate::dialect::json_strategy::{any_json, long_request, no_strings, requests, sinces};
use crate::model::Code;

fn heard<R>(text: &str, see: impl FnOnce(Result<Request, Refusal>) -> R) -> R {
    let (mut bytes, mut original) = (text.as_bytes().to_vec(), b"what was before".to_vec());
    see(decode(&mut bytes, &mut original, &mut JsonScratch::new()))
}

fn means(text: &str, expected: Request) {
    heard(text, |got| assert_eq!(got, Ok(expected), "{text}"));
}

fn refused(text: &str) -> Refusal {
    heard(text, |got| got.expect_err(text))
}

fn says(text: &str, code: Code, expected: &str) {
    assert_eq!(refused(text), Refusal::with(code, expected.into()), "{text}");
}

/// As [`says`], of an order: everybody else is told that there is no such kind.
fn says_to_administrators(kind: &str, text: &str, code: Code, expected: &str) {
    means(text, Request::Misordered { kind, refusal: Refusal::with(code, expected.into()) });
}

fn send(channel: &str, message: &str) -> String {
    format!(r#"{{"type":"send_message","data":{{"channel":"{channel}","message":{message}}}}}"#)
}

fn join(channel: &str) -> String {
    json!({"type": "join_channel", "data": {"channel": channel}}).to_string()
}

fn joins(channel: &str, place: Address) {
    means(&join(channel), Request::Join { place, password: None, username: None, since: None });
}

/// What is said when it is no string.
fn raw_speech<'a>(text: &'a str, verbatim: &str) -> Speech<'a> {
    Speech { text: text.into(), verbatim: Some(verbatim.into()), ..Speech::default() }
}

/// One legal message of each kind, the document's own where it has one.
const EACH_KIND: [&str; 13] = [
    r#"{"type":"ping"}"#,
    r#"{"type":"join_channel","data":{"channel":"tenant:t1:general"}}"#,
    r#"{"type":"leave_channel","data":{"channel":"tenant:t1:general"}}"#,
    r#"{"type":"send_message","data":{"channel":"tenant:t1:general","message":{"text":"hi","n":[1,2.50]}}}"#,
    r#"{"type":"subscribe_notifications","data":{"types":["all"]}}"#,
    r#"{"type":"get_stats"}"#,
    r#"{"type":"broadcast","data":{"message":{"type":"maintenance","data":{"in":5}}}}"#,
    r#"{"type":"broadcast_tenant","data":{"tenantId":"t1","message":{"type":"note","data":{"x":1}}}}"#,
    r#"{"type":"notify_user","data":{"tenantId":"t1","userId":"a","notification":{"type":"status_updated","data":{"status":"ok"}}}}"#,
    r#"{"type":"disconnect","data":{"connectionId":"67e55044-10b1-426f-9247-bb680e5fe0c8"}}"#,
    r#"{"type":"dance","data":{}}"#,
    r#"{"type":"join_channel","data":{"channel":"public:p","since":"00000000000000ab:7"}}"#,
    r#"{"type":"send_message","data":{"channel":"public:p","message":[1],"id":"m-1"}}"#,
];

#[test]
fn each_kind_of_message() {
    let place = Address::Tenant("tenant:t1:general");
    means(EACH_KIND[1], Request::Join { place, password: None, username: None, since: None });
    means(EACH_KIND[2], Request::Leave { place, username: None });
    let json = r#"{"text":"hi","n":[1,2.50]}"#;
    means(EACH_KIND[3], Request::Publish { place, speech: raw_speech(json, json) });
    means(EACH_KIND[4], Request::SubscribeNotifications { types: vec!["all"] });
    let order = |text, order: Order| means(text, Request::Administer(order));
    order(EACH_KIND[6], Order::Broadcast { message: r#"{"type":"maintenance","data":{"in":5}}"# });
    let message = r#"{"type":"note","data":{"x":1}}"#;
    order(EACH_KIND[7], Order::BroadcastTenant { tenant: "t1", message });
    let notification = r#"{"type":"status_updated","data":{"status":"ok"}}"#;
    order(EACH_KIND[8], Order::Notify { tenant: "t1", user: "a", notification });
    order(EACH_KIND[9], Order::Disconnect { connection: "67e55044-10b1-426f-9247-bb680e5fe0c8" });
    means(EACH_KIND[10], Request::Custom { kind: "dance" });
}

#[test]
fn ping_and_get_stats_need_no_data() {
    for data in ["", r#","data":{}"#, r#","data":null"#, r#","data":7"#, r#","data":[{"a":"b"}]"#] {
        means(&format!(r#"{{"type":"ping"{data}}}"#), Request::Ping);
        means(&format!(r#"{{"type":"get_stats"{data}}}"#), Request::Administer(Order::Stats));
    }
}

#[test]
fn an_order_knows_its_name_on_the_wire() {
    for text in &EACH_KIND[5..10] {
        let kind = serde_json::from_str::<Value>(text).unwrap()["type"].as_str().unwrap().to_owned();
        heard(text, |got| match got {
            Ok(Request::Administer(order)) => assert_eq!(order.kind(), kind),
            other => panic!("{text}: {other:?}"),
        });
    }
}

#[test]
fn a_channel_is_told_by_its_prefix() {
    joins("public:lobby", Address::Public("lobby"));
    joins("public:a:b", Address::Public("a:b"));
    joins("public:public:", Address::Public("public:"));
    for name in ["tenant:t1", "tenant:t1:general", "tenant:t10:x", "tenant:t1:admin"] {
        joins(name, Address::Tenant(name));
    }
    for name in ["notifications:t1:u1:all", "notifications:t1:u2:all"] {
        joins(name, Address::Notifications(name));
    }
    for name in [
        "general",
        "",
        "Public:x",
        "TENANT:t1:x",
        "public",
        "public:",
        "tenant:",
        "notifications:",
        " public:x",
    ] {
        joins(name, Address::Foreign(name));
    }
}

#[test]
fn names_of_256_bytes_behind_the_prefix_pass_and_of_257_do_not() {
    let fits = "é".repeat(MAX_NAME_BYTES / 2);
    let said = "Field \"channel\" has 257 bytes, at most 256 are allowed";
    for prefix in ["public:", "tenant:", "notifications:", ""] {
        let name = format!("{prefix}{fits}");
        heard(&join(&name), |got| assert!(matches!(got, Ok(Request::Join { .. })), "{name}"));
        says(&join(&format!("{name}x")), Code::TooLarge, said);
    }
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    for (kind, field) in
        [("broadcast_tenant", "tenantId"), ("notify_user", "userId"), ("disconnect", "connectionId")]
    {
        let mut data =
            json!({"tenantId": fits, "userId": fits, "connectionId": fits, "message": 1, "notification": 1});
        let text = json!({"type": kind, "data": data}).to_string();
        heard(&text, |got| assert!(matches!(got, Ok(Request::Administer(_))), "{kind}"));
        data[field] = long.as_str().into();
        let text = json!({"type": kind, "data": data}).to_string();
        says_to_administrators(kind, &text, Code::TooLarge, &said.replace("channel", field));
    }
}

#[test]
fn any_json_is_relayed_byte_for_byte() {
    let place = Address::Public("c");
    for (written, compact) in [
        (
            r#"{"text":"object","n":[1,2.5,null,{"deep":true}]}"#,
            r#"{"text":"object","n":[1,2.5,null,{"deep":true}]}"#,
        ),
        ("42", "42"),
        ("0", "0"),
        ("-0.0", "-0.0"),
        ("1.50E+2", "1.50E+2"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("false", "false"),
        ("null", "null"),
        (r#"["a"]"#, r#"["a"]"#),
        ("[ ]", "[]"),
        ("{ \"a\" : [ 1 ,\t2 ] ,\r\n \"b \\\" \": \" c \\\\\" }", r#"{"a":[1,2],"b \" ":" c \\"}"#),
        (r#"{"a":1,"a":2,"\u0061":"\u00e9\/"}"#, r#"{"a":1,"a":2,"\u0061":"\u00e9\/"}"#),
    ] {
        means(&send("public:c", written), Request::Publish { place, speech: raw_speech(compact, written) });
    }
    let written = " \t{ \"data\" : { \"message\" : [1, 2] , \"channel\":\"public:c\" } , \"type\" : \"send_message\" }\n";
    means(written, Request::Publish { place, speech: raw_speech("[1,2]", "[1, 2]") });
}

#[test]
fn a_string_is_text_and_nothing_else() {
    for text in ["text", "", "ünï 会話 \u{2028} </script>", "{\"a\":1}", "null", "\0\n\"\\"] {
        let place = Address::Public("c");
        let speech = Speech::plain(text);
        means(&send("public:c", &json!(text).to_string()), Request::Publish { place, speech });
    }
}

#[test]
fn of_equal_keys_the_last_wins_in_what_is_read_and_in_what_is_relayed() {
    let place = Address::Public("c");
    for (members, speech) in [
        (r#""message":"x","message":[1]"#, raw_speech("[1]", "[1]")),
        (r#""message":[1],"message":"x""#, Speech::plain("x")),
        (r#""message":"x","m\u0065ssage":null"#, raw_speech("null", "null")),
        (r#""message":null,"message":"x""#, Speech::plain("x")),
    ] {
        let data = format!(r#"{{"channel":1,"channel":"public:c",{members}}}"#);
        let text = format!(r#"{{"type":5,"data":{{"message":7}},"data":{data},"type":"send_message"}}"#);
        means(&text, Request::Publish { place, speech });
    }
    let text = r#"{"type":"send_message","data":{"channel":"public:c","message":1},"data":null}"#;
    says(text, Code::Malformed, "Invalid message format");
}

#[test]
fn what_absence_means() {
    for types in ["", r#""types":null"#, r#""other":1"#] {
        let text = format!(r#"{{"type":"subscribe_notifications","data":{{{types}}}}}"#);
        means(&text, Request::SubscribeNotifications { types: vec!["all"] });
    }
    let text = r#"{"type":"subscribe_notifications","data":{"types":["status_updated","billing"]}}"#;
    means(text, Request::SubscribeNotifications { types: vec!["status_updated", "billing"] });
    let text = r#"{"type":"subscribe_notifications","data":{"types":[]}}"#;
    means(text, Request::SubscribeNotifications { types: vec![] });
}

#[test]
fn a_message_has_a_name_of_its_senders() {
    let place = Address::Public("c");
    let text = |message: &Value, id: &Value| {
        let data = json!({"channel": "public:c", "message": message, "id": id});
        json!({"type": "send_message", "id": 5, "data": data}).to_string()
    };
    let object = json!({"id": 7});
    for (given, request) in requests() {
        let request = request.as_deref();
        let speech = Speech { request, ..Speech::plain("x") };
        means(&text(&json!("x"), &given), Request::Publish { place, speech });
        let speech = Speech { request, ..raw_speech(r#"{"id":7}"#, r#"{"id":7}"#) };
        means(&text(&object, &given), Request::Publish { place, speech });
    }
    for message in [json!("x"), object] {
        let said = "Field \"id\" has 129 bytes, at most 128 are allowed";
        says(&text(&message, &long_request().into()), Code::TooLarge, said);
        for wrong in no_strings() {
            says(&text(&message, &wrong), Code::InvalidField, "Field \"id\" must be a string");
        }
    }
}

#[test]
fn a_join_says_since_when() {
    let place = Address::Public("c");
    let message = |kind: &str, since: Value| {
        json!({"type": kind, "since": 5, "data": {"channel": "public:c", "since": since}}).to_string()
    };
    for (given, since) in sinces() {
        let join = Request::Join { place, password: None, username: None, since };
        means(&message("join_channel", given), join);
    }
    for wrong in no_strings() {
        let said = "Field \"since\" must be a string";
        says(&message("join_channel", wrong.clone()), Code::InvalidField, said);
        means(&message("leave_channel", wrong), Request::Leave { place, username: None });
    }
}

#[test]
fn unreadable_messages_and_missing_data_are_malformed() {
    for text in ["{", "", " ", "nonsense", "[]", "5", "null", "\"ping\"", "{}{}", r#"[{"type":"ping"}]"#] {
        says(text, Code::Malformed, "Invalid message format");
    }
    for kind in ["join_channel", "leave_channel", "send_message", "subscribe_notifications"] {
        for data in ["", r#","data":null"#, r#","data":[]"#, r#","data":"x""#, r#","data":1"#] {
            // The channel is there, and not where it belongs.
            let text = format!(r#"{{"type":"{kind}","channel":"tenant:t1:g","message":1{data}}}"#);
            says(&text, Code::Malformed, "Invalid message format");
        }
    }
    for kind in ["broadcast", "broadcast_tenant", "notify_user", "disconnect"] {
        for data in ["", r#","data":null"#, r#","data":[]"#] {
            let text = format!(r#"{{"type":"{kind}"{data}}}"#);
            says_to_administrators(kind, &text, Code::Malformed, "Invalid message format");
        }
    }
    says(&send("public:c", r#""\ud800""#), Code::Malformed, "Invalid message format");
}

#[test]
fn a_type_that_is_no_string_is_said_back_as_the_documents_template_does() {
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    for (kind, shown) in [
        ("null", "null"),
        ("5", "5"),
        ("5.0", "5"),
        ("-1.25e1", "-12.5"),
        ("true", "true"),
        ("{\"a\":1}", "[object Object]"),
        ("[]", ""),
        ("[1,[null,\"a\"],{}]", "1,,a,[object Object]"),
        (&*deep, "1"),
    ] {
        let text = format!(r#"{{"type":{kind},"data":{{}}}}"#);
        says(&text, Code::UnknownType, &format!("Unknown message type: {shown}"));
    }
    for text in ["{}", r#"{"data":{}}"#, r#"{"Type":"ping"}"#] {
        says(text, Code::UnknownType, "Unknown message type: undefined");
    }
    let said = format!("Unknown message type: {}", "a".repeat(64));
    says(&json!({"type": ["a".repeat(65)]}).to_string(), Code::UnknownType, &said);
    means(r#"{"type":"constructor"}"#, Request::Custom { kind: "constructor" });
    means(r#"{"type":""}"#, Request::Custom { kind: "" });
}

#[test]
fn each_wrong_field_is_named() {
    for kind in ["join_channel", "leave_channel", "send_message"] {
        for channel in ["", r#""channel":null,"#, r#""channel":5,"#, r#""channel":["public:c"],"#] {
            let text = format!(r#"{{"type":"{kind}","data":{{{channel}"message":1}}}}"#);
            says(&text, Code::InvalidField, "Field \"channel\" must be a string");
        }
    }
    let text = r#"{"type":"send_message","data":{"channel":"public:c"},"message":1}"#;
    says(text, Code::InvalidField, "Field \"message\" must be given, as any JSON");
    for types in [r#""all""#, "5", "{}", r#"["a",5]"#, r#"["a",null]"#, r#"[""]"#, r#"[["a"]]"#] {
        let text = format!(r#"{{"type":"subscribe_notifications","data":{{"types":{types}}}}}"#);
        let said = "Field \"types\" must be an array of strings of 1 to 256 bytes";
        says(&text, Code::InvalidField, said);
    }
    let json = "must be given, as any JSON";
    let (name, string) = ("must be a non-empty string", "must be a string");
    for (kind, data, field, what) in [
        ("broadcast", "", "message", json),
        ("broadcast_tenant", r#""message":1"#, "tenantId", name),
        ("broadcast_tenant", r#""message":1,"tenantId":"""#, "tenantId", name),
        ("broadcast_tenant", r#""message":1,"tenantId":5"#, "tenantId", string),
        ("broadcast_tenant", r#""tenantId":"t1""#, "message", json),
        ("notify_user", r#""userId":"u","notification":1"#, "tenantId", name),
        ("notify_user", r#""tenantId":"t1","notification":1"#, "userId", name),
        ("notify_user", r#""tenantId":"t1","userId":{}"#, "userId", string),
        ("notify_user", r#""tenantId":"t1","userId":"u","message":1"#, "notification", json),
        ("disconnect", r#""connectionId":null"#, "connectionId", name),
        ("disconnect", r#""connectionId":7"#, "connectionId", string),
    ] {
        let text = format!(r#"{{"type":"{kind}","data":{{{data}}}}}"#);
        says_to_administrators(kind, &text, Code::InvalidField, &format!("Field \"{field}\" {what}"));
    }
}

#[test]
fn a_hundred_types_may_be_named_and_no_more() {
    let text = |n| json!({"type": "subscribe_notifications", "data": {"types": vec!["t"; n]}}).to_string();
    means(&text(MAX_ITEMS), Request::SubscribeNotifications { types: vec!["t"; MAX_ITEMS] });
    let said = "Field \"types\" has 101 items, at most 100 are allowed";
    says(&text(MAX_ITEMS + 1), Code::TooLarge, said);
}

#[test]
fn a_message_cut_anywhere_is_malformed() {
    for text in EACH_KIND {
        for end in 0..text.len() {
            heard(&text[..end], |got| assert_eq!(got, Err(MALFORMED), "{}", &text[..end]));
        }
    }
}

#[test]
fn hostile_texts_are_refused_and_the_next_message_is_read() {
    let (mut scratch, mut original) = (JsonScratch::new(), Vec::new());
    for unit in ["[", "{\"type\":", "\"\\", "{\"type\":\"ping\",", "\u{feff}", "0"] {
        let mut text = unit.repeat((1 << 20) / unit.len()).into_bytes();
        assert_eq!(decode(&mut text, &mut original, &mut scratch), Err(MALFORMED));
    }
    for text in EACH_KIND.iter().cycle().take(50) {
        let mut bytes = text.as_bytes().to_vec();
        let got = decode(&mut bytes, &mut original, &mut scratch);
        heard(text, |fresh| assert_eq!(got, fresh));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&mut bytes, &mut Vec::new(), &mut JsonScratch::new());
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
        let _ = decode(&mut bytes, &mut Vec::new(), &mut JsonScratch::new());
    }

    #[test]
    fn any_value_arrives_as_it_was_written(message in any_json(), pretty: bool) {
        let written = if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) };
        let written = written.unwrap();
        heard(&send("public:c", &written), |got| {
            let Ok(Request::Publish { place: Address::Public("c"), speech }) = got else {
                panic!("{written}: {got:?}")
            };
            match &message {
                Value::String(text) => assert_eq!(speech, Speech::plain(text)),
                other => assert_eq!(speech, raw_speech(&serde_json::to_string(other).unwrap(), &written)),
            }
        });
        let text = format!(r#"{{"data": {{"message": {written} }}, "type":"broadcast"}}"#);
        heard(&text, |got| {
            assert_eq!(got, Ok(Request::Administer(Order::Broadcast { message: &written })));
        });
    }
}
