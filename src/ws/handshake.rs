//! Whether an HTTP request is a valid upgrade to WebSocket, and what the answer needs (RFC 6455 section 4.2).

use std::fmt;

use hyper::http::header::{
    CONNECTION, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use hyper::http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::deflate::{self, Accepted};

/// A valid request to upgrade.
#[derive(Debug, PartialEq, Eq)]
pub struct Upgrade<'h> {
    /// The value of `Sec-WebSocket-Accept` in the answer.
    pub accept: String,
    /// The subprotocols that the client offers, in its order of preference. The answer names at most one of them.
    pub protocols: Vec<&'h str>,
    /// The terms of compression, if the client offers it. To be answered only where compression is on.
    pub deflate: Option<Accepted>,
}

/// Why a request is no valid upgrade, and the status to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// 400 (a header is wrong), 405 (not GET) or 426 (no upgrade to WebSocket version 13 was asked for).
    pub status: StatusCode,
    /// A sentence that names what is wrong.
    pub reason: &'static str,
}

impl Refusal {
    /// The headers that this status requires (RFC 6455 section 4.2.2, RFC 9110 sections 15.5.6 and 15.5.22).
    pub fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self.status {
            StatusCode::UPGRADE_REQUIRED => {
                &[("sec-websocket-version", "13"), ("upgrade", "websocket"), ("connection", "upgrade")]
            }
            StatusCode::METHOD_NOT_ALLOWED => &[("allow", "GET")],
            _ => &[],
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Refusal {}

/// Whether the request asks for WebSocket at all: its `Upgrade` header says so. Other requests are plain HTTP.
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// Judges a request by its method, version and headers.
///
/// # Errors
/// A [`Refusal`] for the first thing that is wrong.
pub fn check<'h>(method: &Method, version: Version, headers: &'h HeaderMap) -> Result<Upgrade<'h>, Refusal> {
    if method != Method::GET {
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "an upgrade to WebSocket must be a GET request"));
    }
    if version < Version::HTTP_11 {
        return Err(bad("an upgrade to WebSocket needs HTTP/1.1"));
    }
    if !asks_for_websocket(headers) {
        return Err(refuse(StatusCode::UPGRADE_REQUIRED, "the Upgrade header does not name websocket"));
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(bad("the Connection header does not name upgrade"));
    }
    if single(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(refuse(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version is not 13"));
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY)
        .filter(|key| is_key(key))
        .ok_or(bad("Sec-WebSocket-Key is not one base64 value of 16 bytes"))?;
    let protocols = protocols(headers).ok_or(bad("Sec-WebSocket-Protocol is not a list of tokens"))?;
    let deflate = extensions(headers).ok_or(bad("Sec-WebSocket-Extensions is not a list of extensions"))?;
    Ok(Upgrade { accept: derive_accept_key(key.as_bytes()), protocols, deflate })
}

fn refuse(status: StatusCode, reason: &'static str) -> Refusal {
    Refusal { status, reason }
}

fn bad(reason: &'static str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, reason)
}

/// The value of a header that must be there exactly once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim_ascii())
}

/// Whether a comma-separated header has `token` as an element, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|element| element.trim_ascii().eq_ignore_ascii_case(token))
}

/// 16 bytes in base64 are 22 characters and two of padding.
fn is_key(key: &str) -> bool {
    let symbols =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    key.strip_suffix("==").is_some_and(|digits| digits.len() == 22 && symbols(digits))
}

/// All elements of `Sec-WebSocket-Protocol`; `None` if one is not a token.
fn protocols(headers: &HeaderMap) -> Option<Vec<&str>> {
    let mut protocols = Vec::new();
    for value in headers.get_all(&SEC_WEBSOCKET_PROTOCOL) {
        let elements = value.to_str().ok()?.split(',').map(str::trim_ascii);
        for element in elements.filter(|element| !element.is_empty()) {
            if !element.bytes().all(deflate::is_token_byte) {
                return None;
            }
            protocols.push(element);
        }
    }
    Some(protocols)
}

