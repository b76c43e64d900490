//! A25, A26: whose content is whose.

use berth_testkit::{Image, Reply, sha256, target_of};

use crate::support::{attack_on, builder};

fn mount(client: &berth_testkit::Client, repository: &str, digest: &str) -> Reply {
    client.request("POST", &format!("/v2/{repository}/blobs/uploads/?mount={digest}"), &[], &[])
}

#[test]
fn a25_a_mount_without_from_finds_only_what_a_readable_repository_links() {
    let open = builder().args(["--anonymous-pull", "public/*"]);
    attack_on(open, |server| {
        let admin = server.client();
        let digest = admin.push_blob("private/source", b"mounted");
        mount(&admin, "private/target", &digest).expect(201);
        for repository in ["private/source", "private/target"] {
            admin.delete(&format!("/v2/{repository}/blobs/{digest}")).expect(202);
        }
        // Its bytes may still lie in the store; no repository links them, so nobody can have them.
        let session = mount(&admin, "private/third", &digest).expect(202);
        admin.blob("private/third", &digest).expect(404);
        admin.finish_upload(&target_of(&session), &digest, b"mounted").expect(201);
        // Who may not push learns nothing: existing and missing blobs look alike.
        let nobody = server.anonymous();
        for repository in ["public/x", "private/third"] {
            let (existing, missing) =
                (mount(&nobody, repository, &digest), mount(&nobody, repository, &sha256(b"never pushed")));
            assert_eq!((existing.status, missing.status), (401, 401));
            assert_eq!(existing.body, missing.body);
            assert_eq!(existing.header("location"), None);
        }
        nobody.blob("public/x", &digest).expect_any(&[401, 404]);
        admin.blob("public/x", &digest).expect(404);
    });
}

#[test]
fn a26_content_of_another_repository_is_unknown() {
    let open = builder().args(["--anonymous-pull", "public/*"]);
    attack_on(open, |server| {
        let admin = server.client();
        let (private, public) = (Image::small("private"), Image::small("public"));
        admin.push_image("private/a", "latest", &private);
        admin.push_image("public/b", "latest", &public);
        let layer = sha256(&private.layers[0]);
        for caller in [&admin, &server.anonymous()] {
            caller.blob("public/b", &layer).expect_error(404, "BLOB_UNKNOWN");
            caller.request("HEAD", &format!("/v2/public/b/blobs/{layer}"), &[], &[]).expect(404);
            caller.manifest("public/b", &private.manifest.digest).expect_error(404, "MANIFEST_UNKNOWN");
            caller.blob("public/b", &sha256(&public.layers[0])).expect(200);
            caller.blob("public/none", &layer).expect(404);
            let referrers = caller.get(&format!("/v2/public/b/referrers/{}", private.manifest.digest)).expect(200);
            assert_eq!(referrers.json()["manifests"], serde_json::json!([]));
        }
        admin.delete(&format!("/v2/public/b/blobs/{layer}")).expect(404);
        admin.delete(&format!("/v2/public/b/manifests/{}", private.manifest.digest)).expect(404);
        assert_eq!(admin.blob("private/a", &layer).expect(200).body, private.layers[0]);
        server.anonymous().blob("private/a", &layer).expect(401);
    });
}
