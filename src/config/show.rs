//! The effective configuration as TOML that could be read again, but for its secrets.

use std::fmt::Write;

use super::Config;

/// Every value with a comment that says where it came from.
pub fn to_toml(config: &Config) -> String {
    let mut text = String::new();
    for (section, values) in config.values() {
        // Writing to a String cannot fail.
        if !section.name.is_empty() {
            let _ = writeln!(text, "\n[{}]", section.name);
        }
        for (key, value) in section.keys.iter().zip(values) {
            let source = config.source(key.section, key.name).to_string().replace(char::is_control, " ");
            let _ = match value {
                Some(value) => writeln!(text, "{} = {value}  # {source}", key.name),
                None => writeln!(text, "# {} is not set  # {source}", key.name),
            };
        }
    }
    text
}
