//! What the wire may look like.

use tokio::io::AsyncWriteExt;

use crate::running::*;

const NEXT: &str = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a38_ambiguous_requests_are_refused_and_the_connection_ends() {
    let running = Running::start(settings());
    for bad in [
        "PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
        "PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "PUT /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "PUT /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "PUT /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET /hello HTTP/1.1\nHost: a\n\n",
        "GET /hello HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
    ] {
        // The next request must not be answered: it might be the body of the first.
        let reply = running.exchange(format!("{bad}{NEXT}")).await;
        assert_eq!(status(&reply), 400, "{bad:?}");
        assert_eq!(header(&reply, "connection"), Some("close"));
        assert!(header(&reply, "x-request-id").is_some());
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{reply}");
    }
    assert!(running.exchange(NEXT).await.ends_with("hello"));
}

#[tokio::test]
async fn the_good_requests_before_a_bad_one_are_answered() {
    let running = Running::start(settings());
    let good = "PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let reply = running.exchange(format!("{good}{good}GET / HTTP/1.1\n\n")).await;
    let statuses: Vec<_> = reply.match_indices("HTTP/1.1 ").map(|(at, _)| &reply[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "400"]);
}

#[tokio::test]
async fn the_stand_in_of_a_refused_request_means_nothing_from_outside() {
    let running = Running::start(settings());
    let reply = running.exchange("BERTH-REFUSED /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&reply), 200);
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte_and_a_body_in_chunks() {
    let running = Running::start(settings());
    let mut stream = running.connect().await;
    stream.set_nodelay(true).unwrap();
    let request = "PUT /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    for byte in format!("{request}{NEXT}").bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(read_reply(&mut stream).await.ends_with("\r\n\r\n5"));
    assert!(read_to_end(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn broken_chunks_end_the_body_and_the_connection() {
    let mut running = Running::start(settings());
    let reply = running
        .exchange("PUT /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\nde\r\n0\r\n\r\n")
        .await;
    assert_eq!(status(&reply), 400);
    assert_eq!(running.event().await, Event::Began("/read".into()));
    let Event::Read(read, error) = running.event().await else { panic!() };
    assert!(read <= 3);
    assert_eq!(error, Some(berth_http::server::BodyError::Malformed));
}

#[tokio::test]
async fn a_head_that_is_too_large_gets_431() {
    let running = Running::start(settings());
    let limit = settings().max_header_bytes;
    let head = |length: usize| {
        let frame = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \r\n\r\n".len();
        format!("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(length - frame))
    };
    assert_eq!(status(&running.exchange(head(limit)).await), 200);
    assert_eq!(status(&running.exchange(head(limit + 1)).await), 431);
    assert_eq!(status(&running.exchange(head(limit * 8)).await), 431);
    let fields = "a: b\r\n".repeat(101);
    let reply = running.exchange(format!("GET /hello HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
    assert_eq!(status(&reply), 431);
}

#[tokio::test]
async fn a_client_may_end_its_direction_before_the_reply() {
    let mut running = Running::start(settings());
    let mut stream = running.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(running.event().await, Event::Began("/wait".into()));
    running.go_on.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_reported_with_what_came() {
    let mut running = Running::start(settings());
    let mut stream = running.connect().await;
    stream.write_all(b"PUT /read HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1234").await.unwrap();
    assert_eq!(running.event().await, Event::Began("/read".into()));
    drop(stream);
    assert_eq!(running.event().await, Event::Read(4, Some(berth_http::server::BodyError::Disconnected)));
}

#[tokio::test]
async fn a_panic_is_a_500_and_nothing_more() {
    let running = Running::start(settings());
    for method in ["GET", "POST"] {
        let mut stream = running.connect().await;
        let request = format!("{method} /panic HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n{NEXT}");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(status(&read_reply(&mut stream).await), 500);
        assert!(read_to_end(&mut stream).await.ends_with("hello"));
    }
}
