//! A41 to A43: tags that may not move, and images that may not go.

use berth_testkit::aws::{AwsClient, fault_code};
use berth_testkit::{Client, Image, Manifest, Reply, Server, empty_index, media};
use serde_json::{Value, json};

use crate::ecr::{self, arn, call, done, image, images, put, put_request, refused, tagged};
use crate::people::{admin, all_of, by_key, by_login, document, user};
use crate::support::attack;
use crate::uploads::at_once;

/// What a tag is pushed to by each of the ways there are, and what came of it.
fn pushes(client: &Client, by: &AwsClient, repository: &str, tag: &str, name: &str) -> [(Manifest, Reply); 3] {
    let manifest = |way: &str| empty_index(&format!("{name} by {way}"));
    let (plain, query, put_image) = (manifest("a tag"), manifest("a digest"), manifest("PutImage"));
    let target = format!("/v2/{repository}/manifests/{}?tag={tag}", query.digest);
    let replies = [
        client.push_manifest(repository, tag, &plain),
        client.request("PUT", &target, &[("Content-Type", media::INDEX)], &query.bytes),
        put(by, repository, tag, &put_image),
    ];
    let mut manifests = [plain, query, put_image].into_iter();
    replies.map(|reply| (manifests.next().unwrap(), reply))
}

/// Whether a push was refused because the tag does not move; fails where it was refused for another reason.
#[track_caller]
fn is_refused(reply: &Reply) -> bool {
    let code = reply.error_code().or_else(|| fault_code(reply));
    match (reply.status, code.as_deref()) {
        (200 | 201, _) => false,
        (400, Some("TAG_INVALID" | "ImageTagAlreadyExistsException")) => true,
        _ => panic!("{} {}", reply.status, reply.text()),
    }
}

/// Modes, exclusions, and tags that stay and that move under them.
type Mode = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);
const MODES: [Mode; 5] = [
    ("MUTABLE", &[], &[], &["latest", "v1", "dev-1"]),
    ("IMMUTABLE", &[], &["latest", "v1", "dev-1"], &[]),
    ("IMMUTABLE_WITH_EXCLUSION", &["dev-*"], &["latest", "v1", "dev", "xdev-1", "DEV-1"], &["dev-1", "dev-"]),
    ("IMMUTABLE_WITH_EXCLUSION", &["*.*-rc", "edge"], &["latest", "edge2", "1-rc"], &["edge", "1.2-rc"]),
    ("MUTABLE_WITH_EXCLUSION", &["v*", "latest"], &["v1", "latest", "v"], &["dev-1", "xv1", "latest2"]),
];

fn make(by: &AwsClient, name: &str, mode: &str, filters: &[&str]) {
    let filters: Vec<Value> = filters.iter().map(|text| json!({ "filterType": "WILDCARD", "filter": text })).collect();
    let mut input = json!({ "repositoryName": name, "imageTagMutability": mode });
    if !filters.is_empty() {
        input["imageTagMutabilityExclusionFilters"] = json!(filters);
    }
    done(by, "CreateRepository", &input);
}

/// Somebody who may push, and neither delete nor change what repositories are like.
fn pusher(server: &Server) -> AwsClient {
    let push = [
        "ecr:PutImage",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:ListImages",
        "ecr:DescribeImages",
    ];
    let statements = json!([
        { "Effect": "Allow", "Action": push, "Resource": arn("team/*") },
        { "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" },
    ]);
    user(server, "pusher", &statements)
}

