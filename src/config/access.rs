//! `[[access]]`: rules who may do what in which channel. The first that matches decides.

use std::fmt;

use toml::{Table, Value};

use super::bound::Bound;
use super::error::ConfigError;
use super::key::{Key, Section, SectionInfo};
use super::setting::{Refused, Setting};
use super::source::{Offers, Origins, Raw};
use super::word::Word;
use crate::model::Dialect;
use crate::model::Glob;

/// Kinds of channels that a rule can name.
const KINDS: &[&str] = &["room", "conversation", "document", "group", "channel"];

/// The keys of a rule.
const KEYS: &[&str] = &["dialect", "channel", "who", "allow", "else"];

/// What a rule grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To join, and to read history.
    Subscribe,
    /// To send and to edit.
    Publish,
    /// To make the channel and to change it.
    Manage,
}

impl Word for Action {
    const WORDS: &'static [(&'static str, Self)] =
        &[("subscribe", Action::Subscribe), ("publish", Action::Publish), ("manage", Action::Manage)];
}

/// Whom a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Everybody with that role.
    Role(String),
    /// One user, by id.
    User(String),
}

impl Who {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            (_, "") => None,
            ("role", name) => Some(Self::Role(name.into())),
            ("user", name) => Some(Self::User(name.into())),
            _ => None,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(f, "role:{name}"),
            Self::User(name) => write!(f, "user:{name}"),
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// The dialect it is for; absent: all.
    pub dialect: Option<Dialect>,
    /// A glob over `kind:id`: `*` is any run of characters, `?` is one.
    pub channel: Glob,
    /// `role:NAME` and `user:ID`; absent: everyone.
    pub who: Option<Vec<Who>>,
    /// What those may do; what is not listed is refused.
    pub allow: Vec<Action>,
    /// What everybody else may do.
    pub otherwise: Vec<Action>,
}

impl AccessRule {
    /// Reads and checks one rule. An error names the key, the value and what is allowed.
    fn read(value: &Value) -> Result<Self, String> {
        let table = value.as_table().ok_or_else(|| format!("{value} is no table"))?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("unknown key {key:?}; there are {}", KEYS.join(", ")));
        }
        let channel = table.get("channel").ok_or("missing key channel")?;
        Ok(Self {
            dialect: table.get("dialect").map(dialect).transpose()?,
            channel: channel_glob(channel)?,
            who: list(table, "who", "role:NAME or user:ID", Who::parse)?,
            allow: actions(table, "allow")?.ok_or("missing key allow")?,
            otherwise: actions(table, "else")?.unwrap_or_default(),
        })
    }

    fn show(&self) -> Value {
        let words =
            |actions: &[Action]| -> Value { actions.iter().map(|a| a.word()).collect::<Vec<_>>().into() };
        let mut table = Table::new();
        if let Some(dialect) = self.dialect {
            table.insert("dialect".into(), dialect.word().into());
        }
        table.insert("channel".into(), self.channel.as_str().into());
        if let Some(who) = &self.who {
            table.insert("who".into(), who.iter().map(ToString::to_string).collect::<Vec<_>>().into());
        }
        table.insert("allow".into(), words(&self.allow));
        table.insert("else".into(), words(&self.otherwise));
        Value::Table(table)
    }
}

fn dialect(value: &Value) -> Result<Dialect, String> {
    let known = value.as_str().and_then(Dialect::named).filter(|dialect| *dialect != Dialect::Echo);
    known.ok_or_else(|| format!("dialect = {value} is none of sge, nexus, gator, aegisx, tusk"))
}

/// A glob that can match a channel of some kind: one that cannot is a slip, and would protect nothing.
fn channel_glob(value: &Value) -> Result<Glob, String> {
    let kinds = KINDS.join(", ");
    let text = value.as_str().ok_or_else(|| format!("channel = {value} is no text"))?;
    let glob = Glob::new(text).map_err(|why| format!("channel = {value} has {why}"))?;
    match KINDS.iter().any(|kind| glob.goes_on(&format!("{kind}:"))) {
        true => Ok(glob),
        false => Err(format!("channel = {value} is no glob over KIND:ID, KIND one of {kinds}")),
    }
}

fn actions(table: &Table, key: &str) -> Result<Option<Vec<Action>>, String> {
    list(table, key, &Action::choices(), Action::named)
}

/// The list of texts under `key`, each read; `None` when there is no such key.
fn list<T>(
    table: &Table,
    key: &str,
    allowed: &str,
    read: fn(&str) -> Option<T>,
) -> Result<Option<Vec<T>>, String> {
    let Some(value) = table.get(key) else { return Ok(None) };
    let items = value.as_array().ok_or_else(|| format!("{key} = {value} is no list of {allowed}"))?;
    let one = |item: &Value| {
        let known = item.as_str().and_then(read);
        known.ok_or_else(|| format!("{item} in {key} is not {allowed}"))
    };
    items.iter().map(one).collect::<Result<_, _>>().map(Some)
}

/// All rules in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRules(pub Vec<AccessRule>);

impl Setting for AccessRules {
    const KIND: &'static str = "array of tables";

    fn allowed(_: Option<&Bound>) -> String {
        "[[access]] tables of channel, allow and, where wanted, dialect, who, else; allow and else list \
         subscribe, publish, manage"
            .into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        let Raw::Toml(Value::Array(rules)) = raw else { return Err(Refused::NotAllowed) };
        let read = |(n, value)| {
            AccessRule::read(value).map_err(|why| Refused::Because(format!("rule {}: {why}", n + 1)))
        };
        rules.iter().enumerate().map(read).collect::<Result<_, _>>().map(AccessRules)
    }

    fn show(&self) -> Option<Value> {
        Some(self.0.iter().map(AccessRule::show).collect::<Vec<_>>().into())
    }
}

impl Section for AccessRules {
    const INFO: SectionInfo = SectionInfo {
        name: "",
        about: "Above all sections: an array of tables.",
        keys: &[Key {
            section: "",
            name: "access",
            doc: "Rules who may do what in which channel; the first whose channel (a glob over kind:id) and dialect \
                  match decides, and what it does not list is refused. Built-in rules stand before them.",
            kind: AccessRules::KIND,
            secret: false,
            list: false,
            bound: None,
            flag: None,
            env: &[],
            default: || Setting::show(&AccessRules::default()),
            allowed: AccessRules::allowed,
        }],
    };

    fn read(offers: &Offers, origins: &mut Origins) -> Result<Self, ConfigError> {
        offers.settle(&Self::INFO.keys[0], Self::default(), origins)
    }

    fn show(&self) -> Vec<Option<Value>> {
        vec![Setting::show(self)]
    }
}
