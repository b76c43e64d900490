//! The proxy does what it says: it must not be milder than a test believes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Mutex;

use super::*;
use crate::Client;

/// A server that answers every request with its own body, and remembers how many it had whole.
struct Echo {
    port: u16,
    whole: Arc<Mutex<usize>>,
}

fn echo() -> Echo {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, whole) = (listener.local_addr().unwrap().port(), Arc::<Mutex<usize>>::default());
    let count = Arc::clone(&whole);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let count = Arc::clone(&count);
            thread::spawn(move || answer(stream.unwrap(), &count));
        }
    });
    Echo { port, whole }
}

fn answer(mut stream: TcpStream, whole: &Mutex<usize>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length =
            head.split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        while bytes.len() < end + 4 + length {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
        *whole.lock().unwrap() += 1;
        let body: Vec<u8> = bytes.drain(..end + 4 + length).skip(end + 4).collect();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), &body].concat())?;
    }
}

fn client(proxy: &Proxy) -> Client {
    Client::anonymous((Ipv4Addr::LOCALHOST, proxy.port()).into())
}

fn put(proxy: &Proxy, body: &[u8]) -> std::io::Result<crate::Reply> {
    client(proxy).try_request("PUT", "/", &[], body)
}

#[test]
fn bytes_pass_unchanged_until_they_are_cut() {
    let body = vec![7; 200_000];
    for make in [Proxy::tcp, Proxy::http] {
        let peer = echo();
        let proxy = make(peer.port, 1);
        assert!(put(&proxy, &body).unwrap().body == body);
        let kept = client(&proxy);
        kept.request("PUT", "/", &[], b"kept");
        proxy.set(Fault::Cut);
        assert!(put(&proxy, b"new").is_err() && kept.try_request("PUT", "/", &[], b"kept").is_err());
        proxy.set(Fault::None);
        assert!(put(&proxy, &body).unwrap().body == body);
    }
}

#[test]
fn a_connection_ends_behind_so_many_bytes() {
    let peer = echo();
    let proxy = Proxy::tcp(peer.port, 1);
    for direction in [Direction::ToServer, Direction::ToClient] {
        let before = *peer.whole.lock().unwrap();
        proxy.set(Fault::CutAfter(direction, 1000));
        assert!(put(&proxy, &[0; 2000]).is_err());
        // The request was whole where only its answer was cut.
        let more = usize::from(direction == Direction::ToClient);
        assert_eq!(*peer.whole.lock().unwrap(), before + more, "{direction:?}");
    }
    assert_eq!(proxy.befell()["cut after some bytes"], 2);
}

#[test]
fn a_black_hole_answers_nothing_and_goes_on_afterwards() {
    let peer = echo();
    let proxy = Proxy::http(peer.port, 1);
    proxy.set(Fault::BlackHole);
    let waiting = thread::spawn({
        let client = client(&proxy);
        move || client.request("PUT", "/", &[], b"late").body
    });
    thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    proxy.set(Fault::None);
    assert_eq!(waiting.join().unwrap(), b"late");
}

#[test]
fn a_slow_network_is_slow() {
    let peer = echo();
    let proxy = Proxy::tcp(peer.port, 1);
    for fault in [Fault::Delay(Duration::from_millis(200)), Fault::Throttle(40_000)] {
        proxy.set(fault);
        let began = std::time::Instant::now();
        put(&proxy, &[0; 8000]).unwrap();
        assert!(began.elapsed() > Duration::from_millis(190));
    }
}

#[test]
fn every_mishap_shows_and_is_done_or_not_as_it_says() {
    for mishap in Mishap::all() {
        let peer = echo();
        let proxy = Proxy::http(peer.port, 1);
        proxy.set(Fault::Mishaps(100, vec![mishap]));
        let reply = put(&proxy, &vec![1; 100_000]);
        let (status, done) = match mishap {
            Mishap::Error(Refusal::Internal, stage) => (Some(500), stage == Stage::After),
            Mishap::Error(Refusal::SlowDown, stage) => (Some(503), stage == Stage::After),
            Mishap::Error(Refusal::TooMany, stage) => (Some(429), stage == Stage::After),
            Mishap::CutRequest => (None, false),
            Mishap::CutAnswer | Mishap::LostAnswer => (None, true),
            Mishap::Stall(_) => (Some(200), true),
        };
        assert_eq!(reply.as_ref().ok().map(|reply| reply.status), status, "{mishap:?}");
        assert_eq!(*peer.whole.lock().unwrap() > 0, done, "{mishap:?}");
        proxy.set(Fault::None);
        assert_eq!(put(&proxy, b"after").unwrap().body, b"after", "{mishap:?}");
    }
}

/// A message of PostgreSQL's protocol.
fn message(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 4).unwrap().to_be_bytes();
    [kind, &length, content].concat()
}

#[test]
fn a_commit_loses_its_connection_before_or_after_it_was_sent() {
    for (stage, heard) in [(Stage::Before, "BEGIN"), (Stage::After, "BEGIN,COMMIT")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::postgres(listener.local_addr().unwrap().port(), 1);
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                all.extend_from_slice(&buffer[..read]);
                let _ = stream.write_all(&message(b"C", b"DONE\0"));
            }
            String::from_utf8_lossy(&all).into_owned()
        });
        proxy.set(Fault::LostCommits(100, stage));
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        client.write_all(&message(b"", &[0, 3, 0, 0])).unwrap();
        for sql in [b"BEGIN\0".as_slice(), b"COMMIT\0"] {
            client.read_exact(&mut [0; 10]).unwrap();
            client.write_all(&message(b"Q", sql)).unwrap();
        }
        let lost = client.read(&mut [0; 10]);
        assert!(matches!(&lost, Err(error) if error.kind() == ErrorKind::ConnectionReset), "{lost:?}");
        let text = peer.join().unwrap();
        let said: Vec<&str> = ["BEGIN", "COMMIT"].into_iter().filter(|word| text.contains(word)).collect();
        assert_eq!(said.join(","), heard);
    }
}
