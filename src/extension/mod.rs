//! What another crate can add to the server: handlers for message types of its own, and a pipeline of
//! middleware that sees every message first (TUS-38 to TUS-40).
//!
//! Extensions run on the shard's own thread, in the middle of a turn: they must not block, and all shards call
//! the same one. They see decoded messages and answer with [`Effect`]s, which pass the same lanes, outboxes and
//! bounds as everything else.
//!
//! A message of a connection passes, in this order: its dialect's decoder, which refuses what is malformed or too
//! large; the rate limit; the [`Middleware`] in order of registration, up to the first that does not continue;
//! admission (is this allowed to this user at all?); the [`Handler`] of its type, or else the server. So middleware
//! also sees what admission will refuse, a handler does not. A refused message is given back to its rate limit.
//! Messages of an `echo` listener are shown to nobody.
//!
//! ```
//! use lanecast::extension::{Effect, LoggingMiddleware, Peer, Value};
//! use lanecast::{config::Config, server::Server};
//!
//! let config = Config::from_toml("server.listen = ['127.0.0.1:0']").expect("a configuration");
//! let server = Server::new(config)
//!     .middleware(LoggingMiddleware)
//!     .handler("hello", |peer: &Peer<'_>, _: &Value| {
//!         vec![Effect::Reply(serde_json::json!({ "type": "hello", "to": peer.user }))]
//!     });
//! # let running = server.start().expect("starts");
//! # running.drain(std::time::Duration::ZERO);
//! # running.join().expect("ends");
//! ```
//!
//! `examples/custom_server.rs` has the whole of it, and a client that tries it.

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
    /// Unique among the open connections of the process; its text is the `conn` of log lines.
    pub connection: ConnKey,
    /// The words it speaks: an [`Effect`]'s frame reaches only connections of the same dialect.
    pub dialect: Dialect,
    /// The client's address; behind a trusted proxy, the one the proxy names.
    pub address: IpAddr,
    /// `None` before authentication.
    pub user: Option<&'a str>,
    /// Those of its credential; empty before authentication.
    pub roles: &'a [String],
}

/// One message, decoded. It may hold tokens and passwords: log its type rather than its body.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its type as the dialect names it.
    pub kind: &'a str,
    /// The whole message, an object, as the client sent it.
    pub body: &'a Value,
}

/// What a middleware decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next middleware, and at last the server, gets the message.
    Continue,
    /// Nobody else sees it; the client gets an error with this text. It counts as `forbidden` in the metrics, and
    /// not against the rate limit.
    Refuse(String),
    /// Nobody else sees it, and the client is not told. It counts against the rate limit.
    Drop,
}

/// Sees connections come and go and every message before it is handled. Called in the order of registration, on the
/// thread of the connection's shard; `opened` first, `closed` last and once.
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

/// What a handler wants done, in that order. Frames are sent as they are: what another client will show as HTML the
/// handler escapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A frame for the connection that sent the message.
    Reply(Value),
    /// A frame for all members of a room in the sender's tenant, with or without the sender (TUS-14); for nobody
    /// if there is no such room. Whether the sender may speak there is the handler's decision.
    Broadcast { room: String, frame: Value, exclude_sender: bool },
    /// A frame for every device of a user in the sender's tenant; for nobody if there is none. It is not kept for
    /// one who is away.
    ToUser { user: String, frame: Value },
    /// An error with this text for the sender, and the end of the list: what stands before it was done.
    Refuse(String),
}

/// Handles one type of message. A handler of a type the dialect has itself takes its place (TUS-40).
pub trait Handler: Send + Sync {
    /// Called on the thread of the sender's shard. `body` is the whole message; nothing of it but its size and
    /// its type has been checked when the type is not one of the dialect's own.
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

    /// Who handles messages of that type in the server's stead.
    pub fn handler(&self, kind: &str) -> Option<&dyn Handler> {
        self.handlers.get(kind).map(Box::as_ref)
    }

    /// Runs the pipeline until somebody does not let the message pass.
    pub fn message(&self, peer: &Peer<'_>, message: &Message<'_>) -> Verdict {
        let mut verdicts = self.middleware.iter().map(|m| m.message(peer, message));
        verdicts.find(|v| *v != Verdict::Continue).unwrap_or(Verdict::Continue)
    }

