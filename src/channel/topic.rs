//! A topic at home: those who listen, and nothing else. Nobody is told who they are.

use std::sync::Arc;

use super::log::Log;
use super::room::{Draft, Saying};
use super::{Ask, Interest, Outlet};
use crate::model::{Begun, ChannelName, Echo, Event, Except, Kind, Message, Reply, Variant};

/// A named channel, a tenant's channel, or those who watch one user.
#[derive(Debug)]
pub struct Topic {
    name: ChannelName,
    pub interest: Interest,
    pub log: Log,
}

impl Topic {
    pub fn new(name: &ChannelName, log: Log) -> Self {
        Self { name: name.clone(), interest: Interest::default(), log }
    }

    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    pub fn into_parts(self) -> (ChannelName, Log) {
        (self.name, self.log)
    }

    pub fn join(
        &mut self,
        ask: &Ask<'_>,
        variant: Variant,
        begun: Option<Box<Begun>>,
        again: bool,
        outlet: &mut impl Outlet,
    ) {
        if !again {
            self.interest.add(ask.origin.reply_to.shard(), variant);
        }
        let (kind, id) = (self.name.kind, self.name.id.clone());
        ask.answer(outlet, Reply::Joined { channel: ask.id, kind, id, begun });
    }

    pub fn leave(&mut self, ask: &Ask<'_>, variant: Variant, quiet: bool, outlet: &mut impl Outlet) {
        let left = self.interest.remove(ask.origin.reply_to.shard(), variant);
        if left && !quiet {
            ask.answer(outlet, Reply::Left { kind: self.name.kind, id: self.name.id.clone() });
        }
    }

    /// Whether what is handed out here has a number, and is remembered.
    pub fn remembers(&self, event: &Event) -> bool {
        self.name.kind == Kind::Topic && matches!(event, Event::Message(_) | Event::Notification(_))
    }

    pub fn message(&self, ask: &Ask<'_>, draft: Draft) -> Message {
        draft.message(ask, self.name.kind, self.name.id.clone())
    }

    /// Says something to all who listen.
    pub fn publish(&mut self, ask: &Ask<'_>, message: Message, how: Saying, outlet: &mut impl Outlet) {
        let except = match (how.echo, ask.origin.reply_to.connection()) {
            (Echo::Never, Some(key)) => Except::Connection(key),
            _ => Except::Nobody,
        };
        if let Some(request) = how.request {
            self.log.repeats.note(request, ask.number(&self.log), message.id);
        }
        self.relay(ask, Event::Message(message), &except, outlet);
    }

    /// Hands out an event made elsewhere.
    pub fn relay(&mut self, ask: &Ask<'_>, event: Event, except: &Except, outlet: &mut impl Outlet) {
        let seq = self.remembers(&event).then(|| ask.number(&self.log));
        outlet.publish(ask.id, &self.interest, except, &event, seq);
        if let Some(seq) = seq {
            self.log.push(seq, Arc::new(event), ask.homes.log_events);
        }
    }

    pub fn is_over(&self) -> bool {
        self.interest.is_empty()
    }
}
