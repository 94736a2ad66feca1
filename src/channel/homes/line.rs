//! Commands that wait for the store, in the order in which they came to their channel.
//!
//! A command that must last is taken apart in two: what it would write is handed to the store
//! ([`Homes::prepare`]), and when that is durable it is carried out like any other. Until then everything that it
//! could overtake waits behind it. Nothing is changed before it is durable, so nothing has to be taken back.

use std::collections::VecDeque;

use super::records::Plan;
use super::{Fresh, Homes, Outlet};
use crate::channel::Stamp;
use crate::clock::Now;
use crate::model::{
    Answer, Code, Command, Echo, Event, MessageId, Op, Origin, Outcome, Page, Query, Refusal, Reply, ReplyTo,
    Target, Ticket,
};

/// Why something that must last is not done.
pub const NOT_STORED: Refusal =
    Refusal::new(Code::Unavailable, "The store cannot be written; nothing was done. Please try again");
const NOT_READ: Refusal = Refusal::new(Code::Unavailable, "The store cannot be read. Please try again");

/// Between two tries to take in what could not be written.
const TRY_AGAIN_MS: u64 = 1_000;

/// Of what could not be written, so much is tried again.
const LATE_MAX: usize = 10_000;

/// What waits at one channel.
#[derive(Debug, Default)]
pub struct Line {
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    origin: Origin,
    op: Op,
    now: Now,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is known of it yet: it depends on what is before it.
    Behind,
    /// The store has been asked.
    Asked { ticket: Ticket, id: MessageId },
    /// The store has answered.
    Answered { id: MessageId, answer: Answer },
}

impl Homes {
    /// Commands that wait: for an answer of the store, or behind one that does.
    pub fn awaited(&self) -> usize {
        self.in_line
    }

    /// Carries a command out, or has it wait for the store.
    #[inline]
    pub(super) fn take(&mut self, index: u32, origin: Origin, now: Now, op: Op, outlet: &mut impl Outlet) {
        if !self.limits.durable {
            return self.carry_out(index, &origin, now, op, outlet);
        }
        let unknown = self.unknown.contains(&index);
        if !(self.lines.contains_key(&index) || must_ask(&op) || unknown) {
            return self.carry_out(index, &origin, now, op, outlet);
        }
        let Some(line) = self.lines.get(&index) else {
            return self.begin(index, Waiter { origin, op, now, state: State::Behind }, outlet);
        };
        if !keeps_order(&op) && !unknown {
            return self.carry_out(index, &origin, now, op, outlet);
        }
        // What is asked of the store already stands in its order; only behind something that may still change
        // the channel it is not known what this one would write.
        let may_ask = goes_ahead(&op) && line.waiting.back().is_some_and(Waiter::lets_ask);
        let mut waiter = Waiter { origin, op, now, state: State::Behind };
        if may_ask && !unknown {
            self.ask_early(index, &mut waiter, outlet);
        }
        self.in_line += 1;
        self.lines.entry(index).or_default().waiting.push_back(waiter);
    }

    /// Carries out what nothing is before, or begins to wait with it.
    fn begin(&mut self, index: u32, mut waiter: Waiter, outlet: &mut impl Outlet) {
        if self.ask_store(index, &mut waiter, outlet) {
            self.in_line += 1;
            self.lines.entry(index).or_default().waiting.push_front(waiter);
        }
    }

    /// Asks the store for what a command needs that nothing is before. `false`: it needs nothing, and is done or
    /// refused.
    fn ask_store(&mut self, index: u32, waiter: &mut Waiter, outlet: &mut impl Outlet) -> bool {
        let id = MessageId::random(self.dice.u128(..));
        match self.plan(index, waiter, id) {
            Plan::Free => {
                let op = std::mem::replace(&mut waiter.op, Op::Probe);
                self.carry_out(index, &waiter.origin, waiter.now, op, outlet);
                return false;
            }
            Plan::Refused(refusal) => {
                self.answer(&waiter.origin, Reply::Refused(refusal), outlet);
                // It may have come to be for this alone.
                self.look_at(index);
                return false;
            }
            plan => self.hand_over(index, waiter, id, plan, outlet),
        }
        true
    }

    /// Has the store write for a command that stands behind others: many commit as one. What writes nothing waits
    /// for its turn.
    fn ask_early(&mut self, index: u32, waiter: &mut Waiter, outlet: &mut impl Outlet) {
        let id = MessageId::random(self.dice.u128(..));
        let plan = self.plan(index, waiter, id);
        self.hand_over(index, waiter, id, plan, outlet);
    }

    fn plan(&self, index: u32, waiter: &Waiter, id: MessageId) -> Plan {
        if self.unknown.contains(&index)
            && let Some(body) = &self.slots[index as usize].channel
        {
            return Plan::Read(Query::Facts(body.name().clone()));
        }
        self.prepare(index, &waiter.origin, waiter.now, &waiter.op, Stamp { id, seq: 0 })
    }

