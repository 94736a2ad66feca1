//! One REST call of a dialect, and who makes it: what its handlers share.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::call::{Asked, Backend, Site, Who};
use super::fault::Fault;
use super::fields::{Fields, object};
use super::routes::json_response;
use crate::access::{Action, Asker};
use crate::clock::wall_time;
use crate::dialect::MAX_NAME_BYTES;
use crate::model::{
    ChannelName, Code, Dialect, Event, Kind, Notification, Op, Presence, Principal, RealmId, Refusal, Reply,
};
use crate::net::Body;

/// The call, after its credential was checked and before it is known whether it may.
#[derive(Debug)]
pub struct Visit<'a, B> {
    asked: &'a Asked<'a>,
    pub backend: &'a B,
    pub site: &'a Site,
    pub dialect: Dialect,
    /// In the dialect's realm.
    pub who: Who,
}

const NO_ANSWER: Refusal = Refusal::new(Code::Unavailable, "No answer");

impl<'a, B: Backend> Visit<'a, B> {
    /// Finds out who calls.
    ///
    /// # Errors
    /// There is a credential, and it is not valid.
    pub fn new(
        dialect: Dialect,
        asked: &'a Asked<'a>,
        backend: &'a B,
        site: &'a Site,
    ) -> Result<Self, Refusal> {
        let who = asked.principal(dialect, backend)?;
        Ok(Self { asked, backend, site, dialect, who })
    }

    /// Whether that may be done.
    ///
    /// # Errors
    /// It may not, by this caller.
    pub fn admit(&self, action: Action<'_>) -> Result<(), Refusal> {
        let asker = Asker {
            who: self.who.as_deref(),
            dialect: self.dialect,
            require_auth: self.site.require_auth[self.dialect.index()],
            local: self.asked.local,
            shared: self.site.shared[self.dialect.index()],
        };
        self.site.access.admit(action, &asker)
    }

    pub fn realm(&self) -> RealmId {
        self.site.realms[self.dialect.index()]
    }

    /// The caller's; without a credential, that of credentials which name none.
    pub fn tenant(&self) -> Arc<str> {
        self.who.as_ref().map_or_else(|| Principal::DEFAULT_TENANT.into(), |who| who.tenant.clone())
    }

    /// A channel of the caller's tenant.
    pub fn channel(&self, kind: Kind, id: &str) -> ChannelName {
        ChannelName { realm: self.realm(), tenant: self.tenant(), kind, id: id.into() }
    }

