//! A47 and A89 of the addresses that `GetDownloadUrlForLayer` gives: they open one layer, to those who have them, for a while.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_testkit::aws::{AwsClient, Keys, expect_fault};
use berth_testkit::{Client, Image, Reply, Server, empty_index, sha256, within};
use serde_json::json;

use crate::ecr::{self, NOWHERE, done, repository};
use crate::people::{admin, all_of, allow, bearer, by_key, pulls_of, user};
use crate::support::{attack_on, builder};

/// The repository `team/a` with an image of two layers, and `team/b` with the same image.
fn planted(server: &Server) -> Image {
    let admin = admin(server);
    let image = Image::of(vec![b"secretcontent".to_vec(), b"other secretcontent".to_vec()]);
    for name in ["team/a", "team/b"] {
        repository(&admin, name);
        ecr::push(&admin, name, "latest", &image);
    }
    image
}

/// The path and query of the address of a layer.
#[track_caller]
fn address(by: &AwsClient, repository: &str, layer: &str) -> String {
    let input = json!({ "repositoryName": repository, "layerDigest": layer });
    let url = done(by, "GetDownloadUrlForLayer", &input)["downloadUrl"].as_str().unwrap().to_owned();
    url.strip_prefix(&format!("http://{}", by.host())).unwrap_or_else(|| panic!("elsewhere: {url}")).to_owned()
}

/// The part of an address that stands for credentials.
fn pass(address: &str) -> &str {
    address.split_once('=').unwrap().1
}

#[track_caller]
fn expect_closed(what: &str, reply: &Reply) {
    assert!(matches!(reply.status, 401 | 403 | 404 | 405), "{what}: {reply:?}");
    assert!(!reply.text().contains("secretcontent"), "{what}: {reply:?}");
    assert_eq!((reply.header("docker-content-digest"), reply.header("location")), (None, None), "{what}: {reply:?}");
}

/// Whatever else there is, below the same repository and beside it.
fn elsewhere(image: &Image, layer: &str) -> Vec<(&'static str, String)> {
    let (other, config) = (sha256(&image.layers[1]), sha256(&image.config));
    let manifest = image.manifest.digest.as_str();
    let mut targets = vec![
        ("GET", "/v2/_catalog".to_owned()),
        ("GET", "/metrics".to_owned()),
        ("GET", "/v2/team/a/tags/list".to_owned()),
        ("GET", format!("/v2/team/a/referrers/{manifest}")),
        ("POST", "/v2/team/a/blobs/uploads/".to_owned()),
        ("POST", format!("/v2/team/c/blobs/uploads/?mount={layer}&from=team/a")),
        ("PUT", "/v2/team/a/manifests/new".to_owned()),
    ];
    for method in ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"] {
        for reference in ["latest", manifest, layer] {
            targets.push((method, format!("/v2/team/a/manifests/{reference}")));
        }
        for digest in [other.as_str(), config.as_str(), manifest] {
            targets.push((method, format!("/v2/team/a/blobs/{digest}")));
        }
        targets.push((method, format!("/v2/team/b/blobs/{layer}")));
        targets.push((method, format!("/v2/team/c/blobs/{layer}")));
        targets.push((method, format!("/v2/team/a/x/blobs/{layer}")));
        if method != "GET" {
            targets.push((method, format!("/v2/team/a/blobs/{layer}")));
        }
    }
    targets
}

#[test]
fn a47_a_download_address_opens_its_layer_and_nothing_else() {
    for challenge in ["basic", "bearer"] {
        attack_on(builder().setting("auth.challenge", challenge), |server| {
            let image = planted(server);
            let layer = sha256(&image.layers[0]);
            let alice = user(server, "alice", &all_of("*"));
            let nobody = server.anonymous();
            for by in [&alice, &admin(server)] {
                let address = address(by, "team/a", &layer);
                let pass = pass(&address);
                assert_eq!(nobody.get(&address).expect(200).body, image.layers[0]);
                for (method, target) in elsewhere(&image, &layer) {
                    let separator = if target.contains('?') { '&' } else { '?' };
                    let target = format!("{target}{separator}download={pass}");
                    expect_closed(&format!("{method} {target}"), &nobody.request(method, &target, &[], &[]));
                }
                // Whether credentials are good is all that this tells; it has nothing to show.
                let ping = nobody.get(&format!("/v2/?download={pass}")).expect_any(&[200, 401]);
                assert!(ping.status == 401 || ping.body == b"{}", "{}", ping.text());
                // The pass is in the query of one path, and nowhere else.
                let path = address.split_once('?').unwrap().0;
                expect_closed("without", &nobody.get(path));
                expect_closed("name", &nobody.get(&format!("{path}?Download={pass}")));
                expect_closed("as a header", &nobody.request("GET", path, &[("download", pass)], &[]));
                assert_eq!(nobody.get(&address).expect(200).body, image.layers[0]);
            }
            assert_eq!(ecr::images(&admin(server), "team/a").len(), 1);
        });
    }
}

