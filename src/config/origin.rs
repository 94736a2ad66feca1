//! Origins of web pages, as the `Origin` header writes them.

use super::list::Item;

/// An allowed origin: `*`, or scheme, host and port of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every origin.
    Any,
    /// This one, in lower case: `https://app.example:8443`.
    Exactly(String),
}

impl AllowedOrigin {
    /// Whether a page of `origin` may come in. Schemes and hosts know no case.
    pub fn allows(&self, origin: &str) -> bool {
        match self {
            AllowedOrigin::Any => true,
            AllowedOrigin::Exactly(allowed) => allowed.eq_ignore_ascii_case(origin),
        }
    }
}

impl Item for AllowedOrigin {
    const KIND: &'static str = "list of origins";
    const ALLOWED: &'static str =
        "a list of \"*\" or of origins without a path, such as [\"https://app.example\"]";

    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(AllowedOrigin::Any);
        }
        let (scheme, host) = text.split_once("://")?;
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"/?#@*".contains(c);
        let whole = !scheme.is_empty() && !host.is_empty() && text.replacen("://", "", 1).chars().all(plain);
        whole.then(|| AllowedOrigin::Exactly(text.to_ascii_lowercase()))
    }

    fn show(&self) -> String {
        match self {
            AllowedOrigin::Any => "*".into(),
            AllowedOrigin::Exactly(origin) => origin.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_no_case() {
        assert!(AllowedOrigin::parse("https://App.example").unwrap().allows("HTTPS://app.EXAMPLE"));
        assert!(!AllowedOrigin::parse("https://app.example").unwrap().allows("https://app.example:8443"));
        assert!(AllowedOrigin::parse("*").unwrap().allows("null"));
        for text in ["", "app.example", "https://", "https://a/", "https://a b", "https://*.a", "://a"] {
            assert!(AllowedOrigin::parse(text).is_none(), "{text}");
        }
    }
}
