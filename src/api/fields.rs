//! The fields of a JSON body, read by name and type.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::fault::Fault;
use crate::dialect::{MAX_ITEMS, MAX_NAME_BYTES};
use crate::model::{Code, Refusal};

/// The greatest whole number that every JSON reader holds exactly: 2^53 - 1 (RFC 8259, 6).
pub const COUNT_MAX: usize = 9_007_199_254_740_991;

/// The object that a body is, or one within it. A field that is `null` counts as absent.
///
/// Every reader refuses what is missing or wrong with a sentence that names the field and what it must be.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    fields: &'a Map<String, Value>,
    /// The code of such a refusal: dialects differ in the status they document.
    wrong: Code,
}

/// Reads a body.
///
/// # Errors
/// [`Code::Malformed`]: it is no JSON object.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    let malformed = |_| Refusal::new(Code::Malformed, "The body must be a JSON object").into();
    serde_json::from_slice(body).map_err(malformed)
}

impl<'a> Fields<'a> {
    pub fn new(fields: &'a Map<String, Value>, wrong: Code) -> Self {
        Self { fields, wrong }
    }

    fn get(self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(
        self,
        name: &'static str,
        what: impl Display,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| Fault::field(self.wrong, name, what)),
        }
    }

    fn needed<T>(self, name: &'static str, what: impl Display, read: Option<T>) -> Result<T, Fault> {
        read.ok_or_else(|| Fault::field(self.wrong, name, what))
    }

    /// A string of 1 to `max` bytes, which must be there.
    pub fn text(self, name: &'static str, max: usize) -> Result<&'a str, Fault> {
        let what = format_args!("a string of 1 to {max} bytes");
        let text = self.typed(name, what, |value| within(value, 1, max))?;
        self.needed(name, what, text)
    }

    /// An id of a user or channel, which must be there.
    pub fn id(self, name: &'static str) -> Result<&'a str, Fault> {
        self.text(name, MAX_NAME_BYTES)
    }

    /// A string of at most [`MAX_NAME_BYTES`]; empty counts as absent.
    pub fn label(self, name: &'static str) -> Result<Option<&'a str>, Fault> {
        let what = format_args!("a string of at most {MAX_NAME_BYTES} bytes");
        let label = self.typed(name, what, |value| within(value, 0, MAX_NAME_BYTES))?;
        Ok(label.filter(|label| !label.is_empty()))
    }

    /// An array of at most [`MAX_ITEMS`] names; absent: none.
    pub fn labels(self, name: &'static str) -> Result<Vec<&'a str>, Fault> {
        let what = format_args!("an array of at most {MAX_ITEMS} strings of 1 to {MAX_NAME_BYTES} bytes");
        let labels = self.typed(name, what, |value| {
            let items = value.as_array().filter(|items| items.len() <= MAX_ITEMS)?;
            items.iter().map(|item| within(item, 1, MAX_NAME_BYTES)).collect()
        })?;
        Ok(labels.unwrap_or_default())
    }

    /// One of the words that `read` knows; `words` lists them for people.
    pub fn word<T>(
        self,
        name: &'static str,
        words: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        self.typed(name, format_args!("one of {words}"), |value| read(value.as_str()?))
    }

    /// The same, which must be there.
    pub fn needed_word<T>(
        self,
        name: &'static str,
        words: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        let word = self.word(name, words, read)?;
        self.needed(name, format_args!("one of {words}"), word)
    }

    /// `true` or `false`.
    pub fn flag(self, name: &'static str, default: bool) -> Result<bool, Fault> {
        Ok(self.typed(name, "true or false", Value::as_bool)?.unwrap_or(default))
    }

    /// A whole number from 0 to [`COUNT_MAX`]; also written as `5.0`, which JSON Schema calls an integer.
    pub fn count(self, name: &'static str) -> Result<Option<usize>, Fault> {
        let whole = |n: &f64| n.fract() == 0.0 && (0.0..=COUNT_MAX as f64).contains(n);
        self.typed(name, "an integer of 0 or more, at most 2^53 - 1", |value| {
            let n = value.as_u64().or_else(|| value.as_f64().filter(whole).map(|n| n as u64))?;
            usize::try_from(n).ok().filter(|n| *n <= COUNT_MAX)
        })
    }

    /// An object within this one.
    pub fn object(self, name: &'static str) -> Result<Option<Self>, Fault> {
        let inner = self.typed(name, "an object", Value::as_object)?;
        Ok(inner.map(|fields| Self { fields, ..self }))
    }

    /// Whether there is a field of that name which is not `null`.
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

fn within(value: &Value, min: usize, max: usize) -> Option<&str> {
    value.as_str().filter(|text| (min..=max).contains(&text.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with<T>(value: Value, read: impl FnOnce(Fields<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        read(Fields::new(value.as_object().expect("an object"), Code::InvalidField))
    }

    fn said<T: std::fmt::Debug>(read: Result<T, Fault>) -> String {
        let fault = read.expect_err("refused");
        assert_eq!((fault.refusal.code, fault.field), (Code::InvalidField, Some("f")));
        fault.refusal.text.into_owned()
    }

    #[test]
    fn a_body_is_an_object_and_nothing_else() {
        assert!(object(b" {} ").is_ok());
        let deep = [b"{\"a\":".repeat(1000), b"1".to_vec(), b"}".repeat(1000)].concat();
        for body in [&b""[..], b"[]", b"{", b"null", b"\"x\"", b"{} {}", b"{\"a\":\"\xff\"}", &deep] {
            let fault = object(body).expect_err("no object");
            assert_eq!((fault.refusal.code, fault.field), (Code::Malformed, None));
        }
    }

    #[test]
    fn strings_have_their_lengths() {
        let text = |f: Value| with(json!({ "f": f }), |b| b.text("f", 4).map(str::to_owned));
        assert_eq!((text(json!("é")), text(json!("1234"))), (Ok("é".into()), Ok("1234".into())));
        for wrong in [json!(""), json!("12345"), json!("éé1"), json!(5), json!([]), json!({}), Value::Null]
        {
            assert_eq!(said(text(wrong)), "f must be a string of 1 to 4 bytes");
        }
        let id = |n| with(json!({ "f": "x".repeat(n) }), |b| b.id("f").map(str::len));
        assert_eq!(id(256), Ok(256));
        assert_eq!(said(id(257)), "f must be a string of 1 to 256 bytes");
        let label = |f: Value| with(json!({ "f": f }), |b| Ok(b.label("f")?.map(str::len)));
        assert_eq!(
            (label(json!("x")), label(json!("")), label(Value::Null)),
            (Ok(Some(1)), Ok(None), Ok(None))
        );
        assert_eq!(label(json!("x".repeat(256))), Ok(Some(256)));
        assert_eq!(said(label(json!("x".repeat(257)))), "f must be a string of at most 256 bytes");
    }

    #[test]
    fn lists_have_their_lengths() {
        let labels = |f: Value| with(json!({ "f": f }), |b| Ok(b.labels("f")?.len()));
        assert_eq!((labels(Value::Null), labels(json!([]))), (Ok(0), Ok(0)));
        assert_eq!(labels(json!(vec!["x"; 100])), Ok(100));
        for wrong in [json!(vec!["x"; 101]), json!("x"), json!([1]), json!([""]), json!(["x".repeat(257)])] {
            assert_eq!(said(labels(wrong)), "f must be an array of at most 100 strings of 1 to 256 bytes");
        }
    }

    #[test]
    fn the_other_types() {
        let word = |f: Value| {
            with(json!({ "f": f }), |b| b.needed_word("f", "a, b", |w| (w == "a" || w == "b").then_some(())))
        };
        assert_eq!(word(json!("a")), Ok(()));
        for wrong in [json!("c"), json!(1), Value::Null] {
            assert_eq!(said(word(wrong)), "f must be one of a, b");
        }
        let flag = |f: Value| with(json!({ "f": f }), |b| b.flag("f", true));
        assert_eq!((flag(json!(false)), flag(Value::Null)), (Ok(false), Ok(true)));
        assert_eq!(said(flag(json!(0))), "f must be true or false");
        let count = |f: Value| with(json!({ "f": f }), |b| b.count("f"));
        assert_eq!((count(json!(0)), count(Value::Null)), (Ok(Some(0)), Ok(None)));
        let most = COUNT_MAX as u64;
        assert_eq!((count(json!(5.0)), count(json!(most))), (Ok(Some(5)), Ok(Some(COUNT_MAX))));
        for wrong in [json!(-1), json!(1.5), json!("1"), json!(most + 1), json!(1e16), json!(-0.5)] {
            assert_eq!(said(count(wrong)), "f must be an integer of 0 or more, at most 2^53 - 1");
        }
        let inner = |f: Value| with(json!({ "f": f }), |b| Ok(b.object("f")?.map(|inner| inner.has("x"))));
        assert_eq!((inner(json!({ "x": 1 })), inner(json!({}))), (Ok(Some(true)), Ok(Some(false))));
        assert_eq!(said(inner(json!([]))), "f must be an object");
    }
}
