//! Blobs as files of one folder.
//!
//! The file of key `ab12...` is `ab/ab12...` below the root, the same before and after its commit: nothing is renamed.
//! The 256 shard folders are made once, when the store opens, so that a commit has two things to sync: the file, and
//! the one folder that names it.

mod listing;
mod turns;
mod writer;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use berth_oci::digest::Algorithm;
use berth_store::{BlobKey, BlobRead, BlobStore, BlobStoreError, BlobWriter, StoredKey, Unfinished};

use self::turns::{NAMES, line_for, off_the_async_path};
use self::writer::FileWriter;

/// A blob store over a folder of a local file system.
#[derive(Debug, Clone)]
pub struct FilesystemStore {
    root: Arc<Path>,
}

impl FilesystemStore {
    /// Opens the store below `root`, making the folder and its shards where they are missing.
    pub fn open(root: PathBuf) -> Result<Self, BlobStoreError> {
        make_folders(&root).map_err(|error| failed("opening the blob store at", &root, error))?;
        Ok(Self { root: root.into() })
    }

    fn place(&self, key: &BlobKey) -> Place {
        let shard = self.root.join(&key.as_str()[..2]);
        Place { key: key.clone(), path: shard.join(key.as_str()), shard }
    }
}

/// Where a key's file is.
#[derive(Debug, Clone)]
struct Place {
    key: BlobKey,
    path: PathBuf,
    shard: PathBuf,
}

impl Place {
    fn create(&self) -> Result<File, BlobStoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o640);
        options.open(&self.path).map_err(|error| self.error("creating", error))
    }

    fn reopen(&self) -> Result<File, BlobStoreError> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.path);
        opened.map_err(|error| self.error("reopening", error))
    }

    fn error(&self, action: &str, error: io::Error) -> BlobStoreError {
        match error.kind() {
            ErrorKind::NotFound => BlobStoreError::NotFound(self.key.clone()),
            ErrorKind::AlreadyExists => BlobStoreError::KeyInUse(self.key.clone()),
            _ => failed(action, &self.path, error),
        }
    }
}

fn failed(action: &str, path: &Path, error: io::Error) -> BlobStoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobStoreError::Full(error),
        _ if has_too_many_files(&error) => {
            let action = format!("{action} {}", path.display());
            BlobStoreError::Unavailable { action, reason: error.to_string() }
        }
        _ => BlobStoreError::Io { action: format!("{action} {}", path.display()), source: error },
    }
}

/// Whether the process or the system has as many files open as it may: that passes when others are closed.
fn has_too_many_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

fn make_folders(root: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(root)?;
    for shard in shards() {
        DirBuilder::new().recursive(true).mode(0o750).create(root.join(shard))?;
    }
    sync_folder(root)?;
    root.canonicalize()?.parent().map_or(Ok(()), sync_folder)
}

/// The names of the shard folders, in order.
fn shards() -> impl Iterator<Item = String> {
    (0..=u8::MAX).map(|shard| format!("{shard:02x}"))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[async_trait]
impl BlobStore for FilesystemStore {
    async fn create(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        let place = self.place(key);
        let file = off_the_async_path(&NAMES, || place.create()).await?;
        Ok(Box::new(FileWriter::new(place, file, algorithm)))
    }

    async fn resume(
        &self,
        unfinished: Unfinished<'_>,
        algorithm: Algorithm,
    ) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        let place = self.place(unfinished.key);
        // A file that is not there is told by `resume`.
        let written = std::fs::metadata(&place.path).map_or(0, |found| found.size());
        let writer = off_the_async_path(line_for(written), || FileWriter::resume(place, algorithm)).await?;
        Ok(Box::new(writer))
    }

    // Opening a local file costs less than handing this thread's tasks to another one, so pulls do it in place.
    async fn read(&self, key: &BlobKey, offset: u64, length: u64) -> Result<BlobRead, BlobStoreError> {
        let place = self.place(key);
        let error = |error| place.error("reading", error);
        let file = File::open(&place.path).map_err(error)?;
        let size = file.metadata().map_err(error)?.size();
        let length = length.min(size.saturating_sub(offset));
        Ok(BlobRead::File { file: Arc::new(file), offset, length })
    }

    async fn size(&self, key: &BlobKey) -> Result<u64, BlobStoreError> {
        let place = self.place(key);
        let found = std::fs::metadata(&place.path);
        found.map(|found| found.size()).map_err(|error| place.error("measuring", error))
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobStoreError> {
        let place = self.place(key);
        match off_the_async_path(&NAMES, || std::fs::remove_file(&place.path)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(place.error("deleting", error)),
            _ => Ok(()),
        }
    }

    async fn list(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredKey>, BlobStoreError> {
        off_the_async_path(&NAMES, || listing::list(&self.root, after, limit)).await
    }

    // Every push asks, and the system answers from memory.
    async fn free_space(&self) -> Result<Option<u64>, BlobStoreError> {
        let space = rustix::fs::statvfs(&*self.root);
        let space = space.map_err(|error| failed("measuring", &self.root, error.into()))?;
        Ok(Some(space.f_bavail.saturating_mul(space.f_frsize)))
    }
}
