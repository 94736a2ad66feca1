//! JSON Web Tokens: HS256 with the server's secret, RS256, ES256 and EdDSA with public keys.
//!
//! Invariant: each key has one algorithm, and a token reaches it only when its header says that very one. A public
//! key is never a secret: the two are of different families, and the library takes neither for the other.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, TokenData, Validation};
use serde_json::{Map, Value};

use super::claims::{Claims, refused};
use crate::config::VerifyingKey;
use crate::model::Refusal;

/// Verifies signatures and claims. The algorithm is the verifier's choice, never the token's.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// None: nothing can be verified, and every token is refused.
    keys: Vec<Key>,
    /// Of HS256; a key of another algorithm has a copy with that one.
    validation: Validation,
}

#[derive(Clone, Debug)]
struct Key {
    /// `Some`: only for tokens whose header names it.
    id: Option<String>,
    /// Its debug output is redacted.
    key: DecodingKey,
    algorithm: Algorithm,
    /// Allows that one algorithm.
    validation: Validation,
}

impl Key {
    fn fits(&self, header: &Header) -> bool {
        self.algorithm == header.alg && (self.id.is_none() || self.id == header.kid)
    }
}

impl Verifier {
    /// `audience` and `issuer` absent: `aud` and `iss` are not checked; present: the token must have that very value, or
    /// it among others. An empty secret counts as none: everybody could sign with it.
    pub fn new(secret: Option<&str>, audience: Option<&str>, issuer: Option<&str>) -> Self {
        let validation = validation(audience, issuer);
        let key = secret.filter(|secret| !secret.is_empty()).map(|secret| Key {
            id: None,
            key: DecodingKey::from_secret(secret.as_bytes()),
            algorithm: Algorithm::HS256,
            validation: validation.clone(),
        });
        Self { keys: key.into_iter().collect(), validation }
    }

    /// The same with public keys, each for its own algorithm.
    pub fn with_keys(mut self, keys: &[VerifyingKey]) -> Self {
        let known = keys.iter().map(|key| {
            let algorithm = key.algorithm();
            let validation = Validation { algorithms: vec![algorithm], ..self.validation.clone() };
            Key { id: key.id.clone(), key: key.decoding_key(), algorithm, validation }
        });
        self.keys.extend(known);
        self
    }

    /// Whether there is a secret or a key.
    pub fn can_verify(&self) -> bool {
        !self.keys.is_empty()
    }

    /// What the token says, if it is genuine and valid at `now_secs` (seconds since 1970). The refusal gives the
    /// cause and nothing of the token but names of claims, and those only once the signature is right.
    pub fn verify(&self, token: &str, now_secs: u64) -> Result<Claims, Refusal> {
        if self.keys.is_empty() {
            return Err(refused("Tokens cannot be verified here"));
        }
        let token = self.decode(token)?;
        if token.header.crit.is_some() {
            // Extensions that must be understood (RFC 7515 section 4.1.11): none are.
            return Err(refused("Token needs an unknown extension"));
        }
        Claims::read(&token.claims, now_secs)
    }

    /// Tries the keys that fit the header. The first whose signature is right decides, be it by a refusal.
    fn decode(&self, token: &str) -> Result<TokenData<Map<String, Value>>, Refusal> {
        let invalid = refused("Invalid token");
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Err(invalid) };
        for key in self.keys.iter().filter(|key| key.fits(&header)) {
            match jsonwebtoken::decode(token, &key.key, &key.validation) {
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                decoded => return decoded.map_err(|error| refused(cause(&error))),
            }
        }
        Err(invalid)
    }
}

fn validation(audience: Option<&str>, issuer: Option<&str>) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    // The library would read the clock; `Claims` checks both dates.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = audience.is_some();
    let mut required = vec![];
    if let Some(audience) = audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    if let Some(issuer) = issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.set_required_spec_claims(&required);
    validation
}

fn cause(error: &jsonwebtoken::errors::Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidAudience => "Token is for another audience",
        ErrorKind::InvalidIssuer => "Token is from another issuer",
        ErrorKind::MissingRequiredClaim(_) => "Token lacks the audience or issuer asked for",
        _ => "Invalid token",
    }
}

