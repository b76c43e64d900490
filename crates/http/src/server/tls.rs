//! TLS 1.2 and 1.3, with a certificate that may change while the server runs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::{ServerError, TlsFiles};

/// The certificate in use, and where newer ones come from.
pub(crate) struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    seen: ArcSwap<Content>,
}

#[derive(PartialEq, Eq)]
struct Content {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// Reads the files for the first time.
    pub(crate) fn load(files: TlsFiles) -> Result<Arc<Self>, ServerError> {
        let provider = Arc::new(ring::default_provider());
        let content = read(&files)?;
        let key = parse(&files, &provider, &content)?;
        Ok(Arc::new(Self {
            files,
            provider,
            current: ArcSwap::from_pointee(key),
            seen: ArcSwap::from_pointee(content),
        }))
    }

    /// The configuration that serves whatever certificate is current.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, ServerError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| wrong(&self.files, &error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Reads the files again. A new pair that works is used from the next handshake on; one that does not is reported
    /// once, and the old one stays.
    pub(crate) fn reload(&self) {
        // A file that is just being replaced may be absent for a moment; the next look finds it.
        let Ok(content) = read(&self.files) else { return };
        if **self.seen.load() == content {
            return;
        }
        match parse(&self.files, &self.provider, &content) {
            Ok(key) => {
                self.current.store(Arc::new(key));
                tracing::info!(certificate = %self.files.cert.display(), "the TLS certificate was renewed");
            }
            Err(error) => tracing::error!(%error, "the new TLS certificate is not used; the old one stays"),
        }
        self.seen.store(Arc::new(content));
    }
}

fn read(files: &TlsFiles) -> Result<Content, ServerError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| ServerError::TlsFile { path: path.to_owned(), source });
    Ok(Content { cert: read(&files.cert)?, key: read(&files.key)? })
}

fn parse(files: &TlsFiles, provider: &CryptoProvider, content: &Content) -> Result<CertifiedKey, ServerError> {
    let chain = CertificateDer::pem_slice_iter(&content.cert)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(files, &error))?;
    if chain.is_empty() {
        return Err(wrong(files, &"the certificate file holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&content.key).map_err(|error| wrong(files, &error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| wrong(files, &error))
}

fn wrong(files: &TlsFiles, reason: &dyn ToString) -> ServerError {
    ServerError::Tls { files: files.clone(), reason: reason.to_string() }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}
