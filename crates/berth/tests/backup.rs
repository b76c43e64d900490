//! `berth backup`, `berth restore` and `berth verify --repair` and `--rebuild`, as an operator runs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use berth_testkit::{Client, Image, Output, Server, sha256, tree_files};
use serde_json::Value;
use support::builder;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn ok(output: &Output) -> &str {
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    output.stdout.trim_end()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(ok(output)).unwrap()
}

/// A server that was never started on its data, with the other's server key.
fn elsewhere(from: &Server) -> Server {
    let mut server = builder().start();
    server.stop();
    let key = std::fs::read(from.data().join("server.key")).unwrap();
    std::fs::remove_dir_all(server.data()).unwrap();
    std::fs::create_dir(server.data()).unwrap();
    std::fs::write(server.data().join("server.key"), key).unwrap();
    server
}

fn place(server: &Server) -> String {
    server.data().parent().unwrap().join("backups").to_str().unwrap().to_owned()
}

fn image(nth: usize) -> Image {
    Image::small(&format!("image {nth}"))
}

/// Pushes images until it is told to stop; how many were acknowledged.
fn push_until(stop: &AtomicBool, client: &Client) -> usize {
    let mut pushed = 0;
    while !stop.load(Ordering::Relaxed) {
        client.push_image("team/app", &format!("v{pushed}"), &image(pushed));
        pushed += 1;
    }
    pushed
}

fn assert_image(client: &Client, nth: usize) {
    let image = image(nth);
    assert_eq!(client.manifest("team/app", &format!("v{nth}")).expect(200).body, image.manifest.bytes, "v{nth}");
    for blob in image.blobs() {
        assert_eq!(client.blob("team/app", &sha256(blob)).expect(200).body, *blob);
    }
}

#[test]
fn what_was_acknowledged_before_a_backup_under_load_is_restored() {
    let server = builder().start();
    let client = server.client();
    for nth in 0..10 {
        client.push_image("team/app", &format!("v{nth}"), &image(nth));
    }
    let (place, stop) = (place(&server), AtomicBool::new(false));
    let backups: Vec<Value> = std::thread::scope(|scope| {
        let pusher = scope.spawn(|| push_until(&stop, &server.client()));
        let backups = (0..3).map(|_| json(&server.berth(&["backup", &place, "--json"]))).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(pusher.join().unwrap() > 0);
        backups
    });
    assert!(backups.iter().all(|taken| taken["backup"]["lacking"] == serde_json::json!([])), "{backups:?}");
    assert!(ok(&server.berth(&["backup", &place, "--check"])).contains("blobs are whole"));
    assert_eq!(ok(&server.berth(&["backup", &place, "--list"])).lines().count(), 3);

    let mut restored = elsewhere(&server);
    let told = ok(&restored.berth(&["restore", &place])).to_owned();
    assert!(told.contains("is restored"), "{told}");
    assert!(ok(&restored.berth(&["verify"])).contains(" 0 findings"));
    restored.restart();
    // The administrator's key came along.
    (0..10).for_each(|nth| assert_image(&restored.client(), nth));
    restored.client().push_image("team/app", "later", &image(1000));
    assert!(restored.stop().success());
    let again = restored.berth(&["restore", &place]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("not empty"), "{}", again.stderr);
}

#[test]
fn backups_are_encrypted_where_a_key_is_given() {
    let server = builder().env("BERTH_BACKUP_KEY", KEY).start();
    let plain = builder().start();
    server.client().push_image("team/app", "v1", &image(1));
    let place = place(&server);
    ok(&server.berth(&["backup", &place, "--keep", "2"]));
    let content = image(1).blobs().next().unwrap().clone();
    for file in tree_files(std::path::Path::new(&place)) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(bytes.starts_with(b"BERTHSL1"), "{}", file.display());
        assert!(!bytes.windows(content.len()).any(|part| part == content), "{}", file.display());
    }
    ok(&server.berth(&["backup", &place, "--check"]));
    let refused = plain.berth(&["backup", &place]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("BERTH_BACKUP_KEY"), "{}", refused.stderr);
    let other = builder().env("BERTH_BACKUP_KEY", &KEY.replace("00", "ff")).start();
    let refused = other.berth(&["backup", &place, "--list"]);
    assert_eq!(refused.code, Some(3));
    let mut restored = elsewhere(&server);
    assert_eq!(restored.berth(&["restore", &place]).code, Some(2));
    drop(restored);
    restored = builder().env("BERTH_BACKUP_KEY", KEY).start();
    restored.stop();
    std::fs::remove_dir_all(restored.data()).unwrap();
    let refused = restored.berth(&["restore", &place]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--without-secrets"), "{}", refused.stderr);
    ok(&restored.berth(&["restore", &place, "--without-secrets"]));
    restored.restart();
    assert_image(&restored.client(), 1);
}

