//! `[[access]]`: rules who may do what in which channel. The first that matches decides.

use serde::{Deserialize, Serialize};
use toml::Value;

use super::bound::Bound;
use super::dialect::Dialect;
use super::error::ConfigError;
use super::key::{Key, Section, SectionInfo};
use super::setting::{Refused, Setting};
use super::source::{Offers, Origins, Raw};
use super::word::Word;

/// Kinds of channels that a rule can name.
const KINDS: &[&str] = &["room", "conversation", "document", "group", "channel"];

/// What a rule grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To join, and to read history.
    Subscribe,
    /// To send and to edit.
    Publish,
    /// To change the channel itself.
    Manage,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRule {
    /// The dialect it is for; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// A glob over `kind:id`.
    pub channel: String,
    /// `role:NAME` and `user:ID`; absent: everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Vec<String>>,
    /// What those may do; what is not listed is refused.
    pub allow: Vec<Action>,
    /// What everybody else may do.
    #[serde(default, rename = "else")]
    pub otherwise: Vec<Action>,
}

impl AccessRule {
    /// Reads and checks one rule.
    fn read(value: &Value) -> Result<Self, String> {
        let rule: AccessRule =
            value.clone().try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        if let Some(word) = &rule.dialect
            && Dialect::named(word).is_none_or(|dialect| dialect == Dialect::Echo)
        {
            return Err(format!("dialect {word:?} is none of sge, nexus, gator, aegisx, tusk"));
        }
        if !names_channels(&rule.channel) {
            return Err(format!(
                "channel {:?} is no glob over KIND:ID, KIND {}",
                rule.channel,
                KINDS.join(", ")
            ));
        }
        let someone = |who: &&String| {
            who.split_once(':')
                .is_some_and(|(kind, name)| matches!(kind, "role" | "user") && !name.is_empty())
        };
        match rule.who.iter().flatten().find(|who| !someone(who)) {
            Some(who) => Err(format!("who {who:?} is neither role:NAME nor user:ID")),
            None => Ok(rule),
        }
    }
}

/// Whether `glob` can match a channel: its kind is known or has a wildcard.
fn names_channels(glob: &str) -> bool {
    let (kind, id) = glob.split_once(':').unwrap_or((glob, ""));
    kind.contains('*') || (KINDS.contains(&kind) && !id.is_empty())
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
        self.0.iter().map(|rule| Value::try_from(rule).ok()).collect::<Option<_>>().map(Value::Array)
    }
}

impl Section for AccessRules {
    const INFO: SectionInfo = SectionInfo {
        name: "",
        about: "Above all sections: an array of tables.",
        keys: &[Key {
            section: "",
            name: "access",
            doc: "Rules who may do what in which channel; the first whose channel and dialect match decides. \
                  Built-in rules stand before them.",
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
