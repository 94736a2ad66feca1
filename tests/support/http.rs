//! One HTTP request on a connection of its own.

use std::net::SocketAddr;

use super::Raw;

/// An answer.
#[derive(Debug)]
pub struct Http {
    pub status: u16,
    /// The head as it came, names in lower case.
    pub head: String,
    pub body: String,
}

impl Http {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.split_once(": ").filter(|(key, _)| *key == name)).map(|(_, value)| value)
    }
}

/// GET of a path.
pub async fn get(address: SocketAddr, path: &str) -> Http {
    let mut raw = Raw::connect(address).await;
    raw.write(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await;
    raw.response().await
}
