//! A shard on its thread: the tasks around the core, and the turns they make it take.
//!
//! Five kinds of task share the thread: one accepts on each listening socket, one reads each connection, one
//! handles what comes by lane, one ends each turn (and runs after all that were ready in it), one lets time
//! pass. None of them holds the core across an await.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::Notify as Signal;
use tokio::task::{JoinHandle, LocalSet, spawn_local, yield_now};
use tracing::{info, warn};

use super::core::{Core, PersonaCall};
use super::door::{self, Door, Ticket};
use super::ledger::Keeper;
use super::reader::ReaderTask;
use super::shared::Shared;
use super::wake::EventFd;
use crate::fanout::Delivery;
use crate::lane::Port;
use crate::model::{ChannelName, CloseReason, Command, Dialect, Kept};
use crate::net::{Upgraded, serve};
use crate::persona::{PersonaRules, Personas};
use crate::telemetry::Writer;
use crate::ws::Inflater;

/// How long accepting rests when the process has no descriptor left. Others must close first.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What the process tells its shards.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    /// Accept nobody more, close everybody within that time, then end.
    Drain(Duration),
    /// End at once.
    Stop,
}

/// All that a shard is started with.
#[derive(Debug)]
pub struct Launch {
    pub port: Port<Command, Delivery, EventFd>,
    /// What the shard's bell rings.
    pub bell: OwnedFd,
    pub shared: Arc<Shared>,
    pub door: Arc<Door>,
    pub counters: Writer,
    pub listeners: Vec<(TcpListener, Option<Dialect>)>,
    pub control: flume::Receiver<Control>,
    pub personas: Arc<PersonaRules>,
    /// The shard's end of the store, where there is one, and what is kept of its channels.
    pub keeper: Option<Box<dyn Keeper + Send>>,
    pub kept: Vec<(ChannelName, Kept)>,
}

/// One shard's thread-local whole.
#[derive(Debug)]
pub(super) struct Shard {
    pub core: RefCell<Core<EventFd>>,
    /// The one buffer into which all sockets of the shard are read.
    pub buffer: RefCell<Box<[u8]>>,
    pub inflater: RefCell<Inflater>,
    pub shared: Arc<Shared>,
    pub door: Arc<Door>,
    /// Who answers in a persona's name.
    personas: Personas,
    /// Something is due earlier than the timer was set for.
    earlier: Signal,
    /// What the timer is set for, in milliseconds since the start; `None`: it is not set.
    timer_at: Cell<Option<u64>>,
    /// Sockets that are not upgraded yet.
    pending: Cell<usize>,
}

/// Runs a shard on this thread until it is told to end.
///
/// # Errors
/// The runtime or the sockets cannot be set up.
pub fn run(launch: Launch) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(live(launch)))
}

async fn live(launch: Launch) -> io::Result<()> {
    let Launch { port, bell, shared, door, counters, listeners, control, personas, keeper, kept } = launch;
    let buffer = vec![0; shared.read_buffer].into_boxed_slice();
    let keeper = keeper.map(|keeper| keeper as Box<dyn Keeper>);
    let mut core = Core::new(port, shared.clone(), counters, keeper);
    core.restore(kept);
    let personas = Personas::new(&personas, core.counters().clone());
    let shard = Rc::new(Shard {
        core: RefCell::new(core),
        personas,
        buffer: RefCell::new(buffer),
        inflater: RefCell::new(Inflater::new()),
        shared,
        door,
        earlier: Signal::new(),
        timer_at: Cell::new(None),
        pending: Cell::new(0),
    });
    // SAFETY: the descriptor is owned by what is registered, always the same, and open until that is dropped.
    let bell = unsafe { AsyncFd::register_with_interest(bell, Interest::READABLE) }?;
    let turns = spawn_local(end_turns(shard.clone()));
    let bells = spawn_local(answer_bell(shard.clone(), bell));
    let time = spawn_local(pass_time(shard.clone()));
    let mut accepting = Vec::new();
    for (listener, dialect) in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accepting.push(spawn_local(accept(shard.clone(), listener, dialect)));
    }
    tokio::select! {
        () = until_told(&shard, &control, &accepting) => Ok(()),
        // They never end by themselves: without one of them the shard is not one any more.
        _ = turns => Err(io::Error::other("the turns of a shard ended")),
        _ = bells => Err(io::Error::other("the lanes of a shard ended")),
        _ = time => Err(io::Error::other("the time of a shard ended")),
    }
}

