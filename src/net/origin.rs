//! Which web pages may open connections (TUS-57, TUS-58, ruling T16).

/// The origins of one dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Any page.
    Any,
    /// These, and pages of the host that is asked. A request without an Origin is no page's.
    Only(Vec<String>),
}

impl OriginPolicy {
    /// Whether a request with these headers may be upgraded. Scheme and host are compared without regard to
    /// case (RFC 6454 section 4).
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let (Self::Only(allowed), Some(origin)) = (self, origin) else { return true };
        let same_host = || {
            let of = origin.split_once("://").map(|(_, rest)| rest);
            matches!((of, host), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
        };
        allowed.iter().any(|a| a.eq_ignore_ascii_case(origin)) || same_host()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_pages_same_host_pages_and_no_pages_pass() {
        let policy = OriginPolicy::Only(vec!["https://yourdomain.com".into()]);
        let host = Some("chat.example:8080");
        for (origin, passes) in [
            (None, true),
            (Some("https://yourdomain.com"), true),
            (Some("HTTPS://YourDomain.com"), true),
            (Some("http://chat.example:8080"), true),
            (Some("https://evil.example"), false),
            (Some("http://yourdomain.com"), false),
            (Some("https://yourdomain.com.evil.example"), false),
            (Some("http://chat.example"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            assert_eq!(policy.allows(origin, host), passes, "{origin:?}");
        }
        assert!(OriginPolicy::Any.allows(Some("https://evil.example"), host));
        assert!(!policy.allows(Some("http://"), None));
    }
}
