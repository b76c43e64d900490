//! Bodies that nobody reads, and replies that cannot be finished.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::running::*;

#[tokio::test]
async fn a_small_unread_body_is_drained_and_the_connection_goes_on() {
    let running = Running::start(settings());
    let mut stream = running.connect().await;
    for framing in ["Content-Length: 5\r\n\r\n12345", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"] {
        stream.write_all(format!("PUT /refuse HTTP/1.1\r\nHost: a\r\n{framing}").as_bytes()).await.unwrap();
        let reply = read_reply(&mut stream).await;
        assert_eq!((status(&reply), header(&reply, "connection")), (401, None));
    }
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(read_reply(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_still_sends_sees_the_early_reply() {
    let running = Running::start(settings());
    for path in ["/refuse", "/read-some"] {
        let mut stream = running.connect().await;
        let length = 64 * 1024 * 1024;
        let head = format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let block = vec![0; 256 * 1024];
        // A client that does not look at the reply before it has sent everything.
        for _ in 0..length / block.len() {
            patiently(stream.write_all(&block)).await.expect("the server takes it");
        }
        let reply = read_to_end(&mut stream).await;
        assert_eq!(header(&reply, "connection"), Some("close"), "{reply}");
        assert_eq!(status(&reply), if path == "/refuse" { 401 } else { 413 });
    }
}

#[tokio::test]
async fn an_endless_chunked_body_is_not_read_for_ever() {
    let running = Running::start(settings());
    let (mut reading, mut writing) = running.connect().await.into_split();
    let head = b"PUT /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    writing.write_all(head).await.unwrap();
    let sender = tokio::spawn(async move {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while writing.write_all(chunk.as_bytes()).await.is_ok() {}
    });
    assert_eq!(status(&read_to_end(&mut reading).await), 401);
    patiently(sender).await.unwrap();
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_only_if_the_body_is_wanted() {
    let running = Running::start(settings());
    let mut stream = running.connect().await;
    let head = |path| format!("PUT {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    stream.write_all(head("/read").as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    patiently(stream.read_exact(&mut go_on)).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").await.unwrap();
    assert!(read_reply(&mut stream).await.ends_with("\r\n\r\n3"));

    stream.write_all(head("/refuse").as_bytes()).await.unwrap();
    let reply = read_reply(&mut stream).await;
    assert_eq!((status(&reply), header(&reply, "connection")), (401, Some("close")));
    stream.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_file_that_is_too_short_cuts_the_reply() {
    let running = Running::start(settings());
    let reply = running.exchange("GET /short-file HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // Perhaps not even the head was on its way; but never a reply that looks whole.
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_default();
    assert!(head.is_empty() || header(head, "content-length") == Some("20000"), "{head}");
    assert!(body.len() < 20_000);
    assert!(running.exchange("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.ends_with("hello"));
}
