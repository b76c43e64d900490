//! Whose certificates are believed: the system's authorities, and those that the operator adds.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// A configuration for clients. `more` names a file with certificates of further authorities, PEM.
pub(super) fn client(more: Option<&Path>) -> std::io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let (_, unreadable) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    tracing::debug!(roots = roots.len(), unreadable, "certificates of this system");
    if let Some(path) = more {
        let text = std::fs::read(path)?;
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|_| invalid(path))?;
            roots.add(certificate).map_err(|_| invalid(path))?;
        }
        if roots.len() == before {
            return Err(invalid(path));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn invalid(path: &Path) -> std::io::Error {
    let text = format!("{} holds no certificates in PEM", path.display());
    std::io::Error::new(std::io::ErrorKind::InvalidData, text)
}
