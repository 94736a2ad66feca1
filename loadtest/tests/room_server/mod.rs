//! A tiny room server that speaks enough Tusk to be loaded, with faults on demand.
//!
//! A thread of its own with one runtime; a task per connection reads, another writes. Faults hit the
//! server's publication number [`VICTIM`], counted from 0, at the first member of its room.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc as sync_mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// The publication that faults hit.
pub const VICTIM: u64 = 20;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The victim never comes.
    DropOne,
    /// The victim comes twice.
    DoubleOne,
    /// The victim comes after the publication that follows it.
    SwapTwo,
    /// The victim's padding is changed.
    DamageOne,
    /// The victim also goes to another room.
    Misroute,
    /// An error frame comes before the victim.
    RefuseOne,
    /// Nothing comes any more from the victim on.
    Mute,
    /// The member's connection is closed instead of delivering the victim.
    CloseOne,
    /// Joins are answered by an error.
    RefuseJoin,
    /// A message of another client comes before the victim: no fault.
    Foreign,
    /// Before it handles the victim, the server reads nothing for so long.
    Stall(Duration),
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct RoomServer {
    pub address: SocketAddr,
    /// The text of every publication, in the order the server read them.
    pub published: sync_mpsc::Receiver<String>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    fault: Fault,
    rooms: Mutex<Rooms>,
    published: sync_mpsc::Sender<String>,
    token: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Rooms {
    members: HashMap<String, Vec<mpsc::Sender<Message>>>,
    publications: u64,
    held: Option<Message>,
}

impl RoomServer {
    pub fn start(fault: Fault) -> RoomServer {
        RoomServer::start_with(fault, None)
    }

    /// Joins need an earlier `auth` with this token, if there is one.
    pub fn start_with(fault: Fault, token: Option<&'static str>) -> RoomServer {
        let (told, address) = sync_mpsc::channel();
        let (published, seen) = sync_mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::new(Shared { fault, rooms: Mutex::default(), published, token });
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async move {
                tokio::select! { () = serve(shared, told) => {}, _ = stopped => {} }
            });
        });
        RoomServer { address: address.recv().expect("bound"), published: seen, _stop: stop }
    }
}

async fn serve(shared: Arc<Shared>, told: sync_mpsc::Sender<SocketAddr>) {
    let socket = TcpSocket::new_v4().expect("socket");
    // Small, so that a stall soon blocks the client's writes.
    socket.set_recv_buffer_size(64 * 1024).expect("receive buffer");
    socket.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let listener = socket.listen(1024).expect("listen");
    told.send(listener.local_addr().expect("bound")).expect("the test waits");
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&shared)));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).expect("nodelay");
    let Ok(socket) = accept_async(stream).await else { return };
    let (mut sink, mut stream) = socket.split();
    let (outbox, mut frames) = mpsc::channel::<Message>(100_000);
    let writer = tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            let last = matches!(frame, Message::Close(_));
            if sink.send(frame).await.is_err() || last {
                return;
            }
        }
    });
    let mut authenticated = shared.token.is_none();
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).expect("the client sends JSON");
        let room = frame["room"].as_str().unwrap_or_default();
        match frame["type"].as_str() {
            Some("auth") => authenticated = frame["token"].as_str() == shared.token,
            Some("join_room") if authenticated && shared.fault != Fault::RefuseJoin => {
                shared.join(room, &outbox)
            }
            Some("broadcast") => shared.broadcast(room, frame["message"].as_str().unwrap_or_default()).await,
            _ => push(&outbox, &json!({ "type": "error", "message": "not allowed" })),
        }
    }
    // Ends TCP as well: the other half would keep it open.
    writer.abort();
}

fn push(outbox: &mpsc::Sender<Message>, frame: &Value) {
    // A full outbox would be a fault of the test, not of the client.
    outbox.try_send(Message::text(frame.to_string())).expect("room in the outbox");
}

impl Shared {
    fn join(&self, room: &str, outbox: &mpsc::Sender<Message>) {
        push(outbox, &json!({ "type": "welcome", "message": { "of": room } }));
        push(outbox, &json!({ "type": "room_joined", "room": room }));
        let mut rooms = self.rooms.lock().expect("rooms");
        rooms.members.entry(room.to_owned()).or_default().push(outbox.clone());
    }

    async fn broadcast(&self, room: &str, text: &str) {
        let number = {
            let mut rooms = self.rooms.lock().expect("rooms");
            rooms.publications += 1;
            rooms.publications - 1
        };
        if let (Fault::Stall(pause), VICTIM) = (self.fault, number) {
            tokio::time::sleep(pause).await;
        }
        let mut rooms = self.rooms.lock().expect("rooms");
        let Rooms { members, held, .. } = &mut *rooms;
        let frame = room_message(room, text);
        let (first, rest) =
            members.get(room).and_then(|all| all.split_first()).expect("publishers join first");
        let elsewhere = members.iter().find(|(name, _)| *name != room).and_then(|(_, all)| all.first());
        for frame in self.spoil(number, room, text, held, elsewhere) {
            // A member that has left is not the test's concern.
            let _ = first.try_send(frame);
        }
        for member in rest {
            let _ = member.try_send(frame.clone());
        }
        let _ = self.published.send(text.to_owned());
    }

    /// The frames that the first member gets for publication `number`.
    fn spoil(
        &self,
        number: u64,
        room: &str,
        text: &str,
        held: &mut Option<Message>,
        elsewhere: Option<&mpsc::Sender<Message>>,
    ) -> Vec<Message> {
        let good = room_message(room, text);
        if self.fault == Fault::Mute && number > VICTIM {
            return vec![];
        }
        if number != VICTIM {
            return std::iter::once(good).chain(held.take()).collect();
        }
        match self.fault {
            Fault::None | Fault::RefuseJoin | Fault::Stall(_) => vec![good],
            Fault::DropOne | Fault::Mute => vec![],
            Fault::DoubleOne => vec![good.clone(), good],
            Fault::SwapTwo => {
                *held = Some(good);
                vec![]
            }
            Fault::DamageOne => vec![room_message(room, &text.replacen('x', "y", 1))],
            Fault::Misroute => {
                let _ = elsewhere.expect("another room").try_send(good.clone());
                vec![good]
            }
            Fault::RefuseOne => vec![Message::text(r#"{"type":"error","message":"too fast"}"#), good],
            Fault::CloseOne => vec![Message::Close(None)],
            Fault::Foreign => vec![room_message(room, "hello"), good],
        }
    }
}

fn room_message(room: &str, text: &str) -> Message {
    let frame = json!({ "type": "room_message", "message": text, "from": "u", "timestamp": 1, "room": room });
    Message::text(frame.to_string())
}
