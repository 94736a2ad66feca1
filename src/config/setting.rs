//! What a value of a key can be: how it is read from text or TOML, described, and written back.

use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::bound::{Bound, Limit};
use super::source::Raw;

/// Why a value was not taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// It is none of what [`Setting::allowed`] describes.
    NotAllowed,
    /// More can be said than that.
    Because(String),
}

/// The type of a key.
pub trait Setting: Sized {
    /// Its name in the reference.
    const KIND: &'static str;
    /// Whether its values must never be shown.
    const SECRET: bool = false;
    /// Whether its flag may be repeated.
    const LIST: bool = false;

    /// What is allowed, to follow "must be".
    fn allowed(bound: Option<&Bound>) -> String;

    /// Reads a value.
    ///
    /// # Errors
    /// [`Refused`] when it is not allowed. The reason never repeats a secret.
    fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused>;

    /// The value as TOML, secrets as `***`; `None` when it is absent.
    fn show(&self) -> Option<Value>;
}

/// A number whose default stands in its [`Bound`].
pub trait Bounded: Setting {
    /// The default of `bound`.
    fn default_of(bound: &Bound) -> Self;
}

fn range_of(bound: Option<&Bound>) -> String {
    bound.map_or_else(String::new, |bound| format!(" {}", bound.range()))
}

fn within(value: u64, bound: Option<&Bound>) -> Result<u64, Refused> {
    if bound.is_none_or(|bound| bound.contains(value)) { Ok(value) } else { Err(Refused::NotAllowed) }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl Setting for $int {
            const KIND: &'static str = "integer";

            fn allowed(bound: Option<&Bound>) -> String {
                format!("an integer{}", range_of(bound))
            }

            fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused> {
                let value = within(raw.integer().ok_or(Refused::NotAllowed)?, bound)?;
                value.try_into().map_err(|_| Refused::NotAllowed)
            }

            fn show(&self) -> Option<Value> {
                i64::try_from(*self).ok().map(Value::Integer)
            }
        }

        impl Bounded for $int {
            fn default_of(bound: &Bound) -> Self {
                bound.default.try_into().expect("a default fits the type of its key")
            }
        }
    )*};
}
integers!(u16 u32 u64 usize);

/// Absent: the server chooses.
impl Setting for Option<usize> {
    const KIND: &'static str = "integer";

    fn allowed(bound: Option<&Bound>) -> String {
        usize::allowed(bound)
    }

    fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused> {
        usize::read(raw, bound).map(Some)
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().and_then(usize::show)
    }
}

impl Setting for Limit {
    const KIND: &'static str = "integer";

    fn allowed(bound: Option<&Bound>) -> String {
        format!("an integer{}, or 0 for no limit", range_of(bound))
    }

    fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused> {
        match raw.integer().ok_or(Refused::NotAllowed)? {
            0 => Ok(Limit::NONE),
            cap => within(cap, bound).map(Limit::new),
        }
    }

    fn show(&self) -> Option<Value> {
        self.cap().unwrap_or(0).show()
    }
}

impl Bounded for Limit {
    fn default_of(bound: &Bound) -> Self {
        Limit::new(bound.default)
    }
}

impl Setting for Duration {
    const KIND: &'static str = "seconds";

    fn allowed(bound: Option<&Bound>) -> String {
        format!("a number{}", range_of(bound))
    }

    fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused> {
        let duration = raw.number().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let duration = duration.ok_or(Refused::NotAllowed)?;
        let inside = bound.is_none_or(|bound| {
            Duration::from_millis(bound.min) <= duration && duration <= Duration::from_millis(bound.max)
        });
        if inside { Ok(duration) } else { Err(Refused::NotAllowed) }
    }

    fn show(&self) -> Option<Value> {
        Some(match self.subsec_nanos() {
            0 => Value::Integer(self.as_secs().try_into().ok()?),
            _ => Value::Float(self.as_secs_f64()),
        })
    }
}

impl Bounded for Duration {
    fn default_of(bound: &Bound) -> Self {
        Duration::from_millis(bound.default)
    }
}

/// Written 0: switched off.
impl Setting for Option<Duration> {
    const KIND: &'static str = "seconds";

    fn allowed(bound: Option<&Bound>) -> String {
        format!("a number{}, or 0 to switch it off", range_of(bound))
    }

    fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused> {
        if raw.number() == Some(0.0) { Ok(None) } else { Duration::read(raw, bound).map(Some) }
    }

    fn show(&self) -> Option<Value> {
        self.unwrap_or_default().show()
    }
}

impl Bounded for Option<Duration> {
    fn default_of(bound: &Bound) -> Self {
        (bound.default > 0).then(|| Duration::from_millis(bound.default))
    }
}

impl Setting for bool {
    const KIND: &'static str = "boolean";

    fn allowed(_: Option<&Bound>) -> String {
        "true or false".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        raw.boolean().ok_or(Refused::NotAllowed)
    }

    fn show(&self) -> Option<Value> {
        Some(Value::Boolean(*self))
    }
}

impl Setting for String {
    const KIND: &'static str = "string";

    fn allowed(_: Option<&Bound>) -> String {
        "a string that is not empty".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        raw.string().filter(|text| !text.is_empty()).map(String::from).ok_or(Refused::NotAllowed)
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

/// Written empty: none.
impl Setting for Option<String> {
    const KIND: &'static str = "string";

    fn allowed(_: Option<&Bound>) -> String {
        "a string; empty: none".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        let text = raw.string().ok_or(Refused::NotAllowed)?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    fn show(&self) -> Option<Value> {
        self.clone().map(Value::String)
    }
}

/// Written empty: none.
impl Setting for Option<PathBuf> {
    const KIND: &'static str = "path";

    fn allowed(_: Option<&Bound>) -> String {
        "the path of a file; empty: none".into()
    }

    fn read(raw: &Raw, bound: Option<&Bound>) -> Result<Self, Refused> {
        Ok(Option::<String>::read(raw, bound)?.map(PathBuf::from))
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().map(|path| Value::String(path.display().to_string()))
    }
}

impl Setting for std::net::IpAddr {
    const KIND: &'static str = "address";

    fn allowed(_: Option<&Bound>) -> String {
        "an IP address such as 0.0.0.0 or ::1".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        raw.string().and_then(|text| text.parse().ok()).ok_or(Refused::NotAllowed)
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.to_string()))
    }
}
