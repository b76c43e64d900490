//! Faults at every call: one push, pull, deletion and collection is killed at, or made to fail at, each system call that it
//! makes (`docs/explanation/faults-sweep.md` tells how), and a registry meets a disk that is full and too few descriptors.
//!
//! `BERTH_TEST_POINT` replays one line of the list that a run prints, as `push: fsync berth.db-wal #2: EIO`.
//! `BERTH_TEST_SWEEP=all` takes every fault at every call; otherwise some that are alike are left out, by `BERTH_TEST_SEED`.
//! `BERTH_TEST_OPERATION` takes one operation alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod acknowledged;
mod choice;
mod collection;
mod content;
mod descriptors;
#[path = "../support/exported.rs"]
mod exported;
mod full;
mod full_export;
mod lost_log;
mod operation;
mod start;
mod sweep;
mod templates;
mod trial;

use std::path::Path;
use std::sync::LazyLock;

use berth_testkit::{Server, ServerBuilder, berth_binary};

/// Folders are in memory, where syncs take no time: what they are worth is told by the journal of calls.
static IN_MEMORY: LazyLock<()> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::env::override_temp_dir(memory).expect("no folder was made before");
    }
});

/// Blobs up to so many bytes lie in the database: some of those that are pushed, pulled and collected here, and not others.
const INLINE: usize = 100;

/// A server that does nothing of its own accord.
fn builder() -> ServerBuilder {
    LazyLock::force(&IN_MEMORY);
    Server::builder(berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth")))
        .setting("gc.enabled", "false")
        .setting("scrub.enabled", "false")
        .setting("storage.free_space_minimum", "1MiB")
        .setting("storage.inline_blobs", &INLINE.to_string())
}
