//! Channels at home: the part of the server that numbers, remembers, admits and answers.
//!
//! A [`Homes`] holds every channel whose home is one shard. It does no IO, reads no clock and owns no
//! thread: `apply(command, now)` changes its state and tells an [`Outlet`] who is to hear what. What must last it
//! has the outlet hand to a store, and carries out when [`Homes::stored`] says that it is durable.

mod directory;
mod homes;
mod interest;
mod limits;
mod log;
mod mailbox;
mod members;
mod presence;
mod receipts;
mod repeats;
mod room;
mod topic;
mod typing;
mod user;

pub use homes::Homes;
pub use interest::Interest;
pub use limits::{HomeLimits, RealmLimits};
pub use log::ReplayLimits;
pub use room::NOT_A_SPEAKER;
pub use user::too_many_rooms;

use std::sync::Arc;

use crate::clock::Now;
use crate::model::{
    ChannelId, Command, Event, Except, MessageId, Origin, Query, RealmId, Record, Reply, ReplyTo, Ticket,
};
use log::Log;

/// What every verb is told besides its own words.
#[derive(Clone, Copy, Debug)]
struct Ask<'a> {
    /// The channel that is asked.
    id: ChannelId,
    origin: &'a Origin,
    now: Now,
    limits: &'a RealmLimits,
    homes: &'a HomeLimits,
    stamp: Stamp,
}

/// What a change is given before it is made.
#[derive(Clone, Copy, Debug)]
struct Stamp {
    /// The id of what it makes.
    id: MessageId,
    /// The number the store gave it; 0: there is none, and the channel counts for itself.
    seq: u64,
}

impl Ask<'_> {
    /// The number of what is told now.
    fn number(&self, log: &Log) -> u64 {
        if self.stamp.seq == 0 { log.next() } else { self.stamp.seq }
    }

    fn answer(&self, outlet: &mut impl Outlet, reply: Reply) {
        outlet.reply(self.origin.reply_to, self.origin.tag.clone(), reply);
    }

    /// Whether somebody was there to hear, which only a REST call waits to hear.
    fn told(&self, outlet: &mut impl Outlet, delivered: bool) {
        if let ReplyTo::Call { .. } = self.origin.reply_to {
            self.answer(outlet, Reply::Notified { delivered });
        }
    }

    /// It is done, which only a REST call waits to hear.
    fn done(&self, outlet: &mut impl Outlet) {
        if let ReplyTo::Call { .. } = self.origin.reply_to {
            self.answer(outlet, Reply::Done);
        }
    }
}

/// Where a channel's answers and events go. Called in the order in which things happened; an outlet
/// that keeps that order per shard gives every subscriber the channel's one order.
pub trait Outlet {
    /// An answer for one connection or one REST call. `tag`: what the client calls its request.
    fn reply(&mut self, to: ReplyTo, tag: Option<Arc<str>>, reply: Reply);
    /// An event for everybody counted in `interest`, but not for those left out. `seq`: its number in the channel.
    fn publish(
        &mut self,
        channel: ChannelId,
        interest: &Interest,
        except: &Except,
        event: &Event,
        seq: Option<u64>,
    );
    /// An event for every connection of a realm, or of one tenant of it, members of anything or not. `about`:
    /// the user it tells of, whose own dialect may not want to hear it.
    fn announce(
        &mut self,
        realm: RealmId,
        tenant: Option<&Arc<str>>,
        about: Option<&Arc<str>>,
        event: &Event,
    );
    /// A command for another home, which the asker's shard sends on: a home itself sends none, so that no two
    /// can wait for each other. `of`: whoever asked; it is not read on while the command waits for a lane.
    fn errand(&mut self, of: ReplyTo, command: Command);
    /// The devices counted in `interest` are to watch a user's presence, or to watch it no more.
    fn follow(&mut self, channel: ChannelId, interest: &Interest, user: &Arc<str>, on: bool);
    /// Hands a request to the store. The answer comes by [`Homes::stored`]; with ticket 0 nobody waits for it.
    /// Without a store there is nothing to do.
    fn write(&mut self, ticket: Ticket, records: Vec<Record>);
    /// Asks the store. The answer comes as that of [`Outlet::write`] does.
    fn read(&mut self, ticket: Ticket, query: Query);
}
