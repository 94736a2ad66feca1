//! What all tasks of a run share: the plan, the clock, the publishers' progress and the phase.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::client::Endpoint;
use crate::clock::{Clock, Span, nanos};
use crate::cohort::Cohort;
use crate::flight::Flight;
use crate::pacing::Pacing;
use crate::scenario::Shape;

/// What is to be done; fixed before the start.
#[derive(Clone, Debug)]
pub struct Plan {
    pub shape: Shape,
    /// True if the run goes on when some connections cannot be made.
    pub tolerant: bool,
    pub endpoint: Endpoint,
    pub token: Option<String>,
    pub room_prefix: String,
    pub parallel: u32,
    pub pacing: Pacing,
    /// Bytes of a message's text.
    pub size: usize,
    pub secs: Duration,
    pub warmup: Duration,
    pub timeout: Duration,
}

impl Plan {
    pub fn room_name(&self, room: u32) -> String {
        format!("{}{room}", self.room_prefix)
    }
}

/// How far the run is. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Connections are made and join their rooms.
    Connect,
    /// Publishers publish; all receive.
    Publish,
    /// Connections close.
    Close,
}

/// Shared by the tasks of all threads.
#[derive(Debug)]
pub struct Run {
    pub plan: Plan,
    /// Tells this run's messages from others'.
    pub id: u32,
    pub clock: Clock,
    /// What is measured; set when publishing starts.
    pub span: Span,
    start_ns: AtomicU64,
    pub phase: watch::Sender<Phase>,
    /// Permits to set up a connection; closed when the run ends.
    pub gate: Semaphore,
    /// Connections that are up and joined.
    pub connected: Cohort,
    /// Publishers that have sent all and seen it arrive, or given up.
    pub published: Cohort,
    /// By publisher.
    pub flights: Vec<Flight>,
}

impl Run {
    pub fn new(plan: Plan, id: u32) -> Run {
        let shape = plan.shape;
        let slots = plan.pacing.window().unwrap_or(1);
        let rooms = (0..shape.publishers).filter_map(|publisher| shape.room(publisher));
        let flights = rooms.map(|room| Flight::new(shape.members(room), slots));
        Run {
            id,
            clock: Clock::start(),
            span: Span::unset(),
            start_ns: AtomicU64::new(0),
            phase: watch::Sender::new(Phase::Connect),
            gate: Semaphore::new(plan.parallel as usize),
            connected: Cohort::of(shape.connections),
            published: Cohort::of(shape.publishers),
            flights: flights.collect(),
            plan,
        }
    }

    pub fn flight(&self, publisher: u32) -> &Flight {
        &self.flights[publisher as usize]
    }

    /// When publishing started: the warm-up's begin. 0 before.
    pub fn start_ns(&self) -> u64 {
        self.start_ns.load(Ordering::SeqCst)
    }

    /// Lets publishing start now: the warm-up, then the measured span.
    pub fn start_publishing(&self) {
        let start_ns = self.clock.now_ns();
        let from_ns = start_ns + nanos(self.plan.warmup);
        self.start_ns.store(start_ns, Ordering::SeqCst);
        self.span.set(from_ns, from_ns + nanos(self.plan.secs));
        self.enter(Phase::Publish);
    }

    /// Goes on to `phase`, whoever listens.
    pub fn enter(&self, phase: Phase) {
        if phase == Phase::Close {
            self.gate.close();
        }
        self.phase.send_replace(phase);
    }

    /// Waits until the run is at `phase` or beyond, and says where it is.
    pub async fn reaches(&self, phase: Phase) -> Phase {
        let mut listener = self.phase.subscribe();
        // The sender lives as long as this run, so waiting cannot fail; if it did, the run would be over.
        listener.wait_for(|now| *now >= phase).await.map_or(Phase::Close, |now| *now)
    }

    /// Nothing is due from now on; publishers wake to see it.
    pub fn cut(&self) {
        self.span.cut(self.clock.now_ns());
        self.flights.iter().for_each(Flight::wake);
    }
}
