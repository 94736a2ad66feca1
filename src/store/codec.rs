//! The model's words as rows, and back.
//!
//! What is stored are the structs of [`body`](super::body), never the model's own types, so that those can change. The
//! words of a message, its sender and its moment are columns; all the rest is the body: one byte that names the
//! format, and the struct in postcard.

use std::borrow::Cow;
use std::sync::Arc;

use uuid::Uuid;

use super::body::{Custom, FactBody, Mirror, NotificationBody, Said, decode, encode, number, numbered};
use super::rows::{Change, Id, Item, KeptRow, Owner, Row, what};
use super::{BadBytes, Unstorable};
use crate::model::{
    ChannelName, Event, Fact, FactKey, Kept, Kind, Message, MessageId, Notification, RealmId, Record, Waiting,
};

/// Kinds of rows besides those the store treats apart ([`what`]).
mod kind {
    pub const NOTIFICATION: u8 = 4;
    pub const NOTIFICATION_READ: u8 = 5;
    pub const NOTIFICATION_CLEARED: u8 = 6;
    pub const DELETED: u8 = 7;
    pub const READ: u8 = 8;
    pub const CUSTOM: u8 = 9;
}

/// Kinds of facts.
mod fact {
    pub const ROOM: u8 = 0;
    pub const CONTACT: u8 = 1;
    pub const STANDING: u8 = 2;
    pub const PRESENCE: u8 = 3;
}

/// The kind of the fact that a user is one of a conversation.
pub const STANDING: u8 = fact::STANDING;

/// Knows the realms by name and number.
#[derive(Clone, Debug)]
pub struct Codec {
    realms: Vec<Box<str>>,
}

impl Codec {
    pub fn new(realms: Vec<Box<str>>) -> Self {
        Self { realms }
    }

    /// The owner that a channel's rows are stored under.
    pub fn owner<'a>(&'a self, channel: &'a ChannelName) -> Result<Owner<'a>, Unstorable> {
        let realm =
            self.realms.get(usize::from(channel.realm.0)).ok_or(Unstorable::Realm(channel.realm.0))?;
        Ok(Owner { realm, tenant: &channel.tenant, kind: number(channel.kind), name: &channel.id })
    }

    /// The channel of an owner; `None`: its realm is not configured now, or its kind not known.
    pub fn channel(&self, owner: &Owner) -> Option<ChannelName> {
        let realm = self.realms.iter().position(|realm| **realm == *owner.realm)?;
        Some(ChannelName {
            realm: RealmId(u8::try_from(realm).ok()?),
            tenant: owner.tenant.into(),
            kind: numbered(owner.kind)?,
            id: owner.name.into(),
        })
    }

    /// A record as a change of rows. `now_ms` is the moment of events that have none of their own.
    pub fn change<'a>(&'a self, record: &'a Record, now_ms: u64) -> Result<Change<'a>, Unstorable> {
        Ok(match record {
            Record::Append { channel, event, request } => {
                let owner = self.owner(channel)?;
                Change::Append { owner, row: row(&owner, event, now_ms)?, request: request.as_deref() }
            }
            Record::Amend { channel, message, by, text } => {
                Change::Amend { owner: self.owner(channel)?, id: id(*message), by, text: text.as_deref() }
            }
            Record::Receipt { channel, receipt } => Change::Receipt {
                owner: self.owner(channel)?,
                user: &receipt.user,
                id: id(receipt.message),
                at_ms: receipt.at_ms,
            },
            Record::Queue { user, waiting } => {
                let owner = self.owner(user)?;
                Change::Queue { owner, item: item(&owner, waiting, now_ms)? }
            }
            Record::Unqueue { user, ids } => {
                Change::Drain { owner: self.owner(user)?, ids: ids.iter().copied().map(id).collect() }
            }
            Record::Know { channel, fact } => {
                let (kind, key) = borrowed_key(fact);
                Change::Put { owner: self.owner(channel)?, kind, key, bytes: encode(&FactBody::of(fact)) }
            }
            Record::Forget { channel, key } => {
                let (kind, key) = match key {
                    FactKey::Room => (fact::ROOM, ""),
                    FactKey::Contact(user) => (fact::CONTACT, &**user),
                    FactKey::Standing(room) => (fact::STANDING, &**room),
                    FactKey::Presence => (fact::PRESENCE, ""),
                };
                Change::Remove { owner: self.owner(channel)?, kind, key }
            }
        })
    }
}

