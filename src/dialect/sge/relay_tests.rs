//! What members of SGE receive of what one of them sent.

use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Detail, Kind, MessageId, Verbatim};

const AT_MS: u64 = 1_732_147_200_999;

fn message(kept: Option<Box<str>>) -> Message {
    let verbatim = kept.map(|json| Verbatim { dialect: Dialect::Sge, json });
    let detail = Some(Box::new(Detail { verbatim, ..Detail::default() }));
    let (id, kind, place) = (MessageId::random(1), Kind::User, "b\"".into());
    Message {
        id,
        kind,
        place,
        from: "a\"".into(),
        connection: None,
        text: "x\n".into(),
        detail,
        at_ms: AT_MS,
    }
}

fn written(kept: Option<Box<str>>) -> String {
    let mut out = BytesMut::new();
    write(&message(kept), "groupchat", Object::typed("t", &mut out)).end();
    let text = String::from_utf8(out.to_vec()).unwrap();
    raw::member(&text, "message").expect("it is there").to_owned()
}

fn relayed(inner: &str) -> String {
    written(Some(keep(inner).expect("kept")))
}

#[test]
fn a_complete_object_arrives_byte_for_byte() {
    for inner in [
        r#"{"from":"a","to":"b","message":"x","timestamp":1732147200123,"message_type":"chat"}"#,
        r#"{ "extra" : [1.50e2, "\u0041\/"],"message_type":"muc","t\u006f":"b","message":"x",
            "from":"a" ,"timestamp":-0.5E+1,"seq":1,"seq":2}"#,
    ] {
        assert_eq!(keep(inner).as_deref(), Ok(inner));
        assert_eq!(relayed(inner), inner);
    }
}

#[test]
fn what_is_missing_is_added_and_the_rest_stays_as_it_was_written() {
    for (inner, want) in [
        (
            r#"{"from":"a","to":"b","message":"x","message_type":"muc"}"#,
            r#"{"from":"a\"","to":"b","message":"x","message_type":"muc","timestamp":1732147200999}"#,
        ),
        (
            r#"{ "to" : "b","nonce":  [1.50], "message":"\u0041","timestamp":12.50 }"#,
            r#"{"from":"a\"","timestamp":12.50,"to":"b","nonce":[1.50],"message":"\u0041","message_type":"chat"}"#,
        ),
        (
            r#"{"to":"b","message":"x"}"#,
            r#"{"from":"a\"","to":"b","message":"x","message_type":"chat","timestamp":1732147200999}"#,
        ),
    ] {
        assert_eq!(relayed(inner), want);
    }
}

#[test]
fn a_wrong_timestamp_and_empty_fields_are_replaced_and_not_repeated() {
    for timestamp in ["null", r#""1732147200123""#, "true", "[1]", "{}"] {
        let inner =
            format!(r#"{{"from":"a","to":"b","message":"x","timestamp":{timestamp},"message_type":"chat"}}"#);
        let want = r#"{"from":"a\"","to":"b","message":"x","message_type":"chat","timestamp":1732147200999}"#;
        assert_eq!(relayed(&inner), want);
    }
    for from in ["null", r#""""#] {
        let inner =
            format!(r#"{{"from":{from},"to":"b","message":"x","t\u0069mestamp":5,"message_type":null}}"#);
        let want = r#"{"from":"a\"","timestamp":5,"to":"b","message":"x","message_type":"chat"}"#;
        assert_eq!(relayed(&inner), want);
    }
}

#[test]
fn one_of_our_fields_twice_is_refused() {
    for name in OURS {
        for again in [name.to_owned(), format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..])] {
            let inner = format!(
                r#"{{"from":"a","to":"b","message":"x","timestamp":1,"message_type":"chat","{again}":"x"}}"#
            );
            let said = format!("Field \"{name}\" must not be there twice");
            assert_eq!(keep(&inner), Err(Refusal::with(Code::InvalidField, said)));
        }
    }
}

#[test]
fn what_another_dialect_said_is_made_from_its_text() {
    let got: Value = serde_json::from_str(&written(None)).expect("JSON");
    let want = json!({"from": "a\"", "to": "b\"", "message": "x\n", "timestamp": AT_MS, "message_type": "groupchat"});
    assert_eq!(got, want);
}

proptest! {
    #[test]
    fn ciphertext_and_extra_fields_are_relayed_byte_for_byte(
        cipher in any::<String>(),
        key in "x[a\"\\\\é\n]{0,5}",
        extra in any::<String>(),
        left_out in proptest::sample::subsequence(vec!["from", "timestamp", "message_type"], 0..=3),
        pretty: bool,
    ) {
        let mut sent = json!({"from": "a\"", "to": "b", "message": cipher, "timestamp": 5, "message_type": "muc"});
        sent[&key] = json!({"v": [extra, 2.5, null]});
        for name in &left_out {
            sent.as_object_mut().unwrap().remove(*name);
        }
        let inner = if pretty { format!("{sent:#}") } else { sent.to_string() };
        let got = relayed(&inner);
        if left_out.is_empty() {
            prop_assert_eq!(&got, &inner);
        }
        let Value::Object(kept) = serde_json::from_str(&got).unwrap() else { panic!("{got}") };
        prop_assert_eq!(raw::members(&got).count(), 6, "none is there twice");
        for (name, was) in sent.as_object().unwrap() {
            prop_assert_eq!(&kept[name], was);
            prop_assert_eq!(raw::member(&got, name), raw::member(&inner, name));
        }
        let added = [("from", json!("a\"")), ("timestamp", json!(AT_MS)), ("message_type", json!("chat"))];
        for (name, value) in added.iter().filter(|(name, _)| left_out.contains(name)) {
            prop_assert_eq!(&kept[*name], value);
        }
    }
}
