//! The headers of an upgrade that are lists with a grammar: no panic, and no answer that was not offered.
//!
//! Input: lines; each is one header value, the first byte of a line chooses which header.
#![no_main]

use hyper::http::{HeaderMap, HeaderValue, Method, Version};
use lanecast::ws::handshake;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] = [
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
    "connection",
];

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let [choice, value @ ..] = line
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            headers.append(NAMES[usize::from(*choice) % NAMES.len()], value);
        }
    }
    // The rest of a valid request, so that the lists are reached.
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(upgrade) = handshake::check(&Method::GET, Version::HTTP_11, &headers) {
        let offered = |name: &str, part: &str| {
            headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(part)))
        };
        assert!(upgrade.protocols.iter().all(|protocol| offered("sec-websocket-protocol", protocol)));
        if let Some(accepted) = upgrade.deflate {
            let named = accepted.header_value().contains("server_max_window_bits");
            assert!(!named || offered("sec-websocket-extensions", "server_max_window_bits"));
        }
    }
});
