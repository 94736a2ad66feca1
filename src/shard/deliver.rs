//! What arrives for this shard's connections. Handling a delivery sends nothing on any lane.

use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::flush::{FLUSH_FRAMES_MAX, Written, write_out};
use crate::conn::{Conn, Joined, Joining, OutboxPool, Push, Step, Wait};
use crate::dialect::{self, About, Aside, Saying};
use crate::fanout::{Delivery, Feed, Frame, Frames, LocalFrames, Member};
use crate::lane::Notify;
use crate::model::{
    Address, Begun, ChannelId, ConnKey, Dialect, Event, Except, JoinManner, Kind, Principal, RealmId, Reply,
    ReplyTo, Variant, Wording,
};
use crate::ws::frame::text_frame;

/// The parts of a shard that queueing a frame touches, apart from the connection itself.
pub(super) struct Queueing<'a> {
    pub pool: &'a mut OutboxPool,
    pub dirty: &'a mut Vec<u32>,
    pub overflowing: &'a mut Vec<ConnKey>,
    pub batches: &'a mut std::collections::VecDeque<(u64, ConnKey)>,
    pub limit: usize,
    /// When a batch begun now leaves.
    pub batch_due: u64,
    pub written: Written,
}

impl Queueing<'_> {
    /// Queues one frame; a connection that is over its limit is noted for closing. Returns whether it was queued.
    #[inline]
    pub fn push(&mut self, conn: &mut Conn, frame: &Frame) -> bool {
        if !conn.is_open() || conn.overflowed {
            return false;
        }
        if conn.outbox.push(frame.clone(), self.limit, self.pool) == Push::Queued {
            self.mark(conn);
            return true;
        }
        self.push_after_write(conn, frame)
    }

    /// A full outbox may only want a flush: its socket gets the chance before the connection is called slow.
    #[cold]
    fn push_after_write(&mut self, conn: &mut Conn, frame: &Frame) -> bool {
        if conn.pace.blocked_since == 0 && !conn.ungreeted {
            write_out(conn, self.pool, FLUSH_FRAMES_MAX, &mut self.written);
            if conn.outbox.push(frame.clone(), self.limit, self.pool) == Push::Queued {
                self.mark(conn);
                return true;
            }
        }
        // Nothing that came later may go out before what was refused now.
        conn.overflowed = true;
        self.overflowing.push(conn.key);
        false
    }

    /// Makes sure the outbox is flushed when its time comes: at the end of the turn, or of the batch.
    #[inline]
    pub fn mark(&mut self, conn: &mut Conn) {
        if conn.dirty || conn.ungreeted {
            return;
        }
        conn.dirty = true;
        match conn.batching {
            false => self.dirty.push(conn.key.index),
            true => self.batches.push_back((self.batch_due, conn.key)),
        }
    }
}

/// How a membership begins.
struct Begins {
    numbered: bool,
    from: u64,
    asked: bool,
}

