//! The way in: what a request on a listening socket becomes, a connection of a dialect or a REST answer.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use ipnet::IpNet;

use super::entry::{Applicant, Entry};
use super::event_loop::Shard;
use super::journal::journal;
use crate::api::{self, Asked, Site};
use crate::conn::{Peer, Resume};
use crate::model::{CloseReason, Code, ConnKey, Dialect, Refusal, Variant};
use crate::net::{Answer, Body, Gate, HttpLimits, OriginPolicy, Turned, client_address, respond};
use crate::telemetry::{StatusClass, UpgradeRefusal};
use crate::ws::handshake;

/// How one dialect is entered.
#[derive(Debug)]
pub struct Mount {
    pub dialect: Dialect,
    pub gate: Gate,
    pub origins: OriginPolicy,
    /// Whether permessage-deflate is accepted when it is offered.
    pub deflate: bool,
    /// Between two requests on one HTTP connection.
    pub http: HttpLimits,
}

/// Everything that is decided before there is a connection.
#[derive(Debug)]
pub struct Door {
    pub mounts: Vec<Mount>,
    pub trusted_proxies: Vec<IpNet>,
    /// Pages that may read REST answers.
    pub rest_origins: OriginPolicy,
    /// Whose `/ws/auth` is on a socket that all share.
    pub ws_auth: Dialect,
    /// For sockets that all dialects share.
    pub http: HttpLimits,
    pub site: Site,
}

/// What an upgrade has been promised: a place in the slab, and that its user's home knows it. Whoever sees the
/// answer to the upgrade is reached by all that is said from then on.
#[derive(Debug)]
pub(super) struct Ticket {
    shard: Rc<Shard>,
    pub key: ConnKey,
    pub variant: Variant,
    /// The socket was handed over; its reader sees to the connection's end.
    pub taken: bool,
}

impl Drop for Ticket {
    /// The client went before it had its answer.
    fn drop(&mut self) {
        if !self.taken
            && let Ok(mut core) = self.shard.core.try_borrow_mut()
        {
            core.remove(self.key, CloseReason::ClientGone);
        }
    }
}

/// A connection that is to be.
struct Admitted {
    variant: Variant,
    peer: Peer,
    entry: Entry,
}

impl Admitted {
    /// Opens it, and waits until it is ready to be spoken to.
    async fn open(self, shard: Rc<Shard>) -> Ticket {
        let key = shard.core.borrow_mut().open(self.variant, None, self.peer, self.entry);
        let ticket = Ticket { shard, key, variant: self.variant, taken: false };
        poll_fn(|cx| ticket.shard.core.borrow_mut().poll_ready(key, cx)).await;
        ticket
    }
}

impl Door {
    /// The way into a dialect, where this build serves it.
    fn mount(&self, dialect: Dialect) -> Option<&Mount> {
        self.mounts.iter().find(|m| m.dialect == dialect)
    }

    /// The bounds of the HTTP phase on a socket.
    pub(super) fn http_limits(&self, of: Option<Dialect>) -> HttpLimits {
        of.and_then(|dialect| self.mount(dialect)).map_or(self.http, |m| m.http)
    }

    /// Whether the server is going down.
    pub fn is_shut(&self) -> bool {
        self.mounts.iter().any(|m| m.gate.is_shut())
    }

    /// Lets nobody in any more.
    pub fn shut(&self) {
        self.mounts.iter().for_each(|m| m.gate.shut());
    }
}

