//! Public keys that verify tokens, from PEM files and JWK sets.
//!
//! Invariant: a key decides its algorithm by what it is. Nothing else names one, neither a file nor a token, and
//! what is here was checked: its size is safe, its point is on its curve.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use rsa::BigUint;
use rsa::pkcs8::{DecodePublicKey, der::Document};
use rsa::traits::PublicKeyParts;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Bits of an RSA modulus: RFC 7518 section 3.3 asks for 2048; more than 4096 makes each token a burden.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// What a key must be, to follow "must be".
pub const KEY_ALLOWED: &str = "an RSA key of 2048 to 4096 bits, a P-256 key or an Ed25519 key";

/// A public key with the one algorithm it verifies: RS256, ES256 or EdDSA.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// The `kid` of a JWK. A key that has one verifies only tokens that name it.
    pub id: Option<String>,
    material: Material,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A point in SEC1 form.
    P256(Vec<u8>),
    Ed25519([u8; 32]),
}

/// Keys are public but long.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, algorithm) = (&self.id, self.algorithm());
        f.debug_struct("VerifyingKey").field("id", id).field("algorithm", &algorithm).finish_non_exhaustive()
    }
}

impl VerifyingKey {
    /// The algorithm its tokens must have.
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::RS256,
            Material::P256(_) => Algorithm::ES256,
            Material::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    /// The key as the verifier takes it.
    pub fn decoding_key(&self) -> DecodingKey {
        match &self.material {
            Material::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(modulus, exponent),
            Material::P256(point) => DecodingKey::from_ec_der(point),
            Material::Ed25519(bytes) => DecodingKey::from_ed_der(bytes),
        }
    }

    /// The one `PUBLIC KEY` of a PEM file (RFC 7468 section 13).
    ///
    /// # Errors
    /// What is wrong; nothing of the file is repeated but the label.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let (label, der) = Document::from_pem(pem).map_err(|_| "is no PEM file with one block")?;
        if label != "PUBLIC KEY" {
            return Err(format!("holds a {label}, no PUBLIC KEY"));
        }
        let der = der.as_bytes();
        let material = if let Ok(key) = rsa::RsaPublicKey::from_public_key_der(der) {
            Material::rsa(key.n().to_bytes_be(), key.e().to_bytes_be())
        } else if let Ok(key) = p256::PublicKey::from_public_key_der(der) {
            Material::p256(&key.to_sec1_bytes())
        } else {
            ed25519_dalek::VerifyingKey::from_public_key_der(der)
                .ok()
                .and_then(|key| Material::ed25519(key.as_bytes()))
        };
        let material = material.ok_or("holds a key that cannot be used")?;
        Ok(VerifyingKey { id: None, material })
    }

    /// The keys of a JWK set (RFC 7517 section 5) that verify tokens. Those of other types, curves, algorithms and
    /// uses are passed over, as that section asks.
    ///
    /// # Errors
    /// No JWK set, a key that is not public, a malformed key of a known type, or nothing left to verify with.
    pub fn from_jwks(json: &str) -> Result<Vec<Self>, String> {
        let set: Set = serde_json::from_str(json)
            .map_err(|e| format!("is no JWK set (line {}, column {})", e.line(), e.column()))?;
        let read = |(n, jwk): (usize, &Jwk)| jwk.read().map_err(|why| format!("key {}: {why}", n + 1));
        let keys: Vec<_> = set.keys.iter().enumerate().filter_map(|key| read(key).transpose()).collect();
        if keys.is_empty() {
            return Err("has no key that verifies RS256, ES256 or EdDSA".into());
        }
        keys.into_iter().collect()
    }
}

impl Material {
    fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Self> {
        let key = (BigUint::from_bytes_be(&modulus), BigUint::from_bytes_be(&exponent));
        let safe = RSA_BITS.contains(&key.0.bits()) && rsa::RsaPublicKey::new(key.0, key.1).is_ok();
        safe.then_some(Material::Rsa { modulus, exponent })
    }

    fn p256(point: &[u8]) -> Option<Self> {
        p256::PublicKey::from_sec1_bytes(point).ok().map(|_| Material::P256(point.to_vec()))
    }

    /// A point of small order would verify signatures of everything.
    fn ed25519(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.try_into().ok()?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak()).then_some(Material::Ed25519(bytes))
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// The members of a JWK that count here (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// A private part.
    d: Option<IgnoredAny>,
    /// A symmetric key.
    k: Option<IgnoredAny>,
}

