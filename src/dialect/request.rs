//! What a client of any dialect asks for, in the core's words.

use std::fmt;

use crate::model::{MessageId, RoomSettings, Status};

/// One decoded message, borrowed from its text. What it says is checked for form and size, not
/// for whether the one who says it may.
#[derive(Clone, PartialEq)]
pub enum Request<'a> {
    /// Take this credential as mine. An absent token reads as the empty one.
    Authenticate { token: &'a str },
    /// Become a member.
    Join { room: &'a str, password: Option<&'a str> },
    /// Stop being one.
    Leave { room: &'a str },
    /// Say something in a room; raw text, not yet escaped for anybody.
    Publish { room: &'a str, text: &'a str },
    /// Say something to a user.
    Direct { to: &'a str, text: &'a str },
    /// Show me so.
    SetPresence(Status),
    /// Are you there?
    Ping,
    /// Make a room that stays.
    CreateRoom { room: &'a str, settings: RoomSettings },
    /// I have that message.
    Acknowledge(MessageId),
    /// Understood, and nothing to do.
    Ignored,
    /// A kind the dialect does not have; an extension may.
    Custom { kind: &'a str },
}

/// Shows neither tokens nor passwords: requests end up in logs.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authenticate { .. } => f.write_str("Authenticate"),
            Self::Join { room, password } => f
                .debug_struct("Join")
                .field("room", room)
                .field("with_password", &password.is_some())
                .finish(),
            Self::Leave { room } => f.debug_struct("Leave").field("room", room).finish(),
            Self::Publish { room, text } => {
                f.debug_struct("Publish").field("room", room).field("text", text).finish()
            }
            Self::Direct { to, text } => {
                f.debug_struct("Direct").field("to", to).field("text", text).finish()
            }
            Self::SetPresence(status) => f.debug_tuple("SetPresence").field(status).finish(),
            Self::Ping => f.write_str("Ping"),
            Self::CreateRoom { room, .. } => {
                f.debug_struct("CreateRoom").field("room", room).finish_non_exhaustive()
            }
            Self::Acknowledge(id) => f.debug_tuple("Acknowledge").field(id).finish(),
            Self::Ignored => f.write_str("Ignored"),
            Self::Custom { kind } => f.debug_struct("Custom").field("kind", kind).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let settings = RoomSettings { password: Some("hunter2".into()), ..RoomSettings::default() };
        for request in [
            Request::Authenticate { token: "hunter2" },
            Request::Join { room: "r", password: Some("hunter2") },
            Request::CreateRoom { room: "r", settings },
        ] {
            let shown = format!("{request:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
