//! The PROXY protocol: who may say who is behind a connection, and what becomes of everything else.

use berth_http::server::{ProxyProtocol, ServerSettings, TlsFiles};
use tokio::io::AsyncWriteExt;

use crate::running::*;

const REQUEST: &str = "GET /origin HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n";
const FIRST: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 4660 443\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn second(command: u8, added: &[u8]) -> Vec<u8> {
    let addresses = [203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb];
    let length = u16::try_from(addresses.len() + added.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, 0x11], &length, &addresses, added].concat()
}

fn with(proxy_protocol: ProxyProtocol, trusted: &str) -> ServerSettings {
    let trusted_proxies = vec![trusted.parse().unwrap()];
    ServerSettings { proxy_protocol, trusted_proxies, header_timeout: SHORT, ..settings() }
}

async fn ask(running: &Running, header: &[u8]) -> String {
    running.exchange([header, REQUEST.as_bytes()].concat()).await
}

#[tokio::test]
async fn a_trusted_proxy_tells_who_is_behind_it() {
    for mode in [ProxyProtocol::Accept, ProxyProtocol::Require] {
        let running = Running::start(with(mode, "127.0.0.1"));
        for header in [FIRST.to_vec(), second(0x21, &[]), second(0x21, &[4, 0, 3, 0, 0, 0])] {
            let reply = ask(&running, &header).await;
            // The client behind it is no proxy: the headers of its request are not believed.
            assert!(reply.contains("client=203.0.113.7 base=none peer=203.0.113.7 tls=false"), "{mode:?}: {reply}");
        }
        // What it says of itself.
        for header in [b"PROXY UNKNOWN\r\n".to_vec(), second(0x20, &[])] {
            let reply = ask(&running, &header).await;
            assert!(reply.contains("client=9.9.9.9 base=none peer=127.0.0.1"), "{mode:?}: {reply}");
        }
    }
}

#[tokio::test]
async fn a_header_may_come_in_pieces_and_with_what_follows() {
    let running =
        Running::start(ServerSettings { header_timeout: PATIENCE, ..with(ProxyProtocol::Require, "127.0.0.1") });
    for header in [FIRST.to_vec(), second(0x21, &[])] {
        let mut stream = running.connect().await;
        stream.set_nodelay(true).unwrap();
        for byte in &header {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        stream.write_all(REQUEST.as_bytes()).await.unwrap();
        assert!(read_to_end(&mut stream).await.contains("client=203.0.113.7 "));
    }
}

#[tokio::test]
async fn a_trusted_proxy_may_be_silent_only_where_it_may() {
    let running = Running::start(with(ProxyProtocol::Accept, "127.0.0.1"));
    assert!(ask(&running, b"").await.contains("client=9.9.9.9 base=none peer=127.0.0.1"));
    let mut stream = running.connect().await;
    // The beginning of a header, which is that of a request.
    stream.write_all(b"P").await.unwrap();
    tokio::time::sleep(SHORT / 4).await;
    stream
        .write_all(b"OST /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&read_to_end(&mut stream).await), 200);
    let running = Running::start(with(ProxyProtocol::Require, "127.0.0.1"));
    assert_eq!(ask(&running, b"").await, "");
}

#[tokio::test]
async fn a87_strangers_say_nothing_of_others() {
    for (mode, trusted) in [(ProxyProtocol::Accept, "192.0.2.0/24"), (ProxyProtocol::Off, "127.0.0.1")] {
        let running = Running::start(with(mode, trusted));
        for header in [FIRST.to_vec(), second(0x21, &[]), second(0x20, &[])] {
            let reply = ask(&running, &header).await;
            assert!(reply.is_empty() || status(&reply) == 400, "{mode:?}: {reply}");
            assert!(!reply.contains("203.0.113.7"), "{reply}");
        }
    }
    let running = Running::start(with(ProxyProtocol::Accept, "192.0.2.0/24"));
    assert!(ask(&running, b"").await.contains("client=127.0.0.1 base=none peer=127.0.0.1"));
    // Where a header is required, strangers do not come in at all.
    let running = Running::start(with(ProxyProtocol::Require, "192.0.2.0/24"));
    for header in [&b""[..], FIRST] {
        assert_eq!(ask(&running, header).await, "");
    }
}

#[tokio::test]
async fn wrong_headers_end_the_connection() {
    let long = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    let wrong: [&[u8]; 7] = [
        b"PROXY TCP4 203.0.113.7 10.0.0.1 4660\r\n",
        b"PROXY TCP4 127.0.0.1 10.0.0.1 1 2 3\r\n",
        b"PROXY TCP9 203.0.113.7 10.0.0.1 1 2\r\n",
        &second(0x2f, &[]),
        &second(0x21, &[1, 0xff, 0xff]),
        &long,
        endless.as_bytes(),
    ];
    for mode in [ProxyProtocol::Accept, ProxyProtocol::Require] {
        let running = Running::start(ServerSettings { header_timeout: PATIENCE, ..with(mode, "127.0.0.1") });
        for header in wrong {
            assert_eq!(ask(&running, header).await, "", "{mode:?} {header:?}");
        }
        assert!(ask(&running, FIRST).await.contains("client=203.0.113.7 "));
    }
}

#[tokio::test]
async fn a_header_that_does_not_come_in_time_ends_the_connection() {
    for mode in [ProxyProtocol::Accept, ProxyProtocol::Require] {
        let running = Running::start(with(mode, "127.0.0.1"));
        for beginning in [&b""[..], b"P", &FIRST[..20], &SIGNATURE[..5], &second(0x21, &[])[..20]] {
            let mut stream = running.connect().await;
            stream.write_all(beginning).await.unwrap();
            assert_eq!(read_to_end(&mut stream).await, "", "{mode:?} {beginning:?}");
        }
    }
}

#[tokio::test]
async fn tls_comes_behind_the_header() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let certificate = crate::tls::certificate();
    crate::tls::write(&files, &certificate);
    let limits = ServerSettings { header_timeout: PATIENCE, ..with(ProxyProtocol::Require, "127.0.0.1") };
    let running = Running::start(ServerSettings { tls: Some(files), ..limits });
    for header in [FIRST.to_vec(), second(0x21, &[])] {
        let mut stream = running.connect().await;
        stream.write_all(&header).await.unwrap();
        let mut stream = crate::tls::over(stream, certificate.cert.der(), None).await.unwrap();
        stream.write_all(REQUEST.as_bytes()).await.unwrap();
        let reply = read_to_end(&mut stream).await;
        assert!(reply.contains("client=203.0.113.7 base=none peer=203.0.113.7 tls=true"), "{reply}");
    }
    let stream = running.connect().await;
    assert!(crate::tls::over(stream, certificate.cert.der(), None).await.is_err());
}
