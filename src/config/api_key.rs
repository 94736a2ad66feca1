//! API keys: credentials of services.
//!
//! Invariant: nothing here holds a key. Only its SHA-256 digest is kept, and neither `Debug` nor an error shows more
//! than the service's name.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use toml::Value;

use super::bound::Bound;
use super::secret::MASK;
use super::setting::{Refused, Setting};
use super::source::Raw;
use super::word::Word;
use crate::model::Principal;

/// Bytes of a key: fewer can be searched for, more are no key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

/// Bytes of a service's name, which is its user id.
pub const NAME_BYTES_MAX: usize = 256;

/// Keys of one server. A token is compared with every one of them.
pub const API_KEYS_MAX: usize = 1000;

/// What a line of a file of keys must be.
pub const LINE_ALLOWED: &str = "NAME:SHA256-HEX:SCOPE,…, SCOPE one of publish, presence, admin";

/// What a service may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To send for others.
    Publish,
    /// To set the presence of others.
    Presence,
    /// Everything an administrator may.
    Admin,
}

impl Word for Scope {
    const WORDS: &'static [(&'static str, Self)] =
        &[("publish", Scope::Publish), ("presence", Scope::Presence), ("admin", Scope::Admin)];
}

/// A service's key, as its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The service; the user id of whoever bears the key.
    pub name: Arc<str>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    digest: [u8; 32],
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl ApiKey {
    /// What is kept of a key. Keys are long and random, so that a fast hash without salt gives nothing away.
    pub fn digest_of(key: &str) -> [u8; 32] {
        Sha256::digest(key.as_bytes()).into()
    }

    /// Whether `digest` is that of this key, in constant time.
    pub fn opens(&self, digest: &[u8; 32]) -> bool {
        self.digest.ct_eq(digest).into()
    }

    /// Reads `NAME=KEY[:SCOPE,…]`.
    fn read(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("there is no NAME=")?;
        let (key, scopes) = rest.split_once(':').unwrap_or((rest, ""));
        if !KEY_BYTES.contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
            return Err("the key must be 16 to 256 visible ASCII characters other than : and ,".into());
        }
        Ok(ApiKey { name: service(name)?, scopes: self::scopes(scopes)?, digest: Self::digest_of(key) })
    }

    /// Reads `NAME:SHA256-HEX[:SCOPE,…]`, a line of a file of keys.
    ///
    /// # Errors
    /// What is wrong. It repeats nothing of the line: a digest's place may hold a key by mistake.
    pub fn read_line(line: &str) -> Result<Self, String> {
        let (name, rest) = line.split_once(':').ok_or("there is no NAME:")?;
        let (digest, scopes) = rest.split_once(':').unwrap_or((rest, ""));
        let digest = from_hex(digest.trim()).ok_or("the digest must be 64 hexadecimal digits")?;
        Ok(ApiKey { name: service(name)?, scopes: self::scopes(scopes)?, digest })
    }
}

fn service(name: &str) -> Result<Arc<str>, String> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return Err(format!("the name must have 1 to {NAME_BYTES_MAX} bytes and no control characters"));
    }
    if name.starts_with(Principal::GUEST_PREFIX) {
        return Err(format!("names that begin with {} are reserved", Principal::GUEST_PREFIX));
    }
    Ok(name.into())
}

fn scopes(text: &str) -> Result<Vec<Scope>, String> {
    let mut scopes = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let scope = Scope::named(word).ok_or_else(|| format!("a scope must be {}", Scope::choices()))?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok().filter(|_| digits.len() == 64)
}

/// All keys. No two have the same name or are the same key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &ApiKey> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a key.
    ///
    /// # Errors
    /// Its name or the key itself is there already, or there are [`API_KEYS_MAX`].
    pub fn add(&mut self, key: ApiKey) -> Result<(), String> {
        if self.0.len() == API_KEYS_MAX {
            return Err(format!("there must be at most {API_KEYS_MAX} API keys"));
        }
        match self.0.iter().find(|known| known.name == key.name || known.digest == key.digest) {
            Some(known) if known.name == key.name => Err(format!("the name {} is there twice", key.name)),
            Some(known) => Err(format!("{} and {} have the same key", known.name, key.name)),
            None => {
                self.0.push(key);
                Ok(())
            }
        }
    }
}

/// The items of flags joined by commas: one without `=` is a scope of the item before it.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for part in text.split(',') {
        match items.last_mut() {
            Some(item) if !part.contains('=') => {
                item.push(',');
                item.push_str(part);
            }
            _ => items.push(part.to_owned()),
        }
    }
    items
}

impl Setting for ApiKeys {
    const KIND: &'static str = "list of API keys";
    const SECRET: bool = true;
    const LIST: bool = true;

