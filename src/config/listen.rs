//! A listener as it is written: `ADDR[=DIALECT]`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::list::Item;
use crate::model::Dialect;

/// An address to listen on and the dialect served there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Port 0 lets the kernel choose.
    pub addr: SocketAddr,
    /// `None`: all dialects share the socket.
    pub dialect: Option<Dialect>,
}

impl Listen {
    /// Whether only this host can reach it.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.addr.ip())
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

impl Item for Listen {
    const KIND: &'static str = "list of listeners";
    const ALLOWED: &'static str = "IP:PORT or IP:PORT=DIALECT, such as 127.0.0.1:8000, [::1]:0 or \
                                   0.0.0.0:80=tusk, the dialect one of sge, nexus, gator, aegisx, tusk, echo";

    fn parse(text: &str) -> Option<Self> {
        let (addr, dialect) = match text.split_once('=') {
            Some((addr, word)) => (addr, Some(Dialect::named(word)?)),
            None => (text, None),
        };
        Some(Listen { addr: addr.parse().ok()?, dialect })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dialect {
            Some(dialect) => write!(f, "{}={dialect}", self.addr),
            None => self.addr.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_as_written() {
        for text in ["127.0.0.1:0", "[::1]:8000", "0.0.0.0:80=tusk", "[::]:1=echo"] {
            assert_eq!(Listen::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "nowhere", "localhost:80", "127.0.0.1", "127.0.0.1:65536", "::1:80x", "127.0.0.1:0="]
        {
            assert!(Listen::parse(text).is_none(), "{text}");
        }
        assert!(Listen::parse("127.0.0.1:0=crocodile").is_none());
    }

    #[test]
    fn loopback_is_seen_through_a_mapped_address() {
        let loopback = |text| Listen::parse(text).unwrap().is_loopback();
        assert!(loopback("127.8.9.1:0") && loopback("[::1]:0") && loopback("[::ffff:127.0.0.1]:0"));
        assert!(!loopback("0.0.0.0:0") && !loopback("[::]:0") && !loopback("192.0.2.1:0"));
    }
}
