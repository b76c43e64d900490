//! TLS 1.2 and 1.3, with certificates that may change while the server runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::client_certificate::OfNames;
use super::settings::{ClientCertificates, ListenerSettings, ServerError, TlsFiles, TlsVersion};

/// How a listener's connections are encrypted, and whom it lets in by certificate.
pub(crate) struct Security {
    certificate: Arc<Certificate>,
    clients: Option<Clients>,
    versions: Vec<&'static SupportedProtocolVersion>,
    current: ArcSwap<ServerConfig>,
}

/// The authorities of clients' certificates as they were read last.
struct Clients {
    rule: ClientCertificates,
    seen: ArcSwap<Vec<u8>>,
}

impl Security {
    /// Reads all files for the first time; `None` where a listener speaks plainly.
    pub(crate) fn load(settings: &ListenerSettings) -> Result<Option<Arc<Self>>, ServerError> {
        let Some(files) = settings.tls.clone() else {
            return if settings.client_certificates.is_none() { Ok(None) } else { Err(ServerError::NotEncrypted) };
        };
        let certificate = Certificate::load(files)?;
        let versions: Vec<_> = settings.tls_versions.iter().map(|version| version.of_rustls()).collect();
        let clients = settings.client_certificates.clone().map(Clients::load).transpose()?;
        let config = configuration(&certificate, clients.as_ref().map(Clients::verifier).transpose()?, &versions)?;
        Ok(Some(Arc::new(Self { certificate, clients, versions, current: ArcSwap::from_pointee(config) })))
    }

    /// What the next handshake is done with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Looks at the files again. What works is used from the next handshake on; what does not is reported once, and the
    /// old stays.
    pub(crate) fn reload(&self) {
        self.certificate.reload();
        let Some(clients) = &self.clients else { return };
        let Ok(content) = std::fs::read(&clients.rule.ca) else { return };
        if **clients.seen.load() == content {
            return;
        }
        clients.seen.store(Arc::new(content));
        let made =
            clients.verifier().and_then(|clients| configuration(&self.certificate, Some(clients), &self.versions));
        match made {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(authorities = %clients.rule.ca.display(), "the authorities of clients were renewed");
            }
            Err(error) => tracing::error!(%error, "the new authorities of clients are not used; the old ones stay"),
        }
    }
}

impl Clients {
    fn load(rule: ClientCertificates) -> Result<Self, ServerError> {
        let content = read(&rule.ca)?;
        Ok(Self { rule, seen: ArcSwap::from_pointee(content) })
    }

    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, ServerError> {
        let wrong = |reason: String| ServerError::ClientCa { path: self.rule.ca.clone(), reason };
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(&self.seen.load()) {
            let root = root.map_err(|error| wrong(error.to_string()))?;
            roots.add(root).map_err(|error| wrong(error.to_string()))?;
        }
        let provider = Arc::new(ring::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self.rule.required { builder } else { builder.allow_unauthenticated() };
        let inner = builder.build().map_err(|error| wrong(error.to_string()))?;
        let names = self.rule.names.clone();
        Ok(if names.is_empty() { inner } else { Arc::new(OfNames { inner, names }) })
    }
}

impl TlsVersion {
    fn of_rustls(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::V1_2 => &rustls::version::TLS12,
            Self::V1_3 => &rustls::version::TLS13,
        }
    }
}

/// The configuration that serves whatever certificate is current.
fn configuration(
    certificate: &Arc<Certificate>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, ServerError> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(&certificate.provider))
        .with_protocol_versions(versions)
        .map_err(|error| wrong(&certificate.files, &error))?;
    let is_asking = clients.is_some();
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::clone(certificate) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if is_asking {
        // Whoever resumes a session shows no certificate, which may have ended or lost its authority meanwhile.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// The certificate in use, and where newer ones come from.
struct Certificate {
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
    fn load(files: TlsFiles) -> Result<Arc<Self>, ServerError> {
        let provider = Arc::new(ring::default_provider());
        let content = Content::read(&files)?;
        let key = parse(&files, &provider, &content)?;
        let (current, seen) = (ArcSwap::from_pointee(key), ArcSwap::from_pointee(content));
        Ok(Arc::new(Self { files, provider, current, seen }))
    }

    fn reload(&self) {
        // A file that is just being replaced may be absent for a moment; the next look finds it.
        let Ok(content) = Content::read(&self.files) else { return };
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

impl Content {
    fn read(files: &TlsFiles) -> Result<Self, ServerError> {
        Ok(Self { cert: read(&files.cert)?, key: read(&files.key)? })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ServerError> {
    std::fs::read(path).map_err(|source| ServerError::TlsFile { path: PathBuf::from(path), source })
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
