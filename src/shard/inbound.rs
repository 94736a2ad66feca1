//! From a message's bytes to a decision: decode, budget, extensions, admission, request.

use std::rc::Rc;

use super::core::Core;
use super::journal::journal;
use super::shared::Shared;
use crate::access::{Action, Asker, Verb};
use crate::conn::{Budget, Conn};
use crate::dialect::{self, About, Heard, MALFORMED, Reader, Request, Saying};
use crate::extension::{Effect, Message, Peer, Value, Verdict};
use crate::lane::Notify;
use crate::model::{Address, CloseReason, Code, ConnKey, Dialect, Event, Except, Op, Principal, Refusal};
use crate::ws::{Flow, Incoming, Violation, frame};

const NOT_TEXT: Refusal =
    Refusal::new(Code::Malformed, "Invalid message format: binary messages are not read");

impl<N: Notify> Core<N> {
    /// Whatever the reader of a connection hands on.
    pub fn incoming(&mut self, key: ConnKey, incoming: Incoming<'_>) -> Flow {
        match incoming {
            Incoming::Text(text) => {
                self.whole(key);
                self.text(key, text)
            }
            Incoming::Binary(data) => {
                self.whole(key);
                self.binary(key, data)
            }
            Incoming::Ping(payload) => self.ping(key, payload),
            Incoming::Pong(_) => Flow::Continue,
            Incoming::Close(code, _) => {
                self.closed_by_peer(key, code);
                Flow::Continue
            }
        }
    }

    /// Bytes came: the connection is alive (T11).
    pub fn heard(&mut self, key: ConnKey, bytes: usize) {
        self.touch();
        self.counters.bytes_received.add(bytes as u64);
        let now = self.now.mono_ms.max(1);
        if let Some(conn) = self.conn_mut(key) {
            conn.pace.heard = now;
        }
    }

    /// A message is whole: whatever is incomplete from here on began now.
    fn whole(&mut self, key: ConnKey) {
        if let Some(conn) = self.conn_mut(key) {
            conn.pace.incomplete_since = 0;
        }
    }

    /// Whether a message was begun and is not whole yet; it has a deadline then.
    pub fn mid_message(&mut self, key: ConnKey, is: bool) {
        let now = self.now.mono_ms.max(1);
        let Some(conn) = self.conn_mut(key) else { return };
        if !is {
            conn.pace.incomplete_since = 0;
        } else if conn.pace.incomplete_since == 0 {
            conn.pace.incomplete_since = now;
            let dialect = conn.variant.dialect;
            let limit = self.shared.rules(dialect).times.incomplete;
            if limit != 0 {
                self.look_again(key, now + limit);
            }
        }
    }

    /// The peer broke the protocol: it is told how, and that is all it is told.
    pub fn violated(&mut self, key: ConnKey, violation: &Violation) {
        let code = u16::from(violation.code);
        let reason = if code == 1009 { CloseReason::TooBig } else { CloseReason::Violation };
        if let Some(of) = self.conn(key).map(|c| c.variant.dialect) {
            journal!(debug, of, conn = %key, code, "protocol violation");
            self.log_failed(key, of, violation.reason);
        }
        self.shun(key, reason, code, violation.reason);
    }

    /// Counts a data message; `None`: nobody is there any more whom it could be from.
    fn count_message(&mut self, key: ConnKey) -> Option<Dialect> {
        self.touch();
        let conn = self.conn(key)?;
        let (dialect, is_open) = (conn.variant.dialect, conn.is_open());
        self.counters.messages_received.of(dialect).inc();
        self.messages_of_turn += 1;
        is_open.then_some(dialect)
    }

    /// A text message. `text` is valid UTF-8 and may be overwritten. The answer says whether the connection
    /// may be read on.
    pub fn text(&mut self, key: ConnKey, text: &mut [u8]) -> Flow {
        let Some(dialect) = self.count_message(key) else { return Flow::Continue };
        match dialect {
            Dialect::Echo => self.say(key, |out| out.extend_from_slice(text)),
            dialect => self.words(key, dialect, text),
        }
        self.settle();
        self.flow(key)
    }

