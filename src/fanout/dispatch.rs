//! The outlet of a home shard: encodes each event once per variant and makes one delivery per shard.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Delivery, Feed, Frames, Inquiry};
use crate::channel::{Interest, Outlet};
use crate::dialect;
use crate::model::{
    ChannelId, Command, Dialect, Event, Except, Query, RealmId, Record, Reply, ReplyTo, Ticket, Variant,
};
use crate::ws::Deflater;
use crate::ws::frame::{payload_of, text_frame};

/// 1 to 9: messages are short, and a higher level gains them a few bytes for twice the time.
const DEFLATE_LEVEL: u32 = 3;

/// Collects what one command leads to. The shard takes it out before it applies the next command, so both
/// queues are bounded by one command's outcome: a frame per interested shard plus the answers.
#[derive(Debug)]
pub struct Dispatch {
    shard: u16,
    shards: u16,
    /// Frames are cut from it; its memory is used again once they are gone.
    scratch: BytesMut,
    deflater: Deflater,
    /// Messages shorter than this many bytes are not compressed.
    deflate_min: usize,
    /// The dialects that speak in each realm, for announcements.
    speakers: Vec<Speaker>,
    local: VecDeque<Delivery>,
    remote: VecDeque<(u16, Delivery)>,
    /// What homes want of the store; `None`: there is no store.
    inquiries: Option<VecDeque<Inquiry>>,
    encoded: u64,
}

/// A dialect in its realm.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    pub realm: RealmId,
    pub dialect: Dialect,
    /// Whether it tells everybody of a change of presence.
    pub presence: bool,
}

impl Dispatch {
    /// `durable`: there is a store.
    pub fn new(shard: u16, shards: u16, speakers: Vec<Speaker>, deflate_min: usize, durable: bool) -> Self {
        Self {
            shard,
            shards,
            scratch: BytesMut::new(),
            deflater: Deflater::new(DEFLATE_LEVEL),
            deflate_min,
            speakers,
            local: VecDeque::new(),
            remote: VecDeque::new(),
            inquiries: durable.then(VecDeque::new),
            encoded: 0,
        }
    }

    /// The oldest delivery for this shard itself.
    pub fn next_local(&mut self) -> Option<Delivery> {
        self.local.pop_front()
    }

    /// The oldest delivery for another shard.
    pub fn next_remote(&mut self) -> Option<(u16, Delivery)> {
        self.remote.pop_front()
    }

    /// The oldest of what homes want of the store.
    pub fn next_inquiry(&mut self) -> Option<Inquiry> {
        self.inquiries.as_mut()?.pop_front()
    }

    /// Events encoded so far, counted per variant.
    pub fn encoded(&self) -> u64 {
        self.encoded
    }

    fn send(&mut self, to: u16, delivery: Delivery) {
        match to == self.shard {
            true => self.local.push_back(delivery),
            false => self.remote.push_back((to, delivery)),
        }
    }

    /// The event in that dialect's words, or nothing when it has none.
    fn encode(&mut self, dialect: Dialect, event: &Event, seq: Option<u64>) -> Option<Bytes> {
        let mut said = false;
        let frame =
            text_frame(&mut self.scratch, |out| said = dialect::encode_event(dialect, event, seq, out));
        self.encoded += u64::from(said);
        said.then_some(frame)
    }

    fn frames(&mut self, interest: &Interest, event: &Event, seq: Option<u64>) -> Frames {
        let mut frames = Frames::default();
        let spoken = interest.dialects();
        for dialect in Dialect::ALL {
            if spoken & 1 << dialect.index() == 0 {
                continue;
            }
            let wanted =
                |numbered| interest.variants().any(|v| v.dialect == dialect && v.numbered == numbered);
            // Without a number both read the same.
            let for_all = seq.is_none();
            let deflates = |numbered| {
                let hears = |v: &Variant| v.dialect == dialect && (for_all || v.numbered == numbered);
                interest.variants().any(|v| v.deflate && hears(&v))
            };
            if (for_all || wanted(false))
                && !self.encode_variants(dialect, event, None, deflates(false), &mut frames)
            {
                continue;
            }
            if !for_all && wanted(true) {
                self.encode_variants(dialect, event, seq, deflates(true), &mut frames);
            }
        }
        frames
    }

