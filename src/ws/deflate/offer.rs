//! The offer of permessage-deflate in `Sec-WebSocket-Extensions` and the answer to it (RFC 7692 sections 5 and 7.1).

use super::SERVER_WINDOW_BITS;

/// The terms on which messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The client limits the server's window, so the answer has to name one.
    names_server_window: bool,
}

impl Accepted {
    /// The value of `Sec-WebSocket-Extensions` in the answer to the upgrade.
    pub fn header_value(self) -> String {
        let mut value =
            String::from("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
        if self.names_server_window {
            value.push_str(&format!("; server_max_window_bits={SERVER_WINDOW_BITS}"));
        }
        value
    }
}

/// The header is not a list of extensions; the upgrade has to fail (RFC 6455 section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Chooses the first acceptable offer among the `values` of all `Sec-WebSocket-Extensions` headers of a request.
///
/// An offer is passed over, not refused, when it has a parameter that is unknown, repeated or out of range, or
/// asks for a server window below [`SERVER_WINDOW_BITS`]. `None`: go on without compression.
///
/// # Errors
/// [`Malformed`] when a value breaks the grammar, even behind an acceptable offer.
pub fn negotiate<'h>(values: impl IntoIterator<Item = &'h str>) -> Result<Option<Accepted>, Malformed> {
    let mut accepted = None;
    for value in values {
        let mut scanner = Scanner(value);
        while let Some(name) = scanner.extension_name()? {
            let mut terms = name.eq_ignore_ascii_case("permessage-deflate").then(Terms::default);
            while let Some((name, value)) = scanner.parameter()? {
                terms = terms.and_then(|terms| terms.with(name, value));
            }
            accepted = accepted.or(terms.and_then(Terms::accept));
        }
    }
    Ok(accepted)
}

/// The parameters of one offer; the outer option tells whether one was there.
#[derive(Debug, Default)]
struct Terms {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: bool,
}

impl Terms {
    /// The terms with one more parameter, or `None` if that spoils the offer.
    fn with(mut self, name: &str, value: Option<&str>) -> Option<Self> {
        let repeated = match (name, value) {
            ("server_no_context_takeover", None) => {
                std::mem::replace(&mut self.server_no_context_takeover, true)
            }
            ("client_no_context_takeover", None) => {
                std::mem::replace(&mut self.client_no_context_takeover, true)
            }
            ("server_max_window_bits", Some(bits)) => {
                self.server_max_window_bits.replace(window_bits(bits)?).is_some()
            }
            ("client_max_window_bits", bits) => {
                if let Some(bits) = bits {
                    window_bits(bits)?;
                }
                std::mem::replace(&mut self.client_max_window_bits, true)
            }
            _ => return None,
        };
        (!repeated).then_some(self)
    }

    fn accept(self) -> Option<Accepted> {
        match self.server_max_window_bits {
            Some(bits) if bits < SERVER_WINDOW_BITS => None,
            bits => Some(Accepted { names_server_window: bits.is_some() }),
        }
    }
}

/// 8 to 15, without leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    matches!(value, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15").then(|| value.parse().ok())?
}

/// Reads a list of extensions (RFC 6455 section 9.1) from the front of what is left.
struct Scanner<'h>(&'h str);

impl<'h> Scanner<'h> {
    /// The name of the next extension, `None` at the end. Empty elements of the list are allowed.
    fn extension_name(&mut self) -> Result<Option<&'h str>, Malformed> {
        while self.eat(',') {}
        if self.0.is_empty() { Ok(None) } else { self.token().map(Some) }
    }

    /// The next parameter of the current extension with its value, `None` at the end of the extension.
    fn parameter(&mut self) -> Result<Option<(&'h str, Option<&'h str>)>, Malformed> {
        if !self.eat(';') {
            return if self.0.is_empty() || self.0.starts_with(',') { Ok(None) } else { Err(Malformed) };
        }
        let name = self.token()?;
        let value = match self.eat('=') {
            true if self.eat('"') => Some(self.quoted()?),
            true => Some(self.token()?),
            false => None,
        };
        Ok(Some((name, value)))
    }

    /// Skips white space and, if it comes next, `expected`; then white space again.
    fn eat(&mut self, expected: char) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        let Some(rest) = self.0.strip_prefix(expected) else { return false };
        self.0 = rest.trim_start_matches([' ', '\t']);
        true
    }

    fn token(&mut self) -> Result<&'h str, Malformed> {
        let end = self.0.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// A token up to the closing quote. Escapes are refused: no value that is understood here needs one.
    fn quoted(&mut self) -> Result<&'h str, Malformed> {
        let token = self.token()?;
        self.0 = self.0.strip_prefix('"').ok_or(Malformed)?;
        Ok(token)
    }
}

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
pub(in crate::ws) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Accepted = Accepted { names_server_window: false };
    const NAMED: Accepted = Accepted { names_server_window: true };

    #[test]
    fn accepts_what_clients_send() {
        for (offer, expected) in [
            ("permessage-deflate", PLAIN),
            ("permessage-deflate; client_max_window_bits", PLAIN),
            ("Permessage-Deflate;client_max_window_bits=8", PLAIN),
            ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", NAMED),
            ("permessage-deflate; server_max_window_bits=\"15\"", NAMED),
            ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", PLAIN),
            (", ,x-other; a=b , permessage-deflate ,", PLAIN),
            ("permessage-deflate; server_max_window_bits=9, permessage-deflate", PLAIN),
            ("permessage-deflate; unknown, permessage-deflate; server_max_window_bits=14", NAMED),
        ] {
            assert_eq!(negotiate([offer]), Ok(Some(expected)), "{offer}");
        }
        assert_eq!(negotiate(["x-other", "permessage-deflate"]), Ok(Some(PLAIN)));
    }

    #[test]
    fn passes_over_offers_it_does_not_understand() {
        for parameters in [
            "unknown",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=10",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=012",
            "server_max_window_bits=+12",
            "server_max_window_bits=11",
            "client_max_window_bits=0",
            "server_max_window_bits=12; server_max_window_bits=12",
        ] {
            assert_eq!(
                negotiate([format!("permessage-deflate; {parameters}").as_str()]),
                Ok(None),
                "{parameters}"
            );
        }
        assert_eq!(negotiate([]), Ok(None));
        assert_eq!(negotiate([""]), Ok(None));
        assert_eq!(negotiate(["x-webkit-deflate-frame"]), Ok(None));
    }

    #[test]
    fn broken_grammar_fails_the_whole_header() {
        for value in [
            ";",
            "permessage-deflate;",
            "permessage-deflate; =1",
            "permessage-deflate; a=",
            "permessage-deflate; a=\"",
            "permessage-deflate; a=\"\"",
            "permessage-deflate; a=\"b c\"",
            "permessage-deflate x",
            "permessage-deflate, é",
            "permessage-deflate; a=b=c",
            "a@b",
        ] {
            assert_eq!(negotiate([value]), Err(Malformed), "{value}");
        }
    }

    #[test]
    fn answer_names_both_directions_and_a_window_only_if_asked() {
        let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(PLAIN.header_value(), plain);
        assert_eq!(NAMED.header_value(), format!("{plain}; server_max_window_bits=12"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(value in "[ -~é]{0,60}", list in "(permessage-deflate|[a-z;=,\" ]{0,6}){0,8}") {
            let _ = negotiate([value.as_str(), list.as_str()]);
        }
    }
}
