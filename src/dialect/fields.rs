//! The fields of one JSON object, read by name and type.

use simd_json::prelude::*;
use simd_json::tape::Value;

use crate::model::{Code, Refusal};

/// A view of an object in the parser's tape. Of fields with the same name the last one counts, as with
/// `JSON.parse`; one that is `null` counts as absent.
///
/// Every reader refuses a field of another type with a sentence that names the field and the type.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "would show tokens and passwords")]
pub struct Fields<'t, 'a>(Value<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    /// `None` if the value is no object.
    pub(super) fn new(value: Value<'t, 'a>) -> Option<Self> {
        value.is_object().then_some(Self(value))
    }

    fn get(self, name: &str) -> Option<Value<'t, 'a>> {
        let last = self.0.as_object()?.iter().filter(|(key, _)| *key == name).last();
        last.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    fn typed<T>(
        self,
        name: &str,
        what: &str,
        read: impl FnOnce(Value<'t, 'a>) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| must_be(name, what)),
        }
    }

    /// A string, as long as it is.
    pub fn text(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        self.typed(name, "a string", Value::into_string)
    }

    /// The string, if it is one: of a field that may be anything.
    pub fn string(self, name: &str) -> Option<&'a str> {
        self.get(name)?.into_string()
    }

    /// `true` or `false`.
    pub fn flag(self, name: &str) -> Result<Option<bool>, Refusal> {
        self.typed(name, "true or false", |value| value.as_bool())
    }

    /// A whole number from 0 on, written without fraction and exponent.
    pub fn count(self, name: &str) -> Result<Option<usize>, Refusal> {
        self.typed(name, "a whole number, 0 or more", |value| value.as_u64()?.try_into().ok())
    }

    /// An array of strings, of at most [`MAX_ITEMS`](super::MAX_ITEMS) that are each a name.
    pub fn names(self, name: &str) -> Result<Option<Vec<&'a str>>, Refusal> {
        let read = |value: Value<'t, 'a>| {
            let items = value.as_array()?;
            let each = items.iter().map(|v| v.into_string());
            let fits = |item: &&str| (1..=super::MAX_NAME_BYTES).contains(&item.len());
            each.map(|item| item.filter(fits)).collect::<Option<Vec<_>>>()
        };
        match self.typed(name, NAMES, read)? {
            Some(items) if items.len() > super::MAX_ITEMS => {
                let said = format!(
                    "Field \"{name}\" has {} items, at most {} are allowed",
                    items.len(),
                    super::MAX_ITEMS
                );
                Err(Refusal::with(Code::TooLarge, said))
            }
            items => Ok(items),
        }
    }

    /// An array, as long as it is: how many are in it.
    pub fn items(self, name: &str) -> Result<Option<usize>, Refusal> {
        self.typed(name, "an array", |value| Some(value.as_array()?.len()))
    }

    /// Whether there is a field of that name which is not `null`.
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// An object within this one.
    pub fn object(self, name: &str) -> Result<Option<Self>, Refusal> {
        self.typed(name, "an object", Self::new)
    }
}

/// What [`Fields::names`] wants: names of at most [`MAX_NAME_BYTES`](super::MAX_NAME_BYTES).
const NAMES: &str = "an array of strings of 1 to 256 bytes";
const _: () = assert!(super::MAX_NAME_BYTES == 256);

/// The refusal of a field that is there and is not what it must be.
pub fn must_be(name: &str, what: &str) -> Refusal {
    Refusal::with(Code::InvalidField, format!("Field \"{name}\" must be {what}"))
}

#[cfg(test)]
mod tests {
    use super::super::JsonScratch;

    const EACH_TYPE: &str = r#"{"string":"s","empty":"","yes":true,"no":false,"zero":0,"many":18446744073709551615,
        "minus":-1,"real":1.5,"whole_real":1.0,"list":[1],"inner":{"string":"deep"},"null":null,
        "twice":"first","twice":2,"gone":"x","gone":null}"#;

    #[test]
    fn each_reader_takes_its_type_and_refuses_the_others_by_name() {
        let mut text = EACH_TYPE.as_bytes().to_vec();
        let found = JsonScratch::new().read_object(&mut text, |f| {
            for name in ["yes", "no", "zero", "many", "minus", "real", "whole_real", "list", "inner", "twice"]
            {
                assert_eq!(f.text(name).unwrap_err().text, format!("Field \"{name}\" must be a string"));
            }
            for name in ["string", "empty", "zero", "list", "inner"] {
                assert_eq!(f.flag(name).unwrap_err().text, format!("Field \"{name}\" must be true or false"));
            }
            for name in ["string", "yes", "minus", "real", "whole_real", "list", "inner"] {
                let said = f.count(name).unwrap_err().text;
                assert_eq!(said, format!("Field \"{name}\" must be a whole number, 0 or more"));
            }
            for name in ["string", "yes", "zero", "list"] {
                assert_eq!(f.object(name).err().unwrap().text, format!("Field \"{name}\" must be an object"));
            }
            for name in ["string", "yes", "zero", "list", "inner"] {
                assert!(f.names(name).unwrap_err().text.starts_with("Field \""), "{name}");
            }
            for name in ["yes", "zero", "real", "list", "inner", "null", "absent", "gone", "twice"] {
                assert_eq!(f.string(name), None, "{name}");
            }
            assert_eq!((f.string("string"), f.string("empty")), (Some("s"), Some("")));
            assert!(f.has("string") && f.has("no") && !f.has("null") && !f.has("gone") && !f.has("absent"));
            for name in ["null", "absent", "gone"] {
                assert!(f.text(name).unwrap().is_none() && f.flag(name).unwrap().is_none());
                assert!(f.count(name).unwrap().is_none() && f.object(name).unwrap().is_none());
            }
            assert_eq!((f.flag("yes").unwrap(), f.flag("no").unwrap()), (Some(true), Some(false)));
            assert_eq!((f.count("zero").unwrap(), f.count("many").unwrap()), (Some(0), Some(usize::MAX)));
            assert_eq!((f.text("string").unwrap(), f.text("empty").unwrap()), (Some("s"), Some("")));
            assert_eq!(f.count("twice").unwrap(), Some(2));
            f.object("inner").unwrap().unwrap().text("string").unwrap()
        });
        assert_eq!(found, Some(Some("deep")));
    }
}
