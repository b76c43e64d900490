//! A46, A70: tokens of identity providers that bring their own truth, or say too little.

use berth_testkit::aws::{ACCOUNT, expect_fault, fault_code};
use berth_testkit::issuer::{Issuer, TokenKey, base64url};
use berth_testkit::{Reply, Server, ServerBuilder};
use serde_json::{Value, json};

use crate::people::{admin, document, pulls_of};
use crate::support::{attack_on, builder, encoded};

pub const SUBJECT: &str = "system:serviceaccount:ci:builder";
pub const CLIENT: &str = "sts.amazonaws.com";

/// A server that reaches an issuer on loopback.
pub fn reaching(issuer: &Issuer, networks: &str) -> ServerBuilder {
    let ca = issuer.ca();
    builder().setting("outbound.tls_ca", ca.to_str().unwrap()).setting("outbound.allowed_networks", networks)
}

/// Trusts the issuer, and makes a role that trusts its tokens for one subject.
pub fn trust(server: &Server, issuer: &Issuer) {
    let admin = admin(server);
    let url = issuer.url();
    admin.iam("CreateOpenIDConnectProvider", &[("Url", &url), ("ClientIDList.member.1", CLIENT)]).expect(200);
    let host = url.strip_prefix("https://").unwrap();
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}");
    let condition = json!({ "StringEquals": { format!("{host}:aud"): CLIENT, format!("{host}:sub"): SUBJECT } });
    let trust = document(&json!([{ "Effect": "Allow", "Principal": { "Federated": provider },
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition }]));
    admin.iam("CreateRole", &[("RoleName", "ci"), ("AssumeRolePolicyDocument", &trust)]).expect(200);
    let own = document(&pulls_of("team/*"));
    let policy = [("RoleName", "ci"), ("PolicyName", "own"), ("PolicyDocument", own.as_str())];
    admin.iam("PutRolePolicy", &policy).expect(200);
}

/// Asks for the role with a token, and nothing else to show.
pub fn assume(server: &Server, token: &str) -> Reply {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/ci");
    let pairs = [("RoleArn", role.as_str()), ("RoleSessionName", "job"), ("WebIdentityToken", token)];
    let body =
        pairs.iter().fold("Action=AssumeRoleWithWebIdentity&Version=2011-06-15".to_owned(), |body, (name, value)| {
            format!("{body}&{name}={}", encoded(value))
        });
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    server.anonymous().request("POST", "/", &form, body.as_bytes())
}

fn with(mut of: Value, name: &str, value: Value) -> Value {
    of.as_object_mut().unwrap().insert(name.to_owned(), value);
    of
}

