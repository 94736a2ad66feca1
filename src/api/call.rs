//! What a REST request may use: the shard it came in on, and the figures of the process.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use percent_encoding::percent_decode_str;

use crate::access::Policy;
use crate::model::{ChannelName, Code, Dialect, MessageId, Op, Principal, RealmId, Refusal, Reply};
use crate::telemetry::Registry;

/// Who asks; `None`: somebody without a credential.
pub type Who = Option<Arc<Principal>>;

/// The shard a request came in on, as far as REST may use it.
pub trait Backend {
    /// Asks a channel's home.
    ///
    /// # Errors
    /// When the server goes down before there is an answer.
    fn ask(&self, name: ChannelName, op: Op, who: Who) -> impl Future<Output = Result<Reply, Refusal>>;
    /// Asks every shard and gathers the answers.
    ///
    /// # Errors
    /// When one shard does not answer in time.
    fn ask_all(&self, op: Op, who: Who) -> impl Future<Output = Result<Vec<Reply>, Refusal>>;
    /// Checks a token.
    ///
    /// # Errors
    /// The token is no valid credential.
    fn identify(&self, dialect: Dialect, token: &str) -> Result<Arc<Principal>, Refusal>;
    /// Whether the server lets nobody in any more.
    fn is_draining(&self) -> bool;
    /// The wall clock, in milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// The same, in whole seconds.
    fn unix_secs(&self) -> u64 {
        self.now_ms() / 1000
    }
    /// A new id, of random bits.
    fn message_id(&self) -> MessageId;
}

/// The store as operators see it.
pub trait StoreView: Send + Sync {
    /// Why it refuses what must last, while it does.
    fn fault(&self) -> Option<String>;
    /// Its figures, in the text of a scrape.
    fn figures(&self) -> String;
}

/// No store: it refuses nothing and has no figures.
#[derive(Debug)]
pub struct NoStore;

impl StoreView for NoStore {
    fn fault(&self) -> Option<String> {
        None
    }

    fn figures(&self) -> String {
        String::new()
    }
}

/// What is the same for every request.
pub struct Site {
    pub store: Box<dyn StoreView>,
    pub registry: Registry,
    /// Who may do what.
    pub access: Arc<Policy>,
    /// By [`Dialect::index`]: whether nobody without a credential is answered.
    pub require_auth: [bool; Dialect::ALL.len()],
    /// By [`Dialect::index`]: where its users and channels are.
    pub realms: [RealmId; Dialect::ALL.len()],
    /// Whether each AegisX tenant has public channels of its own (ruling A10).
    pub public_per_tenant: bool,
    /// By [`Dialect::index`]: whether other dialects share its realm.
    pub shared: [bool; Dialect::ALL.len()],
    /// Bytes of a request body; a longer one is answered with 413.
    pub max_body_bytes: usize,
    /// How long a body may take to arrive; then 408.
    pub body_timeout: Duration,
    /// Dialects that some listener lets in.
    pub served: Vec<Dialect>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("served", &self.served).finish_non_exhaustive()
    }
}

/// One request, taken apart.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What follows `?`.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// Whether the request came from this machine itself: no proxy's and no web page's.
    pub local: bool,
    pub body: &'a [u8],
    /// What the path's variable segments say.
    pub vars: Vars,
}

/// The variable segments of a path by their names in the table of routes, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars(pub(super) Vec<(&'static str, String)>);

impl Vars {
    /// The segment of that name; empty when the route has none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

impl Asked<'_> {
    /// Who asks: the bearer of the credential in `Authorization`, else in `X-API-Key`, else in `?api_key=`, or
    /// nobody. The first that is there decides. In the latter two a name is no credential, in open mode neither.
    ///
    /// # Errors
    /// There is a credential, and it is not valid.
    pub fn principal(&self, dialect: Dialect, backend: &impl Backend) -> Result<Who, Refusal> {
        if let Some(header) = self.headers.get(hyper::header::AUTHORIZATION) {
            return backend.identify(dialect, bearer(header).ok_or(INVALID_TOKEN)?).map(Some);
        }
        let Some(key) = self.api_key()? else { return Ok(None) };
        match backend.identify(dialect, &key) {
            Ok(who) if who.verified => Ok(Some(who)),
            _ => Err(INVALID_KEY),
        }
    }

    fn api_key(&self) -> Result<Option<Cow<'_, str>>, Refusal> {
        if let Some(header) = self.headers.get(API_KEY_HEADER) {
            return header.to_str().map(|key| Some(key.trim().into())).map_err(|_| INVALID_KEY);
        }
        let named = |pair| str::strip_prefix(pair, "api_key=");
        let Some(key) = self.query.split('&').find_map(named) else { return Ok(None) };
        percent_decode_str(key).decode_utf8().map(Some).map_err(|_| INVALID_KEY)
    }
}

/// Where a service puts its key (SGE-04).
pub const API_KEY_HEADER: &str = "x-api-key";

/// The header of an answer that says how many there are, where not all are named.
pub const TOTAL_COUNT_HEADER: &str = "x-total-count";

const INVALID_TOKEN: Refusal = Refusal::new(Code::Unauthenticated, "Invalid token");
const INVALID_KEY: Refusal = Refusal::new(Code::Unauthenticated, "Invalid API key");

fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