#[test]
fn a41_a_tag_that_stays_is_not_overwritten_by_anybody_at_any_door() {
    attack(|server| {
        let admin = admin(server);
        let pusher = pusher(server);
        let callers =
            [(server.client(), &admin), (by_key(server, &pusher), &pusher), (by_login(server, &pusher), &pusher)];
        for (number, (mode, filters, stay, move_on)) in MODES.into_iter().enumerate() {
            let repository = format!("team/r{number}");
            make(&admin, &repository, mode, filters);
            for (who, (client, by)) in callers.iter().enumerate() {
                for (tag, moves) in stay.iter().map(|tag| (tag, false)).chain(move_on.iter().map(|tag| (tag, true))) {
                    // Whoever sets it first: here the one door, there the other.
                    let first = empty_index(&format!("{tag} first"));
                    if tagged(&admin, &repository, tag).is_none() {
                        put(by, &repository, tag, &first).expect(200);
                    } else if moves {
                        client.push_manifest(&repository, tag, &first).expect(201);
                    }
                    let before = images(&admin, &repository);
                    for (other, reply) in pushes(client, by, &repository, tag, &format!("{tag} {who}")) {
                        assert_eq!(is_refused(&reply), !moves, "{mode} {tag}: {} {}", reply.status, reply.text());
                        // All or nothing: what could not be tagged was not stored either.
                        let stored = image(&admin, &repository, &json!({ "imageDigest": other.digest }));
                        assert_eq!(stored.is_some(), moves, "{mode} {tag}");
                    }
                    if !moves {
                        assert_eq!(images(&admin, &repository), before, "{mode} {tag}");
                        assert_eq!(tagged(&admin, &repository, tag), Some(first.digest.clone()), "{mode} {tag}");
                        // To push what is there already is no overwriting.
                        client.push_manifest(&repository, tag, &first).expect(201);
                        let again = put_request(&repository, &first, Some(tag));
                        refused(by, "PutImage", &again, "ImageAlreadyExistsException");
                    }
                }
            }
        }
    });
}

#[test]
fn a41_who_may_only_push_finds_no_way_around_it() {
    attack(|server| {
        let admin = admin(server);
        let pusher = pusher(server);
        make(&admin, "team/fixed", "IMMUTABLE", &[]);
        let (first, other) = (empty_index("first"), empty_index("other"));
        put(&pusher, "team/fixed", "latest", &first).expect(200);
        let before = images(&admin, "team/fixed");
        let client = by_key(server, &pusher);
        for reference in ["latest", first.digest.as_str()] {
            client.delete(&format!("/v2/team/fixed/manifests/{reference}")).expect_error(403, "DENIED");
        }
        let ids = json!([{ "imageTag": "latest" }, { "imageDigest": first.digest }]);
        let name = json!("team/fixed");
        let tries = [
            ("BatchDeleteImage", json!({ "repositoryName": name, "imageIds": ids })),
            ("PutImageTagMutability", json!({ "repositoryName": name, "imageTagMutability": "MUTABLE" })),
            ("DeleteRepository", json!({ "repositoryName": name, "force": true })),
            ("CreateRepository", json!({ "repositoryName": name })),
            ("PutLifecyclePolicy", ecr::request_of("PutLifecyclePolicy", "team/fixed")),
            ("SetRepositoryPolicy", ecr::request_of("SetRepositoryPolicy", "team/fixed")),
        ];
        for (operation, input) in tries {
            refused(&pusher, operation, &input, "AccessDeniedException");
            for (_, reply) in pushes(&client, &pusher, "team/fixed", "latest", operation) {
                assert!(is_refused(&reply), "after {operation}: {}", reply.text());
            }
        }
        // A further tag is no way to the old one.
        put(&pusher, "team/fixed", "v2", &other).expect(200);
        for (_, reply) in pushes(&client, &pusher, "team/fixed", "latest", "after a further tag") {
            assert!(is_refused(&reply), "{}", reply.text());
        }
        assert_eq!(tagged(&admin, "team/fixed", "latest"), Some(first.digest.clone()));
        assert_eq!(images(&admin, "team/fixed").len(), before.len() + 1);
        // Who made it mutable may overwrite it: the setting is what protects.
        done(&admin, "PutImageTagMutability", &json!({ "repositoryName": name, "imageTagMutability": "MUTABLE" }));
        client.push_manifest("team/fixed", "latest", &other).expect(201);
        done(&admin, "PutImageTagMutability", &json!({ "repositoryName": name, "imageTagMutability": "IMMUTABLE" }));
        for (_, reply) in pushes(&client, &pusher, "team/fixed", "latest", "fixed again") {
            assert!(is_refused(&reply), "{}", reply.text());
        }
    });
}

