//! What clients without credentials see, and the tokens that they are given (Docker's token authentication).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use berth_testkit::{ADMIN_SECRET, Reply, Server, ServerBuilder, within};
use support::builder;

const NOBODY: &str = "Basic Og==";

fn open() -> ServerBuilder {
    builder().args(["--anonymous-pull", "public/*"])
}

fn ask(server: &Server, method: &str, target: &str, authorization: &str) -> Reply {
    server.anonymous().request(method, target, &[("Authorization", authorization)], &[])
}

fn basic(server: &Server) -> Reply {
    server.client().get("/token?service=berth&scope=repository:public/a:pull").expect(200)
}

fn scoped(server: &Server, scope: &str) -> Reply {
    server.client().get(&format!("/token?service=berth&scope={scope}")).expect(200)
}

fn bearer(reply: &Reply) -> String {
    let body = reply.json();
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["token"], body["access_token"]);
    format!("Bearer {}", body["token"].as_str().unwrap())
}

#[test]
fn a_closed_registry_asks_for_basic_and_gives_strangers_no_token() {
    let server = builder().start();
    let challenge = |reply: Reply| reply.expect(401).header("www-authenticate").unwrap().to_owned();
    for authorization in [None, Some(NOBODY)] {
        let headers: Vec<_> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
        for target in ["/v2/", "/v2/public/a/tags/list", "/token"] {
            let reply = server.anonymous().request("GET", target, &headers, &[]);
            assert!(challenge(reply).starts_with("Basic "), "{target}");
        }
    }
    assert!(ask(&server, "GET", "/v2/", &bearer(&basic(&server))).status == 200);
}

#[test]
fn an_open_registry_asks_for_a_token_at_the_address_that_the_client_used() {
    let server = open().start();
    let wanted = format!("Bearer realm=\"{}/token\",service=\"berth\"", server.url());
    let scoped = format!("{wanted},scope=\"repository:private/a:pull\"");
    for (target, wanted) in [("/v2/", &wanted), ("/v2/private/a/manifests/one", &scoped), ("/v2/_nothing", &wanted)] {
        let reply = server.anonymous().get(target).expect(401);
        assert_eq!(reply.header_values("www-authenticate"), [wanted.as_str()], "{target}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let public = builder().args(["--anonymous-pull", "*", "--public-url", "https://registry.example"]).start();
    let reply = public.anonymous().request("GET", "/v2/", &[("X-Forwarded-Host", "evil.example")], &[]).expect(401);
    assert_eq!(
        reply.header("www-authenticate"),
        Some("Bearer realm=\"https://registry.example/token\",service=\"berth\"")
    );
}

#[test]
fn a_token_of_nobody_pulls_what_is_open_and_nothing_else() {
    let server = open().start();
    let digest = server.client().push_blob("public/a", b"open");
    server.client().push_blob("private/a", b"closed");
    let target = "/token?service=berth&scope=repository:public/a:pull,push,delete&scope=repository:private/a:pull";
    for reply in [server.anonymous().get(target), ask(&server, "GET", target, NOBODY)] {
        let token = bearer(&reply.expect(200));
        ask(&server, "GET", "/v2/", &token).expect(200);
        assert_eq!(ask(&server, "GET", &format!("/v2/public/a/blobs/{digest}"), &token).expect(200).body, b"open");
        ask(&server, "GET", &format!("/v2/private/a/blobs/{digest}"), &token).expect(401);
        ask(&server, "POST", "/v2/public/a/blobs/uploads/", &token).expect(401);
        ask(&server, "DELETE", &format!("/v2/public/a/blobs/{digest}"), &token).expect(401);
        ask(&server, "GET", "/metrics", &token).expect(401);
        ask(&server, "GET", "/token", &token).expect(401);
    }
}

#[test]
fn a_token_of_the_administrator_does_what_the_administrator_may() {
    let server = open().start();
    let token = bearer(&basic(&server));
    assert!(!token.contains(ADMIN_SECRET));
    ask(&server, "GET", "/v2/", &token).expect(200);
    let refused = ask(&server, "POST", "/v2/private/a/blobs/uploads/", &token).expect(401);
    assert!(
        refused
            .header("www-authenticate")
            .unwrap()
            .ends_with("scope=\"repository:private/a:pull,push\",error=\"insufficient_scope\"")
    );
    let token = bearer(&scoped(&server, "repository:private/a:pull,push"));
    ask(&server, "POST", "/v2/private/a/blobs/uploads/", &token).expect(202);
    ask(&server, "POST", "/v2/private/b/blobs/uploads/", &token).expect(401);
    let token = bearer(&scoped(&server, "repository:private/a:pull"));
    ask(&server, "POST", "/v2/private/a/blobs/uploads/", &token).expect(401);
    ask(&server, "POST", "/token", &token).expect_error(405, "UNSUPPORTED");
}

#[test]
fn a_token_that_was_not_given_out_is_refused() {
    let server = open().start();
    let anonymous = bearer(&server.anonymous().get("/token").expect(200));
    let middle = anonymous.len() / 2;
    let other = if &anonymous[middle..=middle] == "A" { "B" } else { "A" };
    let changed = format!("{}{other}{}", &anonymous[..middle], &anonymous[middle + 1..]);
    let cut = anonymous[..anonymous.len() - 2].to_owned();
    let wrong = "Basic QUtJQTpzZWNyZXQ=".to_owned();
    for forged in ["Bearer ", "Bearer x", "Bearer berth.anonymous.1.00", &changed, &cut, &wrong] {
        ask(&server, "GET", "/v2/", forged).expect_error(401, "UNAUTHORIZED");
    }
    ask(&server, "GET", "/token", &wrong).expect_error(401, "UNAUTHORIZED");
}

#[test]
fn a_token_ends_with_the_key_that_it_stands_for() {
    let server = open().start();
    let token = bearer(&basic(&server));
    ask(&server, "GET", "/v2/", &token).expect(200);
    assert_eq!(server.berth(&["admin", "reset-key"]).code, Some(0));
    let refused = || ask(&server, "GET", "/v2/", &token).status == 401;
    assert!(within(Duration::from_secs(20), refused), "the token of a replaced key still opens the registry");
}
