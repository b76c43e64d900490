//! Whether anybody committed since: a mark beside the database that each process changes behind its commits, before it
//! acknowledges them.
//!
//! Asking `SQLite` costs as much as a new snapshot. Reading sixteen bytes of a file that is in memory does not. The mark
//! says nothing of the data and may be lost.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use berth_store::StoreError;

/// What is true of the database until the next commit by anyone: who committed last, and how often this process did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    own: u64,
    mark: [u8; 16],
}

/// The mark, and what this process writes there.
pub(super) struct Commits {
    path: PathBuf,
    file: File,
    process: u64,
    own: AtomicU64,
}

impl Commits {
    /// Opens the mark of the database at `path`, making it where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut name = path.as_os_str().to_owned();
        name.push("-commits");
        let path = PathBuf::from(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| StoreError::Open(format!("{}: {error}", path.display())))?;
        Ok(Self { path, file, process: RandomState::new().hash_one(()), own: AtomicU64::new(0) })
    }

    /// From here on nobody's state is what it was before the commit that just ended.
    pub(super) fn note(&self) {
        let own = self.own.fetch_add(1, Ordering::AcqRel) + 1;
        let mut mark = [0; 16];
        mark[..8].copy_from_slice(&self.process.to_le_bytes());
        mark[8..].copy_from_slice(&own.to_le_bytes());
        if let Err(error) = self.file.write_all_at(&mark, 0) {
            tracing::warn!(%error, "{} cannot be written: other processes see commits some milliseconds late", self.path.display());
        }
    }

    /// None where the mark cannot be read: then nothing is known.
    pub(super) fn state(&self) -> Option<State> {
        let own = self.own.load(Ordering::Acquire);
        let mut mark = [0; 16];
        match self.file.read_at(&mut mark, 0) {
            // An empty one: nobody committed yet. It is written at once, so that nothing in between is ever read.
            Ok(0 | 16) => Some(State { own, mark }),
            Ok(_) | Err(_) => None,
        }
    }
}
