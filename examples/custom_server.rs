//! The server as a library: message types of one's own, and a pipeline that every message passes first.
//!
//!     cargo run --example custom_server                  # listens as `lanecast` does; reads its environment
//!     cargo run --example custom_server -- --self-test   # starts on a free port, talks to itself, exits 0 or 1
//!
//! The pipeline, in the order of registration, which is the order of the calls:
//!
//! 1. `LoggingMiddleware` writes a line per message (`LOG_LEVEL=debug` shows it);
//! 2. a `Tally` counts whatever anybody asks for;
//! 3. `AuthenticationMiddleware` stops strangers, so that
//! 4. a second `Tally` counts only what known users ask for;
//! 5. `Manners` refuses a word, and says so.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lanecast::config::{Config, FlagValues, Surroundings};
use lanecast::extension::{
    AuthenticationMiddleware, Effect, LoggingMiddleware, Message, Middleware, Peer, Value, Verdict,
};
use lanecast::server::{Running, Server, log_rules};
use lanecast::telemetry::log;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Counts the messages that come as far as its place in the pipeline. Middleware is called on every shard's
/// thread and must not block there: an atomic number does not.
#[derive(Clone, Debug, Default)]
struct Tally(Arc<AtomicU64>);

impl Tally {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Middleware for Tally {
    fn message(&self, _peer: &Peer<'_>, _message: &Message<'_>) -> Verdict {
        self.0.fetch_add(1, Ordering::Relaxed);
        Verdict::Continue
    }
}

/// Refuses what it does not want to hear; the connection stays.
#[derive(Clone, Copy, Debug)]
struct Manners;

impl Middleware for Manners {
    fn message(&self, _peer: &Peer<'_>, message: &Message<'_>) -> Verdict {
        match message.body["message"].as_str() {
            Some(text) if text.contains("darn") => Verdict::Refuse("Mind your language".into()),
            _ => Verdict::Continue,
        }
    }
}

/// Answers the one who asked, as in the Tusk document's example (TUS-40).
fn custom_action(_peer: &Peer<'_>, _body: &Value) -> Vec<Effect> {
    vec![Effect::Reply(json!({ "type": "custom_response", "data": "Action processed" }))]
}

/// Tells the others in a room, and not the one who asked (TUS-14). What a handler sends leaves as it is: here
/// only the user's name and a number, neither of which can carry markup.
fn wave(peer: &Peer<'_>, body: &Value) -> Vec<Effect> {
    let (Some(room), Some(times)) = (body["room"].as_str(), body["times"].as_u64()) else {
        return vec![Effect::Refuse("wave needs a room and a number of times".into())];
    };
    let frame = json!({ "type": "waved", "from": peer.user, "times": times });
    vec![Effect::Broadcast { room: room.into(), frame, exclude_sender: true }]
}

/// The tallies in front of the authentication and behind it.
#[derive(Clone, Debug, Default)]
struct Tallies {
    asked: Tally,
    admitted: Tally,
}

fn start(config: Config, tallies: &Tallies) -> Outcome<Running> {
    let server = Server::new(config)
        .middleware(LoggingMiddleware)
        .middleware(tallies.asked.clone())
        .middleware(AuthenticationMiddleware)
        .middleware(tallies.admitted.clone())
        .middleware(Manners)
        .handler("custom_action", custom_action)
        .handler("wave", wave);
    Ok(server.start()?)
}

fn serve() -> Outcome {
    let config = Config::load(&FlagValues::default(), &Surroundings::of_process())?;
    // Writes out what waits when it is dropped.
    let _lines = log::init(&log_rules(&config))?;
    let tallies = Tallies::default();
    let running = start(config, &tallies)?;
    running.until_signal(|addresses| eprintln!("custom server ready on {addresses:?}"))?;
    eprintln!("{} messages were asked, {} admitted", tallies.asked.count(), tallies.admitted.count());
    Ok(())
}

/// A client that fails rather than waits for ever.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(running: &Running) -> Outcome<Self> {
        let (socket, _) = connect_async(format!("ws://{}/", running.addresses()[0])).await?;
        Ok(Self(socket))
    }

    async fn send(&mut self, message: Value) -> Outcome {
        Ok(self.0.send(Frame::text(message.to_string())).await?)
    }

    /// The next frame that is not about somebody's presence.
    async fn next(&mut self) -> Outcome<Value> {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(5), self.0.next()).await?;
            let frame: Value = serde_json::from_str(frame.ok_or("the server closed")??.to_text()?)?;
            if frame["type"] != "presence_update" {
                return Ok(frame);
            }
        }
    }

    /// Sends `message`; the next frame must be `want`.
    async fn ask(&mut self, message: Value, want: Value) -> Outcome {
        self.send(message).await?;
        expect(self.next().await?, want)
    }

    async fn enter(&mut self, user: &str) -> Outcome {
        self.send(json!({ "type": "auth", "token": user })).await?;
        expect(self.next().await?["type"].clone(), json!("auth_success"))?;
        let joined = json!({ "type": "room_joined", "room": "general" });
        self.ask(json!({ "type": "join_room", "room": "general" }), joined).await
    }
}

