//! Positions in the words of each dialect, and what a frame says was said where.

use serde_json::{Value, json};

use crate::support::{Aegisx, Gator, Nexus, Sge, Tongue, Tusk};

/// An epoch and a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub epoch: String,
    pub seq: u64,
}

impl Place {
    pub fn since(&self) -> String {
        format!("{}:{}", self.epoch, self.seq)
    }
}

/// The position in an answer to a join, in a greeting or a gap.
pub fn place(tongue: Tongue, message: &Value) -> Place {
    let of = if tongue == Aegisx { &message["data"] } else { message };
    let (epoch, seq) = (of["epoch"].as_str(), of["seq"].as_u64());
    let read = epoch.zip(seq).map(|(epoch, seq)| Place { epoch: epoch.to_owned(), seq });
    read.unwrap_or_else(|| panic!("{tongue:?}: no position in {message}"))
}

/// Joins a room, and says where one stopped.
pub fn join_since(tongue: Tongue, room: &str, since: &Place) -> Value {
    let mut join = tongue.join(room);
    match tongue {
        Aegisx => join["data"]["since"] = since.since().into(),
        _ => join["since"] = since.since().into(),
    }
    join
}

/// The word that what was missed in a room cannot be had.
pub fn gap(tongue: Tongue, room: &str) -> Value {
    match tongue {
        Sge => json!({ "type": "Gap", "channel": format!("group:{room}") }),
        Nexus => json!({ "event_type": "system.gap", "room_id": room }),
        Gator => json!({ "type": "gap", "conversation_id": room }),
        Aegisx => json!({ "type": "gap", "data": { "channel": format!("public:{room}") } }),
        Tusk => json!({ "type": "gap", "room": room }),
    }
}

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