#[test]
fn a47_a_download_address_is_changed_for_no_token() {
    attack_on(builder().setting("auth.challenge", "bearer"), |server| {
        let image = planted(server);
        let layer = sha256(&image.layers[0]);
        let address = address(&admin(server), "team/a", &layer);
        let pass = pass(&address);
        for scope in ["repository:team/a:pull", "repository:team/a:*", "repository:team/b:pull", "registry:catalog:*"] {
            let target = format!("/token?service=berth&scope={scope}&download={pass}");
            let reply = server.anonymous().get(&target).expect_any(&[401, 403]);
            assert!(!reply.text().contains("\"token\""), "{scope}: {}", reply.text());
        }
    });
}

#[test]
fn a47_no_other_credential_is_a_download_pass() {
    attack_on(builder().setting("auth.challenge", "bearer"), |server| {
        let image = planted(server);
        let layer = sha256(&image.layers[0]);
        let alice = user(server, "alice", &all_of("team/*"));
        let address = address(&alice, "team/a", &layer);
        let (path, pass) = (address.split_once('?').unwrap().0, pass(&address));
        // A pass is for the query only, and a query takes no other pass.
        let login = alice.login_password();
        let session = Keys::of(&alice.sts("GetSessionToken", &[]).expect(200));
        let token = bearer(&by_key(server, &alice), &["repository:team/a:pull"]);
        for other in [&login, &token, session.token.as_ref().unwrap(), &alice.keys.secret, &alice.keys.id] {
            expect_closed("another pass", &server.anonymous().get(&format!("{path}?download={other}")));
        }
        for client in [Client::login(server.addr(), "AWS", pass), Client::bearer(server.addr(), pass)] {
            expect_closed("a pass in a header", &client.get(path));
        }
        let keys = Keys { token: Some(pass.to_owned()), ..session.clone() };
        expect_fault(&AwsClient::new(server.addr(), keys).sts("GetCallerIdentity", &[]), 403, "InvalidClientTokenId");
        // Two kinds of credentials at once are none, good as they may be.
        for client in [by_key(server, &alice), Client::bearer(server.addr(), &token), server.client()] {
            client.get(&address).expect(401);
        }
        // No letter of it may be another.
        let bytes = URL_SAFE_NO_PAD.decode(pass).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let target = format!("{path}?download={}", URL_SAFE_NO_PAD.encode(changed));
            server.anonymous().get(&target).expect(401);
        }
        let bad =
            ["", "%00", "AAAA", &pass[1..], &pass[..pass.len() - 2], &format!("{pass}="), &"A".repeat(20_000), "../x"];
        for bad in bad {
            let reply = server.anonymous().get(&format!("{path}?download={bad}"));
            assert!(matches!(reply.status, 400 | 401 | 414), "{bad:.40}: {reply:?}");
        }
        server.anonymous().get(&address).expect(200);
    });
}

/// Passes of another server, whose key is another, open nothing here.
#[test]
fn a47_a_download_address_of_another_server_opens_nothing() {
    let mut other = builder().start();
    let image = planted(&other);
    let layer = sha256(&image.layers[0]);
    let theirs = address(&admin(&other), "team/a", &layer);
    attack_on(builder(), |server| {
        planted(server);
        server.anonymous().get(&theirs).expect(401);
    });
    other.kill9();
}