/// Answers one request. `of`: the dialect of the listening socket; `None`: all share it.
pub(super) async fn handle(
    shard: Rc<Shard>,
    of: Option<Dialect>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Answer<Ticket> {
    let address = client_address(peer, request.headers(), &shard.door.trusted_proxies);
    if handshake::asks_for_websocket(request.headers()) {
        let (dialect, outcome) = upgrade(&shard, of, address, &request);
        return match outcome {
            Ok((response, admitted)) => Answer::Upgrade(response, admitted.open(shard).await),
            Err((cause, response)) => {
                shard.core.borrow().counters().upgrades_refused.of(cause).inc();
                journal!(info, dialect, ip = %address, status = response.status().as_u16(), "upgrade refused");
                Answer::Response(response)
            }
        };
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let local = is_local(peer, request.headers());
    let mut response = rest(&shard, of, local, request).await;
    allow_origin(&shard.door.rest_origins, origin.as_ref(), response.headers_mut());
    let class = StatusClass::of(response.status().as_u16());
    shard.core.borrow().counters().http_requests.of(class).inc();
    Answer::Response(response)
}

type Turn = (UpgradeRefusal, Response<Body>);
type Outcome = Result<(Response<Body>, Admitted), Turn>;

fn bad(status: StatusCode, text: &str) -> Turn {
    (UpgradeRefusal::BadRequest, respond(status, format!("{text}\n")))
}

/// Which dialect is asked for, as far as that can be told, and what becomes of the request.
fn upgrade(
    shard: &Shard,
    of: Option<Dialect>,
    address: IpAddr,
    request: &Request<Incoming>,
) -> (Option<Dialect>, Outcome) {
    let upgrade = match handshake::check(request.method(), request.version(), request.headers()) {
        Ok(upgrade) => upgrade,
        Err(refusal) => {
            let mut turn = bad(refusal.status, refusal.reason);
            for (name, value) in refusal.headers() {
                turn.1.headers_mut().insert(*name, HeaderValue::from_static(value));
            }
            return (of, Err(turn));
        }
    };
    let (dialect, path) = match of {
        Some(dialect) => (Some(dialect), request.uri().path()),
        None => mounted(request.uri(), &upgrade.protocols, shard.door.ws_auth),
    };
    let outcome = match dialect.and_then(|d| shard.door.mount(d)) {
        Some(mount) => enter(shard, mount, path, &upgrade, address, request),
        None => Err(bad(StatusCode::NOT_FOUND, "no dialect is served here")),
    };
    (dialect, outcome)
}

/// The way into one dialect. `path`: without the dialect's prefix.
fn enter(
    shard: &Shard,
    mount: &Mount,
    path: &str,
    upgrade: &handshake::Upgrade<'_>,
    address: IpAddr,
    request: &Request<Incoming>,
) -> Outcome {
    let (uri, headers) = (request.uri(), request.headers());
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    // An Origin that is no text is nobody's.
    let origin = headers.get(header::ORIGIN).map(|v| v.to_str().unwrap_or(""));
    if !mount.origins.allows(origin, text(header::HOST)) {
        return Err((UpgradeRefusal::Origin, respond(StatusCode::FORBIDDEN, "origin not allowed\n")));
    }
    let place = mount.gate.enter(address).map_err(turned_away)?;
    let applicant = Applicant {
        shared: &shard.shared,
        dialect: mount.dialect,
        path,
        uri,
        headers,
        address,
        now_secs: shard.shared.clock.now().unix_secs(),
    };
    let (entry, holdings) = applicant.enter().map_err(|(status, text)| {
        let (cause, mut response) = bad(status, text);
        match status {
            StatusCode::NOT_FOUND => (cause, response),
            StatusCode::TOO_MANY_REQUESTS => (UpgradeRefusal::PrincipalLimit, response),
            _ => {
                let bearer = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
                (UpgradeRefusal::Credential, response)
            }
        }
    })?;
    let deflate = upgrade.deflate.filter(|_| mount.deflate);
    let mut response = respond(StatusCode::SWITCHING_PROTOCOLS, "");
    let answer = response.headers_mut();
    answer.clear();
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    put(answer, header::SEC_WEBSOCKET_ACCEPT, &upgrade.accept);
    if let Some(deflate) = deflate {
        put(answer, header::SEC_WEBSOCKET_EXTENSIONS, &deflate.header_value());
    }
    if let Some(protocol) = upgrade.protocols.iter().find(|p| protocol_of(mount.dialect) == **p) {
        put(answer, header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let since = applicant.since();
    let numbered = mount.dialect == Dialect::Sge || applicant.hears_numbers();
    let variant = Variant { dialect: mount.dialect, deflate: deflate.is_some(), numbered };
    let resume = numbered.then(|| Box::new(Resume { since, ..Resume::default() }));
    Ok((
        response,
        Admitted {
            variant,
            peer: Peer { address, place: Some(place), holdings, window: Default::default(), resume },
            entry,
        },
    ))
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn turned_away(why: Turned) -> Turn {
    let (cause, status, text, retry) = match why {
        Turned::Draining => (UpgradeRefusal::Draining, 503, "the server is going down\n", "1"),
        Turned::Total => (UpgradeRefusal::TotalLimit, 503, "too many connections\n", "5"),
        Turned::Address => {
            (UpgradeRefusal::AddressLimit, 429, "too many connections from this address\n", "5")
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = respond(status, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(retry));
    (cause, response)
}

/// The subprotocol that names a dialect.
fn protocol_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sge => "lanecast.sge",
        Dialect::Nexus => "lanecast.nexus",
        Dialect::Gator => "lanecast.gator",
        Dialect::Aegisx => "lanecast.aegisx",
        Dialect::Tusk => "lanecast.tusk",
        Dialect::Echo => "lanecast.echo",
    }
}

/// The dialects that share a socket without a dialect of its own.
const SHARING: [Dialect; 5] = [Dialect::Sge, Dialect::Nexus, Dialect::Gator, Dialect::Aegisx, Dialect::Tusk];

/// Second segments under `/ws/` that are no Gator users where others share the socket (ruling U3).
const RESERVED: [&str; 6] = ["connect", "auth", "status", "admin", "broadcast", "notify"];

/// The dialect whose prefix a path has, and the path behind it.
fn prefixed(path: &str) -> Option<(Dialect, &str)> {
    SHARING.into_iter().find_map(|dialect| {
        let rest = path.strip_prefix('/')?.strip_prefix(dialect.name())?;
        match rest {
            "" => Some((dialect, "/")),
            rest => rest.starts_with('/').then_some((dialect, rest)),
        }
    })
}

/// Which dialect is meant on a socket that all share, and the path in its document: prefix, subprotocol,
/// query, path; the first that says anything decides.
fn mounted<'a>(uri: &'a Uri, protocols: &[&str], ws_auth: Dialect) -> (Option<Dialect>, &'a str) {
    let path = uri.path();
    if let Some((dialect, path)) = prefixed(path) {
        return (Some(dialect), path);
    }
    if let Some(named) = protocols.iter().find(|p| p.starts_with("lanecast.")) {
        return (SHARING.into_iter().find(|d| protocol_of(*d) == *named), path);
    }
    let query = uri.query().unwrap_or_default();
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if let Some(named) = parameter("dialect") {
        return (SHARING.into_iter().find(|d| d.name() == named), path);
    }
    let dialect = match path {
        "/" => Some(Dialect::Tusk),
        "/ws" if parameter("user_id").is_some() => Some(Dialect::Nexus),
        "/ws" => Some(Dialect::Aegisx),
        "/ws/connect" => Some(Dialect::Sge),
        "/ws/auth" => Some(ws_auth),
        "/ws/admin" => Some(Dialect::Aegisx),
        path => {
            let id = path.strip_prefix("/ws/").filter(|id| !id.is_empty() && !id.contains('/'));
            id.filter(|id| !RESERVED.contains(id)).map(|_| Dialect::Gator)
        }
    };
    (dialect, path)
}

/// Whether somebody at this machine asks for himself: not through a proxy, and not a web page in a browser here.
fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    const OF_OTHERS: [&str; 4] = ["origin", "forwarded", "x-forwarded-for", "x-real-ip"];
    peer.to_canonical().is_loopback() && !OF_OTHERS.iter().any(|name| headers.contains_key(*name))
}

async fn rest(
    shard: &Rc<Shard>,
    of: Option<Dialect>,
    local: bool,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    // The dialect's own paths are also found under its prefix where several share a socket.
    let path = match of {
        None => prefixed(path).map_or(path, |(_, rest)| rest),
        Some(_) => path,
    };
    if head.method == Method::OPTIONS {
        return preflight(&shard.door.rest_origins, &head.headers);
    }
    let (route, vars) = match api::find(&head.method, path) {
        api::Found::Route(route, vars) => (route, vars),
        api::Found::OtherMethods(allowed) => {
            let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed} here\n"));
            put(response.headers_mut(), header::ALLOW, &allowed);
            return response;
        }
        api::Found::Nothing => return respond(StatusCode::NOT_FOUND, "nothing here\n"),
    };
    let body = match read_body(body, &shard.door.site).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let asked = Asked {
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        local,
        body: &body,
        vars,
    };
    api::handle(route, &asked, &**shard, &shard.door.site).await
}

/// The whole body, within its limits of size and time.
async fn read_body(body: Incoming, site: &Site) -> Result<Bytes, Response<Body>> {
    let reading = Limited::new(body, site.max_body_bytes).collect();
    match tokio::time::timeout(site.body_timeout, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let text = format!("the body is longer than {} bytes", site.max_body_bytes);
            Err(api::refused(&Refusal::with(Code::TooLarge, text)))
        }
        Ok(Err(_)) => Err(respond(StatusCode::BAD_REQUEST, "the body did not arrive\n")),
        Err(_) => Err(respond(StatusCode::REQUEST_TIMEOUT, "the body took too long\n")),
    }
}

fn preflight(origins: &OriginPolicy, headers: &HeaderMap) -> Response<Body> {
    let mut response = respond(StatusCode::NO_CONTENT, "");
    let answer = response.headers_mut();
    answer.clear();
    if headers
        .get(header::ORIGIN)
        .and_then(|o| o.to_str().ok())
        .is_some_and(|o| origins.allows(Some(o), None))
    {
        let methods = HeaderValue::from_static("GET, POST, DELETE");
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let names = HeaderValue::from_static("authorization, content-type, x-api-key");
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

/// Lets a page of an allowed origin read the answer (Fetch standard, CORS protocol).
fn allow_origin(origins: &OriginPolicy, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
    let Some(origin) = origin else { return };
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(api::TOTAL_COUNT_HEADER));
    if *origins == OriginPolicy::Any {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if origin.to_str().is_ok_and(|o| origins.allows(Some(o), None)) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::VARY, HeaderValue::from_static("origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_shared_socket_the_first_sign_decides() {
        use Dialect::{Aegisx, Gator, Nexus, Sge, Tusk};
        for (uri, protocols, want, path) in [
            ("/", vec![], Some(Tusk), "/"),
            ("/tusk", vec![], Some(Tusk), "/"),
            ("/tusk/any/where", vec!["lanecast.gator"], Some(Tusk), "/any/where"),
            ("/gator/ws/u?dialect=nexus", vec!["lanecast.nexus"], Some(Gator), "/ws/u"),
            ("/sge/ws/auth?token=x", vec![], Some(Sge), "/ws/auth"),
            ("/x", vec!["chat", "lanecast.tusk"], Some(Tusk), "/x"),
            ("/ws/u?dialect=nexus", vec!["lanecast.gator"], Some(Gator), "/ws/u"),
            ("/", vec!["lanecast.nobody"], None, "/"),
            ("/x?dialect=tusk", vec![], Some(Tusk), "/x"),
            ("/ws?user_id=u&dialect=aegisx", vec![], Some(Aegisx), "/ws"),
            ("/?a=b&dialect=nobody", vec![], None, "/"),
            ("/ws?user_id=u", vec![], Some(Nexus), "/ws"),
            ("/ws?token=t", vec![], Some(Aegisx), "/ws"),
            ("/ws", vec![], Some(Aegisx), "/ws"),
            ("/ws/connect", vec![], Some(Sge), "/ws/connect"),
            ("/ws/admin", vec![], Some(Aegisx), "/ws/admin"),
            ("/ws/some-user", vec![], Some(Gator), "/ws/some-user"),
            ("/ws/status", vec![], None, "/ws/status"),
            ("/ws/a/b", vec![], None, "/ws/a/b"),
            ("/ws/", vec![], None, "/ws/"),
            ("/tuskless", vec![], None, "/tuskless"),
            ("/no/such/page", vec![], None, "/no/such/page"),
        ] {
            let uri: Uri = uri.parse().expect("a uri");
            assert_eq!(mounted(&uri, &protocols, Sge), (want, path), "{uri} {protocols:?}");
        }
        let auth: Uri = "/ws/auth?token=x".parse().expect("a uri");
        for of in [Sge, Gator] {
            assert_eq!(mounted(&auth, &[], of).0, Some(of));
        }
    }
}
