//! What a client of any dialect asks for, in the core's words.

use std::borrow::Cow;
use std::fmt;

use crate::model::{Address, Contact, Manner, MessageId, Refusal, RoomSettings, Since, Status};

/// One message, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard<'a> {
    /// What the client calls the message, as JSON; its answer says it back (SGE-10).
    pub tag: Option<Box<str>>,
    pub request: Result<Request<'a>, Refusal>,
}

impl<'a> From<Result<Request<'a>, Refusal>> for Heard<'a> {
    fn from(request: Result<Request<'a>, Refusal>) -> Self {
        Self { tag: None, request }
    }
}

/// One decoded message, borrowed from its text. What it says is checked for form and size, not
/// for whether the one who says it may.
#[derive(Clone, PartialEq)]
pub enum Request<'a> {
    /// Take this credential as mine. An absent token reads as the empty one.
    Authenticate {
        token: &'a str,
    },
    /// Become a member.
    Join {
        place: Address<'a>,
        password: Option<&'a str>,
        username: Option<&'a str>,
        /// Tell me what I missed.
        since: Option<Since>,
    },
    /// Stop being one.
    Leave {
        place: Address<'a>,
        username: Option<&'a str>,
    },
    /// Say something in a channel.
    Publish {
        place: Address<'a>,
        speech: Speech<'a>,
    },
    /// Say something to a user.
    Direct {
        to: &'a str,
        speech: Speech<'a>,
    },
    /// I write, or stopped.
    Typing {
        to: Reader<'a>,
        from: Option<&'a str>,
        username: Option<&'a str>,
        on: bool,
    },
    /// Show me so. `user`: whom the client says it is.
    SetPresence {
        user: Option<&'a str>,
        status: Option<Status>,
        message: Option<&'a str>,
        location: Option<&'a str>,
    },
    /// Which of these are online?
    AskOnline {
        users: Vec<&'a str>,
    },
    /// I have read that message.
    Read {
        place: Address<'a>,
        message: MessageId,
    },
    /// My message reads so now.
    Edit {
        place: Address<'a>,
        message: MessageId,
        text: &'a str,
    },
    /// I take my message back.
    Delete {
        place: Address<'a>,
        message: MessageId,
    },
    /// I have seen that notification.
    NotificationRead {
        id: MessageId,
    },
    /// Throw away that notification, or all.
    NotificationClear {
        id: Option<MessageId>,
    },
    /// Tell me notifications of these types.
    SubscribeNotifications {
        types: Vec<&'a str>,
    },
    RosterGet,
    RosterUpdate(Contact),
    RosterRemove {
        user: &'a str,
    },
    /// What only administrators may.
    Administer(Order<'a>),
    /// An order that is not as it must be: the refusal is for administrators, to others its kind is unknown.
    Misordered {
        kind: &'a str,
        refusal: Refusal,
    },
    /// Are you there?
    Ping,
    /// I am there.
    Pong,
    /// I go.
    Goodbye,
    /// Make a room that stays.
    CreateRoom {
        room: &'a str,
        settings: RoomSettings,
    },
    /// I have that message.
    Acknowledge(MessageId),
    /// A kind the dialect does not have; an extension may.
    Custom {
        kind: &'a str,
    },
}

/// What is said; raw text, not yet escaped for anybody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Speech<'a> {
    /// What members of other dialects read.
    pub text: Cow<'a, str>,
    /// Whom the client says it is; must be who it is.
    pub from: Option<&'a str>,
    pub manner: Manner,
    pub mentions: Vec<&'a str>,
    /// What the client calls its message: sent twice under one name, it is said once.
    pub request: Option<&'a str>,
    /// Who is to answer.
    pub persona: Option<&'a str>,
    /// What members of the same dialect receive as it was, where the text is not all; see
    /// [`Verbatim`](crate::model::Verbatim).
    pub verbatim: Option<Box<str>>,
}

impl<'a> Speech<'a> {
    /// Text and nothing else.
    pub fn plain(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), ..Self::default() }
    }
}