    fn allowed(_: Option<&Bound>) -> String {
        "NAME=KEY or NAME=KEY:SCOPE,…, KEY 16 to 256 characters, SCOPE one of publish, presence, admin".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        let items = match raw {
            Raw::Text(text) => items(text),
            Raw::Toml(_) => {
                raw.strings().ok_or(Refused::NotAllowed)?.into_iter().map(str::to_owned).collect()
            }
        };
        let mut keys = ApiKeys::default();
        for (n, item) in items.iter().enumerate() {
            let added = ApiKey::read(item).and_then(|key| keys.add(key));
            added.map_err(|why| Refused::Because(format!("key {}: {why}", n + 1)))?;
        }
        Ok(keys)
    }

    fn show(&self) -> Option<Value> {
        let shown = |key: &ApiKey| {
            let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.word()).collect();
            let end = if scopes.is_empty() { String::new() } else { format!(":{}", scopes.join(",")) };
            Value::String(format!("{}={MASK}{end}", key.name))
        };
        Some(Value::Array(self.0.iter().map(shown).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef";

    fn flag(text: &str) -> Result<ApiKeys, Refused> {
        ApiKeys::read(&Raw::Text(text.into()), None)
    }

    #[test]
    fn repeated_flags_come_apart_again() {
        let keys = flag(&format!("bot={KEY}:publish,presence,=two==={KEY}:admin,admin")).unwrap_err();
        assert!(matches!(keys, Refused::Because(why) if why.starts_with("key 2: the name")));
        let keys =
            flag(&format!("bot={KEY}:publish, Presence,two==={KEY}==:admin,admin,three=x{KEY}")).unwrap();
        let got: Vec<_> = keys.iter().map(|key| (&*key.name, key.scopes.clone())).collect();
        let want =
            [("bot", vec![Scope::Publish, Scope::Presence]), ("two", vec![Scope::Admin]), ("three", vec![])];
        assert_eq!(got, want);
        let two = keys.iter().nth(1).unwrap();
        assert!(two.opens(&ApiKey::digest_of(&format!("=={KEY}=="))));
        assert!(!two.opens(&ApiKey::digest_of(KEY)));
    }

    #[test]
    fn keys_and_names_at_their_bounds() {
        for (length, allowed) in [(0, false), (15, false), (16, true), (256, true), (257, false)] {
            assert_eq!(flag(&format!("bot={}", "k".repeat(length))).is_ok(), allowed, "{length}");
        }
        for (length, allowed) in [(0, false), (1, true), (256, true), (257, false)] {
            assert_eq!(flag(&format!("{}={KEY}", "n".repeat(length))).is_ok(), allowed, "{length}");
        }
        for bad in [
            "",
            "bot",
            KEY,
            "bot=0123456789 bcdef",
            "bot=0123456789äbcdef",
            "bot=0123456789abcdef,0123456789abcdef",
            "guest-1=0123456789abcdef",
        ] {
            assert!(flag(bad).is_err(), "{bad}");
        }
        assert!(flag(&format!("bot={KEY}:write")).is_err());
    }

    #[test]
    fn lines_of_a_file_and_their_errors_without_the_line() {
        let hex: String = ApiKey::digest_of(KEY).iter().map(|byte| format!("{byte:02X}")).collect();
        for line in [format!("bot:{hex}:publish"), format!(" bot : {} : publish", hex.to_lowercase())] {
            let key = ApiKey::read_line(&line).unwrap();
            assert_eq!((&*key.name, &key.scopes[..]), ("bot", &[Scope::Publish][..]));
            assert!(key.opens(&ApiKey::digest_of(KEY)));
        }
        assert!(ApiKey::read_line(&format!("bot:{hex}")).unwrap().scopes.is_empty());
        let line = format!("bot:{hex}:admin");
        for end in (0..line.len()).filter(|end| ![68, 69].contains(end)) {
            assert!(ApiKey::read_line(&line[..end]).is_err(), "{}", &line[..end]);
        }
        for bad in [format!("bot:{KEY}:admin"), format!("bot:{hex}0"), format!("bot:é{}", &hex[2..])] {
            let why = ApiKey::read_line(&bad).unwrap_err();
            assert!(why.contains("64 hexadecimal digits") && !why.contains(KEY), "{why}");
        }
    }

    #[test]
    fn no_name_and_no_key_twice_and_no_more_than_the_most() {
        let because = |text: &str| match flag(text) {
            Err(Refused::Because(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(because(&format!("a={KEY},a=x{KEY}")), "key 2: the name a is there twice");
        assert_eq!(because(&format!("a={KEY},b={KEY}")), "key 2: a and b have the same key");
        let many = |n| (0..n).map(|n| format!("s{n}={KEY}{n}")).collect::<Vec<_>>().join(",");
        assert!(flag(&many(API_KEYS_MAX)).is_ok());
        assert!(because(&many(API_KEYS_MAX + 1)).contains("at most 1000"));
    }

    #[test]
    fn no_key_is_shown() {
        let keys = flag(&format!("bot={KEY}:publish,admin")).unwrap();
        assert_eq!(keys.show().unwrap().to_string(), r#"["bot=***:publish,admin"]"#);
        let shown = format!("{keys:?}");
        assert!(shown.contains("bot") && !shown.contains(KEY) && !shown.contains("digest"), "{shown}");
    }
}
