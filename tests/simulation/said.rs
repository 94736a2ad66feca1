//! What a frame says, read by the letter: the simulation's texts need no unescaping, so looking for a field
//! is enough, and quick.

use lanecast::fanout::Frame;
use lanecast::model::{Dialect, MessageId};
use lanecast::ws::frame::payload_of;

/// One thing that a connection was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Message {
        room: String,
        number: u32,
        seq: Option<u64>,
    },
    Joined {
        room: String,
        user: String,
    },
    Left {
        room: String,
        user: String,
    },
    YouJoined {
        room: String,
        seq: Option<u64>,
    },
    /// What it missed cannot be had.
    Gap {
        room: String,
        seq: Option<u64>,
    },
    YouLeft {
        room: String,
    },
    Pong,
    AuthSuccess {
        user: String,
    },
    AuthFailed,
    Error {
        text: String,
    },
    Sent {
        to: String,
        id: MessageId,
        queued: bool,
    },
    Delivered {
        id: MessageId,
    },
    Direct {
        number: u32,
        seq: Option<u64>,
    },
    Presence {
        user: String,
        status: String,
    },
    /// The first words.
    Welcome,
    /// What plays no part in the checks.
    Aside,
    /// A Ping of the protocol, or of the dialect.
    Heartbeat,
    Close,
}

fn field<'a>(text: &'a str, name: &str) -> Result<&'a str, String> {
    let key = format!("\"{name}\":\"");
    let from = text.find(&key).ok_or_else(|| format!("no field {name} in {text}"))? + key.len();
    let len = text[from..].find('"').ok_or_else(|| format!("field {name} does not end in {text}"))?;
    Ok(&text[from..from + len])
}

fn id(text: &str) -> Result<MessageId, String> {
    let id = field(text, "id")?;
    MessageId::parse(id).ok_or_else(|| format!("not an id: {id}"))
}

/// The number that a message's text begins with.
fn number(text: &str, name: &str) -> Result<u32, String> {
    let said = field(text, name)?;
    let digits = said.split(' ').next().unwrap_or_default();
    digits.parse().map_err(|e| format!("{said}: {e}"))
}

