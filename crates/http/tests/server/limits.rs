//! Slow clients, and too many of them.

use berth_http::server::{BodyError, ServerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::running::*;

#[tokio::test]
async fn a_head_that_does_not_come_gets_408() {
    let running = Running::start(ServerSettings { header_timeout: SHORT, ..settings() });
    let reply = running.exchange("GET /hello HTTP/1.1\r\nHost: ").await;
    assert_eq!((status(&reply), header(&reply, "connection")), (408, Some("close")));

    let mut stream = running.connect().await;
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /").await.unwrap();
    let replies = read_to_end(&mut stream).await;
    assert!(replies.contains("hello") && replies.contains("HTTP/1.1 408 "), "{replies}");
}

#[tokio::test]
async fn dripping_does_not_prolong_the_head() {
    let running = Running::start(ServerSettings { header_timeout: SHORT, ..settings() });
    let (mut reading, mut writing) = running.connect().await.into_split();
    let drip = tokio::spawn(async move {
        let _ = writing.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\nX: ").await;
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 8).await;
        }
    });
    assert_eq!(status(&read_to_end(&mut reading).await), 408);
    drip.abort();
}

#[tokio::test]
async fn idle_connections_are_closed_without_a_word() {
    let running = Running::start(ServerSettings { idle_timeout: SHORT, ..settings() });
    assert_eq!(running.exchange("").await, "");
    assert_eq!(running.exchange("\r\n").await, "");
    let reply = running.exchange("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(reply.ends_with("hello"));
}

#[tokio::test]
async fn a_slow_handler_is_not_an_idle_connection() {
    let limits = ServerSettings { idle_timeout: SHORT, header_timeout: SHORT, body_timeout: SHORT, ..settings() };
    let mut running = Running::start(limits);
    let mut stream = running.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(running.event().await, Event::Began("/wait".into()));
    tokio::time::sleep(SHORT * 3).await;
    running.go_on.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let mut running = Running::start(ServerSettings { body_timeout: SHORT, ..settings() });
    let mut stream = running.connect().await;
    stream.write_all(b"PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1234").await.unwrap();
    let reply = read_reply(&mut stream).await;
    assert_eq!((status(&reply), header(&reply, "connection")), (408, Some("close")));
    assert_eq!(running.event().await, Event::Began("/read".into()));
    assert_eq!(running.event().await, Event::Read(4, Some(BodyError::Timeout)));
    drop(stream);
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let limits = ServerSettings { minimum_rate: 10_000, rate_window: SHORT, ..settings() };
    let mut running = Running::start(limits);
    let (mut reading, mut writing) = running.connect().await.into_split();
    let head = b"PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    writing.write_all(head).await.unwrap();
    let drip = tokio::spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 8).await;
        }
    });
    assert_eq!(status(&read_to_end(&mut reading).await), 408);
    drip.abort();
    assert_eq!(running.event().await, Event::Began("/read".into()));
    assert!(matches!(running.event().await, Event::Read(_, Some(BodyError::TooSlow))));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let mut running = Running::start(ServerSettings { body_timeout: SHORT, ..settings() });
    let mut stream = running.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(running.event().await, Event::Began("/endless".into()));
    assert_eq!(running.event().await, Event::ReplyDropped);
    drop(stream);
}

#[tokio::test]
async fn a_client_that_sips_is_cut() {
    let limits = ServerSettings { minimum_rate: 100_000_000, rate_window: SHORT, ..settings() };
    let mut running = Running::start(limits);
    let mut stream = running.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let sip = tokio::spawn(async move {
        let mut scratch = vec![0; 64 * 1024];
        while stream.read(&mut scratch).await.is_ok_and(|read| read > 0) {
            tokio::time::sleep(SHORT / 8).await;
        }
    });
    assert_eq!(running.event().await, Event::Began("/endless".into()));
    assert_eq!(running.event().await, Event::ReplyDropped);
    patiently(sip).await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_get_503_until_others_leave() {
    let running = Running::start(ServerSettings { max_connections: 2, ..settings() });
    let request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut first, mut second) = (running.connect().await, running.connect().await);
    for stream in [&mut first, &mut second] {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(read_reply(stream).await.ends_with("hello"));
    }
    let mut third = running.connect().await;
    third.write_all(request.as_bytes()).await.unwrap();
    let reply = read_reply(&mut third).await;
    assert_eq!(status(&reply), 503);
    assert!(header(&reply, "retry-after").is_some());
    drop(first);
    patiently(async {
        loop {
            let mut again = running.connect().await;
            again.write_all(request.as_bytes()).await.unwrap();
            if status(&read_reply(&mut again).await) == 200 {
                return;
            }
            tokio::time::sleep(SHORT / 8).await;
        }
    })
    .await;
    drop(second);
}
