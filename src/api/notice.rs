//! The body of a notification: what users or channels are told from outside (SGE-33, NEX-58).

use std::sync::Arc;

use serde_json::{Value, json};

use super::fault::Fault;
use super::fields::Fields;
use crate::model::{MessageId, Notification, Priority};

/// Bytes of a title. More: refused.
pub const TITLE_MAX: usize = 1024;

/// Bytes of a text. More: refused.
pub const TEXT_MAX: usize = 65_536;

/// NEXUS lists them (NEX-41); SGE shows two of them.
const LEVELS: [&str; 5] = ["info", "success", "warning", "error", "alert"];

/// What is told, before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    title: Box<str>,
    text: Box<str>,
    level: &'static str,
    pub priority: Priority,
}

impl Notice {
    /// Reads `title`, `message`, the level in the field of that name (`info` when absent), and nothing else.
    pub fn read(body: Fields<'_>, level: &'static str) -> Result<Self, Fault> {
        let title = body.text("title", TITLE_MAX)?.into();
        let text = body.text("message", TEXT_MAX)?.into();
        let level = body.word(level, &LEVELS.join(", "), known)?.unwrap_or("info");
        Ok(Self { title, text, level, priority: Priority::default() })
    }

    /// The notification with that id, made at that moment. `channel`: the SGE channel it is sent to.
    pub fn tell(self, id: MessageId, at_ms: u64, channel: Option<&str>) -> Notification {
        Notification {
            id,
            title: self.title,
            text: self.text,
            level: self.level.into(),
            priority: self.priority,
            channel: channel.map(Arc::from),
            about: None,
            at_ms,
        }
    }
}

/// The document's list of types says "alerts" and means one (ruling N13).
fn known(word: &str) -> Option<&'static str> {
    let word = if word == "alerts" { "alert" } else { word };
    LEVELS.into_iter().find(|level| *level == word)
}

/// The properties of the body, with the level in the field of that name.
pub fn properties(level: &str) -> Value {
    json!({
        "title": { "type": "string", "minLength": 1, "maxLength": TITLE_MAX },
        "message": { "type": "string", "minLength": 1, "maxLength": TEXT_MAX },
        level: { "type": ["string", "null"], "enum": LEVELS, "default": "info" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;

    fn read(body: &Value) -> Result<Notice, Fault> {
        Notice::read(Fields::new(body.as_object().expect("an object"), Code::InvalidField), "level")
    }

    #[test]
    fn levels_are_five_words_and_one_more_way_to_write_one() {
        let level =
            |level: Value| read(&json!({ "title": "t", "message": "m", "level": level })).map(|n| n.level);
        for word in LEVELS {
            assert_eq!(level(word.into()), Ok(word));
        }
        assert_eq!((level("alerts".into()), level(Value::Null)), (Ok("alert"), Ok("info")));
        for wrong in [json!("Info"), json!(""), json!("shout"), json!(1)] {
            let fault = level(wrong).expect_err("no level");
            assert_eq!(fault.field, Some("level"));
            assert_eq!(fault.refusal.text, "level must be one of info, success, warning, error, alert");
        }
    }

    #[test]
    fn title_and_text_must_be_there_and_have_their_lengths() {
        let title = |n: usize| read(&json!({ "title": "t".repeat(n), "message": "m" })).map(|_| ());
        let text = |n: usize| read(&json!({ "title": "t", "message": "m".repeat(n) })).map(|_| ());
        assert_eq!((title(TITLE_MAX), text(TEXT_MAX)), (Ok(()), Ok(())));
        for n in [0, TITLE_MAX + 1] {
            assert_eq!(title(n).expect_err("refused").field, Some("title"));
        }
        for n in [0, TEXT_MAX + 1] {
            assert_eq!(text(n).expect_err("refused").field, Some("message"));
        }
        assert_eq!(read(&json!({ "message": "m" })).expect_err("refused").field, Some("title"));
        assert_eq!(read(&json!({ "title": "t" })).expect_err("refused").field, Some("message"));
    }
}
