//! A44, A45: tags and deletion in a race.

use berth_testkit::{Image, Manifest, empty_index, index};
use serde_json::{Value, json};

use crate::ecr::{self, call, done, image, images, put, put_request, refused};
use crate::people::admin;
use crate::support::attack;
use crate::uploads::at_once;

/// The codes of a batch's failures.
fn failures(answer: &Value) -> Vec<&str> {
    let failures = answer["failures"].as_array().unwrap();
    failures.iter().map(|failure| failure["failureCode"].as_str().unwrap()).collect()
}

#[test]
fn a44_a_tag_that_is_set_and_deleted_at_once_ends_as_one_of_the_two() {
    attack(|server| {
        let (pushing, deleting, watcher) = (server.client(), server.client(), server.client());
        let manifests = [empty_index("even"), empty_index("odd")];
        for manifest in &manifests {
            watcher.push_manifest("race", &manifest.digest, manifest).expect(201);
        }
        let (mut kept, mut gone) = (0, 0);
        for round in 0..1_000 {
            let manifest = &manifests[round % 2];
            let statuses = std::thread::scope(|scope| {
                let (one, other) = (pushing.clone(), deleting.clone());
                let set = scope.spawn(move || one.push_manifest("race", "tag", manifest).status);
                let removed = scope.spawn(move || other.delete("/v2/race/manifests/tag").status);
                (set.join().unwrap(), removed.join().unwrap())
            });
            assert!(matches!(statuses, (201, 202 | 404)), "{statuses:?}");
            // The push was acknowledged in this round, so the manifest of the round before can never be what the tag names.
            let reply = watcher.manifest("race", "tag").expect_any(&[200, 404]);
            if reply.status == 200 {
                assert_eq!(reply.body, manifest.bytes, "round {round}");
                kept += 1;
            } else {
                assert_eq!(statuses.1, 202, "nobody deleted the tag, but it is gone");
                gone += 1;
            }
        }
        println!("kept {kept} times, gone {gone} times");
        for manifest in &manifests {
            watcher.manifest("race", &manifest.digest).expect(200);
        }
        assert_eq!(server.berth(&["verify"]).code, Some(0));
    });
}

/// The same, with each of the two through each of the doors.
#[test]
fn a44_a_race_across_the_doors_ends_as_one_of_the_two() {
    attack(|server| {
        let (client, admin) = (server.client(), admin(server));
        ecr::repository(&admin, "race");
        let manifests = [empty_index("even"), empty_index("odd")];
        let (mut kept, mut gone) = (0, 0);
        for round in 0..1_000 {
            let manifest = &manifests[round % 2];
            let (sets_by_ecr, deletes_by_ecr) = (round & 2 != 0, round & 4 != 0);
            let (pushing, deleting) = (client.clone(), client.clone());
            let (putting, removing) = (admin.clone(), admin.clone());
            let (set, was_deleted) = std::thread::scope(|scope| {
                let set = scope.spawn(move || {
                    if sets_by_ecr {
                        put(&putting, "race", "tag", manifest).status
                    } else {
                        pushing.push_manifest("race", "tag", manifest).status
                    }
                });
                let removed = scope.spawn(move || {
                    if deletes_by_ecr {
                        let ids = json!({ "repositoryName": "race", "imageIds": [{ "imageTag": "tag" }] });
                        let answer = done(&removing, "BatchDeleteImage", &ids);
                        let failed = failures(&answer);
                        assert!(failed.is_empty() || failed == ["ImageNotFound"], "{answer}");
                        failed.is_empty()
                    } else {
                        deleting.delete("/v2/race/manifests/tag").expect_any(&[202, 404]).status == 202
                    }
                });
                (set.join().unwrap(), removed.join().unwrap())
            });
            assert_eq!(set, if sets_by_ecr { 200 } else { 201 });
            // Both doors show the same, and of this round: the push was acknowledged.
            let seen = image(&admin, "race", &json!({ "imageTag": "tag" }));
            let pulled = client.manifest("race", "tag").expect_any(&[200, 404]);
            assert_eq!(seen.is_some(), pulled.status == 200, "round {round}");
            if let Some((bytes, digest)) = seen {
                assert_eq!((bytes.as_bytes(), &digest), (manifest.bytes.as_slice(), &manifest.digest), "round {round}");
                assert_eq!(pulled.body, manifest.bytes);
                kept += 1;
            } else {
                assert!(was_deleted, "nobody deleted the tag, but it is gone");
                gone += 1;
            }
        }
        println!("kept {kept} times, gone {gone} times");
        assert_eq!(server.berth(&["verify"]).code, Some(0));
    });
}

#[test]
fn a45_a_child_of_an_index_cannot_be_deleted() {
    attack(|server| {
        let client = server.client();
        let image = Image::small("child");
        client.push_image("family", "child", &image);
        let parent = index(&[image.manifest.descriptor()]);
        let grandparent = index(&[parent.descriptor()]);
        for manifest in [&parent, &grandparent] {
            client.push_manifest("family", &manifest.digest, manifest).expect(201);
        }
        let delete = |manifest: &Manifest| client.delete(&format!("/v2/family/manifests/{}", manifest.digest));
        for manifest in [&image.manifest, &parent] {
            delete(manifest).expect_any(&[403, 405]);
            assert_eq!(client.manifest("family", &manifest.digest).expect(200).body, manifest.bytes);
        }
        // Untagging is no deletion; the child stays.
        client.delete("/v2/family/manifests/child").expect(202);
        client.manifest("family", &image.manifest.digest).expect(200);
        // Blobs of an image that is only a child are in use.
        for blob in image.blobs() {
            client.delete(&format!("/v2/family/blobs/{}", berth_testkit::sha256(blob))).expect_any(&[403, 405]);
        }
        for manifest in [&grandparent, &parent, &image.manifest] {
            delete(manifest).expect(202);
        }
    });
}

