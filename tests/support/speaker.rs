//! A client of any dialect: JSON in and out, and the few words that the dialects have in common.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{TestServer, signed, soon};

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    Sge,
    Nexus,
    Gator,
    Aegisx,
    Tusk,
}

pub use Tongue::{Aegisx, Gator, Nexus, Sge, Tusk};

/// All of them.
pub const TONGUES: [Tongue; 5] = [Sge, Nexus, Gator, Aegisx, Tusk];

impl Tongue {
    /// Its section in the configuration and its prefix on a shared listener.
    pub fn name(self) -> &'static str {
        match self {
            Sge => "sge",
            Nexus => "nexus",
            Gator => "gator",
            Aegisx => "aegisx",
            Tusk => "tusk",
        }
    }

    /// Where a user is by its token, on a shared listener; Tusk has its token in a message.
    pub fn path_with(self, user: &str, token: &str) -> String {
        match self {
            Sge => format!("/sge/ws/connect?token={token}"),
            Nexus => format!("/nexus/ws?user_id={user}&token={token}"),
            Gator => format!("/gator/ws/{user}?token={token}"),
            Aegisx => format!("/aegisx/ws?token={token}"),
            Tusk => "/tusk/".into(),
        }
    }

    /// The same with more in the query.
    pub fn path_asking(self, user: &str, token: &str, query: &str) -> String {
        let path = self.path_with(user, token);
        match query {
            "" => path,
            query => path.clone() + if path.contains('?') { "&" } else { "?" } + query,
        }
    }

    /// The first thing said to one who was let in, where something is.
    pub fn greeting(self) -> Option<Value> {
        match self {
            Nexus => Some(json!({ "event_type": "system.message" })),
            Gator => Some(json!({ "type": "online_users" })),
            Aegisx => Some(json!({ "type": "connection" })),
            Sge | Tusk => None,
        }
    }

    /// Joins a room, which every dialect can have in common.
    pub fn join(self, room: &str) -> Value {
        match self {
            Sge => json!({ "type": "Subscribe", "channel": format!("group:{room}") }),
            Nexus => json!({ "event_type": "room.join", "room_id": room }),
            Gator => json!({ "type": "join_conversation", "conversation_id": room }),
            Aegisx => json!({ "type": "join_channel", "data": { "channel": format!("public:{room}") } }),
            Tusk => json!({ "type": "join_room", "room": room }),
        }
    }

    /// The answer to it.
    pub fn joined(self, room: &str) -> Value {
        match self {
            Sge => json!({ "type": "Subscribed", "channel": format!("group:{room}") }),
            Nexus => json!({ "event_type": "room.join", "room_id": room, "status": "joined" }),
            Gator => json!({ "type": "conversation_joined", "conversation_id": room }),
            Aegisx => json!({ "type": "channel_joined", "data": { "channel": format!("public:{room}") } }),
            Tusk => json!({ "type": "room_joined", "room": room }),
        }
    }

    /// Leaves it.
    pub fn leave(self, room: &str) -> Value {
        match self {
            Sge => json!({ "type": "Unsubscribe", "channel": format!("group:{room}") }),
            Nexus => json!({ "event_type": "room.leave", "room_id": room }),
            Gator => json!({ "type": "leave_conversation", "conversation_id": room }),
            Aegisx => json!({ "type": "leave_channel", "data": { "channel": format!("public:{room}") } }),
            Tusk => json!({ "type": "leave_room", "room": room }),
        }
    }

    /// The answer to that.
    pub fn left(self, room: &str) -> Value {
        match self {
            Sge => json!({ "type": "Unsubscribed", "channel": format!("group:{room}") }),
            Nexus => json!({ "event_type": "room.leave", "room_id": room, "status": "left" }),
            Gator => json!({ "type": "conversation_left", "conversation_id": room }),
            Aegisx => json!({ "type": "channel_left", "data": { "channel": format!("public:{room}") } }),
            Tusk => json!({ "type": "room_left", "room": room }),
        }
    }

    /// Says something in a room.
    pub fn say(self, user: &str, room: &str, text: &str) -> Value {
        match self {
            Sge => json!({ "type": "ChatMessage", "message": { "from": user, "to": room, "message": text,
                "timestamp": 1_732_147_200_123_u64, "message_type": "groupchat" } }),
            Nexus => json!({ "event_type": "chat.message", "conversation_id": room, "content": text }),
            Gator => json!({ "type": "send_message", "conversation_id": room, "content": text }),
            Aegisx => json!({ "type": "send_message",
                "data": { "channel": format!("public:{room}"), "message": text } }),
            Tusk => json!({ "type": "broadcast", "room": room, "message": text }),
        }
    }

    /// How a member of the room is told of it.
    pub fn said(self, user: &str, room: &str, text: &str) -> Value {
        match self {
            Sge => json!({ "type": "ChatMessage",
                "message": { "from": user, "to": room, "message": text, "message_type": "groupchat" } }),
            Nexus => json!({ "event_type": "chat.message", "sender_id": user, "conversation_id": room,
                "content": text }),
            Gator => json!({ "type": "new_message", "conversation_id": room,
                "message": { "sender_id": user, "content": text, "is_ai": false } }),
            Aegisx => json!({ "type": "channel_message", "data": { "channel": format!("public:{room}"),
                "message": text, "sender": { "id": user } } }),
            Tusk => json!({ "type": "room_message", "room": room, "from": user, "message": text }),
        }
    }

    /// The frame that says why something was not done.
    pub fn error(self, text: &str) -> Value {
        match self {
            Sge => json!({ "type": "Error", "message": text }),
            Nexus => json!({ "event_type": "error", "message": text }),
            Gator | Tusk => json!({ "type": "error", "message": text }),
            Aegisx => json!({ "type": "error", "data": { "error": text } }),
        }
    }

    /// Any such frame.
    pub fn any_error(self) -> Value {
        match self {
            Sge => json!({ "type": "Error" }),
            Nexus => json!({ "event_type": "error" }),
            Gator | Aegisx | Tusk => json!({ "type": "error" }),
        }
    }

    /// Asks for a sign of life. Gator has none; who of nobody is online comes closest.
    pub fn ping(self) -> Value {
        match self {
            Sge => json!({ "type": "Ping" }),
            Nexus => json!({ "event_type": "ping" }),
            Gator => json!({ "type": "get_online_status", "user_ids": [] }),
            Aegisx | Tusk => json!({ "type": "ping" }),
        }
    }

    /// The sign.
    pub fn pong(self) -> Value {
        match self {
            Sge => json!({ "type": "Pong" }),
            Nexus => json!({ "event_type": "pong" }),
            Gator => json!({ "type": "online_users", "users": [] }),
            Aegisx | Tusk => json!({ "type": "pong" }),
        }
    }
}