fn borrowed_key(fact: &Fact) -> (u8, &str) {
    match fact {
        Fact::Room { .. } => (fact::ROOM, ""),
        Fact::Contact(contact) => (fact::CONTACT, &contact.user),
        Fact::Standing(room) => (fact::STANDING, room),
        Fact::Presence(_) => (fact::PRESENCE, ""),
    }
}

/// What a home is given back.
pub fn kept(owner: &Owner, row: &KeptRow) -> Result<Kept, BadBytes> {
    match row {
        KeptRow::Fact { bytes, .. } => Ok(Kept::Fact(decode::<FactBody>(bytes)?.fact())),
        KeptRow::Item(item) => {
            let event = event(owner, &item.row)?;
            if event.id().is_none_or(|own| id(own) != item.id) {
                return Err(BadBytes::NoId);
            }
            Ok(Kept::Waiting(Waiting {
                event,
                seq: item.seq,
                transit: item.transit,
                priority: numbered(item.priority).ok_or(BadBytes::Garbled)?,
                since_ms: item.since_ms,
            }))
        }
    }
}

fn item<'a>(owner: &Owner, waiting: &'a Waiting, now_ms: u64) -> Result<Item<'a>, Unstorable> {
    Ok(Item {
        id: waiting.event.id().map(id).ok_or(Unstorable::NoId)?,
        seq: waiting.seq,
        transit: waiting.transit,
        priority: number(waiting.priority),
        since_ms: waiting.since_ms,
        row: row(owner, &waiting.event, now_ms)?,
    })
}

/// An id in bytes.
pub fn id(id: MessageId) -> Id {
    id.0.into_bytes()
}

/// An id again.
pub fn message_id(id: Id) -> MessageId {
    MessageId(Uuid::from_bytes(id))
}

/// An event as a row of that owner.
pub fn row<'a>(owner: &Owner, event: &'a Event, now_ms: u64) -> Result<Row<'a>, Unstorable> {
    // A place that is the owner's own is not stored twice.
    let elsewhere = |place: &'a Arc<str>| (**place != *owner.name).then_some(&**place);
    let blank = Row {
        what: what::GONE,
        id: None,
        sender: None,
        peer: None,
        at_ms: now_ms,
        text: Cow::Borrowed(""),
        body: Cow::Borrowed(&[]),
    };
    let about = |what, room, message: &MessageId, user: &'a Arc<str>, at_ms| Row {
        what,
        id: Some(id(*message)),
        sender: Some(Cow::Borrowed(&**user)),
        at_ms,
        body: encode::<Option<&str>>(&elsewhere(room)).into(),
        ..blank.clone()
    };
    Ok(match event {
        Event::Message(m) => message_row(what::MESSAGE, m, elsewhere(&m.place), None),
        Event::Direct(m) => {
            let other = if *m.from == *owner.name { &m.place } else { &m.from };
            let peer = (owner.kind == number(Kind::User)).then_some(&**other);
            message_row(what::DIRECT, m, elsewhere(&m.place), peer)
        }
        Event::Edited { room, message, user, text, at_ms } => {
            Row { text: Cow::Borrowed(text), ..about(what::EDITED, room, message, user, *at_ms) }
        }
        Event::Deleted { room, message, user, at_ms } => about(kind::DELETED, room, message, user, *at_ms),
        Event::Read { room, message, user, at_ms } => about(kind::READ, room, message, user, *at_ms),
        Event::Notification(n) => Row {
            what: kind::NOTIFICATION,
            id: Some(id(n.id)),
            at_ms: n.at_ms,
            text: Cow::Borrowed(&n.text),
            body: encode(&NotificationBody::of(n)).into(),
            ..blank
        },
        Event::NotificationRead { id: of, at_ms } => {
            Row { what: kind::NOTIFICATION_READ, id: Some(id(*of)), at_ms: *at_ms, ..blank }
        }
        Event::NotificationCleared { id: of, at_ms } => {
            Row { what: kind::NOTIFICATION_CLEARED, id: of.map(id), at_ms: *at_ms, ..blank }
        }
        Event::Custom { dialect, json } => {
            let custom = Custom { dialect: Mirror::of(*dialect), json };
            Row { what: kind::CUSTOM, body: encode(&custom).into(), ..blank }
        }
        Event::Joined { .. }
        | Event::Left { .. }
        | Event::Presence { .. }
        | Event::StatusChanged { .. }
        | Event::Typing(_) => return Err(Unstorable::Event),
    })
}

