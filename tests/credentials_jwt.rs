//! Tokens signed with RS256, ES256 and EdDSA, as the configuration's keys verify them: from PEM files and JWK sets.

use std::slice::from_ref;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lanecast::auth::Verifier;
use lanecast::config::VerifyingKey;
use rsa::pkcs8::der::Document;
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;
const SECRET: &str = "a secret that is long enough to be one";

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("fixtures/keys/", $name, ".pem"))
    };
}

/// An algorithm and two of its keys: private and public PEM of each.
struct Kind {
    algorithm: Algorithm,
    a: (&'static str, &'static str),
    b: (&'static str, &'static str),
}

const KINDS: [Kind; 3] = [
    Kind {
        algorithm: Algorithm::RS256,
        a: (pem!("rsa-a.key"), pem!("rsa-a.pub")),
        b: (pem!("rsa-b.key"), pem!("rsa-b.pub")),
    },
    Kind {
        algorithm: Algorithm::ES256,
        a: (pem!("p256-a.key"), pem!("p256-a.pub")),
        b: (pem!("p256-b.key"), pem!("p256-b.pub")),
    },
    Kind {
        algorithm: Algorithm::EdDSA,
        a: (pem!("ed25519-a.key"), pem!("ed25519-a.pub")),
        b: (pem!("ed25519-b.key"), pem!("ed25519-b.pub")),
    },
];

fn signer(algorithm: Algorithm, pem: &str) -> EncodingKey {
    let (_, der) = Document::from_pem(pem).unwrap();
    match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_der(der.as_bytes()),
        Algorithm::EdDSA => EncodingKey::from_ed_der(der.as_bytes()),
        _ => EncodingKey::from_rsa_der(der.as_bytes()),
    }
}

fn signed(algorithm: Algorithm, pem: &str, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, &signer(algorithm, pem)).unwrap()
}

fn key(pem: &str) -> VerifyingKey {
    VerifyingKey::from_pem(pem).unwrap()
}

fn verifier(keys: &[VerifyingKey]) -> Verifier {
    Verifier::new(None, None, None).with_keys(keys)
}

fn refused(verifier: &Verifier, token: &str) -> String {
    verifier.verify(token, NOW).expect_err(token).text.to_string()
}

/// The same token with another header, its signature kept.
fn with_header(token: &str, header: &Value) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", base64url(header.to_string().as_bytes()))
}

/// The slow and obvious way.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = bytes.iter().map(|b| format!("{b:08b}")).collect();
    let groups = bits.as_bytes().chunks(6).map(|g| format!("{:0<6}", std::str::from_utf8(g).unwrap()));
    groups.map(|g| ALPHABET[usize::from_str_radix(&g, 2).unwrap()] as char).collect()
}

fn jwk(kind: &Kind, private: &str, kid: Option<&str>) -> Value {
    let jwk = Jwk::from_encoding_key(&signer(kind.algorithm, private), kind.algorithm).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    if let Some(kid) = kid {
        jwk["kid"] = kid.into();
    }
    jwk
}

fn jwks(keys: &[Value]) -> Vec<VerifyingKey> {
    VerifyingKey::from_jwks(&json!({ "keys": keys }).to_string()).unwrap()
}

