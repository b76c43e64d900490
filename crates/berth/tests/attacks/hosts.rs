//! A76 where registries are told apart by their hosts: no name for the server opens what its caller may not have.

use berth_testkit::aws::{AwsRequest, Signing, expect_fault};
use berth_testkit::{Client, Image, Reply, ServerBuilder, sha256, target_of};

use crate::people::{account, admin, bearer, by_key, by_login, face};
use crate::support::{attack_on, builder};
use crate::tenants::routes;

const ATTACKER: &str = "111111111111";
const ATTACKED: &str = "222222222222";
const NOBODY: &str = "333333333333";

fn hosted() -> ServerBuilder {
    builder()
        .setting("registry.host", "{account}.dkr.ecr.{region}.example.org")
        .setting("registry.regions", "eu-west-1")
        .setting("auth.challenge", "bearer")
}

fn host(account: &str) -> String {
    format!("{account}.dkr.ecr.us-east-1.example.org")
}

/// Names for the attacked registry, and what only looks like one.
fn tricks() -> Vec<String> {
    let (right, own) = (host(ATTACKED), host(ATTACKER));
    let long = "a".repeat(30_000);
    let mut tricks: Vec<String> =
        ["", ":443", ":1", ":0", ":", ":65536", ":99999999999999999999", ":1:2", ".", "..", ".:443"]
            .iter()
            .map(|end| format!("{right}{end}"))
            .collect();
    tricks.extend([
        right.to_uppercase(),
        right.replace("us-east-1", "eu-west-1"),
        right.replace("us-east-1", "mars-1"),
        right.replace("us-east-1", ""),
        right.replace("us-east-1", "us-east-1."),
        right.replace("us-east-1", &long),
        format!(".{right}"),
        format!("..{right}"),
        format!("../{right}"),
        format!("{right}/.."),
        format!("{own}/../{right}"),
        format!("{own}, {right}"),
        format!("{right}, {own}"),
        format!("{own}@{right}"),
        format!("{right}@{own}"),
        format!("{own} {right}"),
        format!("{own}#{right}"),
        format!("{own}.{right}"),
        format!("{right}.{own}"),
        format!("%32{}", &right[1..]),
        format!("\u{662}{}", &right[1..]),
        right.replace('.', "\u{3002}"),
        format!("{}{right}", &right[..12]),
        "[::1]:5000".to_owned(),
        format!("[{right}]"),
        "[".to_owned(),
        "{account}.dkr.ecr.{region}.example.org".to_owned(),
        String::new(),
        "*".to_owned(),
        long,
    ]);
    tricks
}

fn expect_nothing(reply: &Reply, what: &str) {
    assert!(matches!(reply.status, 400 | 401 | 403 | 404 | 405), "{what}: {reply:?}");
    let text = reply.text();
    assert!(!text.contains("secretcontent") && !text.contains("secrettag\""), "{what}: {text}");
    assert_eq!((reply.header("docker-content-digest"), reply.header("location")), (None, None), "{what}");
}

#[test]
fn a76_no_host_opens_a_registry_to_another_account() {
    attack_on(hosted(), |server| {
        let right = host(ATTACKED);
        let owner = by_key(server, &account(server, ATTACKED)).at_host(&right);
        let image = Image::of(vec![b"secretcontent".to_vec()]);
        owner.push_image("secret/repository", "secrettag", &image);
        // What the server's own registry holds is no more the attacker's than the rest.
        server.client().push_image("secret/repository", "secrettag", &image);
        let upload = target_of(&owner.request("POST", "/v2/secret/repository/blobs/uploads/", &[], &[]).expect(202));
        let attacker = account(server, ATTACKER);
        let key = by_key(server, &attacker);
        let scopes = ["repository:secret/repository:*", "registry:catalog:*"];
        let tokens = [&key, &key.at_host(&right), &key.at_host(&host(ATTACKER))]
            .map(|caller| Client::bearer(server.addr(), &bearer(caller, &scopes)));
        let (login, stranger) = (by_login(server, &attacker), server.anonymous());
        let routes = routes(&sha256(&image.layers[0]), &image.manifest.digest, &upload);
        for trick in tricks() {
            for caller in [&key, &login, &stranger].into_iter().chain(&tokens) {
                let caller = caller.at_host(&trick);
                for (method, target) in &routes {
                    expect_nothing(
                        &caller.request(method, target, &[], &[]),
                        &format!("{trick:.90} {method} {target}"),
                    );
                }
            }
        }
        for (method, target) in &routes {
            // Names elsewhere than in `Host`, and two of them.
            let absolute = format!("http://{right}{target}");
            expect_nothing(&key.at_host(&host(ATTACKER)).request(method, &absolute, &[], &[]), &absolute);
            let forwarded = [("X-Forwarded-Host", right.as_str()), ("X-Forwarded-Proto", "https")];
            expect_nothing(&key.request(method, target, &forwarded, &[]), target);
            for first in [host(ATTACKER), right.clone()] {
                let reply = owner.at_host(&first).request(method, target, &[("Host", &right)], &[]);
                assert_eq!(reply.status, 400, "{method} {target}");
            }
        }
        // The owner has it all, under the right name alone.
        owner.get(&upload).expect(204);
        for name in [right.clone(), right.to_uppercase(), format!("{right}:443")] {
            let pulled = owner.at_host(&name).manifest("secret/repository", "secrettag").expect(200);
            assert_eq!(pulled.body, image.manifest.bytes);
        }
        owner.at_host("127.0.0.1").manifest("secret/repository", "secrettag").expect(403);
        owner.at_host(&right.replace("us-east-1", "eu-west-1")).manifest("secret/repository", "secrettag").expect(404);
    });
}

