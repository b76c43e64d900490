//! Servers at addresses that people give: what may not be reached is refused before anything is sent, and what comes back is
//! bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use berth_transfer::outbound::{AddressRules, Closed, Fetch, Network, Outbound, OutboundError, Resolve};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const LIMIT: usize = 1000;

/// An https server on loopback, by the name `issuer.example`, that gives one answer.
struct Played {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
    ca: PathBuf,
    _folder: TempDir,
}

async fn played(answer: &'static str) -> Played {
    let folder = TempDir::new().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["issuer.example".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &Issuer::new(params, ca_key)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, asked): (Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>) = Default::default();
    let (count, heads) = (Arc::clone(&accepted), Arc::clone(&asked));
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap_or(0);
            heads.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    Played { address, accepted, asked, ca: folder.path().join("ca.pem"), _folder: folder }
}

/// A resolver whose name has other addresses each time.
#[derive(Default)]
struct Rebinding(Mutex<Vec<Vec<IpAddr>>>, AtomicUsize);

#[async_trait]
impl Resolve for Rebinding {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.0.lock().unwrap();
        if answers.is_empty() { Err(std::io::Error::other("no such name")) } else { Ok(answers.remove(0)) }
    }
}

fn resolver(answers: &[&[&str]]) -> Arc<Rebinding> {
    let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
    Arc::new(Rebinding(Mutex::new(answers.iter().map(parse).collect()), AtomicUsize::new(0)))
}

const LOOPBACK: Network = Network { address: IpAddr::V4(Ipv4Addr::LOCALHOST), prefix: 32 };

fn client(played: &Played, allowed: Vec<Network>, resolver: &Arc<Rebinding>) -> Outbound {
    let resolver: Arc<dyn Resolve> = Arc::clone(resolver) as _;
    Outbound::with_resolver(AddressRules::new(allowed), Some(&played.ca), resolver).unwrap()
}

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

#[tokio::test]
async fn a_server_that_may_be_reached_is_asked_by_its_name() {
    let played = played(FINE).await;
    let names = resolver(&[&["127.0.0.1"], &["127.0.0.1"]]);
    let client = client(&played, vec![LOOPBACK], &names);
    let port = played.address.port();
    let url = format!("https://issuer.example:{port}/a/b?c=d");
    assert_eq!(client.check(&url).await, Ok(()));
    assert_eq!(played.accepted.load(Ordering::SeqCst), 0, "checking connects to nobody");
    assert_eq!(client.get(&url, LIMIT).await.unwrap(), "{}");
    let asked = played.asked.lock().unwrap().remove(0);
    assert!(asked.starts_with("GET /a/b?c=d HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: issuer.example:{port}\r\n")), "{asked}");
    assert_eq!(client.get(&format!("https://127.0.0.1:{port}/"), LIMIT).await.unwrap(), "{}");
}