    /// Tells the pipeline of a new connection.
    pub fn opened(&self, peer: &Peer<'_>) {
        self.middleware.iter().for_each(|m| m.opened(peer));
    }

    /// Tells the pipeline that a connection is gone.
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    fn peer(user: Option<&str>) -> Peer<'_> {
        Peer {
            connection: ConnKey { shard: 0, generation: 0, index: 0 },
            dialect: Dialect::Tusk,
            address: Ipv4Addr::LOCALHOST.into(),
            user,
            roles: &[],
        }
    }

    fn verdict(extensions: &Extensions, user: Option<&str>, kind: &str) -> Verdict {
        extensions.message(&peer(user), &Message { kind, body: &json!({ "type": kind }) })
    }

    /// Says the same to every message and counts how often it was asked.
    #[derive(Clone)]
    struct Fixed(Verdict, Arc<AtomicUsize>);

    impl Middleware for Fixed {
        fn message(&self, _: &Peer<'_>, _: &Message<'_>) -> Verdict {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.clone()
        }
    }

    #[test]
    fn the_first_that_does_not_continue_decides_and_those_behind_are_not_asked() {
        let asked: [Arc<AtomicUsize>; 4] = Default::default();
        let mut extensions = Extensions::default();
        let said = [Verdict::Continue, Verdict::Refuse("no".into()), Verdict::Drop, Verdict::Continue];
        for (verdict, asked) in said.into_iter().zip(&asked) {
            extensions.add_middleware(Fixed(verdict, asked.clone()));
        }
        assert_eq!(verdict(&extensions, None, "ping"), Verdict::Refuse("no".into()));
        assert_eq!(asked.map(|n| n.load(Ordering::Relaxed)), [1, 1, 0, 0]);
    }

    #[test]
    fn nothing_registered_is_nothing_to_ask() {
        let extensions = Extensions::default();
        assert!(extensions.is_empty());
        assert_eq!(verdict(&extensions, None, "ping"), Verdict::Continue);
        assert!(extensions.handler("ping").is_none());
    }

    #[test]
    fn the_authentication_lets_strangers_only_authenticate_and_ping() {
        let mut extensions = Extensions::default();
        extensions.add_middleware(LoggingMiddleware);
        extensions.add_middleware(AuthenticationMiddleware);
        for kind in ["auth", "ping", "join_room", "broadcast", "custom_action", ""] {
            let passes = verdict(&extensions, None, kind) == Verdict::Continue;
            assert_eq!(passes, ["auth", "ping"].contains(&kind), "{kind}");
            assert_eq!(verdict(&extensions, Some("ann"), kind), Verdict::Continue);
        }
    }

    #[test]
    fn the_later_handler_of_a_type_replaces_the_earlier() {
        let says = |text: &'static str| move |_: &Peer<'_>, _: &Value| vec![Effect::Refuse(text.into())];
        let mut extensions = Extensions::default();
        extensions.add_handler("a", says("first"));
        extensions.add_handler("a", says("second"));
        extensions.add_handler("b", says("other"));
        let handled = |kind| extensions.handler(kind).map(|h| h.handle(&peer(None), &Value::Null));
        assert_eq!(handled("a"), Some(vec![Effect::Refuse("second".into())]));
        assert_eq!(handled("b"), Some(vec![Effect::Refuse("other".into())]));
        assert_eq!(handled("c"), None);
        assert!(!extensions.is_empty());
    }

    #[test]
    fn coming_and_going_is_told_to_everybody() {
        struct Seen(Arc<AtomicUsize>);
        impl Middleware for Seen {
            fn opened(&self, _: &Peer<'_>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            fn closed(&self, _: &Peer<'_>, reason: CloseReason) {
                assert_eq!(reason, CloseReason::Drain);
                self.0.fetch_add(10, Ordering::Relaxed);
            }
        }
        let seen = Arc::new(AtomicUsize::new(0));
        let mut extensions = Extensions::default();
        extensions.add_middleware(Fixed(Verdict::Drop, Arc::default()));
        extensions.add_middleware(Seen(seen.clone()));
        extensions.opened(&peer(None));
        extensions.closed(&peer(None), CloseReason::Drain);
        assert_eq!(seen.load(Ordering::Relaxed), 11);
    }
}
