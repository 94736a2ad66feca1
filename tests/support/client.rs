//! A well-behaved WebSocket client that speaks Tusk: tokio-tungstenite, JSON in and out.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{soon, token};

pub struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = soon("TCP", TcpStream::connect(address)).await.expect("connects");
        let upgrade = tokio_tungstenite::client_async(format!("ws://{address}/"), stream);
        let (socket, _) = soon("the upgrade", upgrade).await.expect("is upgraded");
        Self { socket }
    }

    pub async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub async fn send_message(&mut self, message: Message) {
        soon("room for a message", self.socket.send(message)).await.expect("is sent");
    }

    /// The next message, which must be JSON text; control frames are passed over.
    pub async fn recv(&mut self) -> Value {
        loop {
            match self.message().await {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("expected text, came {other:?}"),
            }
        }
    }

    pub async fn message(&mut self) -> Message {
        soon("a message", self.socket.next()).await.expect("not ended").expect("a whole message")
    }

    /// The next message of that type; others are passed over.
    pub async fn expect(&mut self, kind: &str) -> Value {
        loop {
            let message = self.recv().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Nothing waits: the answer to a ping is the next thing that comes.
    pub async fn expect_nothing(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        assert_eq!(self.recv().await["type"], "pong");
    }

    /// Which shard the connection lives on.
    pub async fn shard(&mut self) -> u64 {
        self.send(json!({ "type": "which_shard" })).await;
        self.expect("shard").await["shard"].as_u64().expect("a number")
    }

    pub async fn auth(&mut self, user: &str) {
        self.send(json!({ "type": "auth", "token": token(user, 3600) })).await;
        assert_eq!(self.expect("auth_success").await["user"]["id"], user);
    }

    pub async fn join(&mut self, room: &str) {
        self.send(json!({ "type": "join_room", "room": room })).await;
        assert_eq!(self.expect("room_joined").await["room"], room);
    }

    pub async fn say(&mut self, room: &str, text: &str) {
        self.send(json!({ "type": "broadcast", "room": room, "message": text })).await;
    }

    /// The text of the next message in any room.
    pub async fn hear(&mut self) -> String {
        self.expect("room_message").await["message"].as_str().expect("a text").to_owned()
    }

    /// Code and reason of the server's Close frame; messages before it are passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.message().await {
                let frame = frame.expect("with a code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Closes as it should be done, or answers the Close that came, and waits for the end of TCP.
    pub async fn close(mut self) {
        // The answer to a Close that came is sent by the library itself, which then refuses another.
        let _ = soon("room for a Close", self.socket.close(None)).await;
        while let Some(Ok(_)) = soon("the end", self.socket.next()).await {}
    }
}
