//! The inner object of a ChatMessage on its way through the server: extra fields and ciphertext arrive as they were
//! written, byte for byte (SGE-22, SGE-52), and what receivers rely on is there even if the sender left it out.
//!
//! It is kept in one of two forms. If nothing is missing: the object, from brace to brace. Otherwise its members
//! without braces and without `from`, the timestamp first if there is one; what is still missing is added when it is
//! written, for only then it is known who spoke, and when.

use crate::dialect::object::{Object, key};
use crate::dialect::raw::{self, Member};
use crate::model::{Code, Dialect, Message, Refusal};

const TIMESTAMP: &str = key!(first "timestamp");

/// What the server reads or adds.
const OURS: [&str; 5] = ["from", "to", "message", "timestamp", "message_type"];

/// What is kept of the object that `inner` is.
///
/// # Errors
/// [`Code::InvalidField`]: one of the server's fields is there twice. Receivers that take the first one would be told
/// of another sender or text than the server has checked.
pub(super) fn keep(inner: &str) -> Result<Box<str>, Refusal> {
    let mut values = [None; OURS.len()];
    for member in raw::members(inner) {
        let Some(n) = OURS.iter().position(|name| member.is_named(name)) else { continue };
        if values[n].replace(member.value).is_some() {
            let said = format!("Field \"{}\" must not be there twice", OURS[n]);
            return Err(Refusal::with(Code::InvalidField, said));
        }
    }
    let [from, _, _, timestamp, kind] = values;
    let is_there = |value: &&str| !matches!(*value, "null" | "\"\"");
    let timestamp = timestamp.filter(|value| is_number(value));
    match (from.filter(is_there), timestamp, kind.filter(is_there)) {
        (Some(_), Some(_), Some(_)) => Ok(inner.into()),
        (_, timestamp, kind) => Ok(members(inner, timestamp, kind.unwrap_or("\"chat\"")).into()),
    }
}

fn members(inner: &str, timestamp: Option<&str>, kind: &str) -> String {
    let mut kept = String::with_capacity(inner.len() + 32);
    for part in timestamp.map_or(["", "", ""], |timestamp| [TIMESTAMP, timestamp, ","]) {
        kept += part;
    }
    let replaced =
        |member: &Member<'_>| ["from", "timestamp", "message_type"].iter().any(|name| member.is_named(name));
    for member in raw::members(inner).filter(|member| !replaced(member)) {
        for part in [member.key, ":", member.value, ","] {
            kept += part;
        }
    }
    kept + key!(first "message_type") + kind
}

/// Adds the inner object as `message`: as its sender wrote it, or, if it was said in another dialect, made from the
/// text, with `kind` for its `message_type`.
pub(super) fn write<'o>(m: &Message, kind: &'static str, frame: Object<'o>) -> Object<'o> {
    let kept = m.verbatim(Dialect::Sge);
    if let Some(whole) = kept.filter(|kept| kept.starts_with('{')) {
        return frame.raw(key!("message"), whole);
    }
    let inner = frame.open(key!("message")).name(key!(first "from"), &m.from);
    let inner = match kept {
        Some(members) => inner.members(members),
        None => {
            let inner = inner.name(key!("to"), &m.place).name(key!("message"), &m.text);
            inner.word(key!("message_type"), kind)
        }
    };
    match kept.is_some_and(|members| members.starts_with(TIMESTAMP)) {
        true => inner.close(),
        false => inner.number(key!("timestamp"), m.at_ms).close(),
    }
}

/// Whether a JSON value is a number.
fn is_number(value: &str) -> bool {
    value.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