#[test]
fn a45_an_index_pushed_while_its_child_is_deleted_never_dangles() {
    attack(|server| {
        let client = server.client();
        for round in 0..300 {
            let child = empty_index(&format!("child {round}"));
            let parent = index(&[child.descriptor()]);
            client.push_manifest("family", &child.digest, &child).expect(201);
            let statuses = at_once(2, |number| {
                let client = server.client();
                if number == 0 {
                    client.push_manifest("family", &parent.digest, &parent).status
                } else {
                    client.delete(&format!("/v2/family/manifests/{}", child.digest)).status
                }
            });
            assert!(matches!(statuses[..], [201, 403 | 405] | [400 | 404, 202]), "{statuses:?}");
            let (parent, child) =
                (client.manifest("family", &parent.digest).status, client.manifest("family", &child.digest).status);
            assert!(matches!((parent, child), (200, 200) | (404, 404)), "parent {parent}, child {child}");
        }
    });
}

#[test]
fn a45_a_child_of_an_index_cannot_be_deleted_by_ecr() {
    attack(|server| {
        let (admin, client) = (admin(server), server.client());
        ecr::repository(&admin, "family");
        let child = Image::small("child");
        ecr::push(&admin, "family", "child", &child);
        let parent = index(&[child.manifest.descriptor()]);
        let grandparent = index(&[parent.descriptor()]);
        for manifest in [&parent, &grandparent] {
            done(&admin, "PutImage", &put_request("family", manifest, None));
        }
        let delete = |ids: Value| {
            let answer = done(&admin, "BatchDeleteImage", &json!({ "repositoryName": "family", "imageIds": ids }));
            let gone = answer["imageIds"].as_array().unwrap().len();
            (gone, failures(&answer).iter().map(|&code| code.to_owned()).collect::<Vec<_>>())
        };
        let held = "ImageReferencedByManifestList";
        for manifest in [&child.manifest, &parent] {
            assert_eq!(delete(json!([{ "imageDigest": manifest.digest }])), (0, vec![held.to_owned()]));
            let twice = json!([{ "imageDigest": manifest.digest }, { "imageDigest": manifest.digest }]);
            assert!(delete(twice).1.iter().all(|code| code == held));
            client.delete(&format!("/v2/family/manifests/{}", manifest.digest)).expect_any(&[403, 405]);
        }
        // Untagging takes the last tag and leaves the child.
        let both = json!([{ "imageTag": "child", "imageDigest": child.manifest.digest }]);
        assert_eq!(delete(both), (1, Vec::new()));
        for manifest in [&child.manifest, &parent, &grandparent] {
            assert_eq!(client.manifest("family", &manifest.digest).expect(200).body, manifest.bytes);
        }
        for blob in child.blobs() {
            assert_eq!(client.blob("family", &berth_testkit::sha256(blob)).expect(200).body, *blob);
        }
        refused(&admin, "DeleteRepository", &json!({ "repositoryName": "family" }), "RepositoryNotEmptyException");
        // In one batch the index may go before its child, in the other order it may not.
        let order = |list: [&Manifest; 3]| json!(list.map(|manifest| json!({ "imageDigest": manifest.digest })));
        assert_eq!(delete(order([&child.manifest, &parent, &grandparent])), (1, vec![held.to_owned(); 2]));
        assert_eq!(delete(json!([{ "imageDigest": parent.digest }, { "imageDigest": child.manifest.digest }])).0, 2);
        assert!(images(&admin, "family").is_empty());
    });
}

#[test]
fn a45_an_index_that_is_put_while_ecr_deletes_its_child_never_dangles() {
    attack(|server| {
        let (admin, client) = (admin(server), server.client());
        ecr::repository(&admin, "family");
        for round in 0..300 {
            let child = empty_index(&format!("child {round}"));
            let parent = index(&[child.descriptor()]);
            put(&admin, "family", "child", &child).expect(200);
            let by_tag = round % 2 == 0;
            let outcomes = at_once(2, |number| {
                let by = crate::people::admin(server);
                if number == 0 {
                    return call(&by, "PutImage", &put_request("family", &parent, None)).status == 200;
                }
                let id = if by_tag { json!({ "imageTag": "child" }) } else { json!({ "imageDigest": child.digest }) };
                let answer = done(&by, "BatchDeleteImage", &json!({ "repositoryName": "family", "imageIds": [id] }));
                failures(&answer).is_empty()
            });
            let there = [&parent, &child].map(|manifest| client.manifest("family", &manifest.digest).status);
            match (outcomes[0], outcomes[1]) {
                // A tag may always go; its image stays where the index was first.
                (true, deleted) => assert_eq!((there, deleted), ([200, 200], by_tag), "round {round}"),
                (false, deleted) => assert_eq!((there, deleted), ([404, 404], true), "round {round}"),
            }
        }
        assert_eq!(server.berth(&["verify"]).code, Some(0));
    });
}
