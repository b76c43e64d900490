//! A46 to A49: tokens that are forged, misused or too wide.

use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_testkit::aws::{AwsClient, Keys, expect_fault};
use berth_testkit::{Client, Image, MIB, Random, Server, empty_index};
use serde_json::{Value, json};

use crate::people::{all_of, bearer, by_key, by_login, pulls_of, user};
use crate::support::{attack_on, builder};

/// A server that asks for bearer tokens.
fn bearing() -> berth_testkit::ServerBuilder {
    builder().setting("auth.challenge", "bearer")
}

/// A listener of our own that nobody may connect to.
fn trap() -> (TcpListener, String) {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", trap.local_addr().unwrap());
    (trap, url)
}

fn jwt(header: &Value, signature: &[u8]) -> String {
    let claims = json!({
        "iss": "berth", "aud": "berth", "service": "berth", "sub": "arn:aws:iam::000000000000:user/administrator",
        "exp": 4_102_444_800_u64, "nbf": 0, "iat": 0,
        "access": [{ "type": "repository", "name": "team/a", "actions": ["pull", "push", "*"] }],
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(&claims), URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a46_no_token_of_another_make_is_taken() {
    attack_on(bearing(), |server| {
        let admin = server.client();
        admin.push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let (trap, url) = trap();
        let key = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "x" });
        let headers = [
            json!({ "alg": "none", "typ": "JWT" }),
            json!({ "alg": "None" }),
            json!({ "alg": "nOnE" }),
            json!({ "alg": "HS256", "typ": "JWT" }),
            json!({ "alg": "HS256", "jwk": key }),
            json!({ "alg": "RS256", "jku": url }),
            json!({ "alg": "RS256", "x5u": url, "kid": "x" }),
            json!({ "alg": "RS256", "kid": "../../x" }),
            json!({ "alg": "HS256", "kid": "../../../../dev/null" }),
            json!({ "alg": "HS256", "kid": "x' OR '1'='1" }),
            json!({ "alg": "RS256", "crit": ["unknown"], "unknown": true }),
            json!({ "alg": "dir", "enc": "A128GCM", "zip": "DEF" }),
        ];
        let mut tokens: Vec<String> = Vec::new();
        for header in &headers {
            tokens.push(jwt(header, b""));
            tokens.push(jwt(header, &[7; 32]));
        }
        tokens.push(".".repeat(10_000));
        tokens.push(format!("{}{}", jwt(&headers[0], b""), ".".repeat(10_000)));
        tokens.push("null".to_owned());
        for token in tokens {
            let caller = Client::bearer(server.addr(), &token);
            for target in ["/v2/", "/v2/team/a/manifests/latest", "/v2/_catalog"] {
                let reply = caller.get(target).expect(401);
                let challenge = reply.header("www-authenticate").unwrap_or_default();
                assert!(challenge.starts_with("Bearer ") && !challenge.contains("insufficient_scope"), "{challenge}");
            }
            caller.push_manifest("team/a", "pushed", &empty_index("pushed")).expect(401);
            // Nor as the password that stands for a token.
            Client::login(server.addr(), "AWS", &token).get("/v2/").expect(401);
        }
        admin.manifest("team/a", "pushed").expect(404);
        assert!(trap.accept().is_err(), "somebody followed the address in a token");
    });
}

/// Checks that a caller is told to come again with a token of this scope.
fn expect_too_small(server: &Server, reply: &berth_testkit::Reply, scope: &str) {
    let wanted = format!(
        "Bearer realm=\"{}/token\",service=\"berth\",scope=\"{scope}\",error=\"insufficient_scope\"",
        server.url()
    );
    assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(wanted.as_str())), "{}", reply.text());
}