    /// A binary message: an error in dialects that are text (TUS-68), itself in `echo`.
    pub fn binary(&mut self, key: ConnKey, data: &[u8]) -> Flow {
        let Some(dialect) = self.count_message(key) else { return Flow::Continue };
        match dialect {
            Dialect::Echo => {
                let echoed = frame::binary_frame(&mut self.scratch, |out| out.extend_from_slice(data));
                self.push(key, Rc::new(echoed));
            }
            Dialect::Tusk => self.refuse(key, About::Other, &MALFORMED, None),
            _ => self.refuse(key, About::Other, &NOT_TEXT, None),
        }
        self.flow(key)
    }

    /// A Ping is answered in the order of the outbox (RFC 6455 section 5.5.3), whatever the outbox's limit.
    pub fn ping(&mut self, key: ConnKey, payload: &[u8]) -> Flow {
        self.touch();
        let (conns, _, mut queueing) = self.queueing();
        if let Some(conn) = conns.get_mut(key.index as usize).filter(|c| c.key == key && c.is_open()) {
            // A client that pings and does not read must not grow its outbox: one that is over half full
            // gets its Pong when it has read, because the next Ping asks again.
            if queueing.limit == 0 || conn.outbox.bytes() < queueing.limit / 2 {
                conn.outbox.push_unbounded(Rc::new(frame::pong(payload)), queueing.pool);
                queueing.mark(conn);
            }
        }
        self.flow(key)
    }

    /// Whether the connection may be read on. What holds it is taken back by [`Core::let_go`].
    fn flow(&mut self, key: ConnKey) -> Flow {
        let waiting = self.deliveries.total() > 0;
        let Some(conn) = self.conns.get_mut(key.index as usize).filter(|c| c.key == key) else {
            return Flow::Continue;
        };
        if waiting && !conn.held_by_deliveries {
            conn.held_by_deliveries = true;
            self.held_by_deliveries.push(key);
            self.counters.paused_reads.inc();
        }
        match conn.is_paused() {
            true => Flow::Pause,
            false => Flow::Continue,
        }
    }