#[test]
fn a46_a_web_identity_that_chooses_its_key_or_algorithm_opens_nothing() {
    let (key, evil_key) = (TokenKey::new("one"), TokenKey::new("one"));
    let (issuer, evil) = (Issuer::start(&key), Issuer::start(&evil_key));
    attack_on(reaching(&issuer, "127.0.0.0/8"), |server| {
        trust(server, &issuer);
        let claims = issuer.claims(SUBJECT, CLIENT);
        assume(server, &key.token(&claims)).expect(200);
        let (asked, header) = (issuer.asked().len(), json!({ "alg": "ES256", "kid": "one" }));
        let part = |value: &Value| base64url(value.to_string());
        let unsigned = |header: &Value| format!("{}.{}.", part(header), part(&claims));
        let symmetric = |secret: &[u8]| {
            let signed = format!("{}.{}", part(&json!({ "alg": "HS256", "kid": "one" })), part(&claims));
            format!("{signed}.{}", base64url(hmac(secret, signed.as_bytes())))
        };
        let chosen = |name: &str, value: Value| evil_key.token_with(&with(header.clone(), name, value), &claims);
        let keys_of_evil = format!("{}/keys", evil.url());
        let mut tokens = vec![
            ("none", unsigned(&json!({ "alg": "none" }))),
            ("None", unsigned(&json!({ "alg": "None", "kid": "one" }))),
            ("no signature", unsigned(&header)),
            ("the public key as a secret", symmetric(key.point())),
            ("the public key in JSON as a secret", symmetric(key.jwk().to_string().as_bytes())),
            ("another key of the same id", evil_key.token(&claims)),
            ("its own jwk", chosen("jwk", evil_key.jwk())),
            ("its own jku", chosen("jku", json!(keys_of_evil))),
            ("its own x5u", chosen("x5u", json!(keys_of_evil))),
            ("its own x5c", chosen("x5c", json!(["MIIB"]))),
            ("crit", key.token_with(&with(header.clone(), "crit", json!(["exp"])), &claims)),
            ("a path as its kid", key.token_with(&with(header.clone(), "kid", json!("../../x")), &claims)),
            ("a twisted algorithm", key.token_with(&with(header.clone(), "alg", json!("RS256")), &claims)),
            ("its own issuer", evil_key.token(&with(claims.clone(), "iss", json!(evil.url())))),
            ("10,000 dots", ".".repeat(10_000)),
            ("nothing but dots", "....".to_owned()),
            ("a claim twice", {
                let text = claims.to_string().replacen('{', r#"{"sub":"admin","#, 1);
                format!("{}.{}.AA", part(&header), base64url(text))
            }),
        ];
        tokens.push(("no token", "abcd".to_owned()));
        for (what, token) in &tokens {
            let reply = assume(server, token);
            let answer = (*what, reply.status, fault_code(&reply));
            assert_eq!(answer, (*what, 400, Some("InvalidIdentityToken".to_owned())));
        }
        assert_eq!(evil.connections(), 0, "nobody is asked because a token says so");
        assert_eq!(issuer.asked().len(), asked, "and the issuer not again so soon");
        assume(server, &key.token(&claims)).expect(200);
        let log = server.log();
        assert!(tokens.iter().all(|(_, token)| !log.contains(token.as_str())), "no token is in the log");
    });
}

/// HMAC with SHA-256 (RFC 2104), by the library that signs requests of AWS too.
fn hmac(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    ring::hmac::sign(&key, text).as_ref().to_vec()
}

#[test]
fn a70_a_token_without_an_audience_or_an_end_opens_nothing() {
    let key = TokenKey::new("one");
    let issuer = Issuer::start(&key);
    attack_on(reaching(&issuer, "127.0.0.0/8"), |server| {
        trust(server, &issuer);
        let good = issuer.claims(SUBJECT, CLIENT);
        let without = |names: &[&str]| {
            let mut claims = good.clone();
            for name in names {
                claims.as_object_mut().unwrap().remove(*name);
            }
            key.token(&claims)
        };
        // What clusters put into secrets before their tokens were bound to anything.
        let legacy = with(good.clone(), "kubernetes.io/serviceaccount/secret.name", json!("builder-token"));
        let legacy = ["aud", "exp", "iat"].into_iter().fold(legacy, |mut claims, name| {
            claims.as_object_mut().unwrap().remove(name);
            claims
        });
        for token in [
            key.token(&legacy),
            without(&["aud"]),
            without(&["exp"]),
            without(&["iat"]),
            without(&["aud", "exp"]),
            key.token(&with(good.clone(), "aud", json!([]))),
            key.token(&with(good.clone(), "exp", json!("never"))),
            key.token(&with(good.clone(), "aud", json!("https://kubernetes.default.svc.cluster.local"))),
            key.token(&with(good.clone(), "exp", json!(4_000_000_000_u64))),
        ] {
            expect_fault(&assume(server, &token), 400, "InvalidIdentityToken");
        }
        let ended = with(with(good.clone(), "iat", json!(1_700_000_000)), "exp", json!(1_700_003_600));
        expect_fault(&assume(server, &key.token(&ended)), 400, "ExpiredTokenException");
        let stranger = with(good.clone(), "sub", json!("system:serviceaccount:ci:other"));
        expect_fault(&assume(server, &key.token(&stranger)), 403, "AccessDenied");
        assume(server, &key.token(&good)).expect(200);
    });
}
