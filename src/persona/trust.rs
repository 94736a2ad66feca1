//! Whom the server believes that it is the endpoint: TLS 1.2 and 1.3 by ring.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// With the certificates that the host trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
///
/// # Errors
/// There are none, in words for the operator.
pub fn of_host() -> Result<Arc<ClientConfig>, String> {
    of_certificates(rustls_native_certs::load_native_certs().certs)
}

/// One that cannot be read is one less: hosts carry curious certificates.
fn of_certificates(certificates: Vec<CertificateDer<'_>>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(
            "is https, and this host has no certificates to trust: must be http, or install them, or name \
                    a file of them in SSL_CERT_FILE"
                .into(),
        );
    }
    of(roots)
}

/// In nobody: for an endpoint without TLS.
///
/// # Errors
/// None that are known.
pub fn of_nobody() -> Result<Arc<ClientConfig>, String> {
    of(RootCertStore::empty())
}

/// In these.
///
/// # Errors
/// None that are known: the library reports a provider that cannot do what it promises.
pub fn of(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot be spoken to over TLS: {error}"))?;
    Ok(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn a_host_needs_one_certificate_that_can_be_read() {
        let nonsense = CertificateDer::from(b"nonsense".to_vec());
        for none in [vec![], vec![nonsense.clone()]] {
            let error = of_certificates(none).expect_err("nobody to trust");
            assert!(error.contains("SSL_CERT_FILE"), "{error}");
        }
        let pem = include_bytes!("../../tests/fixtures/tls/ca.cert.pem");
        let authority = CertificateDer::from_pem_slice(pem).expect("a certificate");
        assert!(of_certificates(vec![nonsense, authority]).is_ok());
    }
}
