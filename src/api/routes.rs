//! The routes: what each is called, what it does, what it answers. Each dialect has a table of its own.

use hyper::{Method, Response, StatusCode, header};
use serde_json::Value;

use super::call::{Asked, Backend, Site, Vars};
use super::fault::Answer;
use super::visit::Visit;
use super::{aegisx, messages, nexus, openapi, page, sge, tusk};
use crate::model::{Dialect, Op};
use crate::net::{Body, respond};
use crate::telemetry::prometheus;

/// One operation on one path.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub method: &'static str,
    /// `{name}` stands for one segment, which handlers find by that name.
    pub path: &'static str,
    pub summary: &'static str,
    /// The body it takes, if it takes one.
    pub body: Option<Schema>,
    /// What its query may say.
    pub query: &'static [Parameter],
    /// Status codes it answers with, and what they mean.
    pub answers: &'static [(u16, &'static str)],
    pub action: Endpoint,
}

/// The schema of a body, for the OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    pub name: &'static str,
    pub make: fn() -> Value,
}

/// A parameter of a query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub needed: bool,
    pub what: &'static str,
    /// Its schema.
    pub make: fn() -> Value,
}

/// What a route does. The compiler asks for a handler of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
    Page,
    /// Over the conversations of a user of that dialect.
    Search(Dialect),
    Sge(sge::Call),
    Nexus(nexus::Call),
    Aegisx(aegisx::Call),
    Tusk(tusk::Call),
}

/// Status codes and what they mean.
pub type Answers = &'static [(u16, &'static str)];

impl Route {
    pub const fn get(path: &'static str, summary: &'static str, answers: Answers, action: Endpoint) -> Self {
        Self { method: "GET", path, summary, body: None, query: &[], answers, action }
    }

    pub const fn asking(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    pub const fn delete(
        path: &'static str,
        summary: &'static str,
        answers: Answers,
        action: Endpoint,
    ) -> Self {
        Self { method: "DELETE", ..Self::get(path, summary, answers, action) }
    }

    pub const fn post(
        path: &'static str,
        summary: &'static str,
        body: Schema,
        answers: Answers,
        action: Endpoint,
    ) -> Self {
        Self { method: "POST", body: Some(body), ..Self::get(path, summary, answers, action) }
    }

    /// The names of its variable segments.
    pub fn vars(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(var)
    }
}

/// What is no dialect's.
const GENERAL: &[Route] = &[
    Route::get("/healthz", "The process runs", &[(200, "It does")], Endpoint::Healthz),
    Route::get(
        "/readyz",
        "Messages can be delivered: a probe went round every shard",
        &[(200, "It did"), (503, "A shard did not answer, the store refuses, or the server is draining")],
        Endpoint::Readyz,
    ),
    Route::get("/metrics", "Figures for Prometheus", &[(200, "Text exposition")], Endpoint::Metrics),
    Route::get("/openapi.json", "Every operation, for programs", &[(200, "OpenAPI 3.1")], Endpoint::OpenApi),
    Route::get("/", "A page for people", &[(200, "HTML")], Endpoint::Page),
    Route::get(
        "/xmpp/messages/search",
        "SGE: search one's own conversations",
        messages::SEARCH_ANSWERS,
        Endpoint::Search(Dialect::Sge),
    )
    .asking(messages::SEARCH_PARAMETERS),
    Route::get(
        "/api/messages/search",
        "NEXUS: search one's own conversations",
        messages::SEARCH_ANSWERS,
        Endpoint::Search(Dialect::Nexus),
    )
    .asking(messages::SEARCH_PARAMETERS),
    Route::get(
        "/api/conversations/search",
        "Gator: search one's own conversations (GAT-75)",
        messages::SEARCH_ANSWERS,
        Endpoint::Search(Dialect::Gator),
    )
    .asking(messages::SEARCH_PARAMETERS),
];

/// Every operation.
pub fn all() -> impl Iterator<Item = &'static Route> {
    [GENERAL, sge::ROUTES, nexus::ROUTES, aegisx::ROUTES, tusk::ROUTES].into_iter().flatten()
}