#[test]
fn a_genuine_token_is_read_and_a_foreign_or_altered_one_is_not() {
    for kind in &KINDS {
        let verifier = verifier(&[key(kind.a.1)]);
        assert!(verifier.can_verify());
        let genuine = signed(kind.algorithm, kind.a.0, None, &json!({"sub": "u", "roles": ["r"]}));
        let claims = verifier.verify(&genuine, NOW).unwrap();
        assert_eq!((claims.user.as_deref(), claims.roles), (Some("u"), vec!["r".to_owned()]));
        let foreign = signed(kind.algorithm, kind.b.0, None, &json!({"sub": "u"}));
        assert_eq!(refused(&verifier, &foreign), "Invalid token");
        let (message, signature) = genuine.rsplit_once('.').unwrap();
        let (header, _) = message.split_once('.').unwrap();
        let other = base64url(br#"{"sub":"v"}"#);
        let cut = &signature[..signature.len() - 2];
        for altered in [
            format!("{header}.{other}.{signature}"),
            format!("{message}.{cut}"),
            format!("{message}."),
            format!("{message}.{signature}AA"),
            message.to_owned(),
        ] {
            assert_eq!(refused(&verifier, &altered), "Invalid token");
        }
    }
}

#[test]
fn dates_audience_and_issuer_count_to_the_second() {
    for kind in &KINDS {
        let sign = |claims: Value| signed(kind.algorithm, kind.a.0, None, &claims);
        let plain = verifier(&[key(kind.a.1)]);
        for (claims, outcome) in [
            (json!({"sub": "u", "exp": NOW + 1}), None),
            (json!({"sub": "u", "exp": NOW}), Some("Token expired")),
            (json!({"sub": "u", "nbf": NOW}), None),
            (json!({"sub": "u", "nbf": NOW + 1}), Some("Token not valid yet")),
        ] {
            assert_eq!(
                plain.verify(&sign(claims), NOW).err().map(|r| r.text.to_string()).as_deref(),
                outcome
            );
        }
        let strict = Verifier::new(None, Some("lanecast"), Some("me")).with_keys(&[key(kind.a.1)]);
        assert!(strict.verify(&sign(json!({"sub": "u", "aud": "lanecast", "iss": "me"})), NOW).is_ok());
        let other = sign(json!({"sub": "u", "aud": "other", "iss": "me"}));
        assert_eq!(refused(&strict, &other), "Token is for another audience");
        let lacking = sign(json!({"sub": "u", "aud": "lanecast"}));
        assert_eq!(refused(&strict, &lacking), "Token lacks the audience or issuer asked for");
    }
}

#[test]
fn the_key_decides_the_algorithm() {
    let all: Vec<_> = KINDS.iter().map(|kind| key(kind.a.1)).collect();
    for kind in &KINDS {
        let genuine = signed(kind.algorithm, kind.a.0, None, &json!({"sub": "u"}));
        for keys in [&all[..], &[key(kind.a.1)]] {
            let verifier = verifier(keys);
            assert!(verifier.verify(&genuine, NOW).is_ok());
            let own = serde_json::to_value(kind.algorithm).unwrap();
            let others =
                ["none", "None", "", "HS256", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"];
            for algorithm in others.into_iter().filter(|a| own != *a) {
                for token in [
                    with_header(&genuine, &json!({"alg": algorithm})),
                    with_header(&genuine, &json!({"alg": algorithm, "kid": "x"})),
                ] {
                    assert_eq!(refused(&verifier, &token), "Invalid token", "{algorithm}");
                }
            }
        }
    }
    // The same RSA key, another algorithm of its family.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = signed(algorithm, KINDS[0].a.0, None, &json!({"sub": "u"}));
        assert_eq!(refused(&verifier(&all), &token), "Invalid token");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    for kind in &KINDS {
        let (_, der) = Document::from_pem(kind.a.1).unwrap();
        let public = key(kind.a.1);
        let raw = public.decoding_key();
        let mut secrets = vec![kind.a.1.as_bytes(), kind.a.1.trim_end().as_bytes(), der.as_bytes()];
        secrets.extend(raw.try_get_as_bytes().ok());
        for secret in secrets {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let header = Header::new(algorithm);
                let evil = EncodingKey::from_secret(secret);
                let token = jsonwebtoken::encode(&header, &json!({"sub": "admin"}), &evil).unwrap();
                let with_secret = Verifier::new(Some(SECRET), None, None).with_keys(from_ref(&public));
                for verifier in [verifier(from_ref(&public)), with_secret] {
                    assert_eq!(refused(&verifier, &token), "Invalid token");
                }
            }
        }
    }
}

#[test]
fn a_secret_and_public_keys_stand_side_by_side() {
    let keys: Vec<_> = KINDS.iter().flat_map(|kind| [key(kind.b.1), key(kind.a.1)]).collect();
    let verifier = Verifier::new(Some(SECRET), None, None).with_keys(&keys);
    for kind in &KINDS {
        for private in [kind.a.0, kind.b.0] {
            let token = signed(kind.algorithm, private, None, &json!({"sub": "u"}));
            assert!(verifier.verify(&token, NOW).is_ok());
            let named = signed(kind.algorithm, private, Some("any"), &json!({"sub": "u"}));
            assert!(verifier.verify(&named, NOW).is_ok(), "PEM files have no kid");
            let expired = signed(kind.algorithm, private, None, &json!({"sub": "u", "exp": NOW}));
            assert_eq!(refused(&verifier, &expired), "Token expired");
        }
    }
    let hs = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &json!({"sub": "u"}), &hs).unwrap();
    assert!(verifier.verify(&token, NOW).is_ok());
}

#[test]
fn a_key_with_an_id_verifies_only_tokens_that_name_it() {
    let mut set: Vec<Value> =
        KINDS.iter().flat_map(|k| [jwk(k, k.a.0, Some("a")), jwk(k, k.b.0, Some("b"))]).collect();
    let named = verifier(&jwks(&set));
    let claims = json!({"sub": "u"});
    for kind in &KINDS {
        for (private, kid) in [(kind.a.0, "a"), (kind.b.0, "b")] {
            let other = if kid == "a" { "b" } else { "a" };
            assert!(named.verify(&signed(kind.algorithm, private, Some(kid), &claims), NOW).is_ok());
            for wrong in [Some(other), Some("unknown"), Some(""), Some("A"), None] {
                let token = signed(kind.algorithm, private, wrong, &claims);
                assert_eq!(refused(&named, &token), "Invalid token", "{wrong:?}");
            }
        }
    }
    for key in &mut set {
        key.as_object_mut().unwrap().remove("kid");
    }
    let nameless = verifier(&jwks(&set));
    for kind in &KINDS {
        for (private, kid) in [(kind.a.0, None), (kind.b.0, Some("any"))] {
            assert!(nameless.verify(&signed(kind.algorithm, private, kid, &claims), NOW).is_ok());
        }
    }
}

#[test]
fn debug_output_shows_no_key() {
    let verifier = Verifier::new(Some(SECRET), None, None).with_keys(&[key(KINDS[0].a.1)]);
    let shown = format!("{verifier:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(&format!("{:?}", SECRET.as_bytes())), "{shown}");
}
