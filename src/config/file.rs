//! The configuration file: TOML to offers, each with the line it stands on.

use std::sync::Arc;

use serde::de::{Deserialize, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SECTIONS;
use super::error::ConfigError;
use super::key::{Key, SectionInfo};
use super::nearest::nearest;
use super::source::{Offers, Raw, Source};

type Name<'i> = Spanned<std::borrow::Cow<'i, str>>;
type Node<'i> = Spanned<DeValue<'i>>;

/// Adds all that the TOML `text` of the file at `path` says.
///
/// # Errors
/// No TOML, an unknown section or key, or a section that is no table.
pub fn offer(path: &str, text: &str, offers: &mut Offers) -> Result<(), ConfigError> {
    let file = File { path: path.into(), text };
    let tree = DeTable::parse(text).map_err(|error| file.broken(&error))?;
    for (name, node) in tree.into_inner() {
        if let Some(key) = top().key(name.get_ref()) {
            file.offer_value(key, &name, node, offers)?;
        } else {
            file.offer_section(&name, node, offers)?;
        }
    }
    Ok(())
}

/// What stands above all sections.
fn top() -> &'static SectionInfo {
    SECTIONS.iter().find(|section| section.name.is_empty()).unwrap_or(&SECTIONS[0])
}

struct File<'i> {
    path: Arc<str>,
    text: &'i str,
}

impl File<'_> {
    fn at(&self, byte: usize) -> Source {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        Source::File { path: self.path.clone(), line: 1 + before.iter().filter(|b| **b == b'\n').count() }
    }

    fn broken(&self, error: &toml::de::Error) -> ConfigError {
        let at = error.span().map_or(0, |span| span.start);
        ConfigError::new("config", Some(self.at(at)), format!("this is no TOML: {}", error.message()))
    }

    fn offer_section(&self, name: &Name, node: Node, offers: &mut Offers) -> Result<(), ConfigError> {
        let Some(section) = SECTIONS.iter().find(|section| section.name == name.get_ref().as_ref()) else {
            let problem = unknown_section(name.get_ref());
            return Err(ConfigError::new(name.get_ref().as_ref(), Some(self.at(name.span().start)), problem));
        };
        let DeValue::Table(table) = node.into_inner() else {
            let problem = format!("is a section and must be a table: [{}]", section.name);
            return Err(ConfigError::new(section.name, Some(self.at(name.span().start)), problem));
        };
        for (name, node) in table {
            let Some(key) = section.key(name.get_ref()) else {
                let path = format!("{}.{}", section.name, name.get_ref());
                let problem = unknown_key(section, name.get_ref());
                return Err(ConfigError::new(path, Some(self.at(name.span().start)), problem));
            };
            self.offer_value(key, &name, node, offers)?;
        }
        Ok(())
    }

    fn offer_value(
        &self,
        key: &Key,
        name: &Name,
        node: Node,
        offers: &mut Offers,
    ) -> Result<(), ConfigError> {
        let source = self.at(name.span().start);
        let value = toml::Value::deserialize(node.into_deserializer())
            .map_err(|error| ConfigError::new(key.path(), Some(source.clone()), error.message()))?;
        offers.push(key, Raw::Toml(value), source);
        Ok(())
    }
}

fn unknown_section(name: &str) -> String {
    if let Some(key) = SECTIONS.iter().find_map(|section| section.key(name)) {
        return format!("unknown here; it belongs in [{}]", key.section);
    }
    let names =
        || SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty()).chain(["access"]);
    match nearest(name, names()) {
        Some(near) => format!("unknown section; did you mean [{near}]?"),
        None => format!("unknown section; there are {}", names().collect::<Vec<_>>().join(", ")),
    }
}

fn unknown_key(section: &SectionInfo, name: &str) -> String {
    if let Some(key) = SECTIONS.iter().find_map(|section| section.key(name)) {
        return format!("unknown key here; there is {}", key.path());
    }
    if let Some(near) = nearest(name, section.keys.iter().map(|key| key.name)) {
        return format!("unknown key; did you mean {near}?");
    }
    let names: Vec<_> = section.keys.iter().map(|key| key.name).collect();
    format!("unknown key; [{}] has {}", section.name, names.join(", "))
}
