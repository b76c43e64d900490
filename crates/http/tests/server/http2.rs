//! HTTP/2 without TLS, by a client and by hand-made frames.

use berth_http::server::{BodyError, ServerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// `:method`, `:scheme` and `:path` by the static table of HPACK, `:authority` as a literal.
fn head(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![method, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(b"\x01\x01a");
    block
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

async fn begin(running: &Running, settings: &[u8]) -> TcpStream {
    let mut stream = running.connect().await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, settings)).await.unwrap();
    stream
}

pub fn client() -> reqwest::Client {
    with_provider().http2_prior_knowledge().no_proxy().build().unwrap()
}

#[tokio::test]
async fn requests_go_both_ways() {
    let running = Running::start(settings());
    let url = |path| format!("http://{}{path}", running.address);
    let client = client();
    let reply = client.get(url("/hello")).send().await.unwrap();
    assert_eq!(reply.version(), http::Version::HTTP_2);
    assert!(reply.headers().contains_key("x-request-id"));
    assert_eq!(reply.text().await.unwrap(), "hello");
    let reply = client.put(url("/read")).body(vec![7; 3_000_000]).send().await.unwrap();
    assert_eq!(reply.text().await.unwrap(), "3000000");
    let reply = client.put(url("/refuse")).body(vec![7; 3_000_000]).send().await.unwrap();
    assert_eq!(reply.status(), 401);
    assert_eq!(client.get(url("/panic")).send().await.unwrap().status(), 500);
    assert_eq!(client.post(url("/panic")).send().await.unwrap().status(), 500);
}

#[tokio::test]
async fn a_client_that_opens_no_window_is_cut() {
    let mut running = Running::start(ServerSettings { body_timeout: SHORT, ..settings() });
    // SETTINGS_INITIAL_WINDOW_SIZE = 1
    let mut stream = begin(&running, &[0, 4, 0, 0, 0, 1]).await;
    stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(GET, "/endless"))).await.unwrap();
    assert_eq!(running.event().await, Event::Began("/endless".into()));
    assert_eq!(running.event().await, Event::ReplyDropped);
    read_to_end(&mut stream).await;
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let mut running = Running::start(ServerSettings { body_timeout: SHORT, ..settings() });
    let mut stream = begin(&running, &[]).await;
    stream.write_all(&frame(HEADERS, END_HEADERS, 1, &head(POST, "/read"))).await.unwrap();
    stream.write_all(&frame(DATA, 0, 1, b"1234")).await.unwrap();
    assert_eq!(running.event().await, Event::Began("/read".into()));
    // Empty frames are no progress.
    for _ in 0..20 {
        tokio::time::sleep(SHORT / 10).await;
        let _ = stream.write_all(&frame(DATA, 0, 1, b"")).await;
    }
    assert_eq!(running.event().await, Event::Read(4, Some(BodyError::Timeout)));
}

#[tokio::test]
async fn idle_and_half_begun_connections_are_closed() {
    let running = Running::start(ServerSettings { idle_timeout: SHORT, body_timeout: SHORT, ..settings() });
    read_to_end(&mut begin(&running, &[]).await).await;
    let mut stream = begin(&running, &[]).await;
    stream.write_all(&frame(HEADERS, END_STREAM, 1, &head(GET, "/hello"))).await.unwrap();
    read_to_end(&mut stream).await;
    read_to_end(&mut running.connect().await).await;
    let mut stream = running.connect().await;
    stream.write_all(PREFACE).await.unwrap();
    read_to_end(&mut stream).await;
}

#[tokio::test]
async fn a85_floods_end_the_connection() {
    let running = Running::start(settings());
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(GET, "/hello"));
    let mut resets = Vec::new();
    for stream in (1..20_000).step_by(2) {
        let mut opened = request.clone();
        opened[5..9].copy_from_slice(&u32::to_be_bytes(stream));
        resets.extend(opened);
        resets.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    let mut continuations = frame(HEADERS, END_STREAM, 1, &head(GET, "/hello"));
    let mut literal = b"\0\x01x\x7f\x81\x7f".to_vec();
    literal.extend(vec![b'y'; 127 + 128 * 127]);
    for _ in 0..1000 {
        continuations.extend(frame(CONTINUATION, 0, 1, &literal[..16_000]));
    }
    let mut empties = frame(HEADERS, END_HEADERS, 1, &head(POST, "/wait"));
    for _ in 0..100_000 {
        empties.extend(frame(DATA, 0, 1, b""));
    }
    for flood in [resets, continuations, empties] {
        let (mut reading, mut writing) = begin(&running, &[]).await.into_split();
        let sender = tokio::spawn(async move {
            let _ = writing.write_all(&flood).await;
            writing
        });
        // The server ends the connection though the client keeps its side open.
        let mut bytes = Vec::new();
        let _ = patiently(reading.read_to_end(&mut bytes)).await;
        drop(patiently(sender).await.unwrap());
    }
    let reply = client().get(format!("http://{}/hello", running.address)).send().await.unwrap();
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn a_drained_server_finishes_its_streams() {
    let mut running = Running::start(settings());
    let url = format!("http://{}/wait", running.address);
    let reply = tokio::spawn(async move { client().get(url).send().await.unwrap().text().await.unwrap() });
    assert_eq!(running.event().await, Event::Began("/wait".into()));
    let go_on = running.go_on.clone();
    let done = running.stop();
    tokio::time::sleep(SHORT / 4).await;
    go_on.notify_one();
    assert_eq!(patiently(reply).await.unwrap(), "waited");
    patiently(done).await.unwrap().unwrap();
}

/// A client's builder; reqwest takes the process's provider of cryptography.
fn with_provider() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
