//! The life of one connection: set up, receive and check, close.

use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::checker::{Checker, Verdict};
use crate::client::{self, Socket};
use crate::payload::{self, Stamp};
use crate::publisher::Publisher;
use crate::run::{Phase, Run};
use crate::tally::{SharedTally, Tally};
use crate::tusk::{self, Incoming};

/// The writing half of a connection.
pub type Sink = SplitSink<Socket, Message>;

/// Connection number `index` of the run, from before its first SYN to after its close.
pub async fn live(run: Arc<Run>, index: u32, tally: SharedTally) {
    // The gate is closed: the run ended before this connection was begun.
    let Ok(permit) = run.gate.acquire().await else { return };
    let opened = open(&run, index, &tally).await;
    drop(permit);
    let socket = match opened {
        Ok(socket) => socket,
        Err(reason) => {
            tally.lock().error(reason);
            run.connected.report(false);
            return;
        }
    };
    run.connected.report(true);
    let (sink, stream) = socket.split();
    let writer = Writer::start(&run, index, sink, &tally);
    let room = run.plan.shape.room(index);
    let publishers = room.map_or(0, |room| run.plan.shape.publishers_in(room));
    let checker = Checker::new(publishers as usize);
    Receiver { run, room: room.unwrap_or(0), tally, stream, checker }.live(writer).await;
}

/// Connects, upgrades and joins. The join is not part of the setup time.
async fn open(run: &Run, index: u32, tally: &SharedTally) -> Result<Socket, String> {
    let limit = run.plan.timeout;
    let late = |step: &str| format!("{step}: no answer within {} s", limit.as_secs_f64());
    let begun_ns = run.clock.now_ns();
    let mut socket =
        timeout(limit, run.plan.endpoint.connect(index)).await.map_err(|_| late("connect"))??;
    let now_ns = run.clock.now_ns();
    {
        let mut tally = tally.lock();
        tally.setup.saturating_record(now_ns - begun_ns);
        tally.last_setup_ns = tally.last_setup_ns.max(now_ns);
    }
    if let Some(room) = run.plan.shape.room(index) {
        let name = run.plan.room_name(room);
        let joined = client::join(&mut socket, run.plan.token.as_deref(), &name);
        timeout(limit, joined).await.map_err(|_| late("join"))??;
    }
    Ok(socket)
}

/// Who holds the writing half: a publisher's task until it is done, or nobody.
enum Writer {
    Publisher(JoinHandle<Sink>),
    Nobody(Sink),
}

impl Writer {
    fn start(run: &Arc<Run>, index: u32, sink: Sink, tally: &SharedTally) -> Writer {
        if index >= run.plan.shape.publishers {
            return Writer::Nobody(sink);
        }
        let publisher = Publisher::new(Arc::clone(run), index, sink, tally.clone());
        Writer::Publisher(tokio::spawn(publisher.publish()))
    }

    /// The writing half; `None` if the publisher's task panicked.
    async fn sink(self) -> Option<Sink> {
        match self {
            Writer::Publisher(task) => task.await.ok(),
            Writer::Nobody(sink) => Some(sink),
        }
    }
}

struct Receiver {
    run: Arc<Run>,
    room: u32,
    tally: SharedTally,
    stream: SplitStream<Socket>,
    checker: Checker,
}

impl Receiver {
    async fn live(mut self, writer: Writer) {
        let run = Arc::clone(&self.run);
        let open = self.receive(&run).await;
        let sink = writer.sink().await;
        if let Some(sink) = sink.filter(|_| open) {
            let closed = timeout(run.plan.timeout, self.close(sink)).await;
            if closed.is_err() {
                self.tally.lock().error("close: not answered, or TCP left open after it");
            }
        }
        self.settle_accounts();
    }

    /// Receives until the run closes; false if the connection ended before.
    async fn receive(&mut self, run: &Run) -> bool {
        let mut closing = std::pin::pin!(run.reaches(Phase::Close));
        loop {
            let next = tokio::select! {
                biased;
                next = self.stream.next() => next,
                _ = &mut closing => return true,
            };
            let reason = match next {
                Some(Ok(Message::Close(frame))) => match frame {
                    Some(frame) => format!("closed by the server: {} {}", frame.code, frame.reason),
                    None => "closed by the server without a code".into(),
                },
                Some(Ok(message)) => {
                    self.take(&message);
                    continue;
                }
                Some(Err(error)) => format!("receive: {error}"),
                None => "receive: connection ended".into(),
            };
            self.tally.lock().error(reason);
            return false;
        }
    }

    /// Says goodbye and reads on to the end: what the server sent before its own goodbye is still checked,
    /// so a double of the very last message is found without waiting for a while.
    async fn close(&mut self, mut sink: Sink) {
        // A server may close first; then there is nothing left to say.
        let _ = sink.close().await;
        while let Some(Ok(message)) = self.stream.next().await {
            self.take(&message);
        }
    }

    fn take(&mut self, message: &Message) {
        let now_ns = self.run.clock.now_ns();
        match message {
            Message::Text(text) => match tusk::parse(text) {
                Ok(Incoming::RoomMessage(text)) => self.deliver(&text, now_ns),
                Ok(Incoming::Refused(reason)) => self.tally.lock().error(format!("refused: {reason}")),
                Ok(Incoming::Joined(_) | Incoming::Other) => {}
                Err(error) => self.tally.lock().error(format!("frame not understood: {error}")),
            },
            Message::Binary(_) => self.tally.lock().error("binary frame in a text dialect"),
            _ => {}
        }
    }

    fn deliver(&mut self, text: &str, now_ns: u64) {
        let tally = self.tally.clone();
        let mut tally = tally.lock();
        if payload::run_of(text) != Some(self.run.id) {
            // One of ours whose run number was damaged still shows: as lost.
            tally.foreign += 1;
            return;
        }
        let Some(stamp) = Stamp::decode(text, self.run.plan.size) else {
            return tally.error("message text was changed on its way");
        };
        let Some(index) = self.run.plan.shape.index_in(self.room, stamp.publisher) else {
            tally.misrouted += 1;
            return;
        };
        let flight = self.run.flight(stamp.publisher);
        if stamp.seq >= flight.sent() {
            return tally.error("room message with a number that was not sent yet");
        }
        let Some(verdict) = self.checker.observe(index as usize, stamp.seq) else { return };
        if let Verdict::Fresh { missing } = verdict {
            flight.settle(stamp.seq - missing, missing + 1);
        }
        self.count(&mut tally, verdict, stamp.due_ns, now_ns);
    }

    fn count(&self, tally: &mut Tally, verdict: Verdict, due_ns: u64, now_ns: u64) {
        match verdict {
            Verdict::Fresh { .. } => {}
            Verdict::Late => tally.disordered += 1,
            Verdict::Doubled => return tally.doubled += 1,
            Verdict::Ancient => return tally.disordered += 1,
        }
        tally.deliveries += 1;
        if self.run.span.holds(now_ns) {
            tally.measured += 1;
        }
        if self.run.span.holds(due_ns) {
            tally.latency.saturating_record(now_ns.saturating_sub(due_ns));
        }
    }

    /// Counts what was sent to this member's room and never came.
    fn settle_accounts(&self) {
        let shape = self.run.plan.shape;
        let publishers = if shape.rooms == 0 { 0 } else { shape.publishers_in(self.room) };
        let lost: u64 = (0..publishers)
            .map(|index| (index, self.run.flight(shape.publisher(self.room, index)).sent()))
            .map(|(index, sent)| self.checker.missing(index as usize, sent))
            .sum();
        self.tally.lock().lost += lost;
    }
}