    fn hand_over(
        &mut self,
        index: u32,
        waiter: &mut Waiter,
        id: MessageId,
        plan: Plan,
        outlet: &mut impl Outlet,
    ) {
        let ticket = self.last_ticket + 1;
        match plan {
            Plan::Write(records) => outlet.write(ticket, records),
            Plan::Read(query) => outlet.read(ticket, query),
            Plan::Free | Plan::Refused(_) => return,
        }
        self.last_ticket = ticket;
        self.tickets.insert(ticket, index);
        waiter.state = State::Asked { ticket, id };
    }

    /// The store has answered. What waited for that goes on.
    pub fn stored(&mut self, ticket: Ticket, answer: Answer, outlet: &mut impl Outlet) {
        let Some(index) = self.tickets.remove(&ticket) else { return };
        let Some(line) = self.lines.get_mut(&index) else { return };
        let asked = |w: &&mut Waiter| matches!(w.state, State::Asked { ticket: t, .. } if t == ticket);
        if let Some(waiter) = line.waiting.iter_mut().find(asked)
            && let State::Asked { id, .. } = waiter.state
        {
            waiter.state = State::Answered { id, answer };
        }
        self.advance(index, outlet);
    }

    /// Goes on with a line as far as it goes.
    fn advance(&mut self, index: u32, outlet: &mut impl Outlet) {
        loop {
            let Some(line) = self.lines.get_mut(&index) else { return };
            let Some(first) = line.waiting.front() else {
                self.lines.remove(&index);
                return self.look_at(index);
            };
            match first.state {
                State::Asked { .. } => break,
                State::Behind => {
                    let Some(waiter) = line.waiting.pop_front() else { return };
                    self.in_line -= 1;
                    self.begin(index, waiter, outlet);
                }
                State::Answered { .. } => {
                    let Some(waiter) = line.waiting.pop_front() else { return };
                    self.in_line -= 1;
                    self.finish(index, waiter, outlet);
                }
            }
        }
        self.ask_ahead(index, outlet);
    }

    /// Asks for those too that stand behind what only writes: many commit as one.
    fn ask_ahead(&mut self, index: u32, outlet: &mut impl Outlet) {
        let Some(line) = self.lines.get_mut(&index) else { return };
        // Those that are asked stand before those that are not.
        let asked = line.waiting.partition_point(Waiter::is_asked);
        let unasked_for = self.unknown.contains(&index) || asked == line.waiting.len();
        if unasked_for || asked.checked_sub(1).is_some_and(|at| !line.waiting[at].lets_ask()) {
            return;
        }
        let mut behind = line.waiting.split_off(asked);
        for waiter in &mut behind {
            if !goes_ahead(&waiter.op) {
                break;
            }
            self.ask_early(index, waiter, outlet);
            if !waiter.is_asked() {
                break;
            }
        }
        self.lines.entry(index).or_default().waiting.append(&mut behind);
    }

    /// Carries out what the store has answered.
    fn finish(&mut self, index: u32, waiter: Waiter, outlet: &mut impl Outlet) {
        let Waiter { origin, op, now, state } = waiter;
        let State::Answered { id, answer } = state else { return };
        match answer {
            Answer::Written(Outcome::Done { seq }) => {
                self.carry_out_as(index, &origin, now, op, Stamp { id, seq }, None, outlet);
            }
            Answer::Written(Outcome::Again { seq, message }) => {
                let again = Stamp { id: message, seq };
                self.repeat(index, &origin, now, op, again, outlet);
            }
            Answer::Written(Outcome::NoMessage) => {
                self.answer(&origin, Reply::Refused(super::room::NO_MESSAGE), outlet);
            }
            Answer::Written(Outcome::NotTheAuthor) => {
                self.answer(&origin, Reply::Refused(super::room::NOT_THE_AUTHOR), outlet);
            }
            Answer::Written(Outcome::Failed) => self.not_stored(index, origin, op, outlet),
            Answer::Page(page) => {
                self.learn(index, &op, &page);
                self.carry_out_as(index, &origin, now, op, Stamp { id, seq: 0 }, Some(&page), outlet);
            }
            Answer::Found(found) => self.answer(&origin, Reply::Found(found), outlet),
            Answer::Facts(facts) => {
                self.recall(index, facts);
                self.begin(index, Waiter { origin, op, now, state: State::Behind }, outlet);
            }
            // Whoever comes in does, and is told of a gap; who asks for history is refused.
            Answer::Unreadable => match op {
                Op::History(_) | Op::Search { .. } => self.answer(&origin, Reply::Refused(NOT_READ), outlet),
                // It was to be written when more is known, and is not done unwritten.
                op if must_write(&op) => self.not_stored(index, origin, op, outlet),
                op => {
                    let page = Page { head: u64::MAX, first: u64::MAX, ..Page::default() };
                    self.carry_out_as(index, &origin, now, op, Stamp { id, seq: 0 }, Some(&page), outlet);
                }
            },
        }
    }