impl<N: Notify> Core<N> {
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Fanout { channel, except, feed, frames } => {
                self.fan_out(channel, &except, feed, frames)
            }
            Delivery::Realm { realm, tenant, about, feed, frames } => {
                self.announce(realm, tenant.as_deref(), about.as_deref(), feed, frames);
            }
            Delivery::Reply { to: ReplyTo::Connection(key), tag, reply } => {
                self.answer(key, tag.as_deref(), reply);
            }
            Delivery::Reply { to: ReplyTo::Call { ticket, generation, .. }, reply, .. } => {
                self.answer_call(ticket, generation, reply);
            }
            Delivery::Reply { to: ReplyTo::Nobody { .. }, .. } => {}
            Delivery::Errand { from, command } => self.errands.push_back((from, *command)),
            Delivery::Follow { channel, user, on } => self.follow(channel, &user, on),
        }
    }

    /// Splits the shard into what a walk over connections needs.
    pub(super) fn queueing(&mut self) -> (&mut slab::Slab<Conn>, &crate::fanout::Membership, Queueing<'_>) {
        let queueing = Queueing {
            pool: &mut self.pool,
            dirty: &mut self.dirty,
            overflowing: &mut self.overflowing,
            batches: &mut self.batches,
            limit: self.shared.outbox_bytes,
            batch_due: self.now.mono_ms + self.batch_window,
            written: Written::default(),
        };
        (&mut self.conns, &self.membership, queueing)
    }

    /// The walk over a channel's local members: the hottest loop of the server.
    fn fan_out(&mut self, channel: ChannelId, except: &Except, feed: Feed, frames: Frames) {
        let frames = LocalFrames::from(frames);
        let (conns, membership, mut queueing) = self.queueing();
        let mut queued = 0;
        for member in membership.members(channel) {
            let Some(frame) = frames.get(member.variant) else { continue };
            let Some(conn) = conns.get_mut(member.index as usize) else { continue };
            let left_out = match except {
                Except::Nobody => false,
                Except::Connection(key) => *key == conn.key,
                Except::User(user) => conn.who.as_ref().is_some_and(|who| who.user == *user),
                Except::Listeners(topic) => {
                    conn.rooms.iter().any(|j| j.kind() == Kind::Topic && j.name == *topic && !j.leaving)
                }
            };
            if left_out || conn.deaf.contains(feed) {
                continue;
            }
            queued += u64::from(queueing.push(conn, frame));
        }
        let written = queueing.written;
        self.count(written);
        self.counters.deliveries.add(queued);
    }

    /// Everybody of the realm and tenant; where credentials are demanded, only those who gave one.
    fn announce(
        &mut self,
        realm: RealmId,
        tenant: Option<&str>,
        about: Option<&str>,
        feed: Feed,
        frames: Frames,
    ) {
        let frames = LocalFrames::from(frames);
        let shared = self.shared.clone();
        let (conns, _, mut queueing) = self.queueing();
        let mut queued = 0;
        for (_, conn) in conns.iter_mut() {
            let rules = shared.rules(conn.variant.dialect);
            let of = |wanted: &str| tenant.is_none_or(|tenant| *tenant == *wanted);
            let hears = match &conn.who {
                Some(who) => of(&who.tenant) && (rules.own_presence || about != Some(&*who.user)),
                None => !rules.require_auth && of(Principal::DEFAULT_TENANT),
            };
            if rules.realm != realm || !hears || conn.deaf.contains(feed) {
                continue;
            }
            if let Some(frame) = frames.get(conn.variant) {
                queued += u64::from(queueing.push(conn, frame));
            }
        }
        let written = queueing.written;
        self.count(written);
        self.counters.deliveries.add(queued);
    }

    /// The devices of a user begin to watch a contact, or end it, as soon as they have nothing else to do.
    fn follow(&mut self, channel: ChannelId, user: &std::sync::Arc<str>, on: bool) {
        for member in self.membership.members(channel) {
            let Some(conn) = self.conns.get_mut(member.index as usize) else { continue };
            if conn.variant.dialect != Dialect::Sge || !conn.is_open() {
                continue;
            }
            let id = user.clone();
            match on {
                true => conn.plan([Step::Join(Joining::quietly(id, Wording::Presence))]),
                false => conn.plan([Step::Unfollow { user: id }]),
            }
            self.resumed.push(conn.key);
        }
    }

    /// Queues a text frame for one connection.
    pub(super) fn say(&mut self, key: ConnKey, write: impl FnOnce(&mut bytes::BytesMut)) {
        let frame = text_frame(&mut self.scratch, write);
        self.push(key, Rc::new(frame));
    }

    pub(super) fn push(&mut self, key: ConnKey, frame: Frame) {
        let (conns, _, mut queueing) = self.queueing();
        let Some(conn) = conns.get_mut(key.index as usize).filter(|c| c.key == key) else { return };
        if queueing.push(conn, &frame) {
            self.counters.deliveries.inc();
        }
    }

    /// Says something to one connection, in its dialect's words; what it has none for is left unsaid.
    pub(super) fn tell(&mut self, key: ConnKey, saying: &Saying<'_>, tag: Option<&str>) {
        if let Some(frame) = self.worded(key, saying, tag) {
            self.push(key, Rc::new(frame));
        }
    }

    /// The frame of a saying.
    pub(super) fn worded(
        &mut self,
        key: ConnKey,
        saying: &Saying<'_>,
        tag: Option<&str>,
    ) -> Option<bytes::Bytes> {
        let conn = self.conns.get(key.index as usize).filter(|c| c.key == key)?;
        let dialect = conn.variant.dialect;
        let user = conn.who.as_ref().map_or("", |who| &who.user);
        let aside = Aside { tag, user, at_ms: self.now.unix_ms };
        let mut said = false;
        let frame = text_frame(&mut self.scratch, |out| {
            said = dialect::encode_saying(dialect, saying, &aside, out);
        });
        said.then_some(frame)
    }

    /// An answer to a connection. A step it waits for is noted here, because the membership must begin
    /// exactly here in the order of deliveries, and gone on with later, because that may send.
    fn answer(&mut self, key: ConnKey, tag: Option<&str>, reply: Reply) {
        let Some(conn) = self.conn_mut(key) else { return };
        let Some(wait) = conn.wait.take() else { return self.answer_unawaited(key, tag, reply) };
        match (*wait, reply) {
            (Wait::Attach, Reply::Attached { channel, over, follow, begun }) => {
                let name = conn.who.as_ref().map_or_else(|| "".into(), |who| who.user.clone());
                conn.wait = (!over.is_empty()).then(|| Box::new(Wait::Over { rooms: over }));
                let numbered = conn.variant.numbered;
                let begins = Begins { numbered, from: 0, asked: false };
                self.join_locally(key, channel, name.clone(), Wording::Inbox, begins);
                self.begin_inbox(key, &name, begun);
                self.plan_follows(key, follow);
                self.resumed.push(key);
            }
            (Wait::Claim(joining), Reply::Claimed { .. }) => {
                conn.wait = Some(Box::new(Wait::Claimed(joining)));
                self.resumed.push(key);
            }
            (Wait::Claim(joining), Reply::Denied(refusal)) => {
                self.join_denied(key, joining, &refusal);
            }
            (Wait::Join { joining, .. }, Reply::Joined { channel, kind, id, begun }) => {
                debug_assert_eq!(kind, joining.wording.kind(), "a channel of another kind was joined");
                let from = begun.as_ref().and_then(|begun| begun.position).map_or(0, |at| at.seq);
                let numbered = conn.variant.numbered || joining.since.is_some();
                let begins = Begins { numbered, from, asked: joining.tell };
                self.join_locally(key, channel, id, joining.wording, begins);
                self.tell_joined(key, &joining, begun);
                self.resumed.push(key);
            }
            (Wait::Rejoin(joining), Reply::Joined { channel, mut begun, .. }) => {
                // What came since it is in has been told.
                let from = conn.rooms.iter().find(|j| j.channel == channel).map_or(0, |j| j.from);
                if let Some(begun) = begun.as_mut().filter(|_| from != 0) {
                    begun.missed.retain(|(seq, _)| *seq <= from);
                }
                self.tell_joined(key, &joining, begun);
                self.resumed.push(key);
            }
            (Wait::Join { joining, claimed }, Reply::Denied(refusal)) => {
                if claimed {
                    conn.wait = Some(Box::new(Wait::GiveBack { room: joining.id.clone() }));
                }
                self.join_denied(key, joining, &refusal);
            }
            (Wait::Locate { tag }, Reply::Located { wording, position }) => {
                let name = conn.who.as_ref().map_or_else(|| "".into(), |who| who.user.clone());
                let place = wording.of(&name);
                self.tell(key, &Saying::Joined { place, position }, tag.as_deref());
                self.resumed.push(key);
            }
            (Wait::Grant { .. }, Reply::Granted) => self.resumed.push(key),
            (Wait::Grant { else_skip, tag }, Reply::Denied(refusal)) => {
                conn.skip(else_skip);
                self.refuse(key, About::Other, &refusal, tag.as_deref());
                self.resumed.push(key);
            }
            (Wait::Gather(gathered), reply) => self.gather(key, gathered, reply),
            (wait, reply) => {
                conn.wait = Some(Box::new(wait));
                self.answer_unawaited(key, tag, reply);
            }
        }
    }

    /// Not what it waits for: an answer to something sent before.
    pub(super) fn answer_unawaited(&mut self, key: ConnKey, tag: Option<&str>, reply: Reply) {
        match reply {
            Reply::Left { kind, id } => {
                if let Some(left) = self.forget_channel(key, kind, &id).filter(|left| left.asked) {
                    self.tell(key, &Saying::Left(left.wording.of(&id)), tag);
                }
            }
            Reply::Refused(refusal) | Reply::Denied(refusal) => {
                if let Some(conn) = self.conn_mut(key) {
                    conn.messages.give_back();
                }
                self.refuse(key, About::Publish, &refusal, tag);
            }
            Reply::Room { info, created: true } => {
                self.tell(key, &Saying::RoomCreated { room: &info.name }, tag);
            }
            Reply::Room { created: false, .. } => self.tell(key, &Saying::RoomExists, tag),
            Reply::Sent { to, id, queued } => {
                let fate = if queued { "message queued for one who is offline" } else { "message delivered" };
                tracing::debug!(conn = %key, %id, to = &*to, "{fate}");
                self.tell(key, &Saying::Sent { to: &to, id, queued }, tag);
            }
            Reply::Delivered { id, room, at_ms } => {
                self.tell(key, &Saying::Delivered { id, room: room.as_deref(), at_ms }, tag);
            }
            Reply::Heard { event, seq } => {
                let numbered = self.conn(key).is_some_and(|conn| conn.variant.numbered);
                self.tell_event(key, &event, numbered.then_some(seq));
            }
            Reply::Handed { channel, items } => self.hand(key, channel, items),
            Reply::Roster(contacts) => {
                if let Some(conn) = self.conn_mut(key) {
                    let tag = tag.map(Into::into);
                    conn.plan([Step::Gather(crate::conn::Gathering::Roster { contacts, tag })]);
                    self.resumed.push(key);
                }
            }
            _ => {}
        }
    }

    fn tell_event(&mut self, key: ConnKey, event: &Event, seq: Option<u64>) {
        let Some(dialect) = self.conn(key).map(|c| c.variant.dialect) else { return };
        let mut said = false;
        let frame =
            text_frame(&mut self.scratch, |out| said = dialect::encode_event(dialect, event, seq, out));
        if said {
            self.push(key, Rc::new(frame));
        }
    }

    /// What waited for its user. Of whom it speaks for no more, or is closing, its home takes it back.
    fn hand(&mut self, key: ConnKey, channel: ChannelId, items: Vec<(u64, Arc<Event>)>) {
        let is_its = |c: &Conn| c.is_open() && c.inbox.as_ref().is_some_and(|inbox| inbox.channel == channel);
        let Some(conn) = self.conn(key).filter(|conn| is_its(conn)) else { return };
        let numbered = conn.variant.numbered;
        for (seq, event) in items {
            self.tell_event(key, &event, (numbered && seq != 0).then_some(seq));
        }
        // What was not queued will not be written.
        let Some(conn) = self.conn_mut(key).filter(|conn| !conn.overflowed) else { return };
        conn.settles = !conn.outbox.is_empty();
        match conn.settles {
            true => self.flush_later(key),
            false => self.settled.push(key),
        }
    }

    /// That it is in, where asked for, and what it missed.
    fn tell_joined(&mut self, key: ConnKey, joining: &Joining, begun: Option<Box<Begun>>) {
        let (place, tag) = (joining.wording.of(&joining.id), joining.tag.as_deref());
        if joining.tell {
            let position = begun.as_ref().and_then(|begun| begun.position);
            self.tell(key, &Saying::Joined { place, position }, tag);
        }
        if let Some(begun) = begun {
            self.tell_begun(key, place, *begun, tag);
        }
    }

    /// What it missed before it came, or that this cannot be had.
    fn tell_begun(&mut self, key: ConnKey, place: Address<'_>, begun: Begun, tag: Option<&str>) {
        if begun.gap {
            self.tell(key, &Saying::Gap { place, position: begun.position }, tag);
        }
        for (seq, event) in begun.missed {
            self.tell_event(key, &event, (seq != 0).then_some(seq));
        }
    }

    /// The same for its user's channel; a greeting that was to say where that is can be said now.
    fn begin_inbox(&mut self, key: ConnKey, user: &str, begun: Option<Box<Begun>>) {
        let Some(begun) = begun else { return };
        if let Some(resume) = self.conn_mut(key).and_then(|conn| conn.peer.resume.as_mut()) {
            resume.position = begun.position;
            if std::mem::take(&mut resume.unwelcomed) {
                self.welcome_at_last(key);
            }
        }
        self.tell_begun(key, Address::Inbox(user), *begun, None);
    }

    /// The connection may not join. A message that was to follow is not said, and does not count.
    fn join_denied(&mut self, key: ConnKey, joining: Joining, refusal: &crate::model::Refusal) {
        if joining.tell || joining.else_skip > 0 {
            self.refuse(key, About::Join, refusal, joining.tag.as_deref());
        }
        let limit = self.conn(key).map_or(0, |c| self.shared.rules(c.variant.dialect).window.limit);
        let Some(conn) = self.conn_mut(key) else { return };
        conn.messages.give_back();
        conn.skip(joining.else_skip);
        if joining.else_skip > 0 && limit != 0 {
            conn.agenda.get_or_insert_default().push_front(Step::GiveBack);
        }
        if joining.manner == JoinManner::Standing {
            conn.agenda.get_or_insert_default().push_front(Step::Forsake { room: joining.id });
        }
        self.resumed.push(key);
    }

    fn join_locally(
        &mut self,
        key: ConnKey,
        channel: ChannelId,
        name: std::sync::Arc<str>,
        wording: Wording,
        begins: Begins,
    ) {
        let Begins { numbered, from, asked } = begins;
        let Some(conn) = self.conns.get_mut(key.index as usize) else { return };
        let variant = Variant { numbered, ..conn.variant };
        let place = self.membership.add(channel, Member { index: key.index, variant });
        let followed = !asked && wording.kind() == Kind::Presence;
        let asked = !followed;
        let joined =
            Joined { channel, name, wording, place, asked, followed, numbered, from, leaving: false };
        if wording.kind() == Kind::User {
            conn.inbox = Some(joined);
            return;
        }
        if conn.rooms.is_empty() {
            // Most are in one room; a list grows to four at its first step otherwise.
            conn.rooms.reserve_exact(1);
        }
        conn.rooms.push(joined);
    }

    fn answer_call(&mut self, ticket: u32, generation: u32, reply: Reply) {
        let at = ticket as usize;
        if self.calls.get(at).is_some_and(|call| call.generation == generation) {
            // The caller may have hung up; then nobody is there to be told.
            let _ = self.calls.remove(at).answer.send(reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Peer;
    use crate::model::Variant;

    /// The socket may take what waits in the middle of a turn: what did not fit would be missing in between.
    #[test]
    fn nothing_passes_a_frame_that_did_not_fit() {
        let key = ConnKey { shard: 0, generation: 0, index: 0 };
        let variant = Variant { dialect: Dialect::Tusk, deflate: false, numbered: false };
        let peer = Peer {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            place: None,
            holdings: Vec::new(),
            window: Default::default(),
            resume: None,
        };
        let mut conn = Conn::new(key, variant, None, peer);
        let (mut pool, mut dirty, mut overflowing) = (OutboxPool::default(), vec![], vec![]);
        let mut batches = std::collections::VecDeque::new();
        let mut queueing = Queueing {
            pool: &mut pool,
            dirty: &mut dirty,
            overflowing: &mut overflowing,
            batches: &mut batches,
            limit: 50,
            batch_due: 0,
            written: Default::default(),
        };
        let frame = |len| Rc::new(bytes::Bytes::from(vec![0; len]));
        assert!(queueing.push(&mut conn, &frame(40)));
        assert!(!queueing.push(&mut conn, &frame(20)));
        assert!(!queueing.push(&mut conn, &frame(5)), "it would fit");
        assert_eq!(conn.outbox.drain(queueing.pool).len(), 1);
        assert!(!queueing.push(&mut conn, &frame(5)), "into the empty outbox");
        assert_eq!((dirty, overflowing), (vec![0], vec![key]), "noted once");
    }
}
