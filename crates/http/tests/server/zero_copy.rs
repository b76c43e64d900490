//! Files as replies: sent by the kernel over plain HTTP/1.1, read over everything else, and never wrong.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use berth_http::server::{FileSlice, RequestBody, ResponseBody, Server, ServerSettings};
use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::running::*;

/// Larger than all socket buffers together, so that it cannot be sent before somebody reads.
const SIZE: usize = 64 << 20;

fn content() -> Vec<u8> {
    (0..u32::try_from(SIZE / 4).unwrap()).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

struct Served {
    address: SocketAddr,
    file: Arc<File>,
    content: Vec<u8>,
}

impl Served {
    /// Serves parts of one file: `/OFFSET/LENGTH`.
    fn start(settings: ServerSettings) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        let content = content();
        file.write_all(&content).unwrap();
        let file = Arc::new(file);
        let kept = Arc::clone(&file);
        let handler = move |request: Request<RequestBody>| {
            let part = part_of(request.uri().path(), &kept);
            async move { Response::new(ResponseBody::file(part)) }
        };
        let server = Server::bind(settings, Arc::new(handler)).unwrap();
        let address = server.local_addrs()[0];
        tokio::spawn(server.run(std::future::pending()));
        Self { address, file, content }
    }

    async fn ask(&self, requests: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(requests.as_bytes()).await.unwrap();
        stream
    }

    async fn still_serves(&self) {
        let mut stream = self.ask(&last_get(5, 100_000)).await;
        assert!(body_of(&rest_of(&mut stream).await) == &self.content[5..100_005]);
    }
}

fn part_of(path: &str, file: &Arc<File>) -> FileSlice {
    let mut numbers = path.split('/').skip(1).map(|number| number.parse().unwrap());
    FileSlice { file: Arc::clone(file), offset: numbers.next().unwrap(), length: numbers.next().unwrap() }
}

fn get(offset: usize, length: usize) -> String {
    format!("GET /{offset}/{length} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn last_get(offset: usize, length: usize) -> String {
    format!("GET /{offset}/{length} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    // A connection that is cut may be told as an error.
    let _ = patiently(stream.read_to_end(&mut received)).await;
    received
}

fn body_of(reply: &[u8]) -> &[u8] {
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    &reply[end + 4..]
}

/// The bodies of replies that came one behind the other, by the lengths that they declare.
fn bodies_of(mut replies: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while !replies.is_empty() {
        let body = body_of(replies);
        let head = std::str::from_utf8(&replies[..replies.len() - body.len()]).unwrap().to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap();
        bodies.push(&body[..length]);
        replies = &body[length..];
    }
    bodies
}

#[tokio::test]
async fn parts_come_whole_and_in_their_order_on_one_connection() {
    let served = Served::start(settings());
    let parts =
        [(0, 1), (4095, 2), (1, 70_000), (SIZE - 3, 3), (1000, 9_000_000), (0, SIZE), (77, 4096), (8192, 65_536)];
    let mut requests: String = parts[..7].iter().map(|(offset, length)| get(*offset, *length)).collect();
    requests += &last_get(parts[7].0, parts[7].1);
    let mut stream = served.ask(&requests).await;
    let replies = rest_of(&mut stream).await;
    let bodies = bodies_of(&replies);
    assert_eq!(bodies.len(), parts.len());
    for (body, (offset, length)) in bodies.into_iter().zip(parts) {
        assert!(body == &served.content[offset..offset + length], "{offset} {length}");
    }
}

#[tokio::test]
async fn a_file_that_is_cut_while_it_is_sent_breaks_the_reply_and_nothing_else() {
    let served = Served::start(settings());
    let mut stream = served.ask(&get(0, SIZE)).await;
    let mut begin = vec![0; 1 << 20];
    patiently(stream.read_exact(&mut begin)).await.unwrap();
    served.file.set_len(2 << 20).unwrap();
    let received = [begin, rest_of(&mut stream).await].concat();
    let body = body_of(&received);
    assert!(body.len() < SIZE && body == &served.content[..body.len()], "{} bytes came", body.len());
    served.still_serves().await;
}

#[tokio::test]
async fn a_file_that_is_too_short_from_the_start_breaks_the_reply() {
    let served = Served::start(settings());
    let mut stream = served.ask(&get(SIZE - 100_000, 200_000)).await;
    assert!(body_of(&rest_of(&mut stream).await) == &served.content[SIZE - 100_000..]);
    served.still_serves().await;
}

#[tokio::test]
async fn clients_that_go_away_take_nothing_with_them() {
    let served = Served::start(settings());
    for nth in 0..20 {
        let mut stream = served.ask(&(get(0, SIZE) + &get(5, SIZE - 5))).await;
        let mut begin = vec![0; nth * 100_000];
        patiently(stream.read_exact(&mut begin)).await.unwrap();
    }
    let only_the_tests = || Arc::strong_count(&served.file) <= 2;
    patiently(async {
        while !only_the_tests() {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
    served.still_serves().await;
}

/// What is written to a file while it goes out may be seen, but lengths and order stay right.
#[tokio::test]
async fn a_file_that_is_written_to_meanwhile_keeps_its_length() {
    let served = Served::start(settings());
    let mut stream = served.ask(&last_get(0, SIZE)).await;
    let mut begin = vec![0; 1 << 20];
    patiently(stream.read_exact(&mut begin)).await.unwrap();
    served.file.write_all_at(&vec![7; 1 << 20], (SIZE - (1 << 20)) as u64).unwrap();
    let received = [begin, rest_of(&mut stream).await].concat();
    assert_eq!(body_of(&received).len(), SIZE);
    assert!(body_of(&received)[..SIZE - (1 << 20)] == served.content[..SIZE - (1 << 20)]);
}

#[tokio::test]
async fn http2_reads_what_http1_sends() {
    let served = Served::start(settings());
    let client = crate::http2::client();
    for (offset, length) in [(0, 1), (3, 9_000_000), (SIZE - 70_000, 70_000)] {
        let url = format!("http://{}/{offset}/{length}", served.address);
        let reply = patiently(client.get(url).send()).await.unwrap();
        let body = patiently(reply.bytes()).await.unwrap();
        assert!(body == served.content[offset..offset + length], "{offset} {length}");
    }
}