/// What a path and method lead to.
#[derive(Debug)]
pub enum Found {
    /// The route, and what its variable segments say.
    Route(&'static Route, Vars),
    /// The path exists with other methods.
    OtherMethods(String),
    Nothing,
}

/// Finds a route; HEAD is GET without the body.
pub fn find(method: &Method, path: &str) -> Found {
    let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut others = Vec::new();
    for route in all() {
        let Some(vars) = matches(route.path, path) else { continue };
        if route.method == wanted {
            return Found::Route(route, vars);
        }
        others.push(route.method);
    }
    match others.is_empty() {
        true => Found::Nothing,
        false => Found::OtherMethods(others.join(", ")),
    }
}

/// The name in `{name}`.
fn var(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// What the variable segments say when the others are the same. None of them is empty; `%2F` within one is a
/// character like others.
fn matches(pattern: &'static str, path: &str) -> Option<Vars> {
    let mut vars = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        match var(expected) {
            None if segment == expected => {}
            Some(name) if !segment.is_empty() => {
                let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
                vars.push((name, decoded.into_owned()));
            }
            _ => return None,
        }
    }
    segments.next().is_none().then_some(Vars(vars))
}

/// Carries out a route.
pub async fn handle(route: &Route, asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Response<Body> {
    let answer = match route.action {
        Endpoint::Healthz => Ok(respond(StatusCode::OK, "ok\n")),
        Endpoint::Readyz => Ok(readyz(backend, site).await),
        Endpoint::Metrics => Ok(metrics(site)),
        Endpoint::OpenApi => Ok(json_response(StatusCode::OK, &openapi::document())),
        Endpoint::Page => Ok(html(page::render(site))),
        Endpoint::Search(dialect) => search(dialect, asked, backend, site).await,
        Endpoint::Sge(call) => sge::handle(call, asked, backend, site).await,
        Endpoint::Nexus(call) => nexus::handle(call, asked, backend, site).await,
        Endpoint::Aegisx(call) => aegisx::handle(call, asked, backend, site).await,
        Endpoint::Tusk(call) => tusk::handle(call, asked, backend, site).await,
    };
    answer.unwrap_or_else(|fault| fault.response())
}

async fn search(dialect: Dialect, asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Answer {
    messages::search(&Visit::new(dialect, asked, backend, site)?).await
}

async fn readyz(backend: &impl Backend, site: &Site) -> Response<Body> {
    if backend.is_draining() {
        return respond(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    if let Some(fault) = site.store.fault() {
        return respond(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: store: {fault}\n"));
    }
    match backend.ask_all(Op::Probe, None).await {
        Ok(answers) => respond(StatusCode::OK, format!("ready: {} shards answered\n", answers.len())),
        Err(refusal) => respond(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", refusal.text)),
    }
}

fn metrics(site: &Site) -> Response<Body> {
    let mut response = respond(StatusCode::OK, prometheus::render(&site.registry) + &site.store.figures());
    let exposition = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, exposition);
    response
}

fn html(page: String) -> Response<Body> {
    let mut response = respond(StatusCode::OK, page);
    let html = header::HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

/// A JSON answer.
pub fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = respond(status, value.to_string());
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fault::Fault;
    use crate::model::{Code, Refusal};

    #[test]
    fn paths_lead_to_their_routes() {
        let leads = |method: Method, path: &str| match find(&method, path) {
            Found::Route(route, vars) => Some((route.action, vars.0)),
            _ => None,
        };
        let none = Vec::new;
        assert_eq!(leads(Method::GET, "/rooms"), Some((Endpoint::Tusk(tusk::Call::Rooms), none())));
        assert_eq!(leads(Method::POST, "/rooms"), Some((Endpoint::Tusk(tusk::Call::CreateRoom), none())));
        assert_eq!(leads(Method::HEAD, "/healthz"), Some((Endpoint::Healthz, none())));
        assert_eq!(leads(Method::GET, "/"), Some((Endpoint::Page, none())));
        let room = Endpoint::Tusk(tusk::Call::Room);
        assert_eq!(leads(Method::GET, "/rooms/a%20b"), Some((room, vec![("name", "a b".into())])));
        assert_eq!(leads(Method::GET, "/rooms/a%2Fb"), Some((room, vec![("name", "a/b".into())])));
        let history = Endpoint::Sge(sge::Call::PresenceHistory);
        let vars = vec![("user_id", "u".into())];
        assert_eq!(leads(Method::GET, "/xmpp/presence/u/history"), Some((history, vars)));
        let notify = Endpoint::Aegisx(aegisx::Call::Notify);
        let vars = vec![("tenant", "t:1".into()), ("user", "é".into())];
        assert_eq!(leads(Method::POST, "/api/admin/tenants/t%3A1/users/%C3%A9/notify"), Some((notify, vars)));
        for path in ["/rooms/", "/rooms/a/b", "/rooms/%ff", "/no/such", "", "rooms", "/rooms//", "//"] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
        for (method, path, allowed) in [
            (Method::DELETE, "/rooms", "GET, POST"),
            (Method::GET, "/xmpp/roster/u", "DELETE"),
            (Method::GET, "/api/admin/tenants/t/broadcast", "POST"),
        ] {
            let Found::OtherMethods(others) = find(&method, path) else { panic!("{path}") };
            assert_eq!(others, allowed);
        }
    }

    #[test]
    fn no_operation_stands_twice_and_no_variable_hides_a_word() {
        let mut seen: Vec<_> = all().map(|r| (r.method, r.path)).collect();
        seen.sort_unstable();
        let routes = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), routes);
        for route in all().filter(|r| r.vars().next().is_none()) {
            let method = Method::from_bytes(route.method.as_bytes()).expect("a method");
            let Found::Route(found, _) = find(&method, route.path) else { panic!("{}", route.path) };
            assert_eq!(found.action, route.action);
        }
    }

    #[test]
    fn a_refusal_has_its_status_its_code_and_its_field() {
        let fault = Fault::field(Code::InvalidField, "title", "a string");
        let response = fault.response();
        assert_eq!(response.status(), 422);
        assert!(response.headers().get(header::WWW_AUTHENTICATE).is_none());
        let who = Fault::from(Refusal::new(Code::Unauthenticated, "Authentication required")).response();
        assert_eq!(
            (who.status().as_u16(), &who.headers()[header::WWW_AUTHENTICATE]),
            (401, &"Bearer".parse().expect("a value"))
        );
    }
}