/// For whom somebody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader<'a> {
    Channel(Address<'a>),
    User(&'a str),
}

/// What an administrator wants (ruling A11). Messages are JSON, relayed as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    Stats,
    Broadcast { message: &'a str },
    BroadcastTenant { tenant: &'a str, message: &'a str },
    Notify { tenant: &'a str, user: &'a str, notification: &'a str },
    Disconnect { connection: &'a str },
}

impl Order<'_> {
    /// What it is called on the wire; unknown to those who are no administrators.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Stats => "get_stats",
            Self::Broadcast { .. } => "broadcast",
            Self::BroadcastTenant { .. } => "broadcast_tenant",
            Self::Notify { .. } => "notify_user",
            Self::Disconnect { .. } => "disconnect",
        }
    }
}

/// Shows neither tokens nor passwords: requests end up in logs.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authenticate { .. } => f.write_str("Authenticate"),
            Self::Join { place, password, since, .. } => f
                .debug_struct("Join")
                .field("place", place)
                .field("with_password", &password.is_some())
                .field("since", since)
                .finish_non_exhaustive(),
            Self::CreateRoom { room, .. } => {
                f.debug_struct("CreateRoom").field("room", room).finish_non_exhaustive()
            }
            Self::Leave { place, .. } => {
                f.debug_struct("Leave").field("place", place).finish_non_exhaustive()
            }
            Self::Publish { place, speech } => {
                f.debug_struct("Publish").field("place", place).field("speech", speech).finish()
            }
            Self::Direct { to, speech } => {
                f.debug_struct("Direct").field("to", to).field("speech", speech).finish()
            }
            Self::Typing { to, on, .. } => {
                f.debug_struct("Typing").field("to", to).field("on", on).finish_non_exhaustive()
            }
            Self::SetPresence { user, status, message, location } => f
                .debug_struct("SetPresence")
                .field("user", user)
                .field("status", status)
                .field("message", message)
                .field("location", location)
                .finish(),
            Self::AskOnline { users } => f.debug_struct("AskOnline").field("users", users).finish(),
            Self::Read { place, message } => {
                f.debug_struct("Read").field("place", place).field("message", message).finish()
            }
            Self::Edit { place, message, text } => f
                .debug_struct("Edit")
                .field("place", place)
                .field("message", message)
                .field("text", text)
                .finish(),
            Self::Delete { place, message } => {
                f.debug_struct("Delete").field("place", place).field("message", message).finish()
            }
            Self::NotificationRead { id } => f.debug_struct("NotificationRead").field("id", id).finish(),
            Self::NotificationClear { id } => f.debug_struct("NotificationClear").field("id", id).finish(),
            Self::SubscribeNotifications { types } => {
                f.debug_struct("SubscribeNotifications").field("types", types).finish()
            }
            Self::RosterGet => f.write_str("RosterGet"),
            Self::RosterUpdate(contact) => f.debug_tuple("RosterUpdate").field(contact).finish(),
            Self::RosterRemove { user } => f.debug_struct("RosterRemove").field("user", user).finish(),
            Self::Administer(order) => f.debug_tuple("Administer").field(order).finish(),
            Self::Misordered { kind, refusal } => {
                f.debug_struct("Misordered").field("kind", kind).field("refusal", refusal).finish()
            }
            Self::Ping => f.write_str("Ping"),
            Self::Pong => f.write_str("Pong"),
            Self::Goodbye => f.write_str("Goodbye"),
            Self::Acknowledge(id) => f.debug_tuple("Acknowledge").field(id).finish(),
            Self::Custom { kind } => f.debug_struct("Custom").field("kind", kind).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_shows_since_when_and_what_is_no_position_is_kept_as_none() {
        for (text, shown) in [
            ("00000000000000ab:7", "Some(At(Position { epoch: Epoch(171), seq: 7 }))"),
            ("hunter2", "Some(Unreadable)"),
        ] {
            let since = Some(Since::parse(text));
            let join = Request::Join { place: Address::Room("r"), password: None, username: None, since };
            let join = format!("{join:?}");
            assert!(join.contains(shown) && !join.contains("hunter2"), "{join}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let settings = RoomSettings { password: Some("hunter2".into()), ..RoomSettings::default() };
        for request in [
            Request::Authenticate { token: "hunter2" },
            Request::Join {
                place: Address::Room("r"),
                password: Some("hunter2"),
                username: None,
                since: None,
            },
            Request::CreateRoom { room: "r", settings },
        ] {
            let shown = format!("{request:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
