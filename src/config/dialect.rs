//! The dialects, as words of the configuration.

use super::word::Word;
use crate::model::Dialect;

impl Word for Dialect {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Dialect::Sge.name(), Dialect::Sge),
        (Dialect::Nexus.name(), Dialect::Nexus),
        (Dialect::Gator.name(), Dialect::Gator),
        (Dialect::Aegisx.name(), Dialect::Aegisx),
        (Dialect::Tusk.name(), Dialect::Tusk),
        (Dialect::Echo.name(), Dialect::Echo),
    ];
}
