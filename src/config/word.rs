//! Values that are one of a few words.

use toml::Value;

use super::bound::Bound;
use super::setting::{Refused, Setting};
use super::source::Raw;

/// A type that is one of a few words, in any case.
pub trait Word: Copy + PartialEq + 'static {
    /// Every word with its value; the first word of a value is the one it is shown as.
    const WORDS: &'static [(&'static str, Self)];

    /// The value of a word.
    fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
    }

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }

    /// All words, for an error.
    fn choices() -> String {
        let words: Vec<_> = Self::WORDS.iter().map(|(name, _)| *name).collect();
        format!("one of {}", words.join(", "))
    }
}

impl<T: Word> Setting for T {
    const KIND: &'static str = "word";

    fn allowed(_: Option<&Bound>) -> String {
        T::choices()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        raw.string().and_then(T::named).ok_or(Refused::NotAllowed)
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.word().into()))
    }
}

/// Absent: the server chooses.
impl<T: Word> Setting for Option<T> {
    const KIND: &'static str = "word";

    fn allowed(_: Option<&Bound>) -> String {
        T::choices()
    }

    fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused> {
        T::read(raw, bound).map(Some)
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().and_then(T::show)
    }
}