/// Whether `value` has all that `pattern` has: of objects the members named, everything else exactly.
pub fn fits(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| fits(wanted, found)))
        }
        _ => pattern == value,
    }
}

/// A connection that speaks one dialect.
pub struct Speaker {
    socket: WebSocketStream<TcpStream>,
    pub tongue: Tongue,
    pub user: String,
}

impl Speaker {
    /// Asks for an upgrade of that path. The error is the status and the text of an answer that is none.
    pub async fn try_connect(
        address: SocketAddr,
        tongue: Tongue,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("a URL");
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let stream = soon("TCP", TcpStream::connect(address)).await.expect("connects");
        match soon("the upgrade", tokio_tungstenite::client_async(request, stream)).await {
            Ok((socket, _)) => Ok(Self { socket, tongue, user: String::new() }),
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().map(String::from_utf8_lossy);
                Err((answer.status().as_u16(), body.unwrap_or_default().trim().to_owned()))
            }
            Err(error) => panic!("no answer to {path}: {error}"),
        }
    }

    /// The same where it must succeed.
    #[track_caller]
    pub fn connect(address: SocketAddr, tongue: Tongue, path: &str) -> impl Future<Output = Self> {
        let path = path.to_owned();
        async move {
            let upgraded = Self::try_connect(address, tongue, &path, &[]).await;
            upgraded.unwrap_or_else(|refused| panic!("{tongue:?} {path}: {refused:?}"))
        }
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        soon("room for a message", self.socket.send(Message::text(text))).await.expect("is sent");
    }

    #[track_caller]
    pub fn message(&mut self) -> impl Future<Output = Message> {
        let next = self.socket.next();
        let message = soon("a message", next);
        async move { message.await.expect("not ended").expect("a whole message") }
    }

    /// The next message, which must be JSON; control frames are passed over. Waits as long as it takes.
    async fn recv(&mut self) -> Value {
        loop {
            match self.socket.next().await.expect("not ended").expect("a whole message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{:?}: expected text, came {other:?}", self.tongue),
            }
        }
    }

    /// The next message that has all that `pattern` has; others are passed over.
    #[track_caller]
    pub fn expect(&mut self, pattern: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let mut passed = Vec::new();
            let found = tokio::time::timeout(super::PATIENCE, async {
                loop {
                    let message = self.recv().await;
                    if fits(&pattern, &message) {
                        return message;
                    }
                    passed.push(message);
                }
            })
            .await;
            found.unwrap_or_else(|_| panic!("{place}: waited in vain for {pattern}; came {passed:?}"))
        }
    }

    /// The next message has all that `pattern` has.
    #[track_caller]
    pub fn next_is(&mut self, pattern: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let message = tokio::time::timeout(super::PATIENCE, self.recv()).await;
            let message = message.unwrap_or_else(|_| panic!("{place}: waited in vain for {pattern}"));
            assert!(fits(&pattern, &message), "{place}: expected {pattern}, came {message}");
            message
        }
    }

    /// Nothing waits on this connection's own shard: the answer to a ping is the next thing that comes.
    #[track_caller]
    pub fn expect_no_more(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            self.send(&self.tongue.ping()).await;
            let message = soon("an answer to a ping", self.recv()).await;
            assert!(fits(&self.tongue.pong(), &message), "{place}: expected nothing, came {message}");
        }
    }

    /// Nothing waits on the way here either: homes of channels, on whichever shards, are asked something, and their
    /// answers overtake nothing.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let rooms = ["fence-1", "fence-2", "fence-3", "fence-4"];
            let mut answers = Vec::new();
            for room in rooms {
                self.send(&self.tongue.join(room)).await;
                self.send(&self.tongue.leave(room)).await;
                answers.extend([self.tongue.joined(room), self.tongue.left(room)]);
            }
            while !answers.is_empty() {
                let message = soon("an answer of a room", self.recv()).await;
                let at = answers.iter().position(|answer| fits(answer, &message));
                answers
                    .swap_remove(at.unwrap_or_else(|| panic!("{place}: expected nothing, came {message}")));
            }
        }
    }

    /// Passes over all that is on its way: so many rooms nobody else knows are asked, that every home answers.
    pub async fn settle(&mut self) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        const ROOMS: usize = 16;
        let rooms: [_; ROOMS] = std::array::from_fn(|_| format!("settle-{}", NEXT.fetch_add(1, Relaxed)));
        for room in &rooms {
            self.send(&self.tongue.join(room)).await;
            self.send(&self.tongue.leave(room)).await;
        }
        let mut left = ROOMS;
        while left > 0 {
            let message = soon("an answer of a room", self.recv()).await;
            left -= usize::from(rooms.iter().any(|room| fits(&self.tongue.left(room), &message)));
        }
    }

    /// Is a member of the room from now on.
    pub async fn join(&mut self, room: &str) {
        self.send(&self.tongue.join(room)).await;
        self.expect(self.tongue.joined(room)).await;
    }

    pub async fn say(&mut self, room: &str, text: &str) {
        self.send(&self.tongue.say(&self.user, room, text)).await;
    }

    /// Hears that of that user; others are passed over.
    #[track_caller]
    pub fn hear(&mut self, user: &str, room: &str, text: &str) -> impl Future<Output = Value> {
        self.expect(self.tongue.said(user, room, text))
    }

    /// Is told so; others are passed over.
    #[track_caller]
    pub fn refused(&mut self, text: &str) -> impl Future<Output = Value> {
        self.expect(self.tongue.error(text))
    }

    /// Code and reason of the server's Close frame; messages before it are not allowed.
    pub async fn closed_at_once(&mut self) -> (u16, String) {
        loop {
            match self.message().await {
                Message::Close(frame) => {
                    let frame = frame.expect("with a code");
                    return (frame.code.into(), frame.reason.to_string());
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{:?}: expected a Close, came {other:?}", self.tongue),
            }
        }
    }

    /// The same; messages before it are passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.message().await {
                let frame = frame.expect("with a code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Closes as it should be done, and waits for the end of TCP.
    pub async fn close(mut self) {
        let _ = soon("room for a Close", self.socket.close(None)).await;
        while let Some(Ok(_)) = soon("the end", self.socket.next()).await {}
    }
}

impl TestServer {
    /// A user of a dialect, with a token, greeted.
    #[track_caller]
    pub fn speaker(&self, tongue: Tongue, user: &str) -> impl Future<Output = Speaker> {
        self.speaker_with(tongue, json!({ "sub": user }))
    }

    /// The same, of a tenant.
    #[track_caller]
    pub fn member(&self, tongue: Tongue, tenant: &str, user: &str) -> impl Future<Output = Speaker> {
        self.speaker_with(tongue, json!({ "sub": user, "tenantId": tenant }))
    }

    /// A user who is told numbers.
    #[track_caller]
    pub fn numbered(&self, tongue: Tongue, user: &str) -> impl Future<Output = Speaker> {
        self.speaker_asking(tongue, json!({ "sub": user }), "seq=1")
    }

    /// The same, with these claims.
    #[track_caller]
    pub fn speaker_with(&self, tongue: Tongue, claims: Value) -> impl Future<Output = Speaker> {
        self.speaker_asking(tongue, claims, "")
    }

    /// The same, with this in the query of its URL.
    #[track_caller]
    pub fn speaker_asking(
        &self,
        tongue: Tongue,
        claims: Value,
        query: &str,
    ) -> impl Future<Output = Speaker> {
        let place = std::panic::Location::caller();
        let (address, query) = (self.address, query.to_owned());
        async move {
            let user = claims["sub"].as_str().expect("a user").to_owned();
            let token = signed(claims);
            let path = tongue.path_asking(&user, &token, &query);
            let upgraded = Speaker::try_connect(address, tongue, &path, &[]).await;
            let mut speaker = upgraded.unwrap_or_else(|refused| panic!("{place}: {tongue:?} {refused:?}"));
            speaker.user = user;
            if tongue == Tusk {
                speaker.send(&json!({ "type": "auth", "token": token })).await;
                // How others are may be told before that.
                speaker.expect(json!({ "type": "auth_success" })).await;
                // What follows from it comes from the user's home; an answer of that stands behind it.
                speaker.send(&json!({ "type": "join_room", "room": "entry" })).await;
                speaker.expect(json!({ "type": "room_joined", "room": "entry" })).await;
                speaker.send(&json!({ "type": "leave_room", "room": "entry" })).await;
                speaker.expect(json!({ "type": "room_left", "room": "entry" })).await;
            } else if let Some(greeting) = tongue.greeting() {
                speaker.next_is(greeting).await;
            }
            speaker
        }
    }
}