    fn words(&mut self, key: ConnKey, of: Dialect, text: &mut [u8]) {
        let shared = self.shared.clone();
        let rules = shared.rules(of);
        // Decoding in place destroys the text; extensions get to see it as it was.
        let shown = (!shared.extensions.is_empty()).then(|| text.to_vec());
        let mut json = self.json.take().unwrap_or_default();
        let mut original = std::mem::take(&mut self.original);
        let Heard { tag, request } = dialect::decode(of, text, &mut original, &mut json, &rules.sizes);
        let about = request.as_ref().map_or(About::Other, about);
        let outcome = match request {
            Ok(request) => self.within_budget(key, &request, tag.as_deref(), shown.as_deref()),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = outcome {
            if refusal.code == Code::Malformed && of == Dialect::Aegisx {
                tracing::info!("Failed to parse WebSocket message: {}", refusal.text);
            }
            self.refuse(key, about, &refusal, tag.as_deref());
        }
        self.json = Some(json);
        if original.capacity() <= dialect::KEEP_MAX_BYTES {
            self.original = original;
        }
    }

    /// Takes the message from its budget, and gives it back when it is refused: refused messages do not count.
    fn within_budget(
        &mut self,
        key: ConnKey,
        request: &Request<'_>,
        tag: Option<&str>,
        shown: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let shared = self.shared.clone();
        let now = self.now.unix_secs();
        let Some(conn) = self.conn_mut(key) else { return Ok(()) };
        let rules = shared.rules(conn.variant.dialect);
        let take = |window: &mut crate::limit::FixedWindow, budget: Budget| {
            window.try_take(budget.limit, budget.period, now)
        };
        let taken = match request {
            Request::Ping => take(&mut conn.pings, rules.pings),
            _ => take(&mut conn.messages, rules.messages),
        };
        if !taken {
            return Err(Refusal::RATE_LIMITED);
        }
        let outcome = self.admitted(key, request, tag, shown);
        // Guessing at tokens costs what it costs, right or wrong.
        if outcome.is_err()
            && !matches!(request, Request::Ping | Request::Authenticate { .. })
            && let Some(conn) = self.conn_mut(key)
        {
            conn.messages.give_back();
        }
        outcome
    }

    fn admitted(
        &mut self,
        key: ConnKey,
        request: &Request<'_>,
        tag: Option<&str>,
        shown: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let shared = self.shared.clone();
        self.take_the_name(key, request);
        // The one who is named may have too many connections.
        let Some(conn) = self.conn(key).filter(|c| c.is_open()) else { return Ok(()) };
        match request {
            Request::Administer(order) if !conn.administers => {
                return Err(dialect::unknown_type(order.kind()));
            }
            Request::Misordered { kind, refusal } => {
                let known = conn.administers;
                return Err(if known { refusal.clone() } else { dialect::unknown_type(kind) });
            }
            _ => {}
        }
        let asker = asker(conn, conn.who.as_deref(), &shared);
        let mut admitted = shared.access.admit(action_of(request), &asker);
        if let (Ok(()), Some(action)) = (&admitted, impersonation(request)) {
            admitted = shared.access.admit(action, &asker);
        }
        if let Some(text) = shown {
            // Middleware may be stricter than the rules, and may have an own idea of who is known.
            if !self.extended(key, text, admitted.as_ref().err())? {
                return Ok(());
            }
        }
        admitted?;
        self.request(key, request, tag)
    }

    /// In open mode an SGE client without a credential is who its first message says (ruling S2).
    fn take_the_name(&mut self, key: ConnKey, request: &Request<'_>) {
        let Some(conn) = self.conn(key) else { return };
        let open = self.shared.credentials.open && !self.shared.rules(conn.variant.dialect).require_auth;
        if conn.who.is_some() || conn.variant.dialect != Dialect::Sge || !open {
            return;
        }
        let name = match *request {
            Request::Direct { ref speech, .. } | Request::Publish { ref speech, .. } => speech.from,
            Request::Typing { from, .. } => from,
            Request::SetPresence { user, .. } => user,
            Request::Join { place: Address::Chat(user) | Address::Inbox(user), .. } => Some(user),
            _ => None,
        };
        if let Some(name) = name {
            self.become_named(key, name);
        }
    }

    /// Shows a message to the extensions. `Ok(true)`: the server goes on with it.
    fn extended(&mut self, key: ConnKey, text: &[u8], refused: Option<&Refusal>) -> Result<bool, Refusal> {
        let shared = self.shared.clone();
        let Ok(body) = serde_json::from_slice::<Value>(text) else { return Err(MALFORMED) };
        let of = self.conn(key).map_or(Dialect::Tusk, |c| c.variant.dialect);
        let kind = body.get(dialect::discriminator(of)).and_then(Value::as_str);
        let Some(kind) = kind else { return Err(MALFORMED) };
        let (verdict, effects) = {
            let peer = self.peer_of(key);
            let verdict = shared.extensions.message(&peer, &Message { kind, body: &body });
            let handler =
                shared.extensions.handler(kind).filter(|_| verdict == Verdict::Continue && refused.is_none());
            (verdict, handler.map(|h| h.handle(&peer, &body)))
        };
        match verdict {
            Verdict::Refuse(text) => return Err(Refusal::with(Code::Forbidden, text)),
            Verdict::Drop => return Ok(false),
            Verdict::Continue => {}
        }
        let Some(effects) = effects else { return Ok(true) };
        for effect in effects {
            self.carry_out(key, effect)?;
        }
        Ok(false)
    }

    /// What an effect says is the server's own word: no access rule is asked whether the peer may say it.
    fn carry_out(&mut self, key: ConnKey, effect: Effect) -> Result<(), Refusal> {
        let dialect = self.conn(key).map_or(Dialect::Tusk, |c| c.variant.dialect);
        let custom = |frame: Value| Event::Custom { dialect, json: frame.to_string().into() };
        match effect {
            Effect::Reply(frame) => self.say(key, |out| out.extend_from_slice(frame.to_string().as_bytes())),
            Effect::Broadcast { room, frame, exclude_sender } => {
                let except = if exclude_sender { Except::Connection(key) } else { Except::Nobody };
                if let Some(name) = self.channel_name(key, Address::Room(&room)) {
                    self.ask_named(key, name, Op::Announce { event: custom(frame), except }, None);
                }
            }
            Effect::ToUser { user, frame } => {
                let op = Op::Announce { event: custom(frame), except: Except::Nobody };
                if let Some(name) = self.channel_name(key, Address::Inbox(&user)) {
                    self.ask_named(key, name, op, None);
                }
            }
            Effect::Refuse(text) => return Err(Refusal::with(Code::Forbidden, text)),
        }
        Ok(())
    }

    /// A connection as extensions see it.
    pub(super) fn peer_of(&self, key: ConnKey) -> Peer<'_> {
        let conn = self.conn(key);
        let who = conn.and_then(|c| c.who.as_ref());
        Peer {
            connection: key,
            dialect: conn.map_or(Dialect::Tusk, |c| c.variant.dialect),
            address: conn.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |c| c.peer.address),
            user: who.map(|p| &*p.user),
            roles: who.map_or(&[], |p| &p.roles),
        }
    }

    /// Tells a connection why nothing was done. It stays.
    pub(super) fn refuse(&mut self, key: ConnKey, about: About, refusal: &Refusal, tag: Option<&str>) {
        self.counters.messages_refused.of(refusal.code).inc();
        if let Some(of) = self.conn(key).map(|c| c.variant.dialect) {
            journal!(debug, of, conn = %key, code = refusal.code.name(), "message refused");
        }
        self.tell(key, &Saying::Refused { about, refusal }, tag);
    }
}

