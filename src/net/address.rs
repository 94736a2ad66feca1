//! The client's address, seen through proxies one trusts.

use std::net::IpAddr;

use hyper::HeaderMap;
use ipnet::IpNet;

/// The address of the client: the peer's own, unless the peer is a trusted proxy. Then the nearest address
/// that is not a trusted proxy's, from `X-Forwarded-For`, else `Forwarded` (RFC 7239), else `X-Real-IP`.
/// What cannot be read ends the search: a forged entry must not hide the proxy before it.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut nearest = peer;
    for hop in hops(headers).into_iter().rev() {
        let Some(address) = hop else { break };
        nearest = address;
        if !is_trusted(address) {
            break;
        }
    }
    nearest
}

/// The addresses the headers name, the farthest first; `None` for what is none.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).map(|s| s.trim().to_owned()).collect()
    };
    let forwarded_for = all("x-forwarded-for");
    if !forwarded_for.is_empty() {
        return forwarded_for.iter().map(|s| parse(s)).collect();
    }
    let forwarded = all("forwarded");
    if !forwarded.is_empty() {
        return forwarded.iter().map(|element| parse_forwarded(element)).collect();
    }
    all("x-real-ip").iter().map(|s| parse(s)).collect()
}

fn parse_forwarded(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    parse(node.trim_matches('"'))
}

/// An address with or without a port; IPv6 with or without brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.split_once(']')).map_or(text, |(inside, _)| inside);
    let parsed = bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|s| s.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;

    fn seen(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted: Vec<IpNet> =
            ["127.0.0.0/8", "10.0.0.0/8"].iter().map(|n| n.parse().expect("a net")).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        client_address(peer.parse().expect("an address"), &map, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let xff = "x-forwarded-for";
        for (peer, headers, want) in [
            ("203.0.113.9", vec![(xff, "198.51.100.1")], "203.0.113.9"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec![(xff, "198.51.100.1")], "198.51.100.1"),
            ("127.0.0.1", vec![(xff, "6.6.6.6, 198.51.100.1, 10.1.1.1")], "198.51.100.1"),
            ("127.0.0.1", vec![(xff, "6.6.6.6"), (xff, "198.51.100.2")], "198.51.100.2"),
            ("127.0.0.1", vec![(xff, "198.51.100.1, nonsense, 10.1.1.1")], "10.1.1.1"),
            ("127.0.0.1", vec![(xff, "198.51.100.1:4711")], "198.51.100.1"),
            ("127.0.0.1", vec![("x-real-ip", "198.51.100.3")], "198.51.100.3"),
            ("127.0.0.1", vec![("forwarded", "for=\"[2001:db8::1]:99\";proto=https")], "2001:db8::1"),
            ("127.0.0.1", vec![("forwarded", "proto=https")], "127.0.0.1"),
            ("::ffff:127.0.0.1", vec![(xff, "198.51.100.1")], "198.51.100.1"),
        ] {
            assert_eq!(seen(peer, &headers), want, "{peer} {headers:?}");
        }
    }
}
