//! Data folders that runs begin with: made once, copied for each.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use berth_testkit::{Client, Server, copy_tree, empty_index, eventually, set_modified, tree_files};
use tempfile::TempDir;

use crate::builder;
use crate::content::{KEPT, KEPT_IMAGE, LOOSE, OLD, OLD_IMAGE, TAG};
use crate::operation::Operation;

/// Pages that the log of the crowded template holds at least: a push takes it over the thousand at which they are moved.
const PAGES: u64 = 985;
const PAGE: u64 = 4096 + 24;

/// Two images and a blob, as a crash left them.
static PLAIN: LazyLock<TempDir> = LazyLock::new(|| template(fill));
/// The same with a log that is nearly full.
static CROWDED: LazyLock<TempDir> = LazyLock::new(|| template(|server| {
    fill(server);
    fill_log(server);
}));
/// The same with garbage that may go.
static GARBAGE: LazyLock<TempDir> = LazyLock::new(|| template(|server| {
    fill(server);
    leave_garbage(server);
}));

pub fn of(operation: Operation) -> PathBuf {
    let template = if operation == Operation::Checkpoint { &CROWDED } else { &PLAIN };
    template.path().join("data")
}

pub fn garbage() -> PathBuf {
    GARBAGE.path().join("data")
}

fn template(fill: impl FnOnce(&Server)) -> TempDir {
    let mut server = builder().start();
    fill(&server);
    server.kill9();
    let folder = tempfile::tempdir().unwrap();
    copy_tree(&server.data(), &folder.path().join("data"));
    folder
}

fn fill(server: &Server) {
    let client = server.client();
    client.push_image(KEPT, TAG, &KEPT_IMAGE);
    client.push_image(OLD, TAG, &OLD_IMAGE);
    client.push_blob(OLD, LOOSE);
}

/// Moves one tag to and fro until the log has so many pages.
fn fill_log(server: &Server) {
    let log = server.data().join("berth.db-wal");
    let client: Client = server.client();
    for number in 0.. {
        if fs::metadata(&log).unwrap().len() / PAGE >= PAGES {
            return;
        }
        client.push_manifest("team/log", "moving", &empty_index(&format!("number {number}"))).expect(201);
    }
}

/// A deleted image, a blob that nothing names, and a file that no row owns: all of it old enough to go.
fn leave_garbage(server: &Server) {
    let client = server.client();
    client.delete(&format!("/v2/{OLD}/manifests/{}", OLD_IMAGE.manifest.digest)).expect(202);
    let key = "ab".repeat(16);
    let orphan = server.blobs().join("ab").join(&key);
    fs::write(orphan, b"a crash left this").unwrap();
    age_files(server);
    let would_go = || server.berth(&["gc", "--dry-run"]).stdout.lines().count() == 5 + 1;
    eventually("the links of five blobs and one key may go", would_go);
    // Only what a real collection takes away counts as forgotten; the blobs follow their links.
    assert_eq!(client.blob(OLD, &berth_testkit::sha256(LOOSE)).status, 200);
}

/// Makes every file of the blob store as old as if it had been left an hour ago.
pub fn age_files(server: &Server) {
    let then = SystemTime::now() - Duration::from_hours(1);
    for file in tree_files(&server.blobs()) {
        set_modified(&file, then);
    }
}