/// A connection that asks as `who`.
pub(super) fn asker<'a>(conn: &Conn, who: Option<&'a Principal>, shared: &Shared) -> Asker<'a> {
    let dialect = conn.variant.dialect;
    let rules = shared.rules(dialect);
    Asker { who, dialect, require_auth: rules.require_auth, local: false, shared: rules.shared }
}

/// What has to be admitted for a request.
fn action_of<'a>(request: &Request<'a>) -> Action<'a> {
    match *request {
        Request::Authenticate { .. } | Request::Ping | Request::Pong | Request::Goodbye => Action::Free,
        // Only its own types make a channel of notifications.
        Request::Join { place: Address::Notifications(name), .. } => {
            Action::On(Verb::Subscribe, Address::Foreign(name))
        }
        Request::Join { place, .. } => Action::On(Verb::Subscribe, place),
        Request::Leave { .. } => Action::Leave,
        Request::Publish { place, .. } => Action::On(Verb::Publish, place),
        Request::Direct { .. } => Action::Direct,
        Request::Typing { to: Reader::Channel(place), .. } => Action::On(Verb::Publish, place),
        Request::Typing { to: Reader::User(_), .. } => Action::Direct,
        Request::SetPresence { .. } => Action::Presence,
        Request::AskOnline { .. } => Action::List,
        Request::Read { place, .. } => Action::On(Verb::Subscribe, place),
        Request::Edit { place, .. } | Request::Delete { place, .. } => Action::On(Verb::Publish, place),
        Request::NotificationRead { .. }
        | Request::NotificationClear { .. }
        | Request::SubscribeNotifications { .. }
        | Request::RosterGet
        | Request::RosterUpdate(_)
        | Request::RosterRemove { .. } => Action::Own,
        Request::Administer(_) | Request::Misordered { .. } => Action::Administer,
        Request::CreateRoom { room, .. } => Action::On(Verb::Manage, Address::Room(room)),
        Request::Acknowledge(_) => Action::Acknowledge,
        Request::Custom { .. } => Action::Custom,
    }
}

/// Whom a request says it is from, where it says so (ruling S10).
fn impersonation<'a>(request: &Request<'a>) -> Option<Action<'a>> {
    let (user, scope) = match *request {
        Request::Direct { ref speech, .. } | Request::Publish { ref speech, .. } => (speech.from?, "publish"),
        Request::Typing { from, .. } => (from?, "publish"),
        Request::SetPresence { user, .. } => (user?, "presence"),
        _ => return None,
    };
    Some(Action::As { user, scope })
}

fn about(request: &Request<'_>) -> About {
    match request {
        Request::Join { .. } => About::Join,
        Request::Publish { .. } => About::Publish,
        _ => About::Other,
    }
}
