//! One declaration per key: the `section!` macro makes of it a struct field, its default, its reading, its
//! entry in the reference and, where it has one, its flag and its environment variables.

use toml::Value;

use super::bound::Bound;
use super::error::ConfigError;
use super::source::{Offers, Origins};

/// A key of the configuration as its declaration says it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its section; empty for a key at the top of the file.
    pub section: &'static str,
    /// Its name in the file.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// The name of its type.
    pub kind: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether its flag may be repeated.
    pub list: bool,
    /// Default, range, reason and cost of a number.
    pub bound: Option<&'static Bound>,
    /// Its flag, without the dashes.
    pub flag: Option<&'static str>,
    /// Its environment variables, the strongest first.
    pub env: &'static [&'static str],
    /// Its default; `None` when it is absent by default.
    pub default: fn() -> Option<Value>,
    /// What is allowed, to follow "must be".
    pub allowed: fn(Option<&Bound>) -> String,
}

impl Key {
    /// `section.name`.
    pub fn path(&self) -> String {
        if self.section.is_empty() { self.name.into() } else { format!("{}.{}", self.section, self.name) }
    }
}

/// A section as its declaration says it.
#[derive(Debug, Clone, Copy)]
pub struct SectionInfo {
    /// Its name in the file; empty for what stands above all sections.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys in the order of their declaration.
    pub keys: &'static [Key],
}

impl SectionInfo {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A section of the configuration; `section!` implements it.
pub trait Section: Default {
    /// Its declaration.
    const INFO: SectionInfo;

    /// Reads all keys from what the sources offer.
    ///
    /// # Errors
    /// The first value that is not allowed.
    fn read(offers: &Offers, origins: &mut Origins) -> Result<Self, ConfigError>;

    /// The value of each key of [`SectionInfo::keys`], in that order; secrets as `***`.
    fn show(&self) -> Vec<Option<Value>>;
}

/// Declares a section:
///
/// ```text
/// section! {
///     /// What the section is for.
///     "name" => Type {
///         /// What the key does.
///         key: KeyType = default => BOUND, flag "flag-name", env "STRONGER" "WEAKER";
///     }
/// }
/// ```
///
/// A number names its bound, which holds its default; `= default` stands where the bound's is not meant or
/// where there is no bound.
macro_rules! section {
    ($(#[doc = $about:literal])* $name:literal => $Section:ident { $(
        $(#[doc = $doc:literal])*
        $key:ident : $ty:ty $(= $default:expr)? $(=> $bound:path)?
            $(, flag $flag:literal)? $(, env $($env:literal)+)? ;
    )* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Section { $(
            $(#[doc = $doc])*
            $(#[doc = concat!("\n\nDefault: `", stringify!($default), "`.")])?
            $(#[doc = concat!("\n\nDefault, range, unit and cost: [`", stringify!($bound), "`].")])?
            pub $key: $ty,
        )* }

        impl Default for $Section {
            fn default() -> Self {
                Self { $( $key: section!(@default $ty; $($default)?; $($bound)?), )* }
            }
        }

        impl $crate::config::key::Section for $Section {
            const INFO: $crate::config::key::SectionInfo = $crate::config::key::SectionInfo {
                name: $name,
                about: concat!($($about),*),
                keys: &[ $( $crate::config::key::Key {
                    section: $name,
                    name: stringify!($key),
                    doc: concat!($($doc),*),
                    kind: <$ty as $crate::config::setting::Setting>::KIND,
                    secret: <$ty as $crate::config::setting::Setting>::SECRET,
                    list: <$ty as $crate::config::setting::Setting>::LIST,
                    bound: section!(@bound $($bound)?),
                    flag: section!(@flag $($flag)?),
                    env: &[ $($($env),+)? ],
                    default: || $crate::config::setting::Setting::show(&Self::default().$key),
                    allowed: <$ty as $crate::config::setting::Setting>::allowed,
                }, )* ],
            };

            fn read(
                offers: &$crate::config::source::Offers,
                origins: &mut $crate::config::source::Origins,
            ) -> Result<Self, $crate::config::error::ConfigError> {
                let default = Self::default();
                let mut keys = Self::INFO.keys.iter();
                // The keys are listed in the order of the fields, and a struct expression is evaluated in it.
                let mut next = || keys.next().expect("one key per field");
                Ok(Self { $( $key: offers.settle(next(), default.$key, origins)?, )* })
            }

            fn show(&self) -> Vec<Option<toml::Value>> {
                vec![ $( $crate::config::setting::Setting::show(&self.$key), )* ]
            }
        }
    };
    (@default $ty:ty; $default:expr; $($bound:path)?) => { $default };
    (@default $ty:ty; ; $bound:path) => {
        <$ty as $crate::config::setting::Bounded>::default_of(&$bound)
    };
    (@bound) => { None };
    (@bound $bound:path) => { Some(&$bound) };
    (@flag) => { None };
    (@flag $flag:literal) => { Some($flag) };
}
pub(crate) use section;
