//! A46, A49, A69, A71: issuers that lead elsewhere, floods that would have one asked, and addresses that only this machine can reach.

use berth_testkit::aws::{Keys, expect_fault};
use berth_testkit::issuer::{Issuer, TokenKey};
use serde_json::json;

use crate::people::admin;
use crate::support::{attack_on, builder};
use crate::web_identity::{CLIENT, SUBJECT, assume, reaching, trust};

#[test]
fn a49_a_flood_of_unknown_keys_has_the_issuer_asked_no_more() {
    let key = TokenKey::new("one");
    let issuer = Issuer::start(&key);
    attack_on(reaching(&issuer, "127.0.0.0/8"), |server| {
        trust(server, &issuer);
        let claims = issuer.claims(SUBJECT, CLIENT);
        let good = key.token(&claims);
        assume(server, &good).expect(200);
        let began = std::time::Instant::now();
        let stranger = TokenKey::new("stranger");
        for n in 0..500 {
            let token = stranger.token_with(&json!({ "alg": "ES256", "kid": format!("unknown-{n}") }), &claims);
            expect_fault(&assume(server, &token), 400, "InvalidIdentityToken");
            if n % 100 == 0 {
                assume(server, &good).expect(200);
            }
        }
        // Two documents at first, and two more in each half minute that this took.
        let most = 2 + 2 * (1 + began.elapsed().as_secs() / 30);
        let asked = issuer.asked().len() as u64;
        assert!(asked <= most, "asked {asked} times");
    });
}

/// Changes what an issuer shows.
type Change<'c> = Box<dyn Fn() + 'c>;

#[test]
fn a69_an_issuer_that_leads_elsewhere_is_not_followed() {
    let key = TokenKey::new("one");
    let (issuer, evil) = (Issuer::start(&key), Issuer::start(&TokenKey::new("one")));
    let discovery = "/.well-known/openid-configuration";
    let (own, other) = (issuer.url(), evil.url());
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {other}{discovery}\r\nContent-Length: 0\r\n\r\n");
    let keys_elsewhere = "https://169.254.169.254/latest/meta-data";
    let changes: [(&str, Change<'_>); 6] = [
        ("a redirect", Box::new(|| issuer.raw(discovery, &redirect))),
        ("a redirect of the keys", Box::new(|| issuer.raw("/keys", &redirect))),
        (
            "another issuer",
            Box::new(|| issuer.page(discovery, &json!({ "issuer": other, "jwks_uri": format!("{own}/keys") }))),
        ),
        (
            "keys without TLS",
            Box::new(|| issuer.page(discovery, &json!({ "issuer": own, "jwks_uri": other.replace("https", "http") }))),
        ),
        ("keys inside", Box::new(|| issuer.page(discovery, &json!({ "issuer": own, "jwks_uri": keys_elsewhere })))),
        ("no keys but a secret", Box::new(|| issuer.page("/keys", &json!({ "secret": "INSIDE-PAGE" })))),
    ];
    for (what, change) in changes {
        issuer.show(&[&key]);
        change();
        attack_on(reaching(&issuer, "127.0.0.0/8"), |server| {
            trust(server, &issuer);
            let reply = assume(server, &key.token(&issuer.claims(SUBJECT, CLIENT)));
            assert!(!reply.text().contains("INSIDE-PAGE") && !server.log().contains("INSIDE-PAGE"), "{what}");
            assert_eq!(evil.connections(), 0, "{what}");
            expect_fault(&reply, 400, "IDPCommunicationError");
        });
    }
}

#[test]
fn a71_a_provider_inside_is_refused_when_it_is_saved() {
    let issuer = Issuer::start(&TokenKey::new("one"));
    let ca = issuer.ca();
    attack_on(builder().setting("outbound.tls_ca", ca.to_str().unwrap()), |server| {
        let port = issuer.url().rsplit(':').next().unwrap().to_owned();
        let admin = admin(server);
        for host in [
            "127.0.0.1",
            "127.1.2.3",
            "localhost",
            "169.254.169.254",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[fc00::1]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:a00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "224.0.0.1",
            "255.255.255.255",
            "203.0.113.1",
        ] {
            let url = format!("https://{host}:{port}");
            expect_fault(&admin.iam("CreateOpenIDConnectProvider", &[("Url", &url)]), 400, "ValidationError");
        }
        for url in
            ["http://127.0.0.1", "file:///etc/passwd", "https://a@example.org", "https://example.org?x", "gopher://a"]
        {
            expect_fault(&admin.iam("CreateOpenIDConnectProvider", &[("Url", url)]), 400, "ValidationError");
        }
        assert_eq!(issuer.connections(), 0);
    });
}

#[test]
fn a71_a_provider_that_is_inside_is_refused_when_it_is_asked() {
    let key = TokenKey::new("one");
    let issuer = Issuer::start(&key);
    let ca = issuer.ca();
    attack_on(reaching(&issuer, "127.0.0.1/32"), |server| {
        trust(server, &issuer);
        // Saved while it might be reached; now it may not.
        server.stop();
        server.reconfigure(builder().setting("outbound.tls_ca", ca.to_str().unwrap()));
        server.restart();
        let reply = assume(server, &key.token(&issuer.claims(SUBJECT, CLIENT)));
        expect_fault(&reply, 400, "IDPCommunicationError");
        assert_eq!(issuer.connections(), 0, "refused before a connection");
    });
}

#[test]
fn a46_what_nobody_signed_opens_no_other_operation() {
    let key = TokenKey::new("one");
    let issuer = Issuer::start(&key);
    attack_on(reaching(&issuer, "127.0.0.1/32"), |server| {
        trust(server, &issuer);
        let nobody = admin(server).with(Keys::new("AKIAAAAAAAAAAAAAAAAA", "x"));
        expect_fault(&nobody.sts("GetCallerIdentity", &[]), 403, "InvalidClientTokenId");
        let client = server.anonymous();
        let long = format!("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&x={}", "x".repeat(128 * 1024));
        for body in [
            "Action=GetCallerIdentity&Version=2011-06-15",
            "Action=AssumeRole&Version=2011-06-15",
            "Action=ListUsers&Version=2010-05-08",
            "Action=AssumeRoleWithWebIdentity&Version=2010-05-08",
            "Action=assumerolewithwebidentity&Version=2011-06-15",
            "Action=AssumeRoleWithWebIdentity",
            "",
            long.as_str(),
        ] {
            let reply = client.request("POST", "/", &[], body.as_bytes());
            expect_fault(&reply, 403, "MissingAuthenticationToken");
        }
        let token = key.token(&issuer.claims(SUBJECT, CLIENT));
        let target = format!("/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken={token}");
        for method in ["GET", "POST"] {
            // What is in an address ends in logs: a token there is not taken.
            expect_fault(&client.request(method, &target, &[], &[]), 403, "MissingAuthenticationToken");
        }
    });
}
