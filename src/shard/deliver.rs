//! What arrives for this shard's connections. Handling a delivery sends nothing on any lane.

use std::rc::Rc;

use super::core::Core;
use super::flush::{FLUSH_FRAMES_MAX, Written, write_out};
use crate::conn::{Conn, Joined, OutboxPool, Push, Wait};
use crate::dialect;
use crate::fanout::{Delivery, Frame, Frames, LocalFrames, Member};
use crate::lane::Notify;
use crate::model::{ChannelId, ConnKey, Principal, RealmId, Reply, ReplyTo};
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
        if conn.pace.blocked_since == 0 {
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
        if conn.dirty {
            return;
        }
        conn.dirty = true;
        match conn.batching {
            false => self.dirty.push(conn.key.index),
            true => self.batches.push_back((self.batch_due, conn.key)),
        }
    }
}

impl<N: Notify> Core<N> {
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Fanout { channel, exclude, frames } => self.fan_out(channel, exclude, frames),
            Delivery::Realm { realm, tenant, frames } => self.announce(realm, &tenant, frames),
            Delivery::Reply { to: ReplyTo::Connection(key), reply } => self.answer(key, reply),
            Delivery::Reply { to: ReplyTo::Call { ticket, generation, .. }, reply } => {
                self.answer_call(ticket, generation, reply);
            }
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
    fn fan_out(&mut self, channel: ChannelId, exclude: Option<ConnKey>, frames: Frames) {
        let frames = LocalFrames::from(frames);
        let (conns, membership, mut queueing) = self.queueing();
        let mut queued = 0;
        for member in membership.members(channel) {
            let Some(frame) = frames.get(member.variant) else { continue };
            let Some(conn) = conns.get_mut(member.index as usize) else { continue };
            if exclude == Some(conn.key) {
                continue;
            }
            queued += u64::from(queueing.push(conn, frame));
        }
        let written = queueing.written;
        self.count(written);
        self.counters.deliveries.add(queued);
    }

    /// Everybody of the realm and tenant; where credentials are demanded, only those who gave one.
    fn announce(&mut self, realm: RealmId, tenant: &str, frames: Frames) {
        let frames = LocalFrames::from(frames);
        let shared = self.shared.clone();
        let (conns, _, mut queueing) = self.queueing();
        let mut queued = 0;
        for (_, conn) in conns.iter_mut() {
            let rules = shared.rules(conn.variant.dialect);
            let hears = match &conn.who {
                Some(who) => *who.tenant == *tenant,
                None => !rules.require_auth && *tenant == *Principal::DEFAULT_TENANT,
            };
            if rules.realm != realm || !hears {
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

    /// An answer to a connection. A step it waits for is noted here, because the membership must begin
    /// exactly here in the order of deliveries, and gone on with later, because that may send.
    fn answer(&mut self, key: ConnKey, reply: Reply) {
        let Some(conn) = self.conn_mut(key) else { return };
        let variant = conn.variant;
        match (conn.wait.take().map(|w| *w), &reply) {
            (Some(Wait::Attach), Reply::Attached { channel, over }) => {
                let name = conn.name.clone().unwrap_or_else(|| "".into());
                conn.wait = (!over.is_empty()).then(|| Box::new(Wait::Over { rooms: over.clone() }));
                self.join_locally(key, *channel, name, Membership::Inbox);
                self.resumed.push(key);
            }
            (Some(Wait::Claim { room, password }), Reply::Claimed { .. }) => {
                conn.wait = Some(Box::new(Wait::Claimed { room, password }));
                self.resumed.push(key);
            }
            (Some(Wait::Claim { .. }), Reply::Denied(refusal)) => {
                conn.messages.give_back();
                self.refuse(key, refusal);
                self.resumed.push(key);
            }
            (Some(Wait::Join { .. }), Reply::Joined { channel, room }) => {
                self.join_locally(key, *channel, room.clone(), Membership::Room);
                self.say_reply(key, variant.dialect, &reply);
                self.resumed.push(key);
            }
            (Some(Wait::Join { room, claimed }), Reply::Denied(refusal)) => {
                conn.messages.give_back();
                if claimed {
                    conn.wait = Some(Box::new(Wait::GiveBack { room }));
                }
                self.refuse(key, refusal);
                self.resumed.push(key);
            }
            (wait, Reply::TellRooms { .. }) => {
                conn.wait = wait.map(Box::new);
                if let Reply::TellRooms { event } = reply {
                    self.to_tell.push_back((key, event));
                }
            }
            (wait, Reply::Left { room }) => {
                conn.wait = wait.map(Box::new);
                self.forget_room(key, room);
                self.say_reply(key, variant.dialect, &reply);
            }
            // Not what it waits for: an answer to something sent before.
            (wait, Reply::Refused(refusal)) => {
                conn.wait = wait.map(Box::new);
                conn.messages.give_back();
                self.refuse(key, refusal);
            }
            (wait, _) => {
                conn.wait = wait.map(Box::new);
                self.say_reply(key, variant.dialect, &reply);
            }
        }
    }

    /// Queues a reply for one connection; what its dialect has no words for is left unsaid.
    pub(super) fn say_reply(&mut self, key: ConnKey, dialect: crate::model::Dialect, reply: &Reply) {
        let mut said = false;
        let frame = text_frame(&mut self.scratch, |out| said = dialect::encode_reply(dialect, reply, out));
        if said {
            self.push(key, Rc::new(frame));
        }
    }

    fn join_locally(&mut self, key: ConnKey, channel: ChannelId, name: std::sync::Arc<str>, of: Membership) {
        let Some(conn) = self.conns.get_mut(key.index as usize) else { return };
        let place = self.membership.add(channel, Member { index: key.index, variant: conn.variant });
        let joined = Joined { channel, name, place, leaving: false };
        match of {
            Membership::Inbox => conn.inbox = Some(joined),
            Membership::Room => {
                if conn.rooms.is_empty() {
                    // Most are in one room; a list grows to four at its first step otherwise.
                    conn.rooms.reserve_exact(1);
                }
                conn.rooms.push(joined);
            }
        }
    }

    fn answer_call(&mut self, ticket: u32, generation: u32, reply: Reply) {
        let at = ticket as usize;
        if self.calls.get(at).is_some_and(|call| call.generation == generation) {
            // The caller may have hung up; then nobody is there to be told.
            let _ = self.calls.remove(at).answer.send(reply);
        }
    }
}

/// Which of its lists a connection keeps a membership in.
enum Membership {
    Inbox,
    Room,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Peer;
    use crate::model::{Dialect, Variant};

    /// The socket may take what waits in the middle of a turn: what did not fit would be missing in between.
    #[test]
    fn nothing_passes_a_frame_that_did_not_fit() {
        let key = ConnKey { shard: 0, generation: 0, index: 0 };
        let variant = Variant { dialect: Dialect::Tusk, deflate: false };
        let peer = Peer { address: std::net::Ipv4Addr::LOCALHOST.into(), place: None };
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
