//! `[server]`: listeners, threads, sockets, HTTP and the log.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::key::section;
use super::limits;
use super::listen::Listen;
use super::log::{LogFormat, LogLevel};
use super::origin::AllowedOrigin;
use crate::model::Dialect;

section! {
    /// Listeners, threads, sockets, HTTP and the log.
    "server" => Server {
        /// Addresses to listen on, each `IP:PORT` or `IP:PORT=DIALECT`; port 0 lets the kernel choose. With a
        /// dialect that document's URLs are served verbatim on the socket, without one all dialects share it.
        listen: Vec<Listen> = vec![Listen { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)), dialect: None }],
            flag "listen";
        /// Event-loop threads. Absent: one for each CPU this process may use.
        shards: Option<usize> = None => limits::SHARDS, flag "shards";
        /// Whether each shard's thread is pinned to a CPU of its own.
        pin: bool = true, flag "pin";
        /// Connections that may wait to be accepted, per listener and shard; the kernel drops further ones and
        /// their clients try again after a second.
        backlog: u32 => limits::BACKLOG, flag "backlog";
        /// Whether small writes leave at once (TCP_NODELAY).
        tcp_nodelay: bool = true, flag "tcp-nodelay";
        /// How long sent bytes may stay unacknowledged before the kernel gives the connection up
        /// (TCP_USER_TIMEOUT).
        tcp_user_timeout: Option<Duration> => limits::TCP_USER_TIMEOUT, flag "tcp-user-timeout";
        /// Silence after which the kernel probes a peer (TCP keepalive); whole seconds count.
        tcp_keepalive: Option<Duration> => limits::TCP_KEEPALIVE, flag "tcp-keepalive";
        /// How long a request's head may take; a connection that is slower is closed.
        header_timeout: Duration => limits::HEADER_TIMEOUT, flag "header-timeout";
        /// Size of a request's head; a longer one is answered with 431.
        max_header_bytes: usize => limits::MAX_HEADER_BYTES, flag "max-header-bytes";
        /// Size of a request's body; a longer one is answered with 413.
        max_body_bytes: usize => limits::MAX_BODY_BYTES, flag "max-body-bytes";
        /// How long an HTTP connection may idle between two requests.
        http_keep_alive: Option<Duration> => limits::HTTP_KEEP_ALIVE, flag "http-keep-alive";
        /// Origins whose pages may connect and call (CORS and the `Origin` of an upgrade); requests without one
        /// pass. Tusk has its own key and its own default.
        allowed_origins: Vec<AllowedOrigin> = vec![AllowedOrigin::Any], flag "allowed-origins";
        /// Proxies whose `X-Forwarded-For`, `X-Real-IP` and `Forwarded` are believed.
        trusted_proxies: Vec<IpNet> = vec![], flag "trusted-proxies";
        /// The dialect that answers `/ws/auth` on a shared listener; `echo` is none.
        ws_auth: Dialect = Dialect::Sge, flag "ws-auth";
        /// Time over which a stopping server spreads its farewells; 0: at once.
        drain_seconds: Duration => limits::DRAIN_SECONDS, flag "drain-seconds";
        /// The least severe level that is logged.
        log_level: LogLevel = LogLevel::Info, flag "log-level", env "LOG_LEVEL";
        /// `human` is coloured when stderr is a terminal; `json` is one object per line.
        log_format: LogFormat = LogFormat::Human, flag "log-format";
    }
}
