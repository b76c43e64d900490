//! Who is believed.

use berth_http::server::{Server, ServerError, ServerSettings};
use std::sync::Arc;

use crate::running::*;

const FORWARDED: &str = "GET /origin HTTP/1.1\r\nHost: evil\r\nConnection: close\r\nX-Forwarded-For: 1.2.3.4\r\n\
    X-Forwarded-Proto: https\r\nX-Forwarded-Host: r.example\r\nX-Request-Id: given-1\r\n\r\n";

#[tokio::test]
async fn a87_forwarded_headers_of_strangers_are_ignored() {
    let running = Running::start(settings());
    let reply = running.exchange(FORWARDED).await;
    assert!(reply.contains("client=127.0.0.1 base=none peer=127.0.0.1 tls=false id="), "{reply}");
    assert!(!reply.contains("given-1"));
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let running = Running::start(ServerSettings { trusted_proxies: trusted, ..settings() });
    let reply = running.exchange(FORWARDED).await;
    assert!(reply.contains("client=1.2.3.4 base=https://r.example peer=127.0.0.1 tls=false id=given-1"), "{reply}");
    assert_eq!(header(&reply, "x-request-id"), Some("given-1"));
}

#[tokio::test]
async fn the_public_url_is_the_base() {
    let public_url = Some("https://registry.example/".to_owned());
    let running = Running::start(ServerSettings { public_url, ..settings() });
    assert!(running.exchange(FORWARDED).await.contains("base=https://registry.example peer"));
    let public_url = Some("registry.example".to_owned());
    let handler = |_| async { unreachable!() };
    let refused = Server::bind(ServerSettings { public_url, ..settings() }, Arc::new(handler));
    assert!(matches!(refused, Err(ServerError::PublicUrl(_))));
}

#[tokio::test]
async fn request_ids_differ() {
    let running = Running::start(settings());
    let request = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (first, second) = (running.exchange(request).await, running.exchange(request).await);
    assert!(header(&first, "x-request-id").is_some());
    assert_ne!(header(&first, "x-request-id"), header(&second, "x-request-id"));
}
