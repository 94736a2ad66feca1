//! A client that owns every byte: a TCP socket, and frames made by hand.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Http, soon};

/// The mask of every frame sent; what it is does not matter.
const MASK: [u8; 4] = [0x5a, 0x01, 0xff, 0x37];

/// A frame as the server sent it.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, RSV and opcode.
    pub first: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Code and reason, if this is a Close.
    pub fn close(&self) -> (u16, String) {
        assert_eq!(self.first, 0x88, "a Close, not {self:?}");
        let (code, reason) = self.payload.split_first_chunk().expect("with a code");
        (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("UTF-8"))
    }

    pub fn text(&self) -> &str {
        assert_eq!(self.first, 0x81, "a text, not {self:?}");
        std::str::from_utf8(&self.payload).expect("UTF-8")
    }
}

/// A frame of a client: `first` is FIN, RSV and opcode.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..126 => frame.push(0x80 | n as u8),
        n @ 126..65_536 => {
            frame.push(0xfe);
            frame.extend((n as u16).to_be_bytes());
        }
        n => {
            frame.push(0xff);
            frame.extend((n as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The payload of a Close frame.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

pub struct Raw {
    socket: TcpStream,
    /// Read and not looked at yet.
    held: Vec<u8>,
    pub address: SocketAddr,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        Self::with(socket, address).await
    }

    /// On a socket that was prepared.
    pub async fn with(socket: TcpSocket, address: SocketAddr) -> Self {
        let socket = soon("TCP", socket.connect(address)).await.expect("connects");
        socket.set_nodelay(true).expect("each write is a packet");
        Self { socket, held: Vec::new(), address }
    }

    /// A valid request to upgrade, with more header lines, each with its line end.
    pub fn request(address: SocketAddr, headers: &str) -> String {
        Self::request_of("/", address, headers)
    }

    /// The same of that path.
    pub fn request_of(path: &str, address: SocketAddr, headers: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        )
    }

    /// Asks for an upgrade; the answer, whatever it is.
    pub async fn ask(&mut self, headers: &str) -> Http {
        let request = Self::request(self.address, headers);
        self.write(request.as_bytes()).await;
        self.response().await
    }

    /// An upgraded connection.
    pub async fn upgraded(address: SocketAddr, headers: &str) -> Self {
        let mut raw = Self::connect(address).await;
        let answer = raw.ask(headers).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        raw
    }

    /// An upgraded connection to that path.
    pub async fn upgraded_to(path: &str, address: SocketAddr) -> Self {
        let mut raw = Self::connect(address).await;
        raw.write(Self::request_of(path, address, "").as_bytes()).await;
        let answer = raw.response().await;
        assert_eq!(answer.status, 101, "{answer:?}");
        raw
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        soon("room for bytes", self.socket.write_all(bytes)).await.expect("is sent");
    }

    /// Writes what the server may refuse to take, because it has closed meanwhile.
    pub async fn write_if_open(&mut self, bytes: &[u8]) -> bool {
        soon("room for bytes", self.socket.write_all(bytes)).await.is_ok()
    }

    pub async fn text(&mut self, text: &str) {
        self.write(&masked(0x81, text.as_bytes())).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        soon("the end of sending", self.socket.shutdown()).await.expect("is open");
    }

    /// More bytes; `false`: TCP has ended.
    pub async fn fill(&mut self) -> bool {
        matches!(soon("bytes", self.socket.read_buf(&mut self.held)).await, Ok(1..))
    }

    async fn take(&mut self, n: usize) -> Vec<u8> {
        while self.held.len() < n {
            assert!(self.fill().await, "TCP ended after {:?}", self.held);
        }
        self.held.drain(..n).collect()
    }

    pub async fn frame(&mut self) -> Frame {
        let head = self.take(2).await;
        let len = match head[1] {
            126 => u16::from_be_bytes(self.take(2).await.try_into().expect("2")) as usize,
            127 => u64::from_be_bytes(self.take(8).await.try_into().expect("8")) as usize,
            n => n as usize,
        };
        Frame { first: head[0], payload: self.take(len).await }
    }

    /// The head of an HTTP answer, and as much of its body as it says.
    pub async fn response(&mut self) -> Http {
        let end = loop {
            match self.held.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => assert!(self.fill().await, "no answer: {:?}", String::from_utf8_lossy(&self.held)),
            }
        };
        let head = String::from_utf8(self.take(end).await).expect("UTF-8");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        let head = head.lines().map(|line| match line.split_once(':') {
            Some((name, value)) => format!("{}:{value}\n", name.to_ascii_lowercase()),
            None => String::new(),
        });
        let mut answer = Http { status, head: head.collect(), body: String::new() };
        let length = answer.header("content-length").map_or(0, |n| n.parse().expect("a length"));
        answer.body = String::from_utf8(self.take(length).await).expect("UTF-8");
        answer
    }

    /// Waits for the end of TCP; what came before it and was not looked at.
    pub async fn ended(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.held)
    }

    /// The connection still works: its text is answered, and with that alone.
    pub async fn expect_alive(&mut self) {
        self.text(r#"{"type":"ping"}"#).await;
        let answer = self.frame().await;
        assert!(answer.text().starts_with(r#"{"type":"pong""#), "{answer:?}");
    }
}
