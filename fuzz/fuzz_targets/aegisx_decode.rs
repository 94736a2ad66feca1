//! The text of an AegisX message: decoded or refused, and what is relayed is the JSON that serde_json reads there.
//!
//! Input: the message.
#![no_main]

mod parsers;

use lanecast::dialect::{JsonScratch, MAX_ITEMS, MAX_NAME_BYTES, Order, Request, Speech, aegisx};
use lanecast::model::{Address, Code};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use parsers::{check_words, differs_by_design};

/// How long a channel's name may be at most, with the longest prefix.
const MAX_CHANNEL_BYTES: usize = "notifications:".len() + MAX_NAME_BYTES;

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len())
}

/// JSON relayed as it was is JSON, and means what the other parser read.
fn check_raw(json: &str, read: Option<&Value>) {
    let value: Value = serde_json::from_str(json).expect("relayed JSON is JSON");
    assert!(read.is_none_or(|read| *read == value), "{json}");
}

fn check_speech(speech: &Speech<'_>, read: Option<&Value>) {
    match &speech.verbatim {
        Some(json) => {
            check_raw(json, read);
            check_raw(&speech.text, read);
            assert!(speech.text.len() <= json.len() && !json.starts_with('"'));
        }
        None => assert!(read.is_none_or(|read| read == &*speech.text)),
    }
}

fn check_order(order: &Order<'_>, data: impl Fn(&str) -> Option<Value>) {
    match order {
        Order::Stats => {}
        Order::Broadcast { message } => check_raw(message, data("message").as_ref()),
        Order::BroadcastTenant { tenant, message } => {
            assert!(is_name(tenant));
            check_raw(message, data("message").as_ref());
        }
        Order::Notify { tenant, user, notification } => {
            assert!(is_name(tenant) && is_name(user));
            check_raw(notification, data("notification").as_ref());
        }
        Order::Disconnect { connection } => assert!(is_name(connection)),
    }
}

fn check_place(place: &Address<'_>, read: Option<Value>) {
    let whole = match place {
        Address::Public(id) => format!("public:{id}"),
        Address::Tenant(name) | Address::Notifications(name) | Address::Foreign(name) => (*name).to_owned(),
        other => panic!("no channel of AegisX: {other:?}"),
    };
    assert!(whole.len() <= MAX_CHANNEL_BYTES);
    assert!(read.is_none_or(|read| read == *whole));
}

fn check(request: &Request<'_>, value: Option<&Value>) {
    let data = |field: &str| value.map(|value| value["data"][field].clone());
    if let Some(value) = value {
        check_words(request, &value["data"]["id"], &value["data"]["since"]);
    }
    match request {
        Request::Publish { place, speech } => {
            check_place(place, data("channel"));
            check_speech(speech, data("message").as_ref());
        }
        Request::Join { place, .. } | Request::Leave { place, .. } => check_place(place, data("channel")),
        Request::SubscribeNotifications { types } => {
            assert!(types.len() <= MAX_ITEMS && types.iter().all(|kind| is_name(kind)));
        }
        Request::Administer(order) => {
            assert!(value.is_none_or(|value| value["type"] == order.kind()));
            check_order(order, data);
        }
        Request::Misordered { kind, .. } | Request::Custom { kind } => {
            assert!(value.is_none_or(|value| value["type"] == *kind));
        }
        Request::Ping => {}
        other => panic!("no message of AegisX: {other:?}"),
    }
}

fuzz_target!(|message: &[u8]| {
    let Ok(text) = std::str::from_utf8(message) else { return };
    let (mut scratch, mut original, mut again) = (JsonScratch::new(), Vec::new(), vec![b'x'; 9]);
    let mut bytes = message.to_vec();
    let first = aegisx::decode(&mut bytes, &mut original, &mut scratch);
    let differs = differs_by_design(text);
    let value: Option<Value> = serde_json::from_str(text).ok();
    if let Ok(request) = &first
        && !differs
    {
        check(request, value.as_ref());
    }
    // Whatever was read before, the same message has the same outcome.
    let mut bytes = message.to_vec();
    assert_eq!(first, aegisx::decode(&mut bytes, &mut again, &mut scratch));
    // What is no JSON object is malformed, and an object is at least of an unknown type.
    let object = value.as_ref().is_some_and(Value::is_object);
    let typed = value.is_some_and(|value| value["type"].is_string());
    if !differs && !object {
        assert!(matches!(&first, Err(r) if r.code == Code::Malformed), "{text:?}: {first:?}");
    } else if !differs {
        assert_eq!(typed, !matches!(&first, Err(r) if r.code == Code::UnknownType), "{text:?}: {first:?}");
    }
});