impl Jwk {
    /// `None`: it is for something else.
    fn read(&self) -> Result<Option<VerifyingKey>, &'static str> {
        if self.d.is_some() || self.k.is_some() {
            return Err("is no public key");
        }
        let verifies = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => "RS256",
            ("EC", Some("P-256")) => "ES256",
            ("OKP", Some("Ed25519")) => "EdDSA",
            _ => return Ok(None),
        };
        if !verifies || self.alg.as_deref().is_some_and(|alg| alg != algorithm) {
            return Ok(None);
        }
        let material = self.material().ok_or("is malformed or of an unsafe size")?;
        Ok(Some(VerifyingKey { id: self.kid.clone(), material }))
    }

    /// The library decodes base64url; what comes of it is checked as the bytes of a PEM file are.
    fn material(&self) -> Option<Material> {
        match self.kty.as_str() {
            "RSA" => {
                let key = DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?).ok()?;
                let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return None };
                Material::rsa(n.clone(), e.clone())
            }
            "EC" => {
                let key = DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?).ok()?;
                Material::p256(key.try_get_as_bytes().ok()?)
            }
            _ => {
                let key = DecodingKey::from_ed_components(self.x.as_deref()?).ok()?;
                Material::ed25519(key.try_get_as_bytes().ok()?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    macro_rules! pem {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/keys/", $name, ".pem"))
        };
    }

    fn jwk(key: &VerifyingKey) -> Value {
        let jwk = jsonwebtoken::jwk::Jwk::from_decoding_key(&key.decoding_key(), None).unwrap();
        serde_json::to_value(jwk).unwrap()
    }

    fn jwks(keys: &[Value]) -> Result<Vec<VerifyingKey>, String> {
        VerifyingKey::from_jwks(&json!({ "keys": keys }).to_string())
    }

    #[test]
    fn a_key_has_the_algorithm_of_its_type_from_pem_and_jwk() {
        for (pem, algorithm) in [
            (pem!("rsa-a.pub"), Algorithm::RS256),
            (pem!("p256-a.pub"), Algorithm::ES256),
            (pem!("ed25519-a.pub"), Algorithm::EdDSA),
        ] {
            let key = VerifyingKey::from_pem(pem).unwrap();
            assert_eq!((key.algorithm(), &key.id), (algorithm, &None));
            assert_eq!(jwks(&[jwk(&key)]).unwrap(), [key]);
        }
    }

    #[test]
    fn unsafe_sizes_other_curves_and_other_blocks_are_refused() {
        for pem in [pem!("rsa-2047.pub"), pem!("p384.pub")] {
            assert_eq!(VerifyingKey::from_pem(pem).unwrap_err(), "holds a key that cannot be used");
        }
        for (pem, label) in [(pem!("rsa-a.key"), "RSA PRIVATE KEY"), (pem!("p256-a.key"), "PRIVATE KEY")] {
            assert_eq!(VerifyingKey::from_pem(pem).unwrap_err(), format!("holds a {label}, no PUBLIC KEY"));
        }
        let two = concat!(pem!("p256-a.pub"), pem!("p256-b.pub"));
        for pem in [two, "", "no key", "-----BEGIN PUBLIC KEY-----\n"] {
            assert_eq!(VerifyingKey::from_pem(pem).unwrap_err(), "is no PEM file with one block");
        }
    }

    #[test]
    fn a_modulus_has_2048_to_4096_bits() {
        for (bits, allowed) in [(2047, false), (2048, true), (4096, true), (4097, false)] {
            let modulus = (BigUint::from(1u8) << (bits - 1)) + BigUint::from(1u8);
            assert_eq!(Material::rsa(modulus.to_bytes_be(), vec![1, 0, 1]).is_some(), allowed, "{bits}");
        }
    }

    #[test]
    fn a_file_cut_at_any_byte_is_an_error_and_no_panic() {
        for pem in [pem!("rsa-a.pub"), pem!("p256-a.pub"), pem!("ed25519-a.pub")] {
            for end in 0..pem.trim_end().len() {
                assert!(VerifyingKey::from_pem(&pem[..end]).is_err());
            }
            let set = json!({ "keys": [jwk(&VerifyingKey::from_pem(pem).unwrap())] }).to_string();
            for end in 0..set.len() {
                assert!(VerifyingKey::from_jwks(&set[..end]).is_err());
            }
        }
    }

    #[test]
    fn keys_of_a_set_for_something_else_are_passed_over() {
        let key = VerifyingKey::from_pem(pem!("p256-a.pub")).unwrap();
        let with = |member: &str, value: Value| {
            let mut jwk = jwk(&key);
            jwk[member] = value;
            jwk
        };
        let others = [
            with("use", json!("enc")),
            with("key_ops", json!(["encrypt"])),
            with("alg", json!("ES384")),
            with("alg", json!("none")),
            with("crv", json!("P-521")),
            json!({"kty": "new", "x": "AA"}),
        ];
        assert_eq!(jwks(&others).unwrap_err(), "has no key that verifies RS256, ES256 or EdDSA");
        let named = with("kid", json!("one"));
        for member in [("use", json!("sig")), ("key_ops", json!(["verify"])), ("alg", json!("ES256"))] {
            let mut named = named.clone();
            named[member.0] = member.1;
            let keys = jwks(&[&others[..], &[named]].concat()).unwrap();
            assert_eq!((keys.len(), keys[0].id.as_deref()), (1, Some("one")));
        }
    }

    #[test]
    fn a_malformed_or_private_key_of_a_set_is_named() {
        let [rsa, p256, ed] = [pem!("rsa-a.pub"), pem!("p256-a.pub"), pem!("ed25519-a.pub")]
            .map(|pem| jwk(&VerifyingKey::from_pem(pem).unwrap()));
        let malformed = "key 2: is malformed or of an unsafe size";
        for (jwk, member, value, why) in [
            (&rsa, "n", json!("AQAB"), malformed),
            (&rsa, "n", json!("!"), malformed),
            (&rsa, "e", json!("Ag"), malformed),
            (&rsa, "e", json!(null), malformed),
            (&p256, "x", p256["y"].clone(), malformed),
            (&p256, "y", json!(""), malformed),
            (&ed, "x", json!("AAAA"), malformed),
            (&ed, "x", json!("A".repeat(43)), malformed),
            (&ed, "x", json!("A".repeat(44)), malformed),
            (&rsa, "d", json!("AAAA"), "key 2: is no public key"),
            (&json!({"kty": "oct"}), "k", json!("AAAA"), "key 2: is no public key"),
        ] {
            let mut bad = jwk.clone();
            bad[member] = value;
            assert_eq!(jwks(&[p256.clone(), bad]).unwrap_err(), why, "{member}");
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[5]}"#, r#"{"keys":[{}]}"#] {
            assert!(VerifyingKey::from_jwks(text).unwrap_err().starts_with("is no JWK set"), "{text}");
        }
    }
}
