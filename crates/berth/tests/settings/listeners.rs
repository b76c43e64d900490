//! `server.listen`: IPv6, Unix sockets, several at once, and HTTP/2 without TLS.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use berth_testkit::http2::{self, encode, flag, frame, header_block, read_frame};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Image, eventually};
use tempfile::TempDir;

use crate::free_address;
use crate::support::builder;

fn ask_socket(path: &Path, target: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn an_ipv6_address_serves_images() {
    let server = builder().listen("[::1]:0").start();
    assert!(server.addr().is_ipv6() && server.url().starts_with("http://[::1]:"), "{}", server.url());
    let image = Image::small("six");
    server.client().push_image("team/app", "one", &image);
    assert_eq!(server.client().manifest("team/app", "one").expect(200).body, image.manifest.bytes);
}

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("berth.sock");
    let mut server = builder().listen(&format!("unix:{}", path.display())).start();
    assert_eq!(server.url(), format!("unix:{}", path.display()));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o007, 0, "strangers do not get in");
    assert!(ask_socket(&path, "/healthz").starts_with("HTTP/1.1 200 "));
    assert!(ask_socket(&path, "/v2/").starts_with("HTTP/1.1 401 "));
    // A second server does not take it away from the first.
    let second = server.berth(&["serve", "--listen", &format!("unix:{}", path.display())]);
    assert_eq!(second.code, Some(3), "{second:?}");
    assert!(server.stop().success());
    assert!(!path.exists());
}

#[test]
fn several_addresses_are_one_registry() {
    let folder = TempDir::new().unwrap();
    let (path, second) = (folder.path().join("berth.sock"), free_address());
    let socket = format!("unix:{}", path.display());
    let server =
        builder().args(["--listen", &second.to_string(), "--listen", &socket, "--anonymous-pull", "*"]).start();
    let digest = server.client().push_blob("team/app", b"one registry");
    let target = format!("/v2/team/app/blobs/{digest}");
    for address in [server.addr(), second] {
        let reply = Client::login(address, ADMIN_ID, ADMIN_SECRET).get(&target).expect(200);
        assert_eq!(reply.body, b"one registry");
    }
    assert!(ask_socket(&path, &target).ends_with("one registry"));
    eventually("all addresses in the log", || server.log().contains(&format!("http://{second}")));
}

/// RFC 9113, section 3.3: a client that knows begins with the preface.
#[test]
fn http2_is_spoken_without_tls_too() {
    let server = builder().start();
    let address: SocketAddr = server.addr();
    let mut connection = http2::connect(address).unwrap();
    let authority = address.to_string();
    let request = [(":method", "GET"), (":scheme", "http"), (":authority", &authority), (":path", "/healthz")];
    let block = header_block(&request);
    connection.send(&encode(frame::HEADERS, flag::END_STREAM | flag::END_HEADERS, 1, &block)).unwrap();
    let body = loop {
        let frame = read_frame(&mut connection).unwrap();
        if frame.stream == 1 && frame.kind == frame::DATA {
            break frame.payload;
        }
        assert_ne!(frame.kind, frame::GOAWAY, "{frame:?}");
    };
    assert_eq!(body, b"ok\n");
}

#[test]
fn connections_beyond_the_limit_hear_503() {
    let server = builder().setting("server.max_connections", "1").start();
    let first = server.client();
    first.get("/v2/").expect(200);
    let refused = server.anonymous().try_request("GET", "/healthz", &[], &[]).unwrap().expect(503);
    assert!(refused.closes() && refused.header("retry-after").is_some(), "{refused:?}");
    assert!(refused.header("x-request-id").is_some(), "{refused:?}");
    first.get("/v2/").expect(200);
}

#[test]
fn an_address_for_everybody_without_tls_is_warned_of() {
    let warning = "without TLS";
    let open = builder().listen("0.0.0.0:0").start();
    eventually("a warning", || open.log().contains(warning));
    let behind_a_proxy = builder().listen("0.0.0.0:0").setting("server.trusted_proxies", "127.0.0.1").start();
    let on_loopback = builder().start();
    for quiet in [behind_a_proxy, on_loopback] {
        // The last line of a start: a warning would stand before it.
        eventually("a line about the start", || quiet.log().contains("serving"));
        assert!(!quiet.log().contains(warning), "{}", quiet.log());
    }
}