fn message_row<'a>(what: u8, m: &'a Message, place: Option<&'a str>, peer: Option<&'a str>) -> Row<'a> {
    Row {
        what,
        id: Some(id(m.id)),
        sender: Some(Cow::Borrowed(&*m.from)),
        peer: peer.map(Cow::Borrowed),
        at_ms: m.at_ms,
        text: Cow::Borrowed(&*m.text),
        body: encode(&Said::of(m, place)).into(),
    }
}

/// The event of a row of that owner.
pub fn event(owner: &Owner, row: &Row) -> Result<Event, BadBytes> {
    let at_ms = row.at_ms;
    let own = |place: Option<&str>| Arc::from(place.unwrap_or(owner.name));
    let message = || row.id.map(message_id).ok_or(BadBytes::NoId);
    let user = || Arc::from(row.sender.as_deref().unwrap_or_default());
    let room = || decode::<Option<&str>>(&row.body).map(own);
    Ok(match row.what {
        what::MESSAGE => Event::Message(said(owner, row)?),
        what::DIRECT => Event::Direct(said(owner, row)?),
        what::EDITED => Event::Edited {
            room: room()?,
            message: message()?,
            user: user(),
            text: (*row.text).into(),
            at_ms,
        },
        kind::DELETED => Event::Deleted { room: room()?, message: message()?, user: user(), at_ms },
        kind::READ => Event::Read { room: room()?, message: message()?, user: user(), at_ms },
        kind::NOTIFICATION => {
            let (title, level, priority, channel, about) = decode::<NotificationBody>(&row.body)?.parts();
            let text = (*row.text).into();
            let id = message()?;
            Event::Notification(Arc::new(Notification {
                id,
                title,
                text,
                level,
                priority,
                channel,
                about,
                at_ms,
            }))
        }
        kind::NOTIFICATION_READ => Event::NotificationRead { id: message()?, at_ms },
        kind::NOTIFICATION_CLEARED => Event::NotificationCleared { id: row.id.map(message_id), at_ms },
        kind::CUSTOM => {
            let custom = decode::<Custom>(&row.body)?;
            Event::Custom { dialect: custom.dialect.value(), json: custom.json.into() }
        }
        unknown => return Err(BadBytes::Kind(unknown)),
    })
}

fn said(owner: &Owner, row: &Row) -> Result<Message, BadBytes> {
    let said = decode::<Said>(&row.body)?;
    let (kind, place, connection, detail) = said.parts();
    Ok(Message {
        id: row.id.map(message_id).ok_or(BadBytes::NoId)?,
        kind,
        place: place.unwrap_or(owner.name).into(),
        from: row.sender.as_deref().unwrap_or_default().into(),
        connection,
        text: (*row.text).into(),
        detail,
        at_ms: row.at_ms,
    })
}

#[cfg(test)]
mod tests;
