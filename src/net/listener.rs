//! Listening sockets: one per shard and address, joined by SO_REUSEPORT, so that no shard accepts for others.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// What is set on listening sockets; accepted ones inherit it on Linux.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Connections the kernel completes before they are accepted. It caps this at `net.core.somaxconn`.
    pub backlog: u32,
    /// Small frames leave at once instead of waiting for more (RFC 896 is for other traffic).
    pub nodelay: bool,
    /// How long sent bytes may stay unacknowledged before the kernel gives the connection up (RFC 5482).
    pub user_timeout: Option<Duration>,
    /// Silence after which the kernel asks whether the peer is there.
    pub keepalive: Option<Duration>,
}

/// Makes sure that nobody else listens there: with SO_REUSEPORT a second server would not be told, and would
/// take half of the connections.
///
/// # Errors
/// The address is taken, not this host's, or not permitted.
pub fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server before that are still dying are no reason to refuse.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

/// Binds one listening socket. Port 0 lets the kernel choose; bind the rest to what it chose.
///
/// # Errors
/// The address is taken, not this host's, or not permitted.
pub fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_tcp_nodelay(options.nodelay)?;
    if let Some(after) = options.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(after))?;
    }
    if options.user_timeout.is_some() {
        socket.set_tcp_user_timeout(options.user_timeout)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: SocketOptions = SocketOptions {
        backlog: 16,
        nodelay: true,
        user_timeout: Some(Duration::from_secs(30)),
        keepalive: Some(Duration::from_secs(60)),
    };

    #[test]
    fn several_sockets_share_one_address_and_hand_on_their_options() {
        let first = bind("127.0.0.1:0".parse().expect("an address"), &OPTIONS).expect("binds");
        let address = first.local_addr().expect("bound");
        let _second = bind(address, &OPTIONS).expect("SO_REUSEPORT");
        drop(_second);
        let client = std::net::TcpStream::connect(address).expect("connects");
        first.set_nonblocking(false).expect("a blocking accept");
        let (accepted, _) = first.accept().expect("accepts");
        let socket = socket2::SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().expect("an option"));
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_user_timeout().expect("an option"), OPTIONS.user_timeout);
        drop(client);
    }

    #[test]
    fn a_second_server_is_told() {
        let first = bind("127.0.0.1:0".parse().expect("an address"), &OPTIONS).expect("binds");
        let address = first.local_addr().expect("bound");
        assert!(probe(address).is_err());
        drop(first);
        probe(address).expect("free again");
    }

    #[test]
    fn an_address_of_another_host_is_an_error() {
        assert!(bind("203.0.113.1:1".parse().expect("an address"), &OPTIONS).is_err());
    }
}