#[test]
fn a42_of_fifty_pushes_of_a_new_immutable_tag_one_wins() {
    attack(|server| {
        let admin = admin(server);
        make(&admin, "race/fixed", "IMMUTABLE", &[]);
        let mut won_at = [0, 0];
        for round in 0..6 {
            let tag = format!("v{round}");
            let manifests: Vec<Manifest> = (0..50).map(|n| empty_index(&format!("{round} {n}"))).collect();
            let replies = at_once(50, |number| {
                let manifest = &manifests[number];
                if number % 2 == 0 {
                    server.client().push_manifest("race/fixed", &tag, manifest)
                } else {
                    put(&crate::people::admin(server), "race/fixed", &tag, manifest)
                }
            });
            let winners: Vec<usize> = (0..50).filter(|number| !is_refused(&replies[*number])).collect();
            let [winner] = winners[..] else { panic!("{} won: {winners:?}", winners.len()) };
            won_at[winner % 2] += 1;
            assert_eq!(tagged(&admin, "race/fixed", &tag).as_ref(), Some(&manifests[winner].digest));
            let pulled = server.client().manifest("race/fixed", &tag).expect(200);
            assert_eq!(pulled.body, manifests[winner].bytes);
            assert_eq!(images(&admin, "race/fixed").len(), round + 1, "who lost left nothing");
        }
        println!("won by docker's way {} times, by PutImage {} times", won_at[0], won_at[1]);
    });
}

/// Every way to delete an image is refused to a caller.
fn deletions(client: &Client, by: &AwsClient, tag: &str, manifest: &Manifest) {
    let digest = manifest.digest.as_str();
    for reference in [tag, digest] {
        client.delete(&format!("/v2/team/kept/manifests/{reference}")).expect_error(403, "DENIED");
    }
    let ids = [
        json!([{ "imageTag": tag }]),
        json!([{ "imageDigest": digest }]),
        json!([{ "imageTag": tag, "imageDigest": digest }]),
        json!([{ "imageTag": "never" }, { "imageTag": tag }]),
    ];
    for ids in ids {
        let input = json!({ "repositoryName": "team/kept", "imageIds": ids });
        refused(by, "BatchDeleteImage", &input, "AccessDeniedException");
    }
    for force in [json!(true), json!(false), json!(null)] {
        let input = json!({ "repositoryName": "team/kept", "force": force });
        refused(by, "DeleteRepository", &input, "AccessDeniedException");
    }
}

#[test]
fn a43_what_a_policy_keeps_is_not_deleted_by_any_way() {
    attack(|server| {
        let admin = admin(server);
        ecr::repository(&admin, "team/kept");
        let image = Image::small("kept");
        ecr::push(&admin, "team/kept", "latest", &image);
        let before = images(&admin, "team/kept");
        let forbidden = json!(["ecr:BatchDeleteImage", "ecr:DeleteRepository"]);
        let mut statements = all_of("*");
        let deny = json!({ "Effect": "Deny", "Action": forbidden, "Resource": arn("team/*") });
        statements.as_array_mut().unwrap().push(deny);
        let own = user(server, "own", &statements);
        for client in [by_key(server, &own), by_login(server, &own)] {
            deletions(&client, &own, "latest", &image.manifest);
        }
        // The same said by the repository holds for everybody, its owner too.
        let deny = json!([{ "Effect": "Deny", "Principal": "*", "Action": forbidden }]);
        let input = json!({ "repositoryName": "team/kept", "policyText": document(&deny), "force": true });
        done(&admin, "SetRepositoryPolicy", &input);
        let second = user(server, "second", &all_of("*"));
        for (client, by) in [(server.client(), &admin), (by_key(server, &second), &second)] {
            deletions(&client, by, "latest", &image.manifest);
        }
        assert_eq!(images(&admin, "team/kept"), before);
        assert_eq!(server.client().manifest("team/kept", "latest").expect(200).body, image.manifest.bytes);
        done(&admin, "DeleteRepositoryPolicy", &json!({ "repositoryName": "team/kept" }));
        let last = json!({ "repositoryName": "team/kept", "imageIds": [{ "imageTag": "latest" }] });
        call(&admin, "BatchDeleteImage", &last).expect(200);
        assert!(images(&admin, "team/kept").is_empty());
    });
}
