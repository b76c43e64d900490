//! A24 to A28: whose content is whose.

use berth_testkit::{Client, Image, Reply, empty_index, sha256, target_of};

use crate::people::{all_of, by_key, by_login, face, user};
use crate::support::{attack, attack_on, builder};

fn mount(client: &Client, repository: &str, digest: &str) -> Reply {
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

#[test]
fn a24_a_mount_from_where_the_caller_may_not_pull_is_like_one_of_nothing() {
    attack(|server| {
        let owner = server.client();
        let digest = owner.push_blob("private/source", b"mounted");
        owner.push_blob("team/source", b"open");
        let (missing, open) = (sha256(b"never pushed"), sha256(b"open"));
        let alice = user(server, "alice", &all_of("team/*"));
        for caller in [by_key(server, &alice), by_login(server, &alice)] {
            let ask = |digest: &str, from: &str| {
                let target = format!("/v2/team/target/blobs/uploads/?mount={digest}{from}");
                let reply = caller.request("POST", &target, &[], &[]).expect(202);
                let upload = target_of(&reply).rsplit('/').next().unwrap().to_owned();
                face(&reply, &upload)
            };
            let nothing = ask(&missing, "&from=team/source");
            for from in ["&from=private/source", "&from=private/none", "&from=team/none", "&from=team/target", ""] {
                assert_eq!(ask(&digest, from), nothing, "{from}");
                assert_eq!(ask(&missing, from), nothing, "{from}");
            }
            caller.blob("team/target", &digest).expect_error(404, "BLOB_UNKNOWN");
            caller.blob("private/source", &digest).expect(403);
            // What may be pulled may be mounted.
            let target = format!("/v2/team/target/blobs/uploads/?mount={open}&from=team/source");
            caller.request("POST", &target, &[], &[]).expect(201);
        }
        owner.blob("team/target", &digest).expect(404);
    });
}

#[test]
fn a27_content_that_was_deleted_does_not_come_back_by_another_repository() {
    attack(|server| {
        let owner = server.client();
        let alice = by_key(server, &user(server, "alice", &all_of("team/*")));
        let image = Image::small("shared");
        let layer = sha256(&image.layers[0]);
        for (client, repository) in [(&owner, "other/b"), (&alice, "team/a")] {
            client.push_image(repository, "latest", &image);
        }
        alice.delete("/v2/team/a/manifests/latest").expect(202);
        alice.delete(&format!("/v2/team/a/manifests/{}", image.manifest.digest)).expect(202);
        for blob in image.blobs() {
            alice.delete(&format!("/v2/team/a/blobs/{}", sha256(blob))).expect(202);
        }
        // The bytes are there, and used, in a repository of somebody else.
        owner.push_image("other/b", "again", &image);
        owner.request("HEAD", &format!("/v2/other/b/blobs/{layer}"), &[], &[]).expect(200);
        owner.blob("other/b", &layer).expect(200);
        alice.blob("team/a", &layer).expect_error(404, "BLOB_UNKNOWN");
        alice.request("HEAD", &format!("/v2/team/a/blobs/{layer}"), &[], &[]).expect(404);
        alice.manifest("team/a", &image.manifest.digest).expect_error(404, "MANIFEST_UNKNOWN");
        alice.push_manifest("team/a", "latest", &image.manifest).expect_error(400, "MANIFEST_BLOB_UNKNOWN");
        for from in ["", "&from=other/b"] {
            let target = format!("/v2/team/a/blobs/uploads/?mount={layer}{from}");
            alice.request("POST", &target, &[], &[]).expect(202);
        }
        alice.blob("team/a", &layer).expect(404);
    });
}

#[test]
fn a28_an_upload_is_its_owners_and_its_repositorys() {
    attack(|server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let owner = by_key(server, &alice);
        let others = [
            by_key(server, &user(server, "bob", &all_of("team/*"))),
            by_login(server, &user(server, "carol", &all_of("team/*"))),
            server.client(),
        ];
        for repository in ["team/a", "team/b"] {
            owner.push_manifest(repository, "latest", &empty_index("x")).expect(201);
        }
        let upload = owner.start_upload("team/a");
        owner.patch_upload(&upload, 0, b"begun ").expect(202);
        let digest = sha256(b"begun and done");
        let elsewhere = upload.replace("team/a", "team/b");
        let unknown = |client: &Client, target: &str| {
            for method in ["GET", "HEAD", "PATCH", "PUT", "DELETE"] {
                let target = if method == "PUT" { format!("{target}?digest={digest}") } else { target.to_owned() };
                let reply = client.request(method, &target, &[], b"and done");
                if method == "HEAD" {
                    reply.expect(404)
                } else {
                    reply.expect_error(404, "BLOB_UPLOAD_UNKNOWN")
                };
            }
        };
        for other in &others {
            unknown(other, &upload);
            unknown(other, &elsewhere);
        }
        unknown(&owner, &elsewhere);
        by_key(server, &user(server, "dave", &all_of("dave/*"))).get(&upload).expect(403);
        // With other credentials it is the same user.
        assert_eq!(by_login(server, &alice).upload_offset(&upload), 6);
        owner.finish_upload(&upload, &digest, b"and done").expect(201);
        assert_eq!(owner.blob("team/a", &digest).expect(200).body, b"begun and done");
    });
}
