//! Data folders that runs begin with: made once, copied for each.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use berth_testkit::{Server, ServerBuilder, copy_tree, padded_manifest, set_modified, tree_files, within};
use tempfile::TempDir;

use crate::builder;
use crate::content::{KEPT, KEPT_IMAGE, LOOSE, OLD, OLD_IMAGE, TAG};

const SOON: Duration = Duration::from_mins(1);
/// Pages that a log which is nearly full holds at least: a blob takes it over the thousand at which they are moved.
const PAGES: u64 = 990;
/// What a large manifest may add to them.
const MOST_AT_ONCE: u64 = 40;
const PAGE: u64 = 4096 + 24;
/// The default of `gc.grace`.
const GRACE: Duration = Duration::from_hours(24);

/// A data folder that is there as long as anybody holds it: what a test keeps in a static is never removed.
pub struct Template(Arc<TempDir>);

impl Template {
    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

type Shared = Mutex<Weak<TempDir>>;

static PLAIN: Shared = Mutex::new(Weak::new());
static GARBAGE: Shared = Mutex::new(Weak::new());

/// Two images and a blob, as a crash left them.
pub fn plain() -> Template {
    shared(&PLAIN, || template(builder(), fill))
}

/// The same with garbage that may go.
pub fn garbage() -> Template {
    shared(&GARBAGE, || {
        template(impatient(), |server| {
            fill(server);
            leave_garbage(server);
        })
    })
}

fn shared(held: &Shared, make: impl FnOnce() -> TempDir) -> Template {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = held.upgrade().unwrap_or_else(|| Arc::new(make()));
    *held = Arc::downgrade(&folder);
    Template(folder)
}

/// A server with the shortest grace time that there is.
pub fn impatient() -> ServerBuilder {
    builder().setting("gc.grace", "10s")
}

fn template(builder: ServerBuilder, fill: impl FnOnce(&Server)) -> TempDir {
    let mut server = builder.start();
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

/// Pushes manifests until the log has so many pages. It was empty when the server started.
pub fn fill_log(server: &Server) {
    let log = server.data().join("berth.db-wal");
    let client = server.client();
    for length in 0.. {
        let pages = fs::metadata(&log).unwrap().len() / PAGE;
        if pages >= PAGES {
            return;
        }
        let padding = if pages < PAGES - MOST_AT_ONCE { 60_000 } else { 200 };
        client.push_manifest("team/log", "moving", &padded_manifest(padding + length)).expect(201);
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
    let mut told = String::new();
    let would_go = within(SOON, || {
        told = server.berth(&["gc", "--dry-run"]).stdout;
        told.contains("4 links, 1 blobs and 1 keys")
    });
    assert!(would_go, "{told}");
}

/// Makes every file of the blob store older than the grace time.
pub fn age_files(server: &Server) {
    let then = SystemTime::now() - 2 * GRACE;
    for file in tree_files(&server.blobs()) {
        set_modified(&file, then);
    }
}
