//! One WebSocket client connection: TCP, upgrade, auth, join.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::tusk::{self, Incoming};

/// A connection after its upgrade.
pub type Socket = WebSocketStream<TcpStream>;

/// Allocated for every connection from its start; 10,000 connections take 40 MB.
const READ_BUFFER: usize = 4096;
/// So much is joined into one write when a publisher has several messages to send.
const WRITE_BUFFER: usize = 64 * 1024;
/// A server that sends longer ones is at fault: the longest text asked for is 1 MiB, escaping or not.
const MAX_MESSAGE: usize = 8 << 20;

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Endpoint {
    address: SocketAddr,
    url: String,
    sources: u8,
}

impl Endpoint {
    /// Resolves `target` once. Errors: it is no `HOST:PORT`, cannot be resolved, is not on a loopback address
    /// without `allow_remote`, has no several source addresses, or the URL is invalid.
    pub async fn resolve(
        target: &str,
        path: &str,
        sources: u8,
        allow_remote: bool,
    ) -> Result<Endpoint, String> {
        let address = tokio::net::lookup_host(target)
            .await
            .map_err(|error| format!("--target {target}: {error}"))?
            .next()
            .ok_or_else(|| format!("--target {target}: has no address"))?;
        if !address.ip().is_loopback() && !allow_remote {
            return Err(format!("--target {target} is not on a loopback address; --allow-remote permits it"));
        }
        if sources > 1 && !(address.is_ipv4() && address.ip().is_loopback()) {
            return Err(format!(
                "--sources {sources} needs a target on an IPv4 loopback address, not {address}"
            ));
        }
        let endpoint = Endpoint { address, url: format!("ws://{target}{path}"), sources };
        endpoint.request().map_err(|error| format!("{}: {error}", endpoint.url))?;
        Ok(endpoint)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    fn request(&self) -> Result<Request, Error> {
        self.url.as_str().into_client_request()
    }

    /// Connects and upgrades connection number `index`; the source address follows from the number.
    pub async fn connect(&self, index: u32) -> Result<Socket, String> {
        let stream = self.dial(index).await.map_err(|error| format!("connect: {error}"))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let request = self.request().map_err(|error| format!("upgrade: {error}"))?;
        let upgraded = client_async_with_config(request, stream, Some(config)).await;
        upgraded.map(|(socket, _)| socket).map_err(|error| format!("upgrade: {error}"))
    }

    async fn dial(&self, index: u32) -> std::io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if self.sources > 1 {
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(self.source(index), 0))?;
        }
        socket.set_nodelay(true)?;
        socket.connect(self.address).await
    }

    fn source(&self, index: u32) -> IpAddr {
        let last = index % u32::from(self.sources) + 1;
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, last as u8))
    }
}

/// Authenticates if there is a token, joins a room and waits for the answer. Whatever else comes meanwhile
/// is passed over. Errors: the server refuses, closes, or sends what is no frame of the dialect.
pub async fn join(socket: &mut Socket, token: Option<&str>, room: &str) -> Result<(), String> {
    if let Some(token) = token {
        feed(socket, tusk::auth(token)).await?;
    }
    feed(socket, tusk::join(room)).await?;
    socket.flush().await.map_err(|error| format!("join: {error}"))?;
    loop {
        let message = socket.next().await.ok_or("join: connection closed")?;
        let Message::Text(text) = message.map_err(|error| format!("join: {error}"))? else { continue };
        match tusk::parse(&text).map_err(|error| format!("join: {error}"))? {
            Incoming::Joined(joined) if joined == room => return Ok(()),
            Incoming::Refused(reason) => return Err(format!("join refused: {reason}")),
            _ => {}
        }
    }
}

async fn feed(socket: &mut Socket, text: String) -> Result<(), String> {
    socket.feed(Message::text(text)).await.map_err(|error| format!("join: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(target: &str, sources: u8, allow_remote: bool) -> Result<Endpoint, String> {
        Endpoint::resolve(target, "/ws", sources, allow_remote).await
    }

    #[tokio::test]
    async fn only_loopback_targets_unless_allowed() {
        assert!(resolve("127.0.0.1:80", 1, false).await.is_ok());
        assert!(resolve("[::1]:80", 1, false).await.is_ok());
        // An address of the documentation range; it is resolved, never dialled.
        assert!(resolve("192.0.2.1:80", 1, false).await.expect_err("remote").contains("--allow-remote"));
        assert!(resolve("192.0.2.1:80", 1, true).await.is_ok());
        assert!(resolve("127.0.0.1", 1, false).await.is_err(), "no port");
    }

    #[tokio::test]
    async fn sources_take_turns_on_ipv4_loopback_only() {
        let endpoint = resolve("127.0.0.1:80", 3, false).await.expect("valid");
        let last: Vec<String> = (0..4).map(|index| endpoint.source(index).to_string()).collect();
        assert_eq!(last, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"]);
        assert!(resolve("[::1]:80", 2, false).await.is_err());
        assert!(resolve("192.0.2.1:80", 2, true).await.is_err());
    }
}
