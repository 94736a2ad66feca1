//! Base URLs of services that the server asks over HTTP.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use toml::Value;

use super::bound::Bound;
use super::setting::{Refused, Setting};
use super::source::Raw;

/// The longest base URL in bytes.
const BYTES_MAX: usize = 2048;

/// Scheme, host and what paths begin with: `https://api.example/v1`, no slash at its end. It holds no credentials and
/// no query, so it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Box<str>);

impl BaseUrl {
    /// A base URL as somebody wrote it.
    ///
    /// # Errors
    /// What it must not have or lacks, without a word of it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > BYTES_MAX {
            return Err("is longer than 2048 bytes");
        }
        if text.contains(['?', '#']) {
            return Err("must not have a query or a fragment");
        }
        let uri: Uri = text.parse().map_err(|_| "is no URL")?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("names neither http nor https");
        }
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("must not hold credentials");
        }
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if authority.host().is_empty() {
            return Err("names no host");
        }
        let possible = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(possible) {
            return Err("names a port that cannot be");
        }
        Ok(BaseUrl(text.trim_end_matches('/').into()))
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }

    /// Whether its host is this one by its name or address.
    pub fn is_loopback(&self) -> bool {
        let uri: Option<Uri> = self.0.parse().ok();
        uri.as_ref().and_then(Uri::host).is_some_and(|host| {
            let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
            host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
        })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Written empty: none.
impl Setting for Option<BaseUrl> {
    const KIND: &'static str = "URL";
    /// What was refused may hold credentials and is not repeated; what was taken holds none and is shown.
    const SECRET: bool = true;

    fn allowed(_: Option<&Bound>) -> String {
        "a URL such as https://api.example/v1, without credentials, query and fragment; empty: none".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        match raw.string().ok_or(Refused::NotAllowed)? {
            "" => Ok(None),
            text => BaseUrl::parse(text).map(Some).map_err(|why| Refused::Because(why.into())),
        }
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().map(|url| Value::String(url.as_str().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_host_is_taken_without_its_last_slash() {
        for (text, kept, tls, local) in [
            ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1", false, true),
            ("http://[::1]:1/", "http://[::1]:1", false, true),
            ("HTTPS://api.example/v1//", "HTTPS://api.example/v1", true, false),
            ("http://LocalHost", "http://LocalHost", false, true),
            ("https://a:65535/x/y", "https://a:65535/x/y", true, false),
        ] {
            let url = BaseUrl::parse(text).expect(text);
            assert_eq!((url.as_str(), url.is_tls(), url.is_loopback()), (kept, tls, local), "{text}");
        }
    }

    #[test]
    fn what_names_none_is_refused_with_the_reason() {
        for (text, why) in [
            ("api.example/v1", "is no URL"),
            ("api.example", "neither"),
            ("/v1", "neither"),
            ("ftp://api.example", "neither"),
            ("http://", "is no URL"),
            ("http:///v1", "is no URL"),
            ("http://:80/", "names no host"),
            ("http://a b/", "is no URL"),
            ("http://a:0", "port"),
            ("http://a:", "port"),
            ("http://a:65536/v1", "port"),
            ("http://a:http/v1", "port"),
            ("http://user:word@a/v1", "credentials"),
            ("http://a/v1?key=word", "query"),
            ("http://a/v1#word", "fragment"),
            ("http://a/\r\nb", "is no URL"),
            ("*", "neither"),
        ] {
            let refusal = BaseUrl::parse(text).expect_err(text);
            assert!(refusal.contains(why), "{text}: {refusal}");
            assert!(!refusal.contains("word"));
        }
    }

    #[test]
    fn its_length_is_bounded() {
        let long = |bytes: usize| format!("http://{}", "a/".repeat(bytes))[..bytes].to_owned();
        assert!(BaseUrl::parse(&long(BYTES_MAX)).is_ok());
        assert_eq!(BaseUrl::parse(&long(BYTES_MAX + 1)), Err("is longer than 2048 bytes"));
    }
}