#[test]
fn a76_strangers_do_not_learn_which_accounts_have_registries() {
    attack_on(hosted().setting("auth.anonymous_pull", "open/*"), |server| {
        account(server, ATTACKED);
        let requests = [
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("GET", "/v2/open/a/manifests/one"),
            ("GET", "/v2/open/a/tags/list"),
            ("GET", "/v2/closed/a/manifests/one"),
            ("POST", "/v2/open/a/blobs/uploads/"),
            ("PUT", "/v2/closed/a/manifests/one"),
            ("GET", "/v2/-/-"),
        ];
        let token = |account: &str| {
            let scope = ["repository:open/a:pull", "repository:closed/a:pull,push"];
            Client::bearer(server.addr(), &bearer(&server.anonymous().at_host(&host(account)), &scope))
        };
        for (method, target) in requests {
            let ask = |caller: &Client, account| {
                face(&caller.at_host(&host(account)).request(method, target, &[], &[]), account)
            };
            let (there, missing) = (server.anonymous(), server.anonymous());
            assert_eq!(ask(&there, ATTACKED), ask(&missing, NOBODY), "{method} {target}");
            assert_eq!(ask(&token(ATTACKED), ATTACKED), ask(&token(NOBODY), NOBODY), "{method} {target} with a token");
        }
    });
}

#[test]
fn a76_no_registry_id_and_no_region_opens_another_account() {
    attack_on(hosted(), |server| {
        let right = host(ATTACKED);
        let owner = by_key(server, &account(server, ATTACKED)).at_host(&right);
        owner.push_image("secret/repository", "secrettag", &Image::of(vec![b"secretcontent".to_vec()]));
        let attacker = account(server, ATTACKER);
        // The token is the attacker's own, whatever registries it was asked for.
        let reply = attacker.ecr("GetAuthorizationToken", &format!(r#"{{"registryIds":["{ATTACKED}"]}}"#)).expect(200);
        assert_eq!(reply.json()["authorizationData"][0]["proxyEndpoint"], format!("http://{right}"));
        let caller = by_login(server, &attacker).at_host(&right);
        expect_nothing(
            &caller.manifest("secret/repository", "secrettag").expect(403),
            "a token for another's registry",
        );
        for (id, code) in [
            (NOBODY, "InvalidParameterException"),
            ("0", "InvalidParameterException"),
            ("2222222222222", "InvalidParameterException"),
            ("../../222222", "InvalidParameterException"),
            ("", "InvalidParameterException"),
        ] {
            let reply = attacker.ecr("GetAuthorizationToken", &format!(r#"{{"registryIds":["{id}"]}}"#));
            expect_fault(&reply, 400, code);
        }
        for region in ["mars-1", "", "us-east-1.evil.org", "US-EAST-1"] {
            let signing = Signing { region: region.to_owned(), ..Signing::new(&attacker.keys, "ecr") };
            let request = AwsRequest::ecr("GetAuthorizationToken", "{}");
            let reply = attacker.send(&signing.sign(request, &attacker.host()));
            assert_eq!(reply.status, 400, "{region}: {}", reply.text());
        }
        admin(server).at_host(&right).ecr("GetAuthorizationToken", "{}").expect(200);
    });
}
