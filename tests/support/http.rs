//! One HTTP request on a connection of its own.

use std::net::SocketAddr;

use serde_json::Value;

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
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

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

/// A request with more header lines, each with its line end, and a JSON body, if there is one.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: Option<&Value>,
) -> Http {
    let mut raw = Raw::connect(address).await;
    let body = body.map_or_else(String::new, Value::to_string);
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    raw.write((head + &body).as_bytes()).await;
    raw.response().await
}
