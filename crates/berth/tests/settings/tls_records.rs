//! What the record of a call says of the connection that it came by.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use berth_testkit::{Server, eventually, http2};
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::builder;
use crate::{free_address, tls};

/// Those that a certificate with an elliptic key can be used with.
const SUITES: [(SupportedCipherSuite, &str, &str); 6] = [
    (cipher_suite::TLS13_AES_128_GCM_SHA256, "TLSv1.3", "TLS_AES_128_GCM_SHA256"),
    (cipher_suite::TLS13_AES_256_GCM_SHA384, "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    (cipher_suite::TLS13_CHACHA20_POLY1305_SHA256, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
    (cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
];

/// Asks for `/v2/` and waits for the answer's beginning; `agent` is what the client calls itself.
fn ask(stream: &mut tls::Stream, agent: &str, more: &str) {
    if stream.conn.alpn_protocol() != Some(b"h2") {
        let head = format!("GET /v2/ HTTP/1.1\r\nHost: localhost:7\r\nUser-Agent: {agent}\r\n{more}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        return;
    }
    let own = [(":method", "GET"), (":scheme", "https"), (":path", "/v2/"), (":authority", "localhost:7")];
    let block = http2::header_block(&[&own[..], &[("user-agent", agent)]].concat());
    let settings = http2::encode(http2::frame::SETTINGS, 0, 0, &[]);
    let headers = http2::encode(http2::frame::HEADERS, http2::flag::END_STREAM | http2::flag::END_HEADERS, 1, &block);
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &headers[..]].concat()).unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; usize::try_from(length).unwrap()]).unwrap();
        if head[8] == 1 {
            return;
        }
    }
}

/// The records that there are, by what the client called itself, when these have theirs.
fn records(server: &Server, agents: &[String]) -> HashMap<String, Value> {
    let mut found = HashMap::new();
    eventually("the records of the calls", || {
        let output = server.berth(&["audit", "search", "--json"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        let records = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        found = records.map(|record| (record["userAgent"].as_str().unwrap_or_default().to_owned(), record)).collect();
        agents.iter().all(|agent| found.contains_key(agent))
    });
    found
}

#[test]
fn records_say_by_which_version_and_suite_a_call_came() {
    let (folder, certificate, named) = (TempDir::new().unwrap(), tls::certificate(), free_address());
    tls::write(folder.path(), &certificate);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let server = builder()
        .args(["--tls-cert", &cert, "--tls-key", &key])
        .setting("server.trusted_proxies", "127.0.0.1")
        .setting("listener.inner.listen", &named.to_string())
        .setting("listener.inner.tls_cert", &cert)
        .setting("listener.inner.tls_key", &key)
        .start();
    let connect = |address: SocketAddr, suite, protocol| {
        tls::connect_by(address, certificate.cert.der(), suite, &[protocol]).unwrap()
    };
    let mut expected = Vec::new();
    for (listener, address) in [("default", server.addr()), ("named", named)] {
        for (suite, version, cipher) in SUITES {
            for protocol in ["http/1.1", "h2"] {
                let agent = format!("{listener} {cipher} {protocol}");
                let mut stream = connect(address, suite, protocol);
                assert_eq!(stream.conn.alpn_protocol(), Some(protocol.as_bytes()));
                ask(&mut stream, &agent, "");
                let host = "localhost:7";
                let told = json!({ "tlsVersion": version, "cipherSuite": cipher, "clientProvidedHostHeader": host });
                expected.push((agent, told));
            }
        }
    }
    // How a proxy comes to us is not how its client came to it.
    let mut stream = connect(server.addr(), SUITES[0].0, "http/1.1");
    ask(&mut stream, "proxied", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n");
    expected.push(("proxied".to_owned(), json!({ "clientProvidedHostHeader": "localhost:7" })));
    let agents: Vec<String> = expected.iter().map(|(agent, _)| agent.clone()).collect();
    let found = records(&server, &agents);
    for (agent, told) in &expected {
        assert_eq!(found[agent]["tlsDetails"], *told, "{agent}");
    }
    assert_eq!(found["proxied"]["sourceIPAddress"], "192.0.2.1");
}

#[test]
fn records_of_calls_in_plain_say_nothing_of_encryption() {
    let server = builder().start();
    server.anonymous().request("GET", "/v2/", &[("user-agent", "plain")], b"").expect(401);
    let record = &records(&server, &["plain".to_owned()])["plain"];
    assert_eq!((&record["eventName"], record.get("tlsDetails")), (&json!("CheckLogin"), None));
}
