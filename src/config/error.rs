//! Why a configuration cannot be: one line that names key, value, source and what is allowed.

use std::fmt;

use super::source::Source;

/// A refused configuration. Displays as one line; the value of a secret is never part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// `section.key`, or the file when no key is to blame.
    pub key: String,
    /// The refused value as it was written, shortened; `None` for secrets and unknown keys.
    pub value: Option<String>,
    /// Where the value came from.
    pub source: Option<Source>,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl ConfigError {
    /// About `key` as a whole, without a value.
    pub fn new(key: impl Into<String>, source: Option<Source>, problem: impl Into<String>) -> Self {
        ConfigError { key: key.into(), value: None, source, problem: problem.into() }
    }

    /// The same with the value that was refused.
    pub fn with_value(self, value: impl Into<String>) -> Self {
        ConfigError { value: Some(value.into()), ..self }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.key, 200))?;
        if let Some(value) = &self.value {
            write!(f, " = {}", one_line(value, 100))?;
        }
        if let Some(source) = &self.source {
            write!(f, " ({})", one_line(&source.to_string(), 300))?;
        }
        write!(f, ": {}", one_line(&self.problem, 600))
    }
}

/// `text` with control characters escaped, so that it stays on its line, and cut after `most` characters.
fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == most {
            line.push('…');
            break;
        }
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_short_line_whatever_the_value() {
        let hostile = format!("a\nb\r\u{1b}[31m{}", "x".repeat(5000));
        let line =
            ConfigError::new("server.shards", None, "must be a number").with_value(hostile).to_string();
        assert!(line.starts_with("server.shards = a\\nb\\r\\u{1b}[31mxx"), "{line}");
        assert!(line.ends_with("…: must be a number") && line.len() < 200, "{line}");
    }
}
