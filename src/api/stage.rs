//! A server without shards: REST calls in tests go through the routes to homes that a test plays.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{HeaderMap, Method, header};
use serde_json::Value;

use super::{Asked, Backend, Found, NoStore, Site, Who, find, handle};
use crate::access::Policy;
use crate::model::{
    ChannelName, Code, Dialect, Kind, MessageId, Op, Presence, Principal, RealmId, Refusal, Reply, Status,
};
use crate::telemetry::{Registry, Writer};

/// What the homes answer to an operation.
type Homes = Box<dyn Fn(&Op) -> Reply>;

pub struct Stage {
    pub site: Site,
    pub writer: Writer,
    homes: Homes,
    /// What was asked: of whom (`None`: of all shards), what, and by whom.
    pub asked: RefCell<Vec<(Option<ChannelName>, Op, Who)>>,
    pub local: bool,
}

/// The moment of every test.
pub const NOW_MS: u64 = 1_736_937_000_009;
pub const NOW: &str = "2025-01-15T10:30:00.009Z";

impl Stage {
    /// `required`: nobody without a credential is answered.
    pub fn new(required: bool, homes: impl Fn(&Op) -> Reply + 'static) -> Self {
        let (registry, mut writers) = Registry::new(1);
        let site = Site {
            store: Box::new(NoStore),
            registry,
            access: Policy::new(vec![], !required).into(),
            require_auth: [required; Dialect::ALL.len()],
            realms: Dialect::ALL.map(|dialect| RealmId(dialect.index() as u8)),
            public_per_tenant: false,
            shared: [false; Dialect::ALL.len()],
            max_body_bytes: 1000,
            body_timeout: Duration::from_secs(1),
            served: vec![],
        };
        let writer = writers.pop().expect("one shard");
        Self { site, writer, homes: Box::new(homes), asked: RefCell::default(), local: false }
    }

    /// Makes a call as the bearer of that token (none: empty), and gives back status and JSON.
    pub async fn call(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let Found::Route(route, vars) = find(&method, path) else { panic!("no route {method} {path}") };
        let mut headers = HeaderMap::new();
        if !token.is_empty() {
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().expect("a value"));
        }
        let body = body.as_bytes();
        let asked = Asked { query: "", headers: &headers, local: self.local, body, vars };
        let response = handle(route, &asked, self, &self.site).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("it is there").to_bytes();
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }

    /// The same, of which only the status matters; nothing was asked of the homes when it is a refusal.
    pub async fn status(&self, token: &str, method: &str, path: &str, body: &str) -> u16 {
        self.asked.borrow_mut().clear();
        let (status, answer) = self.call(token, method, path, body).await;
        if [400, 401, 403, 422].contains(&status) {
            assert!(answer["error"].is_string() && answer["code"].is_string(), "{answer}");
            assert!(self.asked.borrow().is_empty(), "{method} {path} {body}");
        }
        status
    }

    /// The last that was asked.
    pub fn last(&self) -> (Option<ChannelName>, Op, Who) {
        self.asked.borrow().last().cloned().expect("something was asked")
    }
}

impl Backend for Stage {
    async fn ask(&self, name: ChannelName, op: Op, who: Who) -> Result<Reply, Refusal> {
        let reply = (self.homes)(&op);
        self.asked.borrow_mut().push((Some(name), op, who));
        Ok(reply)
    }

    async fn ask_all(&self, op: Op, who: Who) -> Result<Vec<Reply>, Refusal> {
        let reply = (self.homes)(&op);
        self.asked.borrow_mut().push((None, op, who));
        Ok(vec![reply])
    }

    /// `USER`, `TENANT/USER`, and a role or permission behind `+`; `svc` is a service, `bad` is none.
    fn identify(&self, dialect: Dialect, token: &str) -> Result<Arc<Principal>, Refusal> {
        if token == "bad" {
            return Err(Refusal::new(Code::Unauthenticated, "Invalid token"));
        }
        let (name, grant) = token.split_once('+').unwrap_or((token, ""));
        let (tenant, user) = name.split_once('/').unwrap_or((Principal::DEFAULT_TENANT, name));
        Ok(Arc::new(Principal {
            tenant: tenant.into(),
            roles: vec![grant.into()],
            permissions: Some(vec![grant.into()]),
            verified: true,
            service: user == "svc",
            ..Principal::named(user, RealmId(dialect.index() as u8))
        }))
    }

    fn is_draining(&self) -> bool {
        false
    }

    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn message_id(&self) -> MessageId {
        MessageId::random(7)
    }
}

/// A channel of that realm and tenant.
pub fn named(dialect: Dialect, tenant: &str, kind: Kind, id: &str) -> Option<ChannelName> {
    let realm = RealmId(dialect.index() as u8);
    Some(ChannelName { realm, tenant: tenant.into(), kind, id: id.into() })
}

/// How a user is.
pub fn presence(user: &str, status: Status, message: Option<&str>) -> Presence {
    Presence { user: user.into(), status, message: message.map(Into::into), location: None, at_ms: 5999 }
}