    /// Plain and, where somebody `deflates` and it pays, compressed. `false`: the dialect has no words for it.
    fn encode_variants(
        &mut self,
        dialect: Dialect,
        event: &Event,
        seq: Option<u64>,
        deflates: bool,
        frames: &mut Frames,
    ) -> bool {
        let Some(plain) = self.encode(dialect, event, seq) else { return false };
        let numbered = seq.is_some();
        if deflates && let Some(frame) = self.deflater.text_frame(&payload_of(&plain), self.deflate_min) {
            frames.push(Variant { dialect, deflate: true, numbered }, frame);
            self.encoded += 1;
        }
        frames.push(Variant { dialect, deflate: false, numbered }, plain);
        true
    }
}

impl Outlet for Dispatch {
    fn reply(&mut self, to: ReplyTo, tag: Option<Arc<str>>, reply: Reply) {
        match to {
            ReplyTo::Nobody { .. } => {}
            to => self.send(to.shard(), Delivery::Reply { to, tag, reply }),
        }
    }

    fn publish(
        &mut self,
        channel: ChannelId,
        interest: &Interest,
        except: &Except,
        event: &Event,
        seq: Option<u64>,
    ) {
        let frames = self.frames(interest, event, seq);
        if frames.is_empty() {
            return;
        }
        let feed = Feed::of(event);
        let mut shards = interest.shards().peekable();
        let mut rest = Some(frames);
        while let Some(shard) = shards.next() {
            // The last shard takes the frames themselves: with one shard nothing is cloned.
            let frames = if shards.peek().is_some() { rest.clone() } else { rest.take() };
            let Some(frames) = frames else { break };
            self.send(shard, Delivery::Fanout { channel, except: except.clone(), feed, frames });
        }
    }

    fn announce(
        &mut self,
        realm: RealmId,
        tenant: Option<&Arc<str>>,
        about: Option<&Arc<str>>,
        event: &Event,
    ) {
        let is_presence = matches!(event, Event::Presence { .. } | Event::StatusChanged { .. });
        let mut frames = Frames::default();
        for at in 0..self.speakers.len() {
            let speaker = self.speakers[at];
            if speaker.realm == realm
                && (speaker.presence || !is_presence)
                && let Some(frame) = self.encode(speaker.dialect, event, None)
            {
                let variant = Variant { dialect: speaker.dialect, deflate: false, numbered: false };
                frames.push(variant, frame);
            }
        }
        if frames.is_empty() {
            return;
        }
        let feed = if is_presence { Feed::ALWAYS } else { Feed::SYSTEM };
        for shard in 0..self.shards {
            let (tenant, about, frames) = (tenant.cloned(), about.cloned(), frames.clone());
            self.send(shard, Delivery::Realm { realm, tenant, about, feed, frames });
        }
    }

    fn errand(&mut self, of: ReplyTo, command: Command) {
        let from = of.connection();
        self.send(of.shard(), Delivery::Errand { from, command: Box::new(command) });
    }

    fn follow(&mut self, channel: ChannelId, interest: &Interest, user: &Arc<str>, on: bool) {
        for shard in interest.shards() {
            self.send(shard, Delivery::Follow { channel, user: user.clone(), on });
        }
    }

    fn write(&mut self, ticket: Ticket, records: Vec<Record>) {
        if let Some(inquiries) = &mut self.inquiries {
            inquiries.push_back(Inquiry::Write(ticket, records));
        }
    }

    fn read(&mut self, ticket: Ticket, query: Query) {
        if let Some(inquiries) = &mut self.inquiries {
            inquiries.push_back(Inquiry::Read(ticket, query));
        }
    }
}