#[test]
fn a47_a_token_opens_what_it_names_and_no_more() {
    attack_on(bearing(), |server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let alice = by_key(server, &alice);
        let image = Image::small("a");
        for repository in ["team/a", "team/b"] {
            alice.push_image(repository, "latest", &image);
        }
        let token = bearer(&alice, &["repository:team/a:pull"]);
        let narrow = Client::bearer(server.addr(), &token);
        narrow.manifest("team/a", "latest").expect(200);
        expect_too_small(server, &narrow.manifest("team/b", "latest"), "repository:team/b:pull");
        expect_too_small(server, &narrow.get("/v2/team/b/tags/list"), "repository:team/b:pull");
        let pushed = narrow.push_manifest("team/a", "pushed", &image.manifest);
        expect_too_small(server, &pushed, "repository:team/a:pull,push");
        let begun = narrow.request("POST", "/v2/team/a/blobs/uploads/", &[], &[]);
        expect_too_small(server, &begun, "repository:team/a:pull,push");
        expect_too_small(server, &narrow.delete("/v2/team/a/manifests/latest"), "repository:team/a:delete");
        expect_too_small(server, &narrow.get("/v2/_catalog"), "registry:catalog:*");
        let pushing = Client::bearer(server.addr(), &bearer(&alice, &["repository:team/a:pull,push"]));
        expect_too_small(server, &pushing.delete("/v2/team/a/manifests/latest"), "repository:team/a:delete");
        narrow.get("/metrics").expect(401);
        narrow.manifest("team/a", "latest").expect(200);
        narrow.manifest("team/a", "pushed").expect(404);
        // A token is not changed for a wider one, and not for another service.
        narrow.get("/token?service=berth&scope=repository:team/a:pull,push").expect(401);
        alice.get("/token?service=other&scope=repository:team/a:pull").expect(400);
    });
}

#[test]
fn a47_a_token_that_was_touched_is_none() {
    let mut other = bearing().start();
    attack_on(bearing(), |server| {
        let admin = server.client();
        admin.push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let token = bearer(&admin, &["repository:team/a:pull"]);
        Client::bearer(server.addr(), &token).manifest("team/a", "latest").expect(200);
        let flipped = |at: usize| {
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            bytes[at] ^= 1;
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let length = URL_SAFE_NO_PAD.decode(&token).unwrap().len();
        let mut forged: Vec<String> = (0..length).map(flipped).collect();
        forged.extend([
            token[1..].to_owned(),
            token[..token.len() - 4].to_owned(),
            token.repeat(2),
            format!("{token}="),
        ]);
        forged.push(bearer(&other.client(), &["repository:team/a:pull"]));
        for token in forged {
            let reply = Client::bearer(server.addr(), &token).manifest("team/a", "latest").expect(401);
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            assert!(!challenge.contains("insufficient_scope"), "{challenge}");
        }
    });
    other.kill9();
}

#[test]
fn a47_no_kind_of_token_stands_for_another() {
    attack_on(bearing(), |server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let key = by_key(server, &alice);
        key.push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let session = Keys::of(&alice.sts("GetSessionToken", &[]).expect(200));
        let session_token = session.token.clone().unwrap();
        let (login, bearing) = (alice.login_password(), bearer(&key, &["repository:team/a:pull"]));
        let pulls = |client: &Client| client.manifest("team/a", "latest").status;
        let basic = |password: &str| Client::login(server.addr(), "AWS", password);
        let as_bearer = |token: &str| Client::bearer(server.addr(), token);
        // Asked twice: the second time the registry may remember the first.
        for _ in 0..2 {
            assert_eq!((pulls(&basic(&login)), pulls(&as_bearer(&bearing))), (200, 200));
            assert_eq!((pulls(&basic(&bearing)), pulls(&basic(&session_token))), (401, 401));
            assert_eq!((pulls(&as_bearer(&login)), pulls(&as_bearer(&session_token))), (401, 401));
            for token in [&login, &bearing] {
                let keys = Keys { token: Some(token.clone()), ..session.clone() };
                let reply = AwsClient::new(server.addr(), keys).sts("GetCallerIdentity", &[]);
                expect_fault(&reply, 403, "InvalidClientTokenId");
            }
            AwsClient::new(server.addr(), session.clone()).sts("GetCallerIdentity", &[]).expect(200);
        }
    });
}