    /// What a variable segment of the path says, as long as it is.
    pub fn segment(&self, name: &'static str) -> &'a str {
        self.asked.vars.get(name)
    }

    /// A parameter of the query, decoded; one that is no text is passed over.
    pub fn query(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut pairs = self.asked.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let value = pairs.find(|(known, _)| *known == name)?.1;
        let decoded = percent_decode_str(value).decode_utf8().ok()?;
        // Forms write blanks so.
        Some(if value.contains('+') { value_with_blanks(value)?.into() } else { decoded })
    }

    /// A name that a variable segment of the path says.
    ///
    /// # Errors
    /// It is longer than any name may be.
    pub fn var(&self, name: &'static str) -> Result<&'a str, Fault> {
        let value = self.segment(name);
        match value.len() {
            1..=MAX_NAME_BYTES => Ok(value),
            _ => {
                Err(Fault::field(self.wrong(), name, format_args!("a string of 1 to {MAX_NAME_BYTES} bytes")))
            }
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// It is no JSON object, or what `read` says.
    pub fn read<T>(&self, read: impl FnOnce(Fields<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let body: Map<String, Value> = object(self.asked.body)?;
        read(Fields::new(&body, self.wrong()))
    }

    /// The body as text. Only of one that was read before.
    pub fn body(&self) -> &'a str {
        std::str::from_utf8(self.asked.body).unwrap_or_default()
    }

    /// The code of a field that is wrong: SGE answers 400 (ruling S12), the others 422 (ruling N16).
    pub fn wrong(&self) -> Code {
        if self.dialect == Dialect::Sge { Code::Malformed } else { Code::InvalidField }
    }

    /// Asks a channel's home.
    ///
    /// # Errors
    /// It refuses, or does not answer.
    pub async fn ask(&self, name: ChannelName, op: Op) -> Result<Reply, Refusal> {
        match self.backend.ask(name, op, self.who.clone()).await? {
            Reply::Refused(refusal) | Reply::Denied(refusal) => Err(refusal),
            reply => Ok(reply),
        }
    }

    /// Those of the caller's tenant who are online, or what is known of those named; and how many there are.
    ///
    /// # Errors
    /// A shard does not answer.
    pub async fn users(&self, of: Option<Arc<[Arc<str>]>>) -> Result<(Vec<Presence>, usize), Refusal> {
        let op = Op::ListUsers { realm: self.realm(), tenant: self.tenant(), of };
        let (mut users, mut total) = (Vec::new(), 0);
        for reply in self.backend.ask_all(op, self.who.clone()).await? {
            if let Reply::Users { users: some, total: n } = reply {
                users.extend(some);
                total += n;
            }
        }
        users.sort_unstable_by(|a, b| a.user.cmp(&b.user));
        Ok((users, total))
    }

    /// What is known of one user at its home; `None`: nothing.
    ///
    /// # Errors
    /// The home does not answer.
    pub async fn user(&self, id: &str) -> Result<Option<Presence>, Refusal> {
        let home = self.channel(Kind::User, id);
        let of = Some([home.id.clone()].into());
        let op = Op::ListUsers { realm: self.realm(), tenant: self.tenant(), of };
        match self.ask(home, op).await? {
            Reply::Users { mut users, .. } => Ok(users.pop()),
            _ => Err(NO_ANSWER),
        }
    }

    /// Tells a user, now or when it comes. Whether it was there.
    ///
    /// # Errors
    /// It is away and no more can be kept, or its home does not answer.
    pub async fn notify(&self, user: &str, notification: Notification) -> Result<bool, Refusal> {
        let op = Op::Notify { notification: notification.into(), transit: false };
        match self.ask(self.channel(Kind::User, user), op).await? {
            Reply::Notified { delivered } => Ok(delivered),
            _ => Err(NO_ANSWER),
        }
    }

    /// Tells everybody of the caller's tenant who is there. How many users were online.
    ///
    /// # Errors
    /// A shard does not answer.
    pub async fn notify_all(&self, notification: Notification) -> Result<usize, Refusal> {
        let event = Event::Notification(notification.into());
        let (_, online) = self.users(None).await?;
        self.announce_all(Some(self.tenant()), event).await?;
        Ok(online)
    }

    /// Hands an event to everybody of the dialect's realm: of one tenant, or of all.
    ///
    /// # Errors
    /// The shard that was to hand it out does not answer.
    pub async fn announce_all(&self, tenant: Option<Arc<str>>, event: Event) -> Result<(), Refusal> {
        // Any home can: this one is as good as others.
        let home = self.channel(Kind::Topic, "");
        self.ask(home, Op::AnnounceAll { realm: self.realm(), tenant, event }).await.map(|_| ())
    }
}

fn value_with_blanks(value: &str) -> Option<String> {
    let value = value.replace('+', "%20");
    percent_decode_str(&value).decode_utf8().ok().map(Cow::into_owned)
}

/// A moment in milliseconds since 1970, as dialects of JavaScript write it.
pub fn moment(at_ms: u64) -> String {
    humantime::format_rfc3339_millis(wall_time(at_ms)).to_string()
}

/// An answer to what was done or asked.
pub fn ok(value: &Value) -> Response<Body> {
    json_response(StatusCode::OK, value)
}

/// An answer of a kind that the question does not have.
pub fn no_answer<T>(_: Reply) -> Result<T, Fault> {
    Err(NO_ANSWER.into())
}

/// The schema of an object of those properties, of which the first `needed` must be there.
pub fn schema(needed: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": needed, "properties": properties })
}
