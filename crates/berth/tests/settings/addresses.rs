//! `server.public_url` and `server.trusted_proxies`: what links begin with, and who is asking.

use berth_testkit::{Reply, Server, within};
use std::time::Duration;

use crate::support::builder;

fn begin_upload(server: &Server, headers: &[(&str, &str)]) -> Reply {
    server.client().request("POST", "/v2/team/app/blobs/uploads/", headers, &[]).expect(202)
}

fn location(reply: &Reply) -> &str {
    reply.header("location").unwrap()
}

const FORWARDED: [(&str, &str); 3] =
    [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "registry.example.org"), ("X-Forwarded-For", "203.0.113.7")];

#[test]
fn locations_are_relative_unless_told_otherwise() {
    let server = builder().start();
    assert!(location(&begin_upload(&server, &[])).starts_with("/v2/team/app/blobs/uploads/"));
    let client = server.client();
    let location = client.start_upload("team/app");
    let chunk = client.patch_upload(&location, 0, b"abc").expect(202);
    assert!(chunk.header("location").unwrap().starts_with('/'));
}

#[test]
fn the_public_url_begins_every_location() {
    let server = builder().args(["--public-url", "https://registry.example.org:8443/"]).start();
    let base = "https://registry.example.org:8443/v2/team/app/";
    let client = server.client();
    let begun = begin_upload(&server, &FORWARDED[1..]);
    assert!(location(&begun).starts_with(base), "{begun:?}");
    let target = berth_testkit::target_of(&begun);
    let chunk = client.patch_upload(&target, 0, b"abc").expect(202);
    assert!(location(&chunk).starts_with(base), "{chunk:?}");
    let digest = berth_testkit::sha256(b"abc");
    let done = client.finish_upload(&target, &digest, b"").expect(201);
    assert_eq!(location(&done), format!("{base}blobs/{digest}"));
    let image = berth_testkit::empty_index("public");
    let pushed = client.push_manifest("team/app", "one", &image).expect(201);
    assert_eq!(location(&pushed), format!("{base}manifests/{}", image.digest));
}

#[test]
fn strangers_forward_nothing() {
    let server = builder().setting("server.trusted_proxies", "192.0.2.0/24").start();
    let reply = begin_upload(&server, &FORWARDED);
    assert!(location(&reply).starts_with("/v2/"), "{reply:?}");
    let reply = begin_upload(&server, &[("X-Request-Id", "chosen-by-a-stranger")]);
    assert_ne!(reply.header("x-request-id"), Some("chosen-by-a-stranger"));
    assert!(!server.log().contains("203.0.113.7"), "{}", server.log());
}

#[test]
fn a_trusted_proxy_says_how_clients_reach_it_and_who_asks() {
    let server = builder().setting("server.trusted_proxies", "192.0.2.0/24,127.0.0.1").start();
    let reply = begin_upload(&server, &FORWARDED);
    assert!(location(&reply).starts_with("https://registry.example.org/v2/team/app/blobs/uploads/"), "{reply:?}");
    let soon = Duration::from_secs(20);
    assert!(within(soon, || server.log().contains("client=203.0.113.7")), "{}", server.log());
    let reply = begin_upload(&server, &[("X-Request-Id", "chosen-by-the-proxy")]);
    assert_eq!(reply.header("x-request-id"), Some("chosen-by-the-proxy"));
    // What cannot be a host is not repeated.
    let reply = begin_upload(&server, &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a/b?c")]);
    assert!(location(&reply).starts_with("/v2/"), "{reply:?}");
}
