//! The stored bytes: mirrors of the model's types, which stay as they are whatever becomes of those.
//!
//! Invariants: the first byte names the format; a struct or enum of a format never changes, and a new one comes with
//! a new byte and a way to read the old. Bytes from a damaged disk give an error: no panic, and no allocation
//! beyond what they could fill.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::BadBytes;
use crate::model::{
    Contact, Detail, Dialect, Fact, Kind, Manner, Message, MessageId, Notification, Presence, Priority,
    RoomSettings, Status, Verbatim,
};

/// The format of everything in this file.
const FORMAT: u8 = 1;

/// Bytes of a mirror.
pub fn encode<T: Serialize>(mirror: &T) -> Vec<u8> {
    // It only fails for types of no known length, of which there are none here; nothing would not decode again.
    postcard::to_extend(mirror, vec![FORMAT]).unwrap_or_default()
}

/// The mirror that bytes are, to the last one.
pub fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, BadBytes> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => match postcard::take_from_bytes(rest) {
            Ok((mirror, [])) => Ok(mirror),
            _ => Err(BadBytes::Garbled),
        },
        Some((format, _)) => Err(BadBytes::Format(*format)),
        None => Err(BadBytes::Garbled),
    }
}

/// A small enum, mirrored by numbers that stay.
pub trait Mirrored: Copy + PartialEq + 'static {
    /// In the order of their stored numbers: one may be added at the end, and none may go.
    const ALL: &'static [Self];
}

/// The stored number of a value.
pub fn number<T: Mirrored>(value: T) -> u8 {
    let number = T::ALL.iter().position(|known| *known == value);
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX)
}

/// The value of a stored number.
pub fn numbered<T: Mirrored>(number: u8) -> Option<T> {
    T::ALL.get(usize::from(number)).copied()
}

/// The number of one of a few values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror<T>(T);

impl<T: Mirrored> Mirror<T> {
    pub fn of(value: T) -> Self {
        Self(value)
    }

    pub fn value(self) -> T {
        self.0
    }
}

impl<T: Mirrored> Serialize for Mirror<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(number(self.0))
    }
}

impl<'de, T: Mirrored> Deserialize<'de> for Mirror<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = numbered(u8::deserialize(deserializer)?);
        value.map(Self).ok_or_else(|| serde::de::Error::custom("no such number"))
    }
}

impl Mirrored for Dialect {
    const ALL: &'static [Self] = &[Self::Sge, Self::Nexus, Self::Gator, Self::Aegisx, Self::Tusk, Self::Echo];
}

impl Mirrored for Kind {
    const ALL: &'static [Self] = &[Self::Room, Self::Topic, Self::User, Self::Presence];
}

impl Mirrored for Manner {
    const ALL: &'static [Self] = &[Self::Talk, Self::Broadcast, Self::Persona];
}

impl Mirrored for Priority {
    const ALL: &'static [Self] = &[Self::Low, Self::Normal, Self::High, Self::Urgent];
}

impl Mirrored for Status {
    const ALL: &'static [Self] = &[Self::Online, Self::Away, Self::Busy, Self::Offline];
}

/// A message without its id, sender, text and moment.
#[derive(Serialize, Deserialize)]
pub struct Said<'a> {
    kind: Mirror<Kind>,
    /// `None`: the owner.
    place: Option<&'a str>,
    connection: Option<[u8; 16]>,
    #[serde(borrow)]
    detail: Option<DetailBody<'a>>,
}

#[derive(Serialize, Deserialize)]
struct DetailBody<'a> {
    manner: Mirror<Manner>,
    #[serde(borrow)]
    verbatim: Option<Custom<'a>>,
    #[serde(borrow)]
    mentions: Vec<&'a str>,
}

/// JSON of one dialect.
#[derive(Serialize, Deserialize)]
pub struct Custom<'a> {
    pub dialect: Mirror<Dialect>,
    pub json: &'a str,
}

impl<'a> Said<'a> {
    pub fn of(message: &'a Message, place: Option<&'a str>) -> Self {
        let detail = message.detail.as_deref().map(|detail| DetailBody {
            manner: Mirror(detail.manner),
            verbatim: detail.verbatim.as_ref().map(|v| Custom { dialect: Mirror(v.dialect), json: &v.json }),
            mentions: detail.mentions.iter().map(|user| &**user).collect(),
        });
        let connection = message.connection.map(Uuid::into_bytes);
        Self { kind: Mirror(message.kind), place, connection, detail }
    }