#[tokio::test]
async fn what_may_not_be_reached_is_refused_before_a_connection() {
    let played = played(FINE).await;
    let port = played.address.port();
    let inside: [&[&str]; 7] = [
        &["127.0.0.1"],
        &["169.254.169.254"],
        &["::ffff:127.0.0.1"],
        &["8.8.8.8", "127.0.0.1"],
        &["127.0.0.1", "8.8.8.8"],
        &["fe80::1"],
        &["64:ff9b::7f00:1"],
    ];
    for answer in inside {
        let client = client(&played, Vec::new(), &resolver(&[answer, answer]));
        let url = format!("https://issuer.example:{port}/");
        let refused = Err(OutboundError::Refused("issuer.example".to_owned()));
        assert_eq!(client.check(&url).await, refused, "{answer:?}");
        assert_eq!(client.get(&url, LIMIT).await.map(drop), refused, "{answer:?}");
    }
    let client = client(&played, Vec::new(), &resolver(&[]));
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "0177.1", "[::1]", "[::ffff:7f00:1]", "169.254.169.254", "0"] {
        let url = format!("https://{host}:{port}/");
        assert!(matches!(client.get(&url, LIMIT).await, Err(OutboundError::Refused(_))), "{host}");
    }
    for url in [
        "http://issuer.example/",
        "https://a@issuer.example/",
        "https://a:b@issuer.example/",
        "file:///etc/passwd",
        "x",
    ] {
        assert_eq!(client.get(url, LIMIT).await, Err(OutboundError::Address), "{url}");
    }
    let unresolved = Err(OutboundError::Unresolved("nowhere.example".to_owned()));
    assert_eq!(client.get("https://nowhere.example/", LIMIT).await, unresolved);
    assert_eq!(Closed.get("https://issuer.example/", LIMIT).await, Err(OutboundError::Closed));
    assert_eq!(played.accepted.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_changes_is_connected_to_where_it_was_judged() {
    let played = played(FINE).await;
    let names = resolver(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = client(&played, vec![LOOPBACK], &names);
    let url = format!("https://issuer.example:{}/", played.address.port());
    assert_eq!(client.get(&url, LIMIT).await.unwrap(), "{}");
    assert_eq!(names.1.load(Ordering::SeqCst), 1, "resolved once");
    // The second answer is not what the first was judged by.
    assert!(matches!(client.get(&url, LIMIT).await, Err(OutboundError::Refused(_))));
    assert_eq!(played.accepted.load(Ordering::SeqCst), 1);
}

async fn answered(answer: &'static str) -> Result<String, OutboundError> {
    let played = played(answer).await;
    let client = client(&played, vec![LOOPBACK], &resolver(&[&["127.0.0.1"]]));
    let url = format!("https://issuer.example:{}/", played.address.port());
    client.get(&url, 4).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn answers_are_bounded_and_lead_nowhere_else() {
    let host = || "issuer.example".to_owned();
    let table = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", Ok("abcd".to_owned())),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", Err(OutboundError::TooLarge(host()))),
        ("HTTP/1.1 200 OK\r\n\r\nabcde", Err(OutboundError::TooLarge(host()))),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            Err(OutboundError::TooLarge(host())),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", Err(OutboundError::Unreachable(host()))),
        ("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\n\r\n", Err(OutboundError::Redirected(host()))),
        ("HTTP/1.1 307 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", Err(OutboundError::Redirected(host()))),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nsecret",
            Err(OutboundError::Status { host: host(), status: 404 }),
        ),
        ("nonsense", Err(OutboundError::Unreachable(host()))),
    ];
    for (answer, expected) in table {
        assert_eq!(answered(answer).await, expected, "{answer}");
    }
}

#[tokio::test]
async fn only_certificates_for_the_name_by_known_authorities_count() {
    let (played, other) = (played(FINE).await, played(FINE).await);
    let url = |host: &str| format!("https://{host}:{}/", played.address.port());
    let tls = |host: &str| Err(OutboundError::Tls(host.to_owned()));
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["127.0.0.1"]];
    let known = client(&played, vec![LOOPBACK], &resolver(answers));
    assert_eq!(known.get(&url("elsewhere.example"), LIMIT).await, tls("elsewhere.example"));
    let stranger = client(&other, vec![LOOPBACK], &resolver(answers));
    assert_eq!(stranger.get(&url("issuer.example"), LIMIT).await, tls("issuer.example"));
    let nobody = Outbound::with_resolver(AddressRules::new(vec![LOOPBACK]), None, resolver(answers)).unwrap();
    assert_eq!(nobody.get(&url("issuer.example"), LIMIT).await, tls("issuer.example"));
    assert!(played.asked.lock().unwrap().is_empty());
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "no certificate").unwrap();
    for file in ["empty.pem", "missing.pem"] {
        assert!(Outbound::new(AddressRules::default(), Some(&folder.path().join(file))).is_err(), "{file}");
    }
}

/// A resolver that never ends, so that nothing but the client's own patience does.
struct Silent;

#[async_trait]
impl Resolve for Silent {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_not_waited_for_long() {
    let client = Outbound::with_resolver(AddressRules::default(), None, Arc::new(Silent)).unwrap();
    let late = || OutboundError::Timeout("issuer.example".to_owned());
    assert_eq!(client.get("https://issuer.example/", LIMIT).await, Err(late()));
    assert_eq!(client.check("https://issuer.example/").await, Err(late()));
}