fn expect(got: Value, want: Value) -> Outcome {
    if got == want { Ok(()) } else { Err(format!("expected {want}, got {got}").into()) }
}

fn error(text: &str) -> Value {
    json!({ "type": "error", "message": text })
}

/// A stranger is stopped by the third middleware: the first tally has seen it, the second has not.
async fn order_matters(ann: &mut Client, tallies: &Tallies) -> Outcome {
    let stranger = error("Authentication required");
    ann.ask(json!({ "type": "join_room", "room": "general" }), stranger.clone()).await?;
    ann.ask(json!({ "type": "custom_action" }), stranger).await?;
    expect(json!([tallies.asked.count(), tallies.admitted.count()]), json!([2, 0]))
}

async fn handlers_answer(ann: &mut Client) -> Outcome {
    let answer = json!({ "type": "custom_response", "data": "Action processed" });
    ann.ask(json!({ "type": "custom_action" }), answer).await?;
    // What nobody registered is the server's to answer.
    ann.ask(json!({ "type": "no_such_action" }), error("Unknown message type: no_such_action")).await?;
    ann.ask(json!({ "type": "wave" }), error("wave needs a room and a number of times")).await?;
    let rude = json!({ "type": "broadcast", "room": "general", "message": "darn" });
    ann.ask(rude, error("Mind your language")).await
}

/// The room keeps one order: had Ann been sent her own wave, it would stand before her own message.
async fn the_sender_is_left_out(ann: &mut Client, ben: &mut Client) -> Outcome {
    ann.send(json!({ "type": "wave", "room": "general", "times": 3 })).await?;
    ann.send(json!({ "type": "broadcast", "room": "general", "message": "seen?" })).await?;
    expect(ben.next().await?, json!({ "type": "waved", "from": "ann", "times": 3 }))?;
    for client in [ann, ben] {
        let frame = client.next().await?;
        expect(json!([frame["type"], frame["message"]]), json!(["room_message", "seen?"]))?;
    }
    Ok(())
}

async fn talk(running: &Running, tallies: &Tallies) -> Outcome {
    let mut ann = Client::connect(running).await?;
    order_matters(&mut ann, tallies).await?;
    ann.enter("ann").await?;
    handlers_answer(&mut ann).await?;
    let mut ben = Client::connect(running).await?;
    ben.enter("ben").await?;
    expect(ann.next().await?, json!({ "type": "user_joined", "room": "general", "userId": "ben" }))?;
    the_sender_is_left_out(&mut ann, &mut ben).await
}

fn self_test() -> Outcome {
    let config = Config::from_toml(
        "server = { listen = ['127.0.0.1:0'], shards = 2 }\n\
         store = { data_dir = 'none' }",
    )?;
    let tallies = Tallies::default();
    let running = start(config, &tallies)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(talk(&running, &tallies));
    running.drain(Duration::ZERO);
    running.join()?;
    outcome
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve(),
        ["--self-test"] => self_test(),
        _ => Err("usage: custom_server [--self-test]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("custom_server: {error}");
            ExitCode::FAILURE
        }
    }
}
