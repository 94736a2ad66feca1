//! Strings that must never be shown.

use std::fmt;

use toml::Value;

use super::bound::Bound;
use super::setting::{Refused, Setting};
use super::source::Raw;

/// What stands for a secret wherever the configuration is shown.
pub const MASK: &str = "***";

/// A string that neither `Debug` nor the configuration's own output shows. Never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// A secret; `None` when `text` is empty.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Secret(text.into()))
    }

    /// The secret itself: for keys and comparisons, never for output.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Setting for Option<Secret> {
    const KIND: &'static str = "secret";
    const SECRET: bool = true;

    fn allowed(_: Option<&Bound>) -> String {
        "a string that is not empty".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        raw.string().and_then(Secret::new).map(Some).ok_or(Refused::NotAllowed)
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().map(|_| Value::String(MASK.into()))
    }
}