#[test]
fn damage_is_repaired_from_backups_and_from_another_registry() {
    let server = builder().setting("storage.inline_blobs", "0").start();
    let client = server.client();
    client.push_image("team/app", "v1", &image(1));
    client.push_image("team/app", "v2", &image(2));
    let place = place(&server);
    ok(&server.berth(&["backup", &place]));
    let mut twin = elsewhere(&server);
    ok(&twin.berth(&["restore", &place]));
    twin.restart();

    let spoil = || {
        for file in tree_files(&server.blobs()) {
            std::fs::write(file, b"nothing of value").unwrap();
        }
        assert_eq!(server.berth(&["verify"]).code, Some(1));
    };
    spoil();
    let told = server.berth(&["verify", "--repair", "--from", &place]);
    assert!(ok(&told).contains(" 0 left"), "{}", told.stdout);
    assert_image(&client, 1);

    spoil();
    let unknown = server.berth(&["verify", "--repair", "--from", twin.url()]);
    assert_eq!(unknown.code, Some(1), "a registry that wants a login gave all to a stranger: {}", unknown.stdout);
    let with_login = builder().env("BERTH_IMPORT_USERNAME", berth_testkit::ADMIN_ID);
    let with_login = with_login.env("BERTH_IMPORT_PASSWORD", berth_testkit::ADMIN_SECRET).start();
    let told = with_login.berth_on(&server.data(), &["verify", "--repair", "--from", twin.url()]);
    assert!(ok(&told).contains(" 0 left"), "{}", told.stdout);
    assert_image(&client, 1);
    assert_image(&client, 2);
    assert!(ok(&server.berth(&["verify"])).contains(" 0 findings"));
}

#[test]
fn a_lost_database_leaves_the_layers() {
    let mut server = builder().setting("storage.inline_blobs", "0").start();
    server.client().push_image("team/app", "v1", &image(1));
    server.stop();
    for file in ["berth.db", "berth.db-wal", "berth.db-shm"] {
        let _ = std::fs::remove_file(server.data().join(file));
    }
    let rebuilt = json(&server.berth(&["verify", "--rebuild", "--json"]));
    let blobs = image(1).blobs().count() as u64;
    assert_eq!(rebuilt["blobs"], Value::from(blobs), "{rebuilt}");
    server.restart();
    let client = server.client();
    for blob in image(1).blobs() {
        assert_eq!(client.blob("recovered", &sha256(blob)).expect(200).body, *blob);
    }
    let files = tree_files(&server.blobs()).len();
    client.push_image("team/app", "v1", &image(1));
    assert_eq!(tree_files(&server.blobs()).len(), files, "a layer was stored twice");
    assert_image(&client, 1);
}

#[test]
fn wrong_use_is_told() {
    let server = builder().start();
    let table: [(&[&str], &str); 6] = [
        (&["backup", "ftp://elsewhere"], "s3://bucket/prefix"),
        (&["restore", "/nonexistent-place/x"], "there is no folder"),
        (&["verify", "--repair"], "--from"),
        (&["verify", "--rebuild", "--into", "NO"], "--into"),
        (&["migrate-store"], "storage.move_from"),
        (&["backup", "x", "--backup", "id"], "--check"),
    ];
    for (arguments, expected) in table {
        let output = if arguments[0] == "restore" {
            let empty = tempfile::tempdir().unwrap();
            server.berth_on(&empty.path().join("data"), arguments)
        } else {
            server.berth(arguments)
        };
        assert_ne!(output.code, Some(0), "{arguments:?}");
        assert!(output.stderr.contains(expected), "{arguments:?}: {}", output.stderr);
    }
}
