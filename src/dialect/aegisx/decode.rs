//! From the text of a message to a request.
//!
//! What a client says is any JSON: it is relayed byte for byte, from a copy made before the parser undoes escapes.

use std::borrow::Cow;

use serde_json::Value;

use super::PUBLIC;
use crate::dialect::fields::{Fields, must_be};
use crate::dialect::{
    JsonScratch, MALFORMED, MAX_NAME_BYTES, Order, Request, Speech, name, raw, request, since, too_long,
    unknown_type,
};
use crate::model::{Address, Refusal};

/// Reads one message. `text` is clobbered, `original` overwritten with it first; the request borrows both.
///
/// Who may do what is decided elsewhere, also for what only administrators may. Allocates nothing once
/// `scratch` and `original` are warm, unless the message is refused, lists types, or says something that is no
/// string; `original` keeps room for the longest message.
///
/// An order of an administrator that is not as it must be is [`Request::Misordered`] and no error.
///
/// # Errors
/// It is no JSON object, has no type (ruling A8), lacks the `data` it needs (ruling A7), or a field of that is
/// missing, of the wrong type, or beyond its limit.
pub fn decode<'a>(
    text: &'a mut [u8],
    original: &'a mut Vec<u8>,
    scratch: &mut JsonScratch,
) -> Result<Request<'a>, Refusal> {
    original.clear();
    original.extend_from_slice(text);
    let original: &'a [u8] = original;
    scratch.read_object(text, |message| read(message, original)).unwrap_or(Err(MALFORMED))
}

fn read<'a>(message: Fields<'_, 'a>, original: &'a [u8]) -> Result<Request<'a>, Refusal> {
    let Ok(Some(kind)) = message.text("type") else { return Err(no_type(original)) };
    match kind {
        "send_message" => publish(Data::of(message, original)?),
        "ping" => Ok(Request::Ping),
        "join_channel" => {
            let data = Data::of(message, original)?;
            let (place, since) = (channel(data)?, since(data.fields)?);
            Ok(Request::Join { place, password: None, username: None, since })
        }
        "leave_channel" => {
            Ok(Request::Leave { place: channel(Data::of(message, original)?)?, username: None })
        }
        "subscribe_notifications" => {
            let types = Data::of(message, original)?.fields.names("types")?;
            Ok(Request::SubscribeNotifications { types: types.unwrap_or_else(|| vec!["all"]) })
        }
        "get_stats" => Ok(Request::Administer(Order::Stats)),
        "broadcast" | "broadcast_tenant" | "notify_user" | "disconnect" => {
            // Whether the fault may be named depends on who asks: to others there is no such kind (AEG-03).
            Ok(match Data::of(message, original).and_then(|data| order(kind, data)) {
                Ok(order) => Request::Administer(order),
                Err(refusal) => Request::Misordered { kind, refusal },
            })
        }
        kind => Ok(Request::Custom { kind }),
    }
}

/// The `data` of a message: its fields, and where it was written.
#[derive(Clone, Copy)]
struct Data<'t, 'a> {
    fields: Fields<'t, 'a>,
    original: &'a [u8],
}

impl<'t, 'a> Data<'t, 'a> {
    fn of(message: Fields<'t, 'a>, original: &'a [u8]) -> Result<Self, Refusal> {
        match message.object("data") {
            Ok(Some(fields)) => Ok(Self { fields, original }),
            _ => Err(MALFORMED),
        }
    }

    /// Any JSON, as it was written; `null` is a value like others.
    fn json(self, field: &str) -> Result<&'a str, Refusal> {
        let json = member(self.original, "data").and_then(|data| raw::member(data, field));
        json.ok_or_else(|| must_be(field, "given, as any JSON"))
    }

    fn name(self, field: &str) -> Result<&'a str, Refusal> {
        name(self.fields, field)?.ok_or_else(|| must_be(field, "a non-empty string"))
    }
}

fn member<'a>(original: &'a [u8], name: &str) -> Option<&'a str> {
    raw::member(simdutf8::basic::from_utf8(original).ok()?, name)
}

/// Members of other dialects read what is no string as the JSON it is.
fn publish<'a>(data: Data<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let (place, request) = (channel(data)?, request(data.fields, "id")?);
    if let Some(text) = data.fields.string("message") {
        return Ok(Request::Publish { place, speech: Speech { request, ..Speech::plain(text) } });
    }
    let json = data.json("message")?;
    let speech = Speech { text: compact(json), request, verbatim: Some(json.into()), ..Speech::default() };
    Ok(Request::Publish { place, speech })
}

/// JSON without the white space between its tokens. Nothing else changes, so that numbers keep their digits.
fn compact(json: &str) -> Cow<'_, str> {
    // JavaScript writes none.
    if !json.chars().any(between_tokens()) {
        return Cow::Borrowed(json);
    }
    let mut is_between = between_tokens();
    Cow::Owned(json.chars().filter(|c| !is_between(*c)).collect())
}

/// Tells of the characters of a JSON text, one after the other, whether each is white space between tokens.
fn between_tokens() -> impl FnMut(char) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    move |c| {
        let between = !in_string && matches!(c, ' ' | '\t' | '\n' | '\r');
        in_string ^= c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
        between
    }
}

/// What an administrator wants (ruling A11).
fn order<'a>(kind: &str, data: Data<'_, 'a>) -> Result<Order<'a>, Refusal> {
    Ok(match kind {
        "broadcast" => Order::Broadcast { message: data.json("message")? },
        "broadcast_tenant" => {
            Order::BroadcastTenant { tenant: data.name("tenantId")?, message: data.json("message")? }
        }
        "notify_user" => Order::Notify {
            tenant: data.name("tenantId")?,
            user: data.name("userId")?,
            notification: data.json("notification")?,
        },
        _ => Order::Disconnect { connection: data.name("connectionId")? },
    })
}

/// The channel in a field.
fn channel<'a>(data: Data<'_, 'a>) -> Result<Address<'a>, Refusal> {
    address(data.fields.text("channel")?.ok_or_else(|| must_be("channel", "a string"))?)
}

/// The channel of that name; the limit on names is for what stands behind the prefix.
///
/// # Errors
/// It is too long.
pub fn address(whole: &str) -> Result<Address<'_>, Refusal> {
    let behind = |prefix| whole.strip_prefix(prefix).filter(|rest: &&str| !rest.is_empty());
    let (place, len) = if let Some(rest) = behind(PUBLIC) {
        (Address::Public(rest), rest.len())
    } else if let Some(rest) = behind("tenant:") {
        (Address::Tenant(whole), rest.len())
    } else if let Some(rest) = behind("notifications:") {
        (Address::Notifications(whole), rest.len())
    } else {
        (Address::Foreign(whole), whole.len())
    };
    if len > MAX_NAME_BYTES { Err(too_long("channel", len)) } else { Ok(place) }
}

/// The refusal of a message whose type is no string, with the type as the document's template prints it.
fn no_type(original: &[u8]) -> Refusal {
    match member(original, "type").map(serde_json::from_str::<Value>) {
        Some(Ok(value)) => unknown_type(&template(&value)),
        _ => unknown_type("undefined"),
    }
}

/// What JavaScript makes of a value in `${…}`.
fn template(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), |n| n.to_string()),
        Value::Array(items) => {
            let item = |v: &Value| if v.is_null() { String::new() } else { template(v) };
            items.iter().map(item).collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => "[object Object]".into(),
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
