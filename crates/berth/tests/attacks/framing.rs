//! A38 to A40: where messages begin and end, and headers that a caller would like to write.

use std::time::Duration;

use berth_testkit::{Client, Random, Server, empty_index, media, sha256, target_of};

use crate::listings::next_page;
use crate::support::{attack, attack_on, builder};

/// A second request that must never be seen as one.
const SMUGGLED: &str = "GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends these bytes, `@` standing for host and login; expects 400 and the end.
fn assert_refused(server: &Server, what: &str, message: &str) {
    let login = String::from_utf8(server.client().head("GET", "/", &[])).unwrap();
    let authorization = login.lines().find(|line| line.starts_with("Authorization")).unwrap().to_owned();
    let message = message.replace('@', &format!("Host: x\r\n{authorization}"));
    let mut connection = berth_testkit::RawConnection::connect(server.addr()).unwrap();
    connection.send(message.as_bytes()).unwrap();
    let reply = connection.read_reply("POST").unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(reply.status, 400, "{what}: {reply:?}");
    assert!(connection.is_closed_within(Duration::from_secs(20)), "{what}: more after the 400");
}

#[test]
fn a38_a_body_with_two_lengths_is_refused() {
    attack(|server| {
        let post = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\n@\r\n";
        let chunked = format!("0\r\n\r\n{SMUGGLED}");
        let cases = [
            ("CL then TE", format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}")),
            ("TE then CL", format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{chunked}")),
            ("TE then CL 0", format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{chunked}")),
            ("two CL that differ", format!("{post}Content-Length: 0\r\nContent-Length: 38\r\n\r\n{SMUGGLED}")),
            ("two CL alike", format!("{post}Content-Length: 0\r\nContent-Length: 0\r\n\r\n{SMUGGLED}")),
            ("CL list", format!("{post}Content-Length: 0, 38\r\n\r\n{SMUGGLED}")),
            ("CL list alike", format!("{post}Content-Length: 0, 0\r\n\r\n{SMUGGLED}")),
            ("CL with sign", format!("{post}Content-Length: +0\r\n\r\n{SMUGGLED}")),
            ("CL negative", format!("{post}Content-Length: -1\r\n\r\n{SMUGGLED}")),
            ("CL in hex", format!("{post}Content-Length: 0x0\r\n\r\n{SMUGGLED}")),
            ("CL of 2^64", format!("{post}Content-Length: 18446744073709551616\r\n\r\n{SMUGGLED}")),
            ("two TE", format!("{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{chunked}")),
            ("TE not ending in chunked", format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n{chunked}")),
            ("TE with a tab", format!("{post}Transfer-Encoding:\u{b}chunked\r\nContent-Length: 5\r\n\r\n{chunked}")),
            (
                "TE and HTTP/1.0",
                format!(
                    "POST /v2/a/blobs/uploads/ HTTP/1.0\r\n@\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{chunked}"
                ),
            ),
        ];
        for (what, message) in &cases {
            assert_refused(server, what, message);
        }
    });
}

#[test]
fn a38_lines_that_end_or_go_on_in_old_ways_are_refused() {
    attack(|server| {
        let get = "GET /v2/_catalog HTTP/1.1";
        let cases = [
            ("bare LF everywhere", format!("{get}\nHost: x\n\n")),
            ("bare LF after the request line", format!("{get}\n@\r\n\r\n")),
            ("bare LF after a header", format!("{get}\r\n@\r\nX-A: b\nX-C: d\r\n\r\n")),
            ("bare LF at the end", format!("{get}\r\n@\r\n\n")),
            ("bare CR in a value", format!("{get}\r\n@\r\nX-A: b\rX-C: d\r\n\r\n")),
            ("obs-fold", format!("{get}\r\n@\r\nX-A: b\r\n c\r\n\r\n")),
            ("obs-fold with a tab", format!("{get}\r\n@\r\nX-A: b\r\n\tc\r\n\r\n")),
            ("fold before the first header", format!("{get}\r\n X-A: b\r\n@\r\n\r\n")),
            ("space before the colon", format!("{get}\r\n@\r\nX-A : b\r\n\r\n")),
            ("space in a name", format!("{get}\r\n@\r\nX A: b\r\n\r\n")),
            ("no colon", format!("{get}\r\n@\r\nX-A\r\n\r\n")),
            ("empty name", format!("{get}\r\n@\r\n: b\r\n\r\n")),
            ("NUL in a value", format!("{get}\r\n@\r\nX-A: b\0c\r\n\r\n")),
            ("no version", "GET /v2/_catalog\r\n@\r\n\r\n".to_owned()),
            ("a version of the future", "GET /v2/_catalog HTTP/9.1\r\n@\r\n\r\n".to_owned()),
            ("NUL in the target", "GET /v2/\0 HTTP/1.1\r\n@\r\n\r\n".to_owned()),
            ("garbage", "\x16\x03\x01\x02\r\n\r\n".to_owned()),
        ];
        for (what, message) in &cases {
            assert_refused(server, what, message);
        }
    });
}

#[test]
fn a38_chunks_that_lie_about_their_size_are_refused() {
    attack(|server| {
        let client = server.client();
        let bodies = [
            "ffffffffffffffff1\r\nabc\r\n0\r\n\r\n",
            "-1\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "+3\r\nabc\r\n0\r\n\r\n",
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabcX\r\n0\r\n\r\n",
            "g\r\nabc\r\n0\r\n\r\n",
            " 3 \rabc\r\n0\r\n\r\n",
            "3;ext=\"\n\"\r\nabc\r\n0\r\n\r\n",
        ];
        for body in bodies {
            let session = client.start_upload("chunks");
            let target = format!("{session}?digest={}", sha256(b"abc"));
            let mut connection = client.open("PUT", &target, &[("Transfer-Encoding", "chunked")]);
            connection.send(body.as_bytes()).unwrap();
            // The server may hang up without a word, but must not take the body for whole.
            if let Ok(reply) = connection.read_reply("PUT") {
                assert_eq!(reply.status, 400, "{body:?}: {reply:?}");
                assert!(connection.is_closed_within(Duration::from_secs(20)), "{body:?}");
            }
            client.blob("chunks", &sha256(b"abc")).expect(404);
        }
    });
}

const EVIL: [(&str, &str); 6] = [
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Prefix", "/evil.example"),
    ("X-Original-URL", "http://evil.example/"),
    ("Forwarded", "host=evil.example;proto=https"),
    ("X-Host", "evil.example"),
];

/// Every header of every kind of reply that could name a host.
fn replies_to_evil(client: &Client) -> Vec<berth_testkit::Reply> {
    let image = empty_index("evil");
    let call = |method: &str, target: &str, body: &[u8]| {
        let mut headers = EVIL.to_vec();
        headers.push(("Content-Type", media::INDEX));
        client.request(method, target, &headers, body)
    };
    let session = call("POST", "/v2/evil/blobs/uploads/", &[]).expect(202);
    let location = target_of(&session);
    let bytes = Random::seeded(39).bytes(100);
    vec![
        call("PATCH", &location, &bytes).expect(202),
        call("GET", &location, &[]).expect(204),
        call("PUT", &format!("{location}?digest={}", sha256(&bytes)), &[]).expect(201),
        call("PUT", "/v2/evil/manifests/one", &image.bytes).expect(201),
        call("PUT", "/v2/evil/manifests/two", &image.bytes).expect(201),
        call("GET", "/v2/evil/tags/list?n=1", &[]).expect(200),
        call("GET", "/v2/evil/manifests/none", &[]).expect(404),
        session,
    ]
}

#[test]
fn a39_no_header_of_a_caller_becomes_part_of_a_location() {
    attack(|server| {
        let replies = replies_to_evil(&server.client());
        for reply in &replies {
            assert!(!format!("{:?}", reply.headers).contains("evil.example"), "{reply:?}");
            if let Some(location) = reply.header("location") {
                assert!(location.starts_with("/v2/"), "{location}");
            }
        }
        assert!(replies.iter().any(|reply| next_page(reply).is_some()));
        // Host itself, as a caller without login and with one.
        for client in [server.client(), server.anonymous()] {
            let head =
                String::from_utf8(client.head("POST", "/v2/evil/blobs/uploads/", &[("Content-Length", "0")])).unwrap();
            let head = head.replace(&server.addr().to_string(), "evil.example");
            let mut connection = berth_testkit::RawConnection::connect(server.addr()).unwrap();
            connection.send(head.as_bytes()).unwrap();
            let reply = connection.read_reply("POST").unwrap().expect_any(&[202, 401]);
            assert!(!format!("{:?}", reply.headers).contains("evil.example"), "{reply:?}");
        }
    });
}

#[test]
fn a39_a_configured_url_is_the_only_base() {
    let configured = builder().args(["--public-url", "https://registry.example"]);
    attack_on(configured, |server| {
        for reply in replies_to_evil(&server.client()) {
            assert!(!format!("{:?}", reply.headers).contains("evil.example"), "{reply:?}");
            if let Some(location) = reply.header("location") {
                assert!(location.starts_with("https://registry.example/v2/"), "{location}");
            }
        }
    });
}

#[test]
fn a40_no_parameter_splits_a_header() {
    attack(|server| {
        let client = server.client();
        let manifest = empty_index("split");
        client.push_manifest("split", "latest", &manifest).expect(201);
        let digest = &manifest.digest;
        let evil = "a%0d%0aSet-Cookie:x";
        let refused = [
            ("POST", format!("/v2/split/blobs/uploads/?mount={digest}&from={evil}")),
            ("POST", format!("/v2/split/blobs/uploads/?mount={evil}&from=split")),
            ("POST", format!("/v2/split/blobs/uploads/?digest={evil}")),
            ("PUT", format!("/v2/split/manifests/{digest}?tag={evil}")),
            ("GET", format!("/v2/_catalog?n={evil}")),
        ];
        let harmless = [
            ("GET", format!("/v2/split/referrers/{digest}?artifactType={evil}")),
            ("GET", format!("/v2/split/tags/list?n=1&last={evil}")),
            ("GET", format!("/v2/_catalog?n=1&last={evil}")),
            ("GET", format!("/v2/split{evil}/tags/list")),
            ("GET", format!("/v2/split/manifests/{evil}")),
            ("GET", format!("/{evil}")),
        ];
        for (method, target) in refused.iter().chain(&harmless) {
            let body: &[u8] = if *method == "PUT" { &manifest.bytes } else { &[] };
            let reply = client.request(method, target, &[("Content-Type", media::INDEX)], body);
            assert_eq!(reply.header("set-cookie"), None, "{target}");
            assert!(matches!(reply.status, 200 | 400 | 404), "{target}: {}", reply.status);
        }
        for (method, target) in &refused {
            let body: &[u8] = if *method == "PUT" { &manifest.bytes } else { &[] };
            client.request(method, target, &[("Content-Type", media::INDEX)], body).expect(400);
        }
    });
}
