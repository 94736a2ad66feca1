//! A connection to a server that may be gone at any moment: then all it has to tell is `None`.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Tongue, fits, soon};

pub struct Wire {
    socket: WebSocketStream<TcpStream>,
    pub tongue: Tongue,
}

impl Wire {
    /// Connects, and waits for the greeting where there is one; the greeting.
    pub async fn open(address: SocketAddr, tongue: Tongue, path: &str) -> Option<(Self, Option<Value>)> {
        let stream = soon("TCP", TcpStream::connect(address)).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let upgrade = tokio_tungstenite::client_async(format!("ws://{address}{path}"), stream);
        let (socket, _) = soon("the upgrade", upgrade).await.ok()?;
        let mut wire = Self { socket, tongue };
        let greeting = match tongue.greeting() {
            Some(greeting) => Some(wire.until(&greeting, |_| ()).await?),
            None => None,
        };
        Some((wire, greeting))
    }

    pub async fn send(&mut self, message: &Value) -> Option<()> {
        soon("room for a message", self.socket.send(Message::text(message.to_string()))).await.ok()
    }

    /// The next message; what had arrived before the server was gone still comes.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match soon("a message", self.socket.next()).await?.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).expect("JSON")),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return None,
                other => panic!("{:?}: expected text, came {other:?}", self.tongue),
            }
        }
    }

    /// The next message like that; `passed` is shown the others before it.
    pub async fn until(&mut self, pattern: &Value, mut passed: impl FnMut(&Value)) -> Option<Value> {
        loop {
            let message = self.next().await?;
            if fits(pattern, &message) {
                return Some(message);
            }
            passed(&message);
        }
    }

    /// Its own shard has done all that was asked of it before.
    pub async fn ping(&mut self, passed: impl FnMut(&Value)) -> Option<()> {
        self.send(&self.tongue.ping()).await?;
        let pong = self.tongue.pong();
        self.until(&pong, passed).await.map(drop)
    }

    /// Closes as it should be done, and waits for the end of TCP.
    pub async fn close(mut self) {
        let _ = soon("room for a Close", self.socket.close(None)).await;
        while let Some(Ok(_)) = soon("the end", self.socket.next()).await {}
    }
}

/// The body of an answer to a GET, which must be 200 if there is one.
pub async fn get(address: SocketAddr, user: &str, path: &str) -> Option<String> {
    let mut stream = soon("TCP", TcpStream::connect(address)).await.ok()?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {user}\r\nConnection: close\r\n\r\n"
    );
    soon("room for a request", stream.write_all(request.as_bytes())).await.ok()?;
    let mut answer = String::new();
    soon("the answer", stream.read_to_string(&mut answer)).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    // One that was cut off says nothing.
    let whole = length.and_then(|n| n.parse().ok()).is_none_or(|n: usize| n == body.len());
    if !whole {
        return None;
    }
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    Some(body.to_owned())
}