    pub fn parts(self) -> (Kind, Option<&'a str>, Option<Uuid>, Option<Box<Detail>>) {
        let detail = self.detail.map(|detail| {
            Box::new(Detail {
                manner: detail.manner.value(),
                verbatim: detail
                    .verbatim
                    .map(|v| Verbatim { dialect: v.dialect.value(), json: v.json.into() }),
                mentions: detail.mentions.into_iter().map(Arc::from).collect(),
            })
        });
        (self.kind.value(), self.place, self.connection.map(Uuid::from_bytes), detail)
    }
}

/// A notification without its id, text and moment.
#[derive(Serialize, Deserialize)]
pub struct NotificationBody<'a> {
    title: &'a str,
    level: &'a str,
    priority: Mirror<Priority>,
    channel: Option<&'a str>,
    about: Option<(&'a str, [u8; 16])>,
}

type NotificationParts = (Box<str>, Box<str>, Priority, Option<Arc<str>>, Option<(Arc<str>, MessageId)>);

impl<'a> NotificationBody<'a> {
    pub fn of(notification: &'a Notification) -> Self {
        Self {
            title: &notification.title,
            level: &notification.level,
            priority: Mirror(notification.priority),
            channel: notification.channel.as_deref(),
            about: notification.about.as_ref().map(|(room, message)| (&**room, message.0.into_bytes())),
        }
    }

    /// Title, level, priority, channel, and what it is about.
    pub fn parts(self) -> NotificationParts {
        let about = self.about.map(|(room, id)| (room.into(), MessageId(Uuid::from_bytes(id))));
        (self.title.into(), self.level.into(), self.priority.value(), self.channel.map(Into::into), about)
    }
}

/// What is known of a channel.
#[derive(Serialize, Deserialize)]
pub enum FactBody<'a> {
    Room {
        max_members: u64,
        public: bool,
        moderated: bool,
        password: Option<&'a str>,
        creator: Option<&'a str>,
    },
    Contact {
        user: &'a str,
        name: Option<&'a str>,
        #[serde(borrow)]
        groups: Vec<&'a str>,
    },
    Standing(&'a str),
    Presence(#[serde(borrow)] Vec<PresenceBody<'a>>),
}

#[derive(Serialize, Deserialize)]
pub struct PresenceBody<'a> {
    user: &'a str,
    status: Mirror<Status>,
    message: Option<&'a str>,
    location: Option<&'a str>,
    at_ms: u64,
}

impl<'a> FactBody<'a> {
    pub fn of(fact: &'a Fact) -> Self {
        match fact {
            Fact::Room { settings, creator } => Self::Room {
                max_members: settings.max_members as u64,
                public: settings.public,
                moderated: settings.moderated,
                password: settings.password.as_deref(),
                creator: creator.as_deref(),
            },
            Fact::Contact(contact) => Self::Contact {
                user: &contact.user,
                name: contact.name.as_deref(),
                groups: contact.groups.iter().map(|group| &**group).collect(),
            },
            Fact::Standing(room) => Self::Standing(room),
            Fact::Presence(history) => Self::Presence(history.iter().map(PresenceBody::of).collect()),
        }
    }

    pub fn fact(self) -> Fact {
        match self {
            Self::Room { max_members, public, moderated, password, creator } => Fact::Room {
                settings: RoomSettings {
                    max_members: usize::try_from(max_members).unwrap_or(usize::MAX),
                    public,
                    moderated,
                    password: password.map(Arc::from),
                },
                creator: creator.map(Arc::from),
            },
            Self::Contact { user, name, groups } => Fact::Contact(Contact {
                user: user.into(),
                name: name.map(Box::from),
                groups: groups.into_iter().map(Box::from).collect(),
            }),
            Self::Standing(room) => Fact::Standing(room.into()),
            Self::Presence(history) => {
                Fact::Presence(history.into_iter().map(PresenceBody::presence).collect())
            }
        }
    }
}

impl<'a> PresenceBody<'a> {
    fn of(presence: &'a Presence) -> Self {
        Self {
            user: &presence.user,
            status: Mirror(presence.status),
            message: presence.message.as_deref(),
            location: presence.location.as_deref(),
            at_ms: presence.at_ms,
        }
    }

    fn presence(self) -> Presence {
        Presence {
            user: self.user.into(),
            status: self.status.value(),
            message: self.message.map(Arc::from),
            location: self.location.map(Arc::from),
            at_ms: self.at_ms,
        }
    }
}