#[test]
fn a54_a_download_address_ends_with_the_rights_of_who_asked_for_it() {
    attack_on(builder(), |server| {
        let image = planted(server);
        let layer = sha256(&image.layers[0]);
        let (admin, nobody) = (admin(server), server.anonymous());
        let revoked = |address: &str| {
            let ended = within(Duration::from_mins(1), || matches!(nobody.get(address).status, 401 | 403));
            assert!(ended, "still open: {:?}", nobody.get(address));
        };
        let asked = |name: &str| {
            let person = user(server, name, &pulls_of("team/*"));
            let address = address(&person, "team/a", &layer);
            assert_eq!(nobody.get(&address).expect(200).body, image.layers[0]);
            (person, address)
        };
        let (alice, by_alice) = asked("alice");
        admin.iam("DeleteAccessKey", &[("UserName", "alice"), ("AccessKeyId", &alice.keys.id)]).expect(200);
        revoked(&by_alice);
        let (bob, by_bob) = asked("bob");
        let inactive = [("UserName", "bob"), ("AccessKeyId", bob.keys.id.as_str()), ("Status", "Inactive")];
        admin.iam("UpdateAccessKey", &inactive).expect(200);
        revoked(&by_bob);
        let (_, by_carol) = asked("carol");
        allow(&admin, "carol", &json!([{ "Effect": "Allow", "Action": "ecr:ListImages", "Resource": "*" }]));
        revoked(&by_carol);
        // A session's address does not outlive its session's origin.
        let (dora, _) = asked("dora");
        let session = dora.with(Keys::of(&dora.sts("GetSessionToken", &[]).expect(200)));
        let by_session = address(&session, "team/a", &layer);
        nobody.get(&by_session).expect(200);
        admin.iam("DeleteAccessKey", &[("UserName", "dora"), ("AccessKeyId", &dora.keys.id)]).expect(200);
        revoked(&by_session);
    });
}

/// One who may ask for it in one repository does not get it in another.
#[test]
fn a27_a_layer_is_downloaded_through_its_own_repository_only() {
    attack_on(builder(), |server| {
        let image = planted(server);
        let admin = admin(server);
        repository(&admin, "open/c");
        ecr::put(&admin, "open/c", "latest", &empty_index("nothing")).expect(200);
        let eve = user(server, "eve", &all_of("open/*"));
        let layer = sha256(&image.layers[0]);
        let ask = |name: &str| json!({ "repositoryName": name, "layerDigest": layer });
        ecr::refused(&eve, "GetDownloadUrlForLayer", &ask("open/c"), "LayersNotFoundException");
        ecr::refused(&eve, "GetDownloadUrlForLayer", &ask("team/a"), "AccessDeniedException");
        ecr::refused(&eve, "GetDownloadUrlForLayer", &ask("team/never"), "AccessDeniedException");
    });
}

#[test]
fn a89_a_download_address_is_in_no_log() {
    for format in ["text", "json"] {
        attack_on(builder().setting("log.level", "trace").setting("log.format", format), |server| {
            let image = planted(server);
            let layer = sha256(&image.layers[0]);
            let address = address(&admin(server), "team/a", &layer);
            let pass = pass(&address);
            server.anonymous().get(&address).expect(200);
            server.client().get(&address).expect(401);
            server.anonymous().get(&format!("/v2/team/a/blobs/{NOWHERE}?download={pass}")).expect_any(&[401, 403]);
            server.anonymous().request("PUT", &address, &[], &[]).expect_any(&[401, 403, 405]);
            server.anonymous().get(&format!("/nowhere?download={pass}")).expect_any(&[401, 404]);
            server
                .anonymous()
                .get(&format!("/v2/team/a/blobs/{layer}?download={pass}&x=%zz"))
                .expect_any(&[200, 400, 401]);
            server.anonymous().get("/healthz").expect(200);
            let told = || server.log().contains("/v2/team/a/blobs");
            assert!(within(Duration::from_secs(20), told), "nothing of these requests is in the log");
            let log = server.log();
            // Any run of twenty letters of it would be too much.
            for at in (0..pass.len() - 20).step_by(10) {
                assert!(!log.contains(&pass[at..at + 20]), "a pass in the log:\n{log:.4000}");
            }
        });
    }
}
