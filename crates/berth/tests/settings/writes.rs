//! `storage.read_only`, `storage.free_space_minimum` and `[limits]`: what stops a push, and what goes on.

use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Image, Reply, sha256};

use crate::program::{Program, Serving};
use crate::support::builder;

fn program() -> Program {
    Program::new().env("BERTH_ADMIN_ACCESS_KEY_ID", ADMIN_ID).env("BERTH_ADMIN_SECRET_ACCESS_KEY", ADMIN_SECRET)
}

fn client(serving: &Serving) -> Client {
    Client::login(serving.host().parse().unwrap(), ADMIN_ID, ADMIN_SECRET)
}

fn push_whole(client: &Client, repository: &str, bytes: &[u8]) -> Reply {
    let target = format!("/v2/{repository}/blobs/uploads/?digest={}", sha256(bytes));
    client.request("POST", &target, &[("Content-Type", "application/octet-stream")], bytes)
}

/// Fills a folder, so that a server with other settings has something to serve.
fn filled(program: &Program, image: &Image) {
    let serving = program.serve(&[]);
    client(&serving).push_image("team/app", "one", image);
    assert_eq!(serving.stop().code, Some(0));
}

fn assert_serves(client: &Client, image: &Image) {
    assert_eq!(client.manifest("team/app", "one").expect(200).body, image.manifest.bytes);
    assert_eq!(client.blob("team/app", &sha256(&image.config)).expect(200).body, image.config);
    let tags = client.get("/v2/team/app/tags/list").expect(200).json();
    assert_eq!(tags["tags"][0], "one");
}

#[test]
fn a_read_only_registry_serves_and_takes_nothing() {
    let (program, image) = (program(), Image::small("kept"));
    filled(&program, &image);
    let serving = program.serve(&["--read-only"]);
    let client = client(&serving);
    let refused = [
        client.request("POST", "/v2/team/app/blobs/uploads/", &[], &[]),
        push_whole(&client, "team/app", b"more"),
        client.push_manifest("team/app", "two", &image.manifest),
        client.delete("/v2/team/app/manifests/one"),
        client.delete(&format!("/v2/team/app/blobs/{}", sha256(&image.config))),
    ];
    for reply in refused {
        let reply = reply.expect_error(503, "UNAVAILABLE");
        assert!(reply.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "{reply:?}");
    }
    assert_serves(&client, &image);
    assert_eq!(client.get("/readyz").status, 200);
}

#[test]
fn a_nearly_full_disk_takes_no_more_but_serves_and_deletes() {
    let (program, image) = (program(), Image::small("kept"));
    filled(&program, &image);
    let program = program.env("BERTH_STORAGE__FREE_SPACE_MINIMUM", "8388607TiB");
    let serving = program.serve(&[]);
    let client = client(&serving);
    client.request("POST", "/v2/team/app/blobs/uploads/", &[], &[]).expect_error(507, "UNAVAILABLE");
    push_whole(&client, "team/app", b"more").expect_error(507, "UNAVAILABLE");
    client.push_manifest("team/app", "two", &image.manifest).expect_error(507, "UNAVAILABLE");
    assert_serves(&client, &image);
    client.delete("/v2/team/app/manifests/one").expect(202);
}

#[test]
fn a_layer_has_a_limit() {
    let server = builder().setting("limits.layer_bytes", "1KiB").start();
    let client = server.client();
    push_whole(&client, "team/app", &[7; 1024]).expect(201);
    push_whole(&client, "team/app", &[7; 1025]).expect_error(413, "SIZE_INVALID");
    // In pieces too, whose sum nobody declares.
    let location = client.start_upload("team/app");
    client.patch_upload(&location, 0, &[8; 600]).expect(202);
    client.patch_upload(&location, 600, &[8; 600]).expect_error(413, "SIZE_INVALID");
}

#[test]
fn a_repository_has_a_limit_of_its_own() {
    let server = builder().setting("limits.repository_bytes", "1500").start();
    let client = server.client();
    push_whole(&client, "team/app", &[1; 1000]).expect(201);
    push_whole(&client, "team/app", &[2; 1000]).expect_error(403, "DENIED");
    push_whole(&client, "team/other", &[2; 1000]).expect(201);
    push_whole(&client, "team/app", &[1; 1000]).expect(201);
    push_whole(&client, "team/app", &[3; 400]).expect(201);
    let mount = format!("/v2/team/app/blobs/uploads/?mount={}&from=team/other", sha256(&[2; 1000]));
    client.request("POST", &mount, &[], &[]).expect_error(403, "DENIED");
}

#[test]
fn the_account_has_a_limit_over_all_repositories() {
    let server = builder().setting("limits.account_bytes", "1500").start();
    let client = server.client();
    push_whole(&client, "team/app", &[1; 1000]).expect(201);
    push_whole(&client, "team/other", &[2; 1000]).expect_error(403, "DENIED");
    push_whole(&client, "team/other", &[2; 400]).expect(201);
}

#[test]
fn open_uploads_have_a_limit_that_ending_one_frees() {
    let server = builder().setting("limits.open_uploads", "2").start();
    let client = server.client();
    let first = client.start_upload("team/app");
    client.start_upload("team/other");
    let refused = client.request("POST", "/v2/team/app/blobs/uploads/", &[], &[]);
    assert!(refused.expect_error(429, "TOOMANYREQUESTS").header("retry-after").is_some());
    client.delete(&first).expect(204);
    let third = client.start_upload("team/app");
    client.finish_upload(&third, &sha256(b"done"), b"done").expect(201);
    client.start_upload("team/app");
}

#[test]
fn repositories_are_made_on_push_only_where_that_is_allowed() {
    let server = builder().setting("repositories.create_on_push", "false").start();
    server.client().request("POST", "/v2/team/app/blobs/uploads/", &[], &[]).expect_error(404, "NAME_UNKNOWN");
}
