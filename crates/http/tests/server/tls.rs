//! TLS, and certificates that change.

use std::path::Path;
use std::sync::Arc;

use berth_http::server::{Server, ServerError, ServerSettings, TlsFiles};
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::running::*;

const REQUEST: &[u8] = b"GET /origin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

pub fn files(folder: &Path) -> TlsFiles {
    TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") }
}

pub fn write(files: &TlsFiles, certificate: &CertifiedKey<KeyPair>) {
    std::fs::write(&files.key, certificate.signing_key.serialize_pem()).unwrap();
    std::fs::write(&files.cert, certificate.cert.pem()).unwrap();
}

async fn connect(
    running: &Running,
    certificate: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    over_versions(running.connect().await, certificate, versions, alpn, None).await
}

/// A client that trusts this certificate, and shows one of its own.
pub async fn over(
    stream: TcpStream,
    certificate: &CertificateDer<'static>,
    shown: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    over_versions(stream, certificate, rustls::ALL_VERSIONS, &[], shown).await
}

pub async fn over_versions(
    stream: TcpStream,
    certificate: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[&str],
    shown: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    patiently(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

async fn works_with(running: &Running, certificate: &CertificateDer<'static>) -> bool {
    let Ok(mut stream) = connect(running, certificate, rustls::ALL_VERSIONS, &[]).await else { return false };
    stream.write_all(REQUEST).await.unwrap();
    read_to_end(&mut stream).await.contains("tls=true")
}

#[tokio::test]
async fn both_versions_and_both_protocols_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate();
    write(&files(folder.path()), &certificate);
    let running = Running::start(ServerSettings { tls: Some(files(folder.path())), ..settings() });
    assert_eq!(running.urls, [format!("https://{}", running.address)]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut stream = connect(&running, certificate.cert.der(), &[version], &["http/1.1"]).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        assert!(read_to_end(&mut stream).await.contains("tls=true"));
    }
    let stream = connect(&running, certificate.cert.der(), rustls::ALL_VERSIONS, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn a86_garbage_and_silence_do_not_harm() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate();
    write(&files(folder.path()), &certificate);
    let limits = ServerSettings { header_timeout: SHORT, ..settings() };
    let running = Running::start(ServerSettings { tls: Some(files(folder.path())), ..limits });
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\xff\xff\x01", b"", b"\0\0\0"]
    {
        running.exchange(garbage).await;
    }
    assert!(works_with(&running, certificate.cert.der()).await);
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let (first, second) = (certificate(), certificate());
    write(&files, &first);
    let running = Running::start(ServerSettings { tls: Some(files.clone()), ..settings() });
    assert!(works_with(&running, first.cert.der()).await);

    // A key that does not fit, then no key at all: the first certificate stays through several looks at the files.
    for broken in [second.signing_key.serialize_pem(), "no key".to_owned()] {
        std::fs::write(&files.key, broken).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        assert!(works_with(&running, first.cert.der()).await);
    }
    write(&files, &second);
    patiently(async {
        while !works_with(&running, second.cert.der()).await {
            tokio::time::sleep(SHORT).await;
        }
    })
    .await;
    assert!(!works_with(&running, first.cert.der()).await);
}

#[tokio::test]
async fn a_pair_that_does_not_work_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let bind = || {
        let handler = |_| async { unreachable!() };
        Server::bind(ServerSettings { tls: Some(files.clone()), ..settings() }, Arc::new(handler)).map(drop)
    };
    assert!(matches!(bind(), Err(ServerError::TlsFile { .. })));
    write(&files, &certificate());
    std::fs::write(&files.key, certificate().signing_key.serialize_pem()).unwrap();
    assert!(matches!(bind(), Err(ServerError::Tls { .. })));
    std::fs::write(&files.cert, "").unwrap();
    assert!(matches!(bind(), Err(ServerError::Tls { .. })));
}