/// Whether a token claims to be a JWT, however badly: a first part before a dot that begins as a base64url JSON
/// object does. So one without signature, cut or altered is not mistaken for an opaque name.
pub fn looks_like_jwt(token: &str) -> bool {
    let Some((header, _)) = token.split_once('.') else { return false };
    let header = base64url_beginning(header);
    let Some(inside) = header.trim_ascii_start().strip_prefix(b"{") else { return false };
    matches!(inside.trim_ascii_start().first(), Some(b'"' | b'}'))
}

/// Decodes up to the first character that is none of the alphabet (RFC 4648 section 5).
fn base64url_beginning(text: &str) -> Vec<u8> {
    let (mut out, mut bits, mut held) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => break,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use jsonwebtoken::EncodingKey;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::Code;

    pub const SECRET: &str = "a secret that is long enough to be one";
    const NOW: u64 = 1_700_000_000;

    pub fn signed(secret: &str, claims: &Value) -> String {
        with_header(&Header::new(Algorithm::HS256), secret, claims)
    }

    fn with_header(header: &Header, secret: &str, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    /// The slow and obvious way, for the tests' own tokens.
    fn base64url(bytes: &[u8]) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits: String = bytes.iter().map(|b| format!("{b:08b}")).collect();
        let groups = bits.as_bytes().chunks(6).map(|g| format!("{:0<6}", std::str::from_utf8(g).unwrap()));
        groups.map(|g| ALPHABET[usize::from_str_radix(&g, 2).unwrap()] as char).collect()
    }

    fn verifier() -> Verifier {
        Verifier::new(Some(SECRET), None, None)
    }

    fn refusal(verifier: &Verifier, token: &str) -> Refusal {
        let refusal = verifier.verify(token, NOW).expect_err(token);
        assert_eq!(refusal.code, Code::Unauthenticated);
        refusal
    }

    #[test]
    fn a_genuine_token_is_read_and_a_foreign_one_is_not() {
        let claims = json!({"sub": "u", "exp": NOW + 1});
        assert_eq!(verifier().verify(&signed(SECRET, &claims), NOW).unwrap().user.as_deref(), Some("u"));
        assert!(verifier().verify(&signed(SECRET, &json!({"sub": "u"})), NOW).is_ok());
        assert_eq!(refusal(&verifier(), &signed("another secret", &claims)).text, "Invalid token");
        let expired = signed(SECRET, &json!({"sub": "u", "exp": NOW}));
        assert_eq!(refusal(&verifier(), &expired).text, "Token expired");
        assert_eq!(verifier().verify(&signed(SECRET, &json!({})), NOW).unwrap().user, None);
    }

    #[test]
    fn the_algorithm_is_not_the_tokens_choice() {
        let claims = json!({"sub": "u"});
        for algorithm in [Algorithm::HS384, Algorithm::HS512] {
            let token = with_header(&Header::new(algorithm), SECRET, &claims);
            assert_eq!(refusal(&verifier(), &token).text, "Invalid token");
        }
        let genuine = signed(SECRET, &claims);
        let signature = genuine.rsplit('.').next().unwrap();
        let payload = base64url(claims.to_string().as_bytes());
        for algorithm in ["none", "None", "", "HS384", "RS256", "ES256", "EdDSA", "hs256"] {
            let header = base64url(json!({"alg": algorithm, "typ": "JWT"}).to_string().as_bytes());
            for end in ["", signature] {
                let token = format!("{header}.{payload}.{end}");
                assert!(looks_like_jwt(&token));
                assert_eq!(refusal(&verifier(), &token).text, "Invalid token");
            }
        }
    }

    #[test]
    fn a_token_cut_or_altered_at_any_byte_is_refused_and_still_looks_like_one() {
        let genuine = signed(SECRET, &json!({"sub": "u"}));
        for end in 0..genuine.len() {
            refusal(&verifier(), &genuine[..end]);
        }
        let first_dot = genuine.find('.').unwrap();
        for end in first_dot + 1..genuine.len() {
            assert!(looks_like_jwt(&genuine[..end]));
        }
        for at in 0..genuine.len() {
            let mut bytes = genuine.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            refusal(&verifier(), std::str::from_utf8(&bytes).unwrap());
        }
        refusal(&verifier(), &format!("{genuine}."));
        refusal(&verifier(), &format!("{genuine} "));
    }

    #[test]
    fn without_a_secret_nothing_is_verified() {
        for verifier in [Verifier::new(None, None, None), Verifier::new(Some(""), None, None)] {
            assert!(!verifier.can_verify());
            for secret in [SECRET, "x"] {
                let text = refusal(&verifier, &signed(secret, &json!({"sub": "u"}))).text;
                assert_eq!(text, "Tokens cannot be verified here");
            }
        }
    }

    #[test]
    fn audience_and_issuer_count_when_configured() {
        let both = Verifier::new(Some(SECRET), Some("lanecast"), Some("issuer"));
        let right = json!({"sub": "u", "aud": "lanecast", "iss": "issuer"});
        assert!(both.verify(&signed(SECRET, &right), NOW).is_ok());
        for (claim, values) in [
            ("aud", [json!("other"), json!(null), json!([]), json!(["other"]), json!(5)]),
            ("iss", [json!("other"), json!(null), json!([]), json!(["other"]), json!(5)]),
        ] {
            for value in values {
                let mut claims = right.clone();
                claims[claim] = value;
                refusal(&both, &signed(SECRET, &claims));
            }
            let mut claims = right.clone();
            claims.as_object_mut().unwrap().remove(claim);
            refusal(&both, &signed(SECRET, &claims));
        }
        let among = json!({"sub": "u", "aud": ["x", "lanecast"], "iss": "issuer"});
        assert!(both.verify(&signed(SECRET, &among), NOW).is_ok());
        let any = json!({"sub": "u", "aud": ["any"], "iss": "any"});
        assert!(verifier().verify(&signed(SECRET, &any), NOW).is_ok());
    }

    #[test]
    fn extensions_that_must_be_understood_are_not() {
        let header = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::HS256) };
        let token = with_header(&header, SECRET, &json!({"sub": "u"}));
        assert_eq!(refusal(&verifier(), &token).text, "Token needs an unknown extension");
    }

    #[test]
    fn claims_that_are_no_object_are_refused() {
        for claims in [json!([]), json!("u"), json!(5), json!(null)] {
            assert_eq!(refusal(&verifier(), &signed(SECRET, &claims)).text, "Invalid token");
        }
    }

    #[test]
    fn names_with_dots_are_no_tokens() {
        for name in [
            "",
            "u",
            ".",
            "..",
            "a.b.c",
            "john.q.public",
            "ezra.smith",
            "eyck.van",
            "eye.ball",
            "test-token",
            "é.é",
        ] {
            assert!(!looks_like_jwt(name), "{name}");
        }
        for header in ["{}", "{\"alg\":\"HS256\"}", " {\n \"alg\":1}"] {
            assert!(looks_like_jwt(&format!("{}.x", base64url(header.as_bytes()))), "{header}");
        }
        assert!(!looks_like_jwt("eyJhbGciOiJIUzI1NiJ9"));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let shown = format!("{:?} {:#?}", verifier(), verifier());
        assert!(!shown.contains(SECRET) && !shown.contains(&format!("{:?}", SECRET.as_bytes())), "{shown}");
    }

    proptest! {
        #[test]
        fn base64url_reads_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(base64url_beginning(&base64url(&bytes)), bytes);
        }

        #[test]
        fn any_token_is_refused(token: String, a in "[A-Za-z0-9_-]{0,40}", b in "[A-Za-z0-9_-]{0,40}", c in "[A-Za-z0-9_-]{0,40}") {
            let _ = looks_like_jwt(&token);
            prop_assert!(verifier().verify(&token, NOW).is_err());
            let shaped = format!("{a}.{b}.{c}");
            prop_assert!(verifier().verify(&shaped, NOW).is_err());
        }
    }
}
