//! A topic at home: those who listen, and nothing else. Nobody is told who they are.

use super::room::Draft;
use super::{Ask, Interest, Outlet};
use crate::model::{ChannelName, Echo, Event, Except, Message, RealmId, Reply, Variant};

/// A named channel, a tenant's channel, or those who watch one user.
#[derive(Debug)]
pub struct Topic {
    name: ChannelName,
    pub interest: Interest,
}

impl Topic {
    pub fn new(name: &ChannelName) -> Self {
        Self { name: name.clone(), interest: Interest::default() }
    }

    pub fn realm(&self) -> RealmId {
        self.name.realm
    }

    pub fn into_name(self) -> ChannelName {
        self.name
    }

    pub fn join(&mut self, ask: &Ask<'_>, variant: Variant, outlet: &mut impl Outlet) {
        self.interest.add(ask.origin.reply_to.shard(), variant);
        let (kind, id) = (self.name.kind, self.name.id.clone());
        ask.answer(outlet, Reply::Joined { channel: ask.id, kind, id });
    }

    pub fn leave(&mut self, ask: &Ask<'_>, variant: Variant, quiet: bool, outlet: &mut impl Outlet) {
        let left = self.interest.remove(ask.origin.reply_to.shard(), variant);
        if left && !quiet {
            ask.answer(outlet, Reply::Left { kind: self.name.kind, id: self.name.id.clone() });
        }
    }

    /// Says something to all who listen.
    pub fn publish(&self, ask: &Ask<'_>, draft: Draft, echo: Echo, outlet: &mut impl Outlet) {
        let message = Message {
            id: draft.id,
            kind: self.name.kind,
            place: self.name.id.clone(),
            from: draft.from,
            connection: draft.connection,
            text: draft.text,
            detail: draft.detail,
            at_ms: ask.now.unix_ms,
        };
        let except = match (echo, ask.origin.reply_to.connection()) {
            (Echo::Never, Some(key)) => Except::Connection(key),
            _ => Except::Nobody,
        };
        self.relay(ask, &Event::Message(message), &except, outlet);
    }

    /// Hands out an event made elsewhere.
    pub fn relay(&self, ask: &Ask<'_>, event: &Event, except: &Except, outlet: &mut impl Outlet) {
        outlet.publish(ask.id, &self.interest, except, event);
    }

    pub fn is_over(&self) -> bool {
        self.interest.is_empty()
    }
}
