//! `server.tls_cert` and `server.tls_key`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use berth_testkit::{Server, eventually};
use rcgen::{CertifiedKey, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedCipherSuite, SupportedProtocolVersion,
};
use tempfile::TempDir;

use crate::support::builder;

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

pub fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// Written elsewhere and moved into place, as tools that renew certificates do.
pub fn write(folder: &Path, certificate: &CertifiedKey<KeyPair>) {
    for (name, text) in [("key.pem", certificate.signing_key.serialize_pem()), ("cert.pem", certificate.cert.pem())] {
        std::fs::write(folder.join("new"), text).unwrap();
        std::fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }
}

fn start(folder: &Path) -> Server {
    let path = |name: &str| folder.join(name).display().to_string();
    builder().args(["--tls-cert".to_owned(), path("cert.pem"), "--tls-key".to_owned(), path("key.pem")]).start()
}

/// The end of a handshake with this certificate and no other.
pub fn connect(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<Stream> {
    connect_with(address, certificate, rustls::crypto::ring::default_provider(), versions, alpn)
}

/// The same by one cipher suite, and so by its version alone.
pub fn connect_by(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    suite: SupportedCipherSuite,
    alpn: &[&str],
) -> std::io::Result<Stream> {
    let provider = CryptoProvider { cipher_suites: vec![suite], ..rustls::crypto::ring::default_provider() };
    connect_with(address, certificate, provider, &[suite.version()], alpn)
}

fn connect_with(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

/// One request over a connection that stays open.
fn ask(stream: &mut Stream) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\nok\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        reply.push(byte[0]);
    }
    String::from_utf8(reply).unwrap()
}

#[test]
fn both_versions_and_both_protocols_are_served() {
    let (folder, certificate) = (TempDir::new().unwrap(), certificate());
    write(folder.path(), &certificate);
    let server = start(folder.path());
    assert!(server.url().starts_with("https://127.0.0.1:"), "{}", server.url());
    let der = certificate.cert.der();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut stream = connect(server.addr(), der, &[version], &["http/1.1"]).unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
        assert!(ask(&mut stream).starts_with("HTTP/1.1 200 "));
    }
    // RFC 9113, section 3.4: after the preface the server's first frame is SETTINGS.
    let mut stream = connect(server.addr(), der, rustls::ALL_VERSIONS, &["h2", "http/1.1"]).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4, "{head:?}");
    // Whoever speaks plainly gets no answer in plain.
    let reply = server.anonymous().try_request("GET", "/v2/", &[], &[]);
    assert!(reply.is_err(), "{reply:?}");
}

#[test]
fn a_new_certificate_is_served_and_open_connections_go_on() {
    let (folder, old, new) = (TempDir::new().unwrap(), certificate(), certificate());
    write(folder.path(), &old);
    let server = start(folder.path());
    let mut kept = connect(server.addr(), old.cert.der(), rustls::ALL_VERSIONS, &[]).unwrap();
    ask(&mut kept);
    write(folder.path(), &new);
    let with = |certificate: &CertifiedKey<KeyPair>| {
        connect(server.addr(), certificate.cert.der(), rustls::ALL_VERSIONS, &[]).is_ok()
    };
    eventually("the new certificate", || with(&new));
    assert!(!with(&old));
    assert!(ask(&mut kept).starts_with("HTTP/1.1 200 "));

    // A pair that does not fit together is not used, and the log says so.
    std::fs::write(folder.path().join("key.pem"), old.signing_key.serialize_pem()).unwrap();
    eventually("a line in the log", || server.log().contains("is not used; the old one stays"));
    assert!(with(&new));
    assert!(ask(&mut kept).starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_is_no_certificate_is_told_at_the_start() {
    let (folder, one, other) = (TempDir::new().unwrap(), certificate(), certificate());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let cases = [
        (one.cert.pem(), other.signing_key.serialize_pem()),
        ("nothing".to_owned(), one.signing_key.serialize_pem()),
        (one.cert.pem(), "nothing".to_owned()),
    ];
    std::fs::create_dir(path("data")).unwrap();
    for (cert, key) in cases {
        std::fs::write(path("cert.pem"), cert).unwrap();
        std::fs::write(path("key.pem"), key).unwrap();
        let (cert, key, data) = (path("cert.pem"), path("key.pem"), path("data"));
        let arguments = ["serve", "--tls-cert", &cert, "--tls-key", &key, "--listen", "127.0.0.1:0"];
        let output = crate::program::Program::new().run(&[&arguments[..], &["--data-dir", &data]].concat());
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
        assert!(output.stderr.contains("cert.pem") && output.stderr.contains("cannot be used"), "{output:?}");
    }
}