/// Waits for the word to end, and ends as it says.
async fn until_told(shard: &Rc<Shard>, control: &flume::Receiver<Control>, accepting: &[JoinHandle<()>]) {
    if let Ok(Control::Drain(over)) = control.recv_async().await {
        accepting.iter().for_each(JoinHandle::abort);
        tokio::select! {
            () = drain(shard, over) => {}
            // A second word ends it at once.
            _ = control.recv_async() => {}
        }
        let end = tokio::time::Instant::now() + CLOSING_GRACE;
        while !shard.core.borrow_mut().write_down() && tokio::time::Instant::now() < end {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }
}

/// Ends the turn after everything that was ready in it has run.
async fn end_turns(shard: Rc<Shard>) {
    poll_fn(|cx| {
        let mut core = shard.core.borrow_mut();
        if core.turn_is_due(cx.waker()) {
            core.end_turn();
            for call in core.take_persona_calls() {
                spawn_local(have_answered(shard.clone(), call));
            }
            let next = core.next_tick_ms();
            if next.is_some_and(|next| shard.timer_at.get().is_none_or(|at| next < at)) {
                shard.earlier.notify_one();
            }
        }
        Poll::<()>::Pending
    })
    .await;
}

/// A persona's answer, or why there is none. The conversation goes on meanwhile.
async fn have_answered(shard: Rc<Shard>, call: PersonaCall) {
    let PersonaCall { key, room, persona, user, text } = call;
    let answer = shard.personas.ask(&persona, &user, &text).await;
    let mut core = shard.core.borrow_mut();
    match answer {
        Ok(text) => core.persona_says(room, persona, text.into()),
        Err(error) => core.persona_fails(key, error.to_string()),
    }
}

/// Handles what other shards sent, when they ring.
async fn answer_bell(shard: Rc<Shard>, bell: AsyncFd<OwnedFd>) {
    loop {
        let Ok(mut ready) = bell.readable().await else { return };
        // Never read: each ring is an edge of its own, and one that comes from here on sets it ready again.
        ready.clear_ready();
        while shard.core.borrow_mut().pump() {
            yield_now().await;
        }
    }
}

/// Lets time pass, and sleeps while nothing is to come.
async fn pass_time(shard: Rc<Shard>) {
    loop {
        let next = shard.core.borrow().next_tick_ms();
        shard.timer_at.set(next);
        let Some(at) = next else {
            shard.earlier.notified().await;
            continue;
        };
        let now = shard.shared.clock.now().mono_ms;
        if at > now {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(at - now)) => {}
                () = shard.earlier.notified() => continue,
            }
        }
        shard.core.borrow_mut().tick();
        // The turn must end before the next look, or time would stand still for the core.
        yield_now().await;
    }
}

async fn accept(shard: Rc<Shard>, listener: tokio::net::TcpListener, dialect: Option<Dialect>) {
    loop {
        match listener.accept().await {
            Ok(_) if shard.pending.get() >= shard.shared.pending_max => {
                // Dropped, and so closed: whoever is in a hurry tries again.
                shard.core.borrow().counters().sockets_refused.inc();
            }
            Ok((socket, peer)) => {
                spawn_local(greet(shard.clone(), socket, peer, dialect));
            }
            Err(error) => {
                warn!(%error, "cannot accept; resting");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// The HTTP phase of a socket; when it ends in an upgrade, the connection goes on in a task of its own, so
/// that this larger one's memory is freed.
async fn greet(shard: Rc<Shard>, socket: TcpStream, peer: SocketAddr, of: Option<Dialect>) {
    let limits = shard.door.http_limits(of);
    let handle = |request| door::handle(shard.clone(), of, peer.ip(), request);
    shard.pending.set(shard.pending.get() + 1);
    let pending = Pending(&shard.pending);
    let upgraded = serve(socket, limits, handle).await;
    drop(pending);
    if let Some(upgraded) = upgraded {
        open(&shard, upgraded);
    }
}

/// Counts one socket that is not upgraded yet, until it is dropped.
struct Pending<'a>(&'a Cell<usize>);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn open(shard: &Rc<Shard>, upgraded: Upgraded<Ticket>) {
    let Upgraded { socket, early, mut ticket } = upgraded;
    let (read, write) = socket.into_split();
    let (key, variant) = (ticket.key, ticket.variant);
    ticket.taken = true;
    shard.core.borrow_mut().hand_over(key, write);
    let mut task = ReaderTask::new(shard.clone(), read, key, variant);
    task.feed_early(early.to_vec());
    spawn_local(task);
}

/// Closes everybody, spread over the first half of the time given so that the last ones can still answer, and
/// waits until nobody is left on any shard: others may need this one's homes until then.
async fn drain(shard: &Rc<Shard>, over: Duration) {
    let mut keys = shard.core.borrow().open_keys();
    let begin = tokio::time::Instant::now();
    if !keys.is_empty() {
        info!(shard = shard.core.borrow().index(), connections = keys.len(), "draining");
    }
    let all = keys.len();
    loop {
        let elapsed = begin.elapsed();
        let part = elapsed.as_secs_f64() * 2.0 / over.as_secs_f64().max(f64::MIN_POSITIVE);
        let left = all - (all as f64 * part.min(1.0)) as usize;
        while keys.len() > left {
            let Some(key) = keys.pop() else { break };
            shard.core.borrow_mut().close(key, CloseReason::Drain);
        }
        if part >= 1.0 {
            // Those that were let in before the door was shut and opened after it.
            let late = shard.core.borrow().open_keys();
            late.into_iter().for_each(|key| shard.core.borrow_mut().close(key, CloseReason::Drain));
        }
        let nobody = shard.shared.registry.connections() == 0 && shard.pending.get() == 0;
        if (keys.is_empty() && nobody) || elapsed >= over + CLOSING_GRACE {
            return;
        }
        tokio::time::sleep(DRAIN_STEP).await;
    }
}

/// Beyond the drain time, for the last closing handshakes.
const CLOSING_GRACE: Duration = Duration::from_millis(500);
/// How often a draining shard closes the next ones and looks whether everybody is gone.
const DRAIN_STEP: Duration = Duration::from_millis(5);
