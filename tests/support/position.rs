//! Positions in the words of each dialect.

use serde_json::{Value, json};

use super::{Aegisx, Gator, Nexus, Sge, Tongue, Tusk};

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

/// The number of something said in a room, where its frame bears one.
pub fn seq(tongue: Tongue, frame: &Value) -> Option<u64> {
    match tongue {
        Aegisx => frame["data"]["seq"].as_u64(),
        Gator => frame["message"]["seq"].as_u64(),
        _ => frame["seq"].as_u64(),
    }
}
