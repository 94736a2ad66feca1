//! What another crate can add to the server: handlers for message types of its own, and a pipeline of
//! middleware that sees every message first (TUS-38 to TUS-40).
//!
//! Extensions run on the shard's own thread, in the middle of a turn: they must not block. They see
//! decoded messages and answer with [`Effect`]s, which pass the same lanes, outboxes and bounds as
//! everything else.

mod builtin;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

pub use builtin::{AuthenticationMiddleware, LoggingMiddleware};
pub use serde_json::Value;

use crate::model::{CloseReason, ConnKey, Dialect};

/// The connection a message came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    pub connection: ConnKey,
    pub dialect: Dialect,
    /// The client's address; behind a trusted proxy, the one the proxy names.
    pub address: IpAddr,
    /// `None` before authentication.
    pub user: Option<&'a str>,
    pub roles: &'a [String],
}

/// One message, decoded; `kind` is its type as the dialect names it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub kind: &'a str,
    pub body: &'a Value,
}

/// What a middleware decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next middleware, and at last the server, gets the message.
    Continue,
    /// Nobody else sees it; the client gets an error with this text.
    Refuse(String),
    /// Nobody else sees it, and the client is not told.
    Drop,
}

/// Sees connections come and go and every message before it is handled. Called in the order of registration.
pub trait Middleware: Send + Sync {
    /// A connection is open.
    fn opened(&self, _peer: &Peer<'_>) {}
    /// A message came. The default lets it pass.
    fn message(&self, _peer: &Peer<'_>, _message: &Message<'_>) -> Verdict {
        Verdict::Continue
    }
    /// A connection is gone.
    fn closed(&self, _peer: &Peer<'_>, _reason: CloseReason) {}
}

/// What a handler wants done. Frames are sent as they are: escaping is the handler's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A frame for the connection that sent the message.
    Reply(Value),
    /// A frame for all members of a room, with or without the sender (TUS-14).
    Broadcast { room: String, frame: Value, exclude_sender: bool },
    /// A frame for every device of a user.
    ToUser { user: String, frame: Value },
    /// An error with this text for the sender.
    Refuse(String),
}

/// Handles one type of message. A handler of a type the dialect has itself takes its place (TUS-40).
pub trait Handler: Send + Sync {
    fn handle(&self, peer: &Peer<'_>, body: &Value) -> Vec<Effect>;
}

impl<F> Handler for F
where
    F: Fn(&Peer<'_>, &Value) -> Vec<Effect> + Send + Sync,
{
    fn handle(&self, peer: &Peer<'_>, body: &Value) -> Vec<Effect> {
        self(peer, body)
    }
}

/// All that was registered. Empty by default, and then it costs a message nothing.
#[derive(Default)]
pub struct Extensions {
    middleware: Vec<Box<dyn Middleware>>,
    handlers: HashMap<String, Box<dyn Handler>>,
}

impl Extensions {
    /// Adds a middleware behind those registered before.
    pub fn add_middleware(&mut self, middleware: impl Middleware + 'static) {
        self.middleware.push(Box::new(middleware));
    }

    /// Handles messages of that type from now on; an earlier handler of it is replaced.
    pub fn add_handler(&mut self, kind: impl Into<String>, handler: impl Handler + 'static) {
        self.handlers.insert(kind.into(), Box::new(handler));
    }

    /// Whether messages need not be shown to anybody.
    pub fn is_empty(&self) -> bool {
        self.middleware.is_empty() && self.handlers.is_empty()
    }

    pub fn handler(&self, kind: &str) -> Option<&dyn Handler> {
        self.handlers.get(kind).map(Box::as_ref)
    }

    /// Runs the pipeline until somebody does not let the message pass.
    pub fn message(&self, peer: &Peer<'_>, message: &Message<'_>) -> Verdict {
        let verdicts = self.middleware.iter().map(|m| m.message(peer, message));
        verdicts.into_iter().find(|v| *v != Verdict::Continue).unwrap_or(Verdict::Continue)
    }

    pub fn opened(&self, peer: &Peer<'_>) {
        self.middleware.iter().for_each(|m| m.opened(peer));
    }

    pub fn closed(&self, peer: &Peer<'_>, reason: CloseReason) {
        self.middleware.iter().for_each(|m| m.closed(peer, reason));
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.handlers.keys().collect();
        f.debug_struct("Extensions")
            .field("middleware", &self.middleware.len())
            .field("handlers", &kinds)
            .finish()
    }
}
