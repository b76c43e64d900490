//! One file while it is written: frames are gathered, then hashed and written together.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use berth_oci::digest::{Algorithm, Digest, Hasher};
use berth_platform::disk::begin_to_write;
use berth_store::{BlobStoreError, BlobWriter, Checkpoint, Stored};
use bytes::Bytes;

use super::turns::{SMALL, SYNCS, WRITES, is_little, line_for, off_the_async_path};
use super::{Place, sync_folder};

/// Bytes gathered before they are hashed and written: enough that leaving the async path costs little beside the work.
const GATHERED: usize = 1024 * 1024;

/// Bytes gathered by one writer while all of them together hold more than [`BUDGET`].
const GATHERED_WHEN_CROWDED: usize = 64 * 1024;

/// Bytes gathered in the whole process before each writer gathers less.
const BUDGET: usize = 64 * 1024 * 1024;

static GATHERED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes written before the disk is set to work on them. Left alone the system gathers gigabytes, and whoever syncs a small file
/// in the midst of writing those out waits for them.
const SET_TO_WORK: u64 = 1024 * 1024;

/// Frames gathered at most, so that tiny ones do not cost more to hold than to write.
const FRAMES: usize = 1024;

/// How much of a partial file is read at a time.
const BLOCK: usize = 256 * 1024;

/// The writer of one key.
pub(super) struct FileWriter {
    place: Place,
    file: File,
    algorithm: Algorithm,
    hasher: Hasher,
    written: u64,
    // How far the disk has been set to work.
    begun: u64,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    // After a failed write nobody knows how far the file and the hash got; both are rebuilt by resuming.
    broken: bool,
}

impl FileWriter {
    /// The writer of an empty file.
    pub(super) fn new(place: Place, file: File, algorithm: Algorithm) -> Self {
        Self {
            place,
            file,
            algorithm,
            hasher: Hasher::new(algorithm),
            written: 0,
            begun: 0,
            gathered: Vec::new(),
            gathered_bytes: 0,
            broken: false,
        }
    }

    /// The writer behind the end of a partial file, which is read once to hash it.
    pub(super) fn resume(place: Place, algorithm: Algorithm) -> Result<Self, BlobStoreError> {
        let file = place.reopen()?;
        let mut writer = Self::new(place, file, algorithm);
        let length = hash_file(&mut writer.file, &mut writer.hasher);
        writer.written = length.map_err(|error| writer.place.error("resuming", error))?;
        writer.begun = writer.written;
        Ok(writer)
    }

    /// Hashes and writes what was gathered.
    fn settle(&mut self) -> Result<(), BlobStoreError> {
        self.refuse_if_broken()?;
        if self.gathered.is_empty() {
            return Ok(());
        }
        let frames = std::mem::take(&mut self.gathered);
        let bytes = self.let_go();
        for frame in &frames {
            self.hasher.update(frame);
        }
        let outcome = write_frames(&mut self.file, &frames);
        self.written += bytes as u64;
        self.set_disk_to_work();
        self.keep_in_mind(outcome, "writing")
    }

    fn set_disk_to_work(&mut self) {
        let waiting = self.written - self.begun;
        if waiting >= SET_TO_WORK {
            begin_to_write(&self.file, self.begun, waiting);
            self.begun = self.written;
        }
    }

    /// Takes note that what was gathered is not held any more, and tells how much that was.
    fn let_go(&mut self) -> usize {
        let bytes = std::mem::take(&mut self.gathered_bytes);
        GATHERED_BYTES.fetch_sub(bytes, Ordering::Relaxed);
        bytes
    }

    fn has_enough(&self) -> bool {
        let is_crowded = GATHERED_BYTES.load(Ordering::Relaxed) > BUDGET;
        let enough = if is_crowded { GATHERED_WHEN_CROWDED } else { GATHERED };
        self.gathered_bytes >= enough || self.gathered.len() >= FRAMES
    }

    /// Writes the rest, and refuses bytes that are not those of `expected`.
    fn complete(&mut self, expected: &Digest) -> Result<(), BlobStoreError> {
        self.settle()?;
        let actual = self.digest(expected.algorithm())?;
        if actual != *expected {
            return Err(BlobStoreError::DigestMismatch { expected: expected.clone(), actual });
        }
        Ok(())
    }

    /// The digest of everything written; by another algorithm than the one that hashed along, the file is read again.
    fn digest(&mut self, algorithm: Algorithm) -> Result<Digest, BlobStoreError> {
        let mut hasher = Hasher::new(algorithm);
        if algorithm == self.algorithm {
            std::mem::swap(&mut hasher, &mut self.hasher);
        } else {
            let read = hash_file(&mut self.file, &mut hasher).map(|_| ());
            self.keep_in_mind(read, "hashing")?;
        }
        Ok(hasher.finish())
    }

    /// Syncs the file, then the folder that names it. A failed sync is final: the kernel may drop the pages that it could
    /// not write and let a second sync succeed.
    fn sync(&mut self) -> Result<(), BlobStoreError> {
        let synced = self.file.sync_all().and_then(|()| sync_folder(&self.place.shard));
        self.keep_in_mind(synced, "syncing")
    }

    fn keep_in_mind(&mut self, outcome: io::Result<()>, action: &str) -> Result<(), BlobStoreError> {
        outcome.map_err(|error| {
            self.broken = true;
            self.place.error(action, error)
        })
    }

    fn refuse_if_broken(&self) -> Result<(), BlobStoreError> {
        if !self.broken {
            return Ok(());
        }
        Err(self.place.error("writing on after an earlier failure", io::Error::other("what is stored is unknown")))
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[async_trait]
impl BlobWriter for FileWriter {
    fn offset(&self) -> u64 {
        self.written + self.gathered_bytes as u64
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), BlobStoreError> {
        self.refuse_if_broken()?;
        self.gathered_bytes += bytes.len();
        GATHERED_BYTES.fetch_add(bytes.len(), Ordering::Relaxed);
        if !bytes.is_empty() {
            self.gathered.push(bytes);
        }
        if !self.has_enough() {
            return Ok(());
        }
        off_the_async_path(&WRITES, || self.settle()).await
    }

    async fn flush(&mut self) -> Result<Option<Checkpoint>, BlobStoreError> {
        off_the_async_path(line_for(self.offset()), || self.settle()).await.map(|()| None)
    }

    async fn commit(mut self: Box<Self>, expected: &Digest) -> Result<Stored, BlobStoreError> {
        if is_little(self.offset()) {
            off_the_async_path(&SMALL, || self.complete(expected).and_then(|()| self.sync())).await?;
        } else {
            off_the_async_path(&WRITES, || self.complete(expected)).await?;
            off_the_async_path(&SYNCS, || self.sync()).await?;
        }
        Ok(Stored { key: self.place.key.clone(), size: self.written })
    }
}

/// Writes all frames, many per system call.
fn write_frames(file: &mut File, frames: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(taken) => IoSlice::advance_slices(&mut rest, taken),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Hashes a file from its beginning, leaves it positioned at its end and tells its length.
fn hash_file(file: &mut File, hasher: &mut Hasher) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut block = vec![0; BLOCK];
    let mut length = 0;
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(length),
            Ok(read) => {
                hasher.update(&block[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
