//! `berth migrate-store` while clients push and pull, and backups in a bucket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use berth_testkit::seaweedfs::{BUCKET, Seaweed};
use berth_testkit::{Client, Image, Output, Server, ServerBuilder, sha256, tree_files};

/// Servers whose small blobs move as all others do.
fn builder() -> ServerBuilder {
    support::builder().setting("storage.inline_blobs", "0")
}

fn ok(output: &Output) -> &str {
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    output.stdout.trim_end()
}

fn image(nth: usize) -> Image {
    Image::small(&format!("image {nth}"))
}

fn push(client: &Client, nth: usize) {
    client.push_image("team/app", &format!("v{nth}"), &image(nth));
}

fn assert_image(client: &Client, nth: usize) {
    let image = image(nth);
    assert_eq!(client.manifest("team/app", &format!("v{nth}")).expect(200).body, image.manifest.bytes, "v{nth}");
    for blob in image.blobs() {
        assert_eq!(client.blob("team/app", &sha256(blob)).expect(200).body, *blob);
    }
}

/// The same data with other settings.
fn reopened(mut server: Server, with: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Server {
    assert!(server.stop().success());
    server.reconfigure(with(builder()));
    server.restart();
    server
}

/// Files again, with a way to buckets.
fn files_beside(seaweed: &Seaweed) -> ServerBuilder {
    builder().on_bucket(seaweed, "").setting("s3.bucket", "")
}

/// Moves all blobs while one client pushes and another one pulls.
fn move_under_load(server: &Server, already: usize) -> usize {
    let (stop, pushed) = (AtomicBool::new(false), AtomicUsize::new(already));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let client = server.client();
            while !stop.load(Ordering::Relaxed) {
                push(&client, pushed.load(Ordering::Relaxed));
                pushed.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let client = server.client();
            while !stop.load(Ordering::Relaxed) {
                (0..already).for_each(|nth| assert_image(&client, nth));
            }
        });
        let told = server.berth(&["migrate-store"]);
        stop.store(true, Ordering::Relaxed);
        assert!(ok(&told).contains("nothing is left"), "{}", told.stdout);
    });
    pushed.into_inner()
}

#[test]
fn blobs_move_to_a_bucket_and_back_while_clients_work() {
    let seaweed = Seaweed::shared();
    let prefix = seaweed.fresh_prefix();
    let server = builder().start();
    (0..20).for_each(|nth| push(&server.client(), nth));
    let files = tree_files(&server.blobs()).len();
    assert!(files >= 20, "{files}");

    let server = reopened(server, |builder| builder.on_bucket(seaweed, &prefix).setting("storage.move_from", "files"));
    let pushed = move_under_load(&server, 20);
    assert_eq!(tree_files(&server.blobs()).len(), 0);
    let server = reopened(server, |builder| builder.on_bucket(seaweed, &prefix));
    (0..pushed).for_each(|nth| assert_image(&server.client(), nth));
    assert!(ok(&server.berth(&["verify"])).ends_with("0 findings, 0 keys without an owner"));

    let from = format!("s3://{BUCKET}/{prefix}");
    let server = reopened(server, |_| files_beside(seaweed).setting("storage.move_from", &from));
    let pushed = move_under_load(&server, pushed);
    let server = reopened(server, |builder| builder);
    (0..pushed).for_each(|nth| assert_image(&server.client(), nth));
    assert!(ok(&server.berth(&["verify"])).ends_with("0 findings, 0 keys without an owner"));
}

#[test]
fn an_upload_that_was_open_at_the_switch_goes_on() {
    let (seaweed, layer) = (Seaweed::shared(), vec![7; 100_000]);
    let server = builder().start();
    let location = server.client().start_upload("team/app");
    server.client().patch_upload(&location, 0, &layer[..50_000]).expect(202);
    let prefix = seaweed.fresh_prefix();
    let server = reopened(server, |builder| builder.on_bucket(seaweed, &prefix).setting("storage.move_from", "files"));
    let client = server.client();
    assert_eq!(client.upload_offset(&location), 50_000);
    client.finish_upload(&location, &sha256(&layer), &layer[50_000..]).expect(201);
    assert!(ok(&server.berth(&["migrate-store"])).contains("1 blobs with 100000 bytes moved"));
    assert_eq!(client.blob("team/app", &sha256(&layer)).expect(200).body, layer);

    // And back: one that is open in the bucket, and one that begins in files while both are in use.
    let layers = [vec![8; 6_000_000], vec![9; 100_000]];
    let bucket_upload = client.start_upload("team/app");
    client.patch_upload(&bucket_upload, 0, &layers[0][..5_500_000]).expect(202);
    let from = format!("s3://{BUCKET}/{prefix}");
    let server = reopened(server, |_| files_beside(seaweed).setting("storage.move_from", &from));
    let client = server.client();
    let file_upload = client.start_upload("team/app");
    client.patch_upload(&file_upload, 0, &layers[1][..40_000]).expect(202);
    for (location, layer, at) in [(&bucket_upload, &layers[0], 5_500_000), (&file_upload, &layers[1], 40_000)] {
        assert_eq!(client.upload_offset(location), at as u64);
        client.finish_upload(location, &sha256(layer), &layer[at..]).expect(201);
        assert!(client.blob("team/app", &sha256(layer)).expect(200).body == *layer);
    }
    assert!(ok(&server.berth(&["migrate-store"])).contains("nothing is left"));
    assert!(ok(&server.berth(&["verify"])).ends_with("0 findings, 0 keys without an owner"));
}

#[test]
fn backups_lie_in_a_bucket_and_come_back_from_it() {
    let seaweed = Seaweed::shared();
    let (prefix, place) = (seaweed.fresh_prefix(), format!("s3://{BUCKET}/{}", seaweed.fresh_prefix()));
    let mut server = builder().on_bucket(seaweed, &prefix).start();
    (0..5).for_each(|nth| push(&server.client(), nth));
    ok(&server.berth(&["backup", &place, "--keep", "1"]));
    push(&server.client(), 5);
    ok(&server.berth(&["backup", &place, "--keep", "1"]));
    assert!(ok(&server.berth(&["backup", &place, "--check"])).contains("whole"));
    assert_eq!(ok(&server.berth(&["backup", &place, "--list"])).lines().count(), 1);
    // Into files, where the registry was in a bucket.
    let key = std::fs::read(server.data().join("server.key")).unwrap();
    assert!(server.stop().success());
    std::fs::remove_dir_all(server.data()).unwrap();
    std::fs::create_dir(server.data()).unwrap();
    std::fs::write(server.data().join("server.key"), key).unwrap();
    server.reconfigure(files_beside(seaweed));
    ok(&server.berth(&["restore", &place]));
    server.restart();
    (0..6).for_each(|nth| assert_image(&server.client(), nth));
    assert!(tree_files(&server.blobs()).len() >= 6);
}
