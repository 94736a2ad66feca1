//! The table of routes. One line each: what it is called, what it does, what it answers.

use hyper::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::call::{Asked, Backend, Site};
use super::{openapi, page, tusk};
use crate::model::{Code, Op, Refusal};
use crate::net::{Body, respond};
use crate::telemetry::prometheus;

/// One operation on one path.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub method: &'static str,
    /// `{name}` stands for one segment.
    pub path: &'static str,
    pub summary: &'static str,
    /// Status codes it answers with, and what they mean.
    pub answers: &'static [(u16, &'static str)],
    pub action: Endpoint,
}

/// What a route does. The compiler asks for a handler of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
    Page,
    TuskHealth,
    TuskStats,
    TuskRooms,
    TuskRoom,
    TuskCreateRoom,
}

/// Every operation.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/healthz",
        summary: "The process runs",
        answers: &[(200, "It does")],
        action: Endpoint::Healthz,
    },
    Route {
        method: "GET",
        path: "/readyz",
        summary: "Messages can be delivered: a probe went round every shard",
        answers: &[(200, "It did"), (503, "A shard did not answer, or the server is draining")],
        action: Endpoint::Readyz,
    },
    Route {
        method: "GET",
        path: "/metrics",
        summary: "Figures for Prometheus",
        answers: &[(200, "Text exposition")],
        action: Endpoint::Metrics,
    },
    Route {
        method: "GET",
        path: "/openapi.json",
        summary: "Every operation, for programs",
        answers: &[(200, "OpenAPI 3.1")],
        action: Endpoint::OpenApi,
    },
    Route {
        method: "GET",
        path: "/",
        summary: "A page for people",
        answers: &[(200, "HTML")],
        action: Endpoint::Page,
    },
    Route {
        method: "GET",
        path: "/health",
        summary: "Tusk: health in five figures (TUS-66)",
        answers: &[(200, "Health")],
        action: Endpoint::TuskHealth,
    },
    Route {
        method: "GET",
        path: "/stats",
        summary: "Tusk: statistics in six figures (TUS-65)",
        answers: &[(200, "Statistics")],
        action: Endpoint::TuskStats,
    },
    Route {
        method: "GET",
        path: "/rooms",
        summary: "Tusk: the public rooms",
        answers: &[(200, "Rooms"), (401, "A credential is needed or not valid")],
        action: Endpoint::TuskRooms,
    },
    Route {
        method: "POST",
        path: "/rooms",
        summary: "Tusk: create a room that stays (TUS-24); for administrators and the permission create_room",
        answers: &[
            (201, "Created"),
            (400, "The body is no JSON object"),
            (401, "A credential is needed or not valid"),
            (403, "The permission is missing"),
            (409, "The room exists; nothing was changed"),
            (413, "The body is too large"),
            (422, "A field is wrong"),
        ],
        action: Endpoint::TuskCreateRoom,
    },
    Route {
        method: "GET",
        path: "/rooms/{name}",
        summary: "Tusk: one room (TUS-30)",
        answers: &[
            (200, "The room"),
            (401, "A credential is needed or not valid"),
            (404, "There is none to be seen"),
        ],
        action: Endpoint::TuskRoom,
    },
];

/// What a path and method lead to.
#[derive(Debug)]
pub enum Found {
    /// The route, and what its variable segment says.
    Route(&'static Route, Option<String>),
    /// The path exists with other methods.
    OtherMethods(String),
    Nothing,
}

/// Finds a route; HEAD is GET without the body.
pub fn find(method: &Method, path: &str) -> Found {
    let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(name) = matches(route.path, path) else { continue };
        if route.method == wanted {
            return Found::Route(route, name);
        }
        others.push(route.method);
    }
    match others.is_empty() {
        true => Found::Nothing,
        false => Found::OtherMethods(others.join(", ")),
    }
}

/// `Some(None)`: the same; `Some(Some(x))`: the same but for the variable segment, which is x.
fn matches(pattern: &str, path: &str) -> Option<Option<String>> {
    let Some(prefix) = pattern.strip_suffix("{name}") else { return (pattern == path).then_some(None) };
    let segment = path.strip_prefix(prefix).filter(|s| !s.is_empty() && !s.contains('/'))?;
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
    Some(Some(decoded.into_owned()))
}

/// Carries out a route.
pub async fn handle(route: &Route, asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Response<Body> {
    let outcome = match route.action {
        Endpoint::Healthz => Ok(respond(StatusCode::OK, "ok\n")),
        Endpoint::Readyz => Ok(readyz(backend).await),
        Endpoint::Metrics => Ok(metrics(site)),
        Endpoint::OpenApi => Ok(json_response(StatusCode::OK, &openapi::document())),
        Endpoint::Page => Ok(html(page::render(site))),
        Endpoint::TuskHealth => Ok(json_response(StatusCode::OK, &tusk::health(site, backend))),
        Endpoint::TuskStats => Ok(json_response(StatusCode::OK, &tusk::stats(site))),
        Endpoint::TuskRooms => tusk::rooms(asked, backend, site).await,
        Endpoint::TuskRoom => tusk::room(asked, backend, site).await,
        Endpoint::TuskCreateRoom => tusk::create_room(asked, backend, site).await,
    };
    outcome.unwrap_or_else(|refusal| refused(&refusal))
}

async fn readyz(backend: &impl Backend) -> Response<Body> {
    if backend.is_draining() {
        return respond(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match backend.ask_all(Op::Probe, None).await {
        Ok(answers) => respond(StatusCode::OK, format!("ready: {} shards answered\n", answers.len())),
        Err(refusal) => respond(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", refusal.text)),
    }
}

fn metrics(site: &Site) -> Response<Body> {
    let mut response = respond(StatusCode::OK, prometheus::render(&site.registry));
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

/// The JSON form of a refusal, with the status of its code.
pub fn refused(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = json_response(status, &json!({ "error": refusal.text, "code": refusal.code.name() }));
    if refusal.code == Code::Unauthenticated {
        let bearer = header::HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_routes() {
        let action = |method: Method, path: &str| match find(&method, path) {
            Found::Route(route, name) => Some((route.action, name)),
            _ => None,
        };
        assert_eq!(action(Method::GET, "/rooms"), Some((Endpoint::TuskRooms, None)));
        assert_eq!(action(Method::POST, "/rooms"), Some((Endpoint::TuskCreateRoom, None)));
        assert_eq!(action(Method::HEAD, "/healthz"), Some((Endpoint::Healthz, None)));
        assert_eq!(action(Method::GET, "/rooms/a%20b"), Some((Endpoint::TuskRoom, Some("a b".into()))));
        for path in ["/rooms/", "/rooms/a/b", "/rooms/%ff", "/no/such", ""] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
        let Found::OtherMethods(allowed) = find(&Method::DELETE, "/rooms") else { panic!() };
        assert_eq!(allowed, "GET, POST");
    }

    #[test]
    fn no_operation_stands_twice() {
        let mut seen: Vec<_> = ROUTES.iter().map(|r| (r.method, r.path)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), ROUTES.len());
    }
}