#[test]
fn a48_scopes_ask_and_policies_answer() {
    attack_on(bearing(), |server| {
        let admin = server.client();
        for name in ["team/a", "private/x"] {
            admin.push_manifest(name, "latest", &empty_index(name)).expect(201);
        }
        let alice = user(server, "alice", &pulls_of("team/*"));
        let wide =
            ["repository:*:*", "repository:**:pull", "repository:private/*:*", "registry:*:*", "*:*:*", "*", ":::"];
        for caller in [by_key(server, &alice), by_login(server, &alice)] {
            let token = Client::bearer(server.addr(), &bearer(&caller, &wide));
            for name in ["team/a", "private/x"] {
                token.manifest(name, "latest").expect_any(&[401, 403]);
                token.push_manifest(name, "pushed", &empty_index("pushed")).expect_any(&[401, 403]);
            }
            let asked = [
                "repository:team/a:*",
                "repository:private/x:*",
                "repository:private/x:pull,push",
                "registry:catalog:*",
            ];
            let token = Client::bearer(server.addr(), &bearer(&caller, &asked));
            token.manifest("team/a", "latest").expect(200);
            token.push_manifest("team/a", "pushed", &empty_index("pushed")).expect_any(&[401, 403]);
            token.delete("/v2/team/a/manifests/latest").expect_any(&[401, 403]);
            token.manifest("private/x", "latest").expect_any(&[401, 403]);
            token.push_manifest("private/x", "pushed", &empty_index("pushed")).expect_any(&[401, 403]);
            // The catalog is asked for and may be named in a token; what it shows is another question.
            token.get("/v2/_catalog").expect(403);
        }
    });
}

#[test]
fn a48_a_token_holds_a_hundred_scopes_at_most() {
    attack_on(bearing(), |server| {
        let alice = user(server, "alice", &all_of("t/*"));
        let caller = by_key(server, &alice);
        let scopes: Vec<String> = (0..1_000).map(|number| format!("repository:t/{number:03}:pull")).collect();
        let asked: Vec<&str> = scopes.iter().map(String::as_str).collect();
        // A thousand are more than a query may hold.
        caller.get(&format!("/token?service=berth&scope={}", asked.join("&scope="))).expect(400);
        let asked = &asked[..500];
        for asked in [asked, &[&asked.join("%20")]] {
            let token = bearer(&caller, asked);
            assert!(token.len() < 16 * 1024, "a token of {} characters", token.len());
            let caller = Client::bearer(server.addr(), &token);
            caller.manifest("t/099", "latest").expect(404);
            expect_too_small(server, &caller.manifest("t/100", "latest"), "repository:t/100:pull");
            expect_too_small(server, &caller.manifest("t/499", "latest"), "repository:t/499:pull");
        }
    });
}

#[test]
fn a49_a_flood_of_unknown_tokens_costs_nothing() {
    attack_on(bearing(), |server| {
        let admin = server.client();
        admin.push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let (trap, url) = trap();
        let mut random = Random::seeded(49);
        let mut token = |number: usize| match number % 2 {
            0 => URL_SAFE_NO_PAD.encode(random.bytes(11_000)),
            _ => {
                jwt(&json!({ "alg": "RS256", "kid": hex::encode(random.bytes(2_000)), "jku": url }), &random.bytes(256))
            }
        };
        // A few before, so that what the first of them needs is there.
        for number in 0..20 {
            Client::bearer(server.addr(), &token(number)).get("/v2/").expect(401);
        }
        let before = server.process().rss_bytes();
        for number in 0..1_000 {
            Client::bearer(server.addr(), &token(number)).manifest("team/a", "latest").expect(401);
            if number % 100 == 0 {
                server.client().manifest("team/a", "latest").expect(200);
            }
        }
        let grown = server.process().rss_bytes().saturating_sub(before);
        assert!(grown < 24 * MIB, "{grown} bytes more after 1,000 tokens");
        assert!(trap.accept().is_err(), "somebody followed the address in a token");
    });
}