/// The terms of compression; the outer `None` if the header breaks the grammar.
fn extensions(headers: &HeaderMap) -> Option<Option<Accepted>> {
    let values: Result<Vec<&str>, _> =
        headers.get_all(&SEC_WEBSOCKET_EXTENSIONS).iter().map(|value| value.to_str()).collect();
    deflate::negotiate(values.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::http::HeaderValue;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    const VALID: [(&str, &str); 4] = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    /// The valid request with `name` replaced by `values`.
    fn with(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut map = headers(&VALID);
        map.remove(name);
        for value in values {
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    fn status(headers: &HeaderMap) -> u16 {
        check(&Method::GET, Version::HTTP_11, headers).map_or_else(|refusal| refusal.status.as_u16(), |_| 101)
    }

    #[test]
    fn example_of_the_rfc() {
        let headers = headers(&VALID);
        let upgrade = check(&Method::GET, Version::HTTP_11, &headers).unwrap();
        assert_eq!(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(upgrade.protocols.is_empty() && upgrade.deflate.is_none());
    }

    #[test]
    fn method_and_version() {
        let headers = headers(&VALID);
        let refusal = check(&Method::POST, Version::HTTP_11, &headers).unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.headers()), (405, &[("allow", "GET")][..]));
        assert_eq!(check(&Method::GET, Version::HTTP_10, &headers).unwrap_err().status.as_u16(), 400);
    }

    #[test]
    fn tokens_in_lists_and_in_any_case() {
        assert_eq!(status(&with("upgrade", &["h2c, WebSocket"])), 101);
        assert_eq!(status(&with("upgrade", &["h2c", "websocket"])), 101);
        assert_eq!(status(&with("upgrade", &["websockets"])), 426);
        assert_eq!(status(&with("upgrade", &[])), 426);
        assert_eq!(status(&with("connection", &["keep-alive, UPGRADE"])), 101);
        assert_eq!(status(&with("connection", &["keep-alive"])), 400);
        assert_eq!(status(&with("connection", &[])), 400);
    }

    #[test]
    fn other_versions_learn_which_one_is_spoken() {
        for versions in [&[][..], &["8"], &["13, 8"], &["13", "13"], &["013"]] {
            let headers = with("sec-websocket-version", versions);
            let refusal = check(&Method::GET, Version::HTTP_11, &headers).unwrap_err();
            assert_eq!(refusal.status.as_u16(), 426);
            assert!(refusal.headers().contains(&("sec-websocket-version", "13")));
        }
    }

    #[test]
    fn keys() {
        for keys in [
            &[][..],
            &[""],
            &["dGhlIHNhbXBsZSBub25jZQ="],
            &["dGhlIHNhbXBsZSBub25jZQ"],
            &["dGhlIHNhbXBsZSBub25jZQAA"],
            &["dGhlIHNhbXBsZSBub25j*Q=="],
            &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
            &["ééééééééééé=="],
        ] {
            assert_eq!(status(&with("sec-websocket-key", keys)), 400, "{keys:?}");
        }
        assert_eq!(status(&with("sec-websocket-key", &[" dGhlIHNhbXBsZSBub25jZQ== "])), 101);
    }

    #[test]
    fn protocols_keep_their_order() {
        let headers = with("sec-websocket-protocol", &["chat, lanecast.sge", "superchat,"]);
        let upgrade = check(&Method::GET, Version::HTTP_11, &headers).unwrap();
        assert_eq!(upgrade.protocols, ["chat", "lanecast.sge", "superchat"]);
        assert_eq!(status(&with("sec-websocket-protocol", &["a b"])), 400);
    }

    #[test]
    fn extensions_are_negotiated() {
        let headers = with("sec-websocket-extensions", &["permessage-deflate; client_max_window_bits"]);
        assert!(check(&Method::GET, Version::HTTP_11, &headers).unwrap().deflate.is_some());
        assert_eq!(status(&with("sec-websocket-extensions", &["permessage-deflate;"])), 400);
        assert_eq!(status(&with("sec-websocket-extensions", &["é"])), 400);
    }
}
