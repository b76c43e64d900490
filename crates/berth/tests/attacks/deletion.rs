//! A44, A45: tags and deletion in a race.

use berth_testkit::{Image, Manifest, empty_index, index};

use crate::support::attack;
use crate::uploads::at_once;

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
