//! A JSON object being written, member by member, behind what a buffer holds already.
//!
//! Keys are ours, come with their punctuation from `key!`, and are copied in one piece. Values are escaped here.

use std::fmt::{Display, Write as _};

use bytes::BytesMut;

use super::escape;
use crate::clock::wall_time;
use crate::model::Position;

/// A key with its punctuation. Keys need no escape. `first`: of the first member of an object.
macro_rules! key {
    (first $key:literal) => {
        concat!("\"", $key, "\":")
    };
    ($key:literal) => {
        concat!(",\"", $key, "\":")
    };
}
pub(crate) use key;

/// The object. Nothing is checked: whoever writes keeps the order of `open`, `close` and `end`.
#[must_use = "an object that is not ended is no JSON"]
pub(crate) struct Object<'o>(&'o mut BytesMut);

impl<'o> Object<'o> {
    /// Begins an object whose first member is `type`.
    pub fn typed(kind: &'static str, out: &'o mut BytesMut) -> Self {
        Self::begin(key!(first "type"), kind, out)
    }

    /// Begins an object whose first member has that key (`key!(first …)`) and that word, which needs no escape.
    pub fn begin(key: &'static str, word: &'static str, out: &'o mut BytesMut) -> Self {
        out.extend_from_slice(b"{");
        Self(out).word(key, word)
    }

    fn key(self, key: &'static str) -> Self {
        self.0.extend_from_slice(key.as_bytes());
        self
    }

    fn quoted(self, write: impl FnOnce(&mut BytesMut)) -> Self {
        self.0.extend_from_slice(b"\"");
        write(self.0);
        self.0.extend_from_slice(b"\"");
        self
    }

    /// A string, escaped for JSON.
    pub fn name(self, key: &'static str, value: &str) -> Self {
        self.key(key).quoted(|out| escape::json(value, out))
    }

    /// A string, or `null`.
    pub fn name_or_null(self, key: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.name(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// A string, escaped for HTML and for JSON.
    pub fn html(self, key: &'static str, value: &str) -> Self {
        self.key(key).quoted(|out| escape::html(value, out))
    }

    /// A string whose text needs no escape.
    pub fn word(self, key: &'static str, value: impl Display) -> Self {
        self.key(key).quoted(|out| write!(out, "{value}").expect("a BytesMut grows"))
    }

    /// JSON as it is.
    pub fn raw(self, key: &'static str, json: &str) -> Self {
        let object = self.key(key);
        object.0.extend_from_slice(json.as_bytes());
        object
    }

    /// Members that are JSON already, keys and all, without a comma before the first.
    pub fn members(self, json: &str) -> Self {
        if !json.is_empty() {
            self.0.extend_from_slice(b",");
            self.0.extend_from_slice(json.as_bytes());
        }
        self
    }

    pub fn number(self, key: &'static str, value: u64) -> Self {
        let object = self.key(key);
        object.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        object
    }

    /// The number of an event in its channel, if it has one.
    pub fn seq(self, seq: Option<u64>) -> Self {
        match seq {
            Some(seq) => self.number(key!("seq"), seq),
            None => self,
        }
    }

    /// Where a channel stands, if that is to be said.
    pub fn position(self, position: Option<Position>) -> Self {
        match position {
            Some(Position { epoch, seq }) => self.word(key!("epoch"), epoch).seq(Some(seq)),
            None => self,
        }
    }

    pub fn flag(self, key: &'static str, value: bool) -> Self {
        self.raw(key, if value { "true" } else { "false" })
    }

    /// A moment in milliseconds since 1970 as `2025-01-15T10:30:00Z` (RFC 3339).
    pub fn iso_seconds(self, key: &'static str, at_ms: u64) -> Self {
        self.word(key, humantime::format_rfc3339_seconds(wall_time(at_ms)))
    }

    /// The same as `2025-01-15T10:30:00.000Z`, as JavaScript's `toISOString` writes it.
    pub fn iso_millis(self, key: &'static str, at_ms: u64) -> Self {
        self.word(key, humantime::format_rfc3339_millis(wall_time(at_ms)))
    }

    /// Strings.
    pub fn names<S: AsRef<str>>(self, key: &'static str, values: impl IntoIterator<Item = S>) -> Self {
        self.list(key, values, |value, out| {
            out.extend_from_slice(b"\"");
            escape::json(value.as_ref(), out);
            out.extend_from_slice(b"\"");
        })
    }

    /// Items of which each writes itself.
    pub fn list<T>(
        self,
        key: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(T, &mut BytesMut),
    ) -> Self {
        let object = self.key(key);
        object.0.extend_from_slice(b"[");
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                object.0.extend_from_slice(b",");
            }
            write(item, object.0);
        }
        object.0.extend_from_slice(b"]");
        object
    }

    /// An object of numbers by name.
    pub fn numbers<'n>(self, key: &'static str, entries: impl IntoIterator<Item = (&'n str, u64)>) -> Self {
        let mut object = self.key(key);
        object.0.extend_from_slice(b"{");
        for (n, (name, value)) in entries.into_iter().enumerate() {
            if n > 0 {
                object.0.extend_from_slice(b",");
            }
            object = object.quoted(|out| escape::json(name, out)).number(":", value);
        }
        object.close()
    }

    /// Begins an object within this one; its first member has a `key!(first …)`.
    pub fn open(self, key: &'static str) -> Self {
        let object = self.key(key);
        object.0.extend_from_slice(b"{");
        object
    }

    /// Ends it.
    pub fn close(self) -> Self {
        self.0.extend_from_slice(b"}");
        self
    }

    pub fn end(self) {
        self.0.extend_from_slice(b"}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Epoch;

    #[test]
    fn what_is_written_is_json() {
        let mut out = BytesMut::from("x");
        Object::typed("t", &mut out)
            .name(key!("name"), "a\"\n")
            .name_or_null(key!("none"), None)
            .html(key!("html"), "<")
            .raw(key!("raw"), "[1, 2]")
            .members("\"m\":1")
            .members("")
            .number(key!("n"), 7)
            .flag(key!("yes"), true)
            .iso_seconds(key!("s"), 1_736_937_000_999)
            .iso_millis(key!("ms"), 1_736_937_000_009)
            .names(key!("names"), ["a", "\\"])
            .numbers(key!("numbers"), [("x\"", 1), ("y", 2)])
            .seq(None)
            .position(None)
            .position(Some(Position { epoch: Epoch(0xab), seq: u64::MAX }))
            .open(key!("inner"))
            .flag(key!(first "deep"), false)
            .close()
            .end();
        let text = std::str::from_utf8(&out[1..]).expect("text");
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let want = serde_json::json!({
            "type": "t", "name": "a\"\n", "none": null, "html": "&lt;", "raw": [1, 2], "m": 1, "n": 7,
            "yes": true, "s": "2025-01-15T10:30:00Z", "ms": "2025-01-15T10:30:00.009Z",
            "names": ["a", "\\"], "numbers": { "x\"": 1, "y": 2 }, "inner": { "deep": false },
            "epoch": "00000000000000ab", "seq": u64::MAX,
        });
        assert_eq!(value, want);
    }
}