    /// The store could not write. Who asked is told; but what another home has had kept on its way here is not lost:
    /// it is taken in later.
    fn not_stored(&mut self, index: u32, origin: Origin, op: Op, outlet: &mut impl Outlet) {
        let name = self.slots[index as usize].channel.as_ref().map(|body| body.name().clone());
        match (name, &op) {
            (Some(name), Op::Receive { .. } | Op::Notify { transit: true, .. }) => {
                // More than these wait in the store alone, till the next start.
                if self.late.len() >= LATE_MAX {
                    return;
                }
                let command = Command { target: Target::Named(name), origin, op };
                self.late.push_back((self.now_ms + TRY_AGAIN_MS, command));
            }
            _ => self.answer(&origin, Reply::Refused(NOT_STORED), outlet),
        }
    }

    /// When something is to be taken in that could not be written, in monotonic milliseconds.
    pub(super) fn late_ms(&self) -> Option<u64> {
        self.late.front().map(|(at, _)| *at)
    }

    /// Takes in one thing that could not be written before; `false`: none is due.
    pub(super) fn take_late(&mut self, now: Now, outlet: &mut impl Outlet) -> bool {
        let due = self.late_ms().is_some_and(|at| at <= now.mono_ms);
        let late = if due { self.late.pop_front() } else { None };
        let Some((_, command)) = late else { return false };
        self.apply(command, now, outlet);
        true
    }

    /// What was to be said was said before: its sender alone is told, as it was then.
    pub(super) fn repeat(
        &mut self,
        index: u32,
        origin: &Origin,
        now: Now,
        op: Op,
        stamp: Stamp,
        outlet: &mut impl Outlet,
    ) {
        if let Op::SendDirect { .. } = op
            && let Some(user) = self.user(index)
        {
            let (to, id) = (user.name.id.clone(), stamp.id);
            return self.answer(origin, Reply::Sent { to, id, queued: false }, outlet);
        }
        // Who did not hear itself then does not now.
        let hears = !matches!(
            op,
            Op::Publish { echo: Echo::Never, .. } | Op::Publish { echo: Echo::Member, member: false, .. }
        );
        let fresh = Fresh { seed: self.limits.seed };
        let event = self.said(index, origin, now, &op, stamp, fresh).map(Event::into).filter(|_| hears);
        match (event, origin.reply_to) {
            (Some(event), ReplyTo::Connection(_)) => {
                self.answer(origin, Reply::Heard { event, seq: stamp.seq }, outlet);
            }
            _ => self.answer(origin, Reply::Done, outlet),
        }
    }

    pub(super) fn answer(&self, origin: &Origin, reply: Reply, outlet: &mut impl Outlet) {
        outlet.reply(origin.reply_to, origin.tag.clone(), reply);
    }
}

#[cfg(test)]
impl Line {
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Waiter {
    fn is_asked(&self) -> bool {
        !matches!(self.state, State::Behind)
    }

    /// Whether the store may be asked for the one behind it before this one is done. What is asked ahead has only
    /// such before it, so that the last of them speaks for all.
    fn lets_ask(&self) -> bool {
        self.is_asked() && goes_ahead(&self.op)
    }
}

/// Verbs that write what must last before they are carried out.
fn must_write(op: &Op) -> bool {
    matches!(
        op,
        Op::Publish { .. }
            | Op::Read { .. }
            | Op::Edit { .. }
            | Op::Delete { .. }
            | Op::Announce { .. }
            | Op::CreateRoom { .. }
            | Op::SendDirect { .. }
            | Op::SendFrom { .. }
            | Op::Receive { .. }
            | Op::Notify { .. }
            | Op::NotificationRead { .. }
            | Op::NotificationClear { .. }
            | Op::RosterUpdate { .. }
            | Op::RosterRemove { .. }
    )
}

/// Verbs of which many may be asked for side by side: what one of them would write is the same whether those before it
/// are done or not. Who is on a roster, and whether a room is made, is decided one by one.
fn goes_ahead(op: &Op) -> bool {
    let one_by_one = matches!(op, Op::CreateRoom { .. } | Op::RosterUpdate { .. } | Op::RosterRemove { .. });
    must_write(op) && !one_by_one
}

/// Verbs that may have to ask the store.
fn must_ask(op: &Op) -> bool {
    must_write(op)
        || matches!(
            op,
            Op::Join { .. } | Op::Attach { .. } | Op::Locate { .. } | Op::History(_) | Op::Search { .. }
        )
}

/// Verbs that must not overtake others of their channel, nor be overtaken. What is ephemeral or only asks for how
/// things are does not wait for a disk.
fn keeps_order(op: &Op) -> bool {
    must_ask(op)
        || matches!(
            op,
            Op::Leave { .. }
                | Op::Forsake
                | Op::Rename { .. }
                | Op::Detach { .. }
                | Op::Settle
                | Op::Keep { .. }
                | Op::RosterGet
        )
}
