//! `[log]` and request ids.

use std::collections::HashSet;

use berth_testkit::{Image, RawConnection, Server, eventually};
use serde_json::Value;

use crate::support::{assert_no_secret, builder};

/// The log as JSON, line by line.
fn lines(server: &Server) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
    server.log().lines().map(parse).collect()
}

#[test]
fn every_answer_has_an_id_of_its_own_and_a_line_with_it() {
    let server = builder().args(["--log-format", "json"]).start();
    let client = server.client();
    client.push_image("team/app", "one", &Image::small("one"));
    let mut ids = HashSet::new();
    for (method, target, status) in [
        ("GET", "/v2/", 200),
        ("HEAD", "/v2/team/app/manifests/one", 200),
        ("GET", "/v2/team/app/manifests/none", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/healthz", 200),
        ("PUT", "/v2/team/app/manifests/two", 400),
        ("DELETE", "/v2/", 405),
    ] {
        let reply = client.request(method, target, &[], &[]).expect(status);
        let id = reply.header("x-request-id").expect("an id").to_owned();
        let is_it = |line: &Value| {
            let fields = &line["fields"];
            fields["request_id"] == id.as_str() && fields["status"] == status && fields["path"] == target
        };
        eventually("a line about the request", || lines(&server).iter().any(is_it));
        assert!(ids.insert(id), "{method} {target}: an id came twice");
    }
}

/// What never reaches a handler is answered with an id too.
#[test]
fn refused_requests_have_an_id_as_well() {
    let server = builder().start();
    let mut connection = RawConnection::connect(server.addr()).unwrap();
    connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").unwrap();
    let reply = connection.read_reply("GET").unwrap().expect(400);
    let id = reply.header("x-request-id").expect("an id").to_owned();
    eventually("a line about it", || server.log().contains(&id));
}

#[test]
fn json_lines_hold_whatever_clients_send_and_no_secret() {
    let mut server = builder().args(["--log-format", "json", "--log-level", "trace"]).start();
    let client = server.client();
    client.push_image("team/app", "one", &Image::small("one"));
    for target in ["/v2/%22%0a%7b", "/v2/a\"b", "/%ff%fe", "/v2/x?token=\"\\", "/\u{7f}"] {
        let _ = client.try_request("GET", target, &[("User-Agent", "a\"b\\c\t{}")], &[]);
    }
    let status = server.stop();
    assert!(status.success());
    let lines = lines(&server);
    assert!(lines.len() > 10 && lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
    assert_no_secret(&server.log());
}

#[test]
fn the_level_decides_what_is_told() {
    for (level, is_told) in [("info", true), ("warn", false), ("off", false), ("warn,berth_http=info", true)] {
        let mut server = builder().args(["--log-level", level]).start();
        server.client().get("/v2/").expect(200);
        server.stop();
        assert_eq!(server.log().contains("path=\"/v2/\""), is_told, "{level}:\n{}", server.log());
    }
}