/// The server's number, if one is told.
fn seq(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("\"seq\":")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn read_text(dialect: Dialect, text: &str, out: &mut Vec<Said>) -> Result<(), String> {
    out.push(match dialect {
        Dialect::Tusk if text.starts_with(r#"{"type":"batch""#) => return read_batch(text, out),
        Dialect::Tusk => read_tusk(text)?,
        Dialect::Nexus => read_nexus(text)?,
        Dialect::Gator => read_gator(text)?,
        Dialect::Aegisx => read_aegisx(text)?,
        Dialect::Sge => read_sge(text)?,
        Dialect::Echo => return Err(format!("words of no dialect: {text}")),
    });
    Ok(())
}

fn read_tusk(text: &str) -> Result<Said, String> {
    let owned = |name| field(text, name).map(str::to_owned);
    Ok(match field(text, "type")? {
        "room_message" => {
            Said::Message { room: owned("room")?, number: number(text, "message")?, seq: seq(text) }
        }
        "user_joined" => Said::Joined { room: owned("room")?, user: owned("userId")? },
        "user_left" => Said::Left { room: owned("room")?, user: owned("userId")? },
        "room_joined" => Said::YouJoined { room: owned("room")?, seq: seq(text) },
        "room_left" => Said::YouLeft { room: owned("room")? },
        "pong" => Said::Pong,
        "auth_success" => Said::AuthSuccess { user: owned("id")? },
        "auth_failed" => Said::AuthFailed,
        "error" => Said::Error { text: owned("message")? },
        "message_sent" => {
            Said::Sent { to: owned("to")?, id: id(text)?, queued: text.contains("\"queued\":true") }
        }
        "message_delivered" => Said::Delivered { id: id(text)? },
        "private_message" => Said::Direct { number: number(text, "message")?, seq: seq(text) },
        "gap" => Said::Gap { room: owned("room")?, seq: seq(text) },
        "presence_update" => Said::Presence { user: owned("userId")?, status: owned("status")? },
        "welcome" => Said::Welcome,
        _ => return Err(format!("unknown words: {text}")),
    })
}

fn read_nexus(text: &str) -> Result<Said, String> {
    let owned = |name| field(text, name).map(str::to_owned);
    Ok(match field(text, "event_type")? {
        "chat.message" => Said::Message {
            room: owned("conversation_id")?,
            number: number(text, "content")?,
            seq: seq(text),
        },
        "room.broadcast" => {
            Said::Message { room: owned("room_id")?, number: number(text, "message")?, seq: seq(text) }
        }
        "room.join" if text.contains(r#""status":"joined""#) => {
            Said::YouJoined { room: owned("room_id")?, seq: seq(text) }
        }
        "room.leave" if text.contains(r#""status":"left""#) => Said::YouLeft { room: owned("room_id")? },
        "room.join" => Said::Joined { room: owned("room_id")?, user: owned("user_id")? },
        "room.leave" => Said::Left { room: owned("room_id")?, user: owned("user_id")? },
        "pong" => Said::Pong,
        "error" => Said::Error { text: owned("message")? },
        "ping" => Said::Heartbeat,
        "system.message" => Said::Welcome,
        "chat.delivered" => Said::Aside,
        "system.gap" => Said::Gap { room: owned("room_id")?, seq: seq(text) },
        kind if kind.starts_with("presence.") => Said::Aside,
        _ => return Err(format!("unknown words: {text}")),
    })
}

fn read_gator(text: &str) -> Result<Said, String> {
    let room = || field(text, "conversation_id").map(str::to_owned);
    Ok(match field(text, "type")? {
        "new_message" => Said::Message { room: room()?, number: number(text, "content")?, seq: seq(text) },
        "conversation_joined" => Said::YouJoined { room: room()?, seq: seq(text) },
        "conversation_left" => Said::YouLeft { room: room()? },
        "error" => Said::Error { text: field(text, "message")?.to_owned() },
        "online_users" => Said::Welcome,
        "gap" => Said::Gap { room: room()?, seq: seq(text) },
        "presence_update" => Said::Aside,
        _ => return Err(format!("unknown words: {text}")),
    })
}

fn read_aegisx(text: &str) -> Result<Said, String> {
    let room = || {
        let channel = field(text, "channel")?;
        let room = channel.strip_prefix("public:");
        room.map(str::to_owned).ok_or_else(|| format!("not a public channel: {channel}"))
    };
    Ok(match field(text, "type")? {
        "channel_message" => {
            Said::Message { room: room()?, number: number(text, "message")?, seq: seq(text) }
        }
        "channel_joined" => Said::YouJoined { room: room()?, seq: seq(text) },
        "channel_left" => Said::YouLeft { room: room()? },
        "error" => Said::Error { text: field(text, "error")?.to_owned() },
        "pong" => Said::Pong,
        "connection" => Said::Welcome,
        _ => return Err(format!("unknown words: {text}")),
    })
}

fn read_sge(text: &str) -> Result<Said, String> {
    let room = |name| {
        let channel = field(text, name)?;
        Ok::<_, String>(channel.strip_prefix("group:").unwrap_or(channel).to_owned())
    };
    Ok(match field(text, "type")? {
        "ChatMessage" => {
            Said::Message { room: room("to")?, number: number(text, "message")?, seq: seq(text) }
        }
        "Subscribed" => Said::YouJoined { room: room("channel")?, seq: seq(text) },
        "Gap" => Said::Gap { room: room("channel")?, seq: seq(text) },
        "Unsubscribed" => Said::YouLeft { room: room("channel")? },
        "Error" => Said::Error { text: field(text, "message")?.to_owned() },
        "Pong" => Said::Pong,
        "PresenceStatus" => Said::Aside,
        _ => return Err(format!("unknown words: {text}")),
    })
}

/// The objects inside a batch, which none of our texts can be mistaken for: they have no braces.
fn read_batch(text: &str, out: &mut Vec<Said>) -> Result<(), String> {
    let list = text.find('[').ok_or_else(|| format!("no list in {text}"))?;
    let (mut depth, mut from) = (0, 0);
    for (at, byte) in text.bytes().enumerate().skip(list) {
        match byte {
            b'{' if depth == 0 => (depth, from) = (1, at),
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                depth = 0;
                read_text(Dialect::Tusk, &text[from..=at], out)?;
            }
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    Ok(())
}

/// Reads one frame into what it says.
pub fn read(dialect: Dialect, frame: &Frame, out: &mut Vec<Said>) -> Result<(), String> {
    match frame.first() {
        Some(0x81) => {
            let payload = payload_of(frame);
            let text = std::str::from_utf8(&payload).map_err(|e| e.to_string())?;
            read_text(dialect, text, out)
        }
        Some(0x88) => {
            out.push(Said::Close);
            Ok(())
        }
        Some(0x89) => {
            out.push(Said::Heartbeat);
            Ok(())
        }
        other => Err(format!("a frame that begins with {other:?}")),
    }
}

#[test]
fn a_batch_is_read_in_its_order() {
    let mut out = Vec::new();
    let text = r#"{"type":"batch","messages":[{"type":"pong","timestamp":1},{"type":"auth_success","user":{"id":"u","username":"u"}},{"type":"room_message","room":"r","message":"7 xx","from":"u","seq":4}],"timestamp":3}"#;
    read_text(Dialect::Tusk, text, &mut out).expect("readable");
    let message = Said::Message { room: "r".into(), number: 7, seq: Some(4) };
    assert_eq!(out, [Said::Pong, Said::AuthSuccess { user: "u".into() }, message]);
}
