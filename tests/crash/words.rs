//! What a frame says was said where.

use serde_json::{Value, json};

use crate::support::{Aegisx, Gator, Nexus, Sge, Tongue, Tusk};

/// Something that was said in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub room: String,
    /// 0: the frame bears no number.
    pub seq: u64,
    pub text: String,
}

/// What a frame says was said in a room, if it does.
pub fn said(tongue: Tongue, frame: &Value) -> Option<Said> {
    let (kind, room, seq, text) = match tongue {
        Sge if frame["message"]["message_type"] != "groupchat" => return None,
        Sge => ("ChatMessage", &frame["message"]["to"], &frame["seq"], &frame["message"]["message"]),
        Nexus => ("chat.message", &frame["conversation_id"], &frame["seq"], &frame["content"]),
        Gator => {
            let message = &frame["message"];
            ("new_message", &frame["conversation_id"], &message["seq"], &message["content"])
        }
        Aegisx => {
            let data = &frame["data"];
            ("channel_message", &data["channel"], &data["seq"], &data["message"])
        }
        Tusk => ("room_message", &frame["room"], &frame["seq"], &frame["message"]),
    };
    let is = frame[if tongue == Nexus { "event_type" } else { "type" }] == kind;
    is.then(|| {
        let room = room.as_str().expect("a room");
        let room = room.strip_prefix("public:").unwrap_or(room).to_owned();
        Said { room, seq: seq.as_u64().unwrap_or(0), text: text.as_str().expect("a text").to_owned() }
    })
}

/// A private message, if the frame is one: from, to (where it says so), number, text.
pub fn private(tongue: Tongue, frame: &Value) -> Option<(String, String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let seq = frame["seq"].as_u64().unwrap_or(0);
    match tongue {
        Sge if frame["type"] == "ChatMessage" && frame["message"]["message_type"] == "chat" => {
            let message = &frame["message"];
            Some((text(&message["from"]), text(&message["to"]), seq, text(&message["message"])))
        }
        Tusk if frame["type"] == "private_message" => {
            Some((text(&frame["from"]), String::new(), seq, text(&frame["message"])))
        }
        _ => None,
    }
}

/// Sends one.
pub fn say_private(tongue: Tongue, from: &str, to: &str, words: &str) -> Value {
    match tongue {
        Sge => json!({ "type": "ChatMessage", "message": { "from": from, "to": to, "message": words,
            "timestamp": 1_732_147_200_123_u64, "message_type": "chat" } }),
        _ => json!({ "type": "private_message", "to": to, "message": words }),
    }
}
