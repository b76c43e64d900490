//! A part of a file as a body: read in large positioned blocks, or, where the kernel sends it by itself (see `zero_copy`),
//! only looked at, so that it is in memory when its turn comes and nobody waits for the disk where others would wait too.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::server::zero_copy::{Outgoing, Piece};

/// What one read asks for while there is room in the budget: large enough that the cost per system call vanishes.
const LARGE_BLOCK: usize = 256 * 1024;
/// What one read asks for when the budget is used up. Always allowed, so nobody starves.
const SMALL_BLOCK: usize = 16 * 1024;
/// What the kernel may send in one go while all of it is in memory.
const SENT: u64 = 4 * 1024 * 1024;
/// What is brought into memory at once where it is not there.
const FETCHED: u64 = 512 * 1024;
/// Bytes of large blocks in the whole process; thousands of slow readers share it.
const LARGE_BLOCK_BUDGET: usize = 64 * 1024 * 1024;

/// Reads that wait for the disk at the same time: each holds a thread, and there must be some left for others.
static DISK_READS: Semaphore = Semaphore::const_new(16);

static LARGE_BLOCK_BYTES: AtomicUsize = AtomicUsize::new(0);

/// A part of an open file.
#[derive(Debug, Clone)]
pub struct FileSlice {
    /// The file; read by position, so its cursor does not matter and it may be shared.
    pub file: Arc<File>,
    /// First byte to send.
    pub offset: u64,
    /// Bytes to send.
    pub length: u64,
}

pub(super) struct FileReader {
    slice: FileSlice,
    reading: Option<JoinHandle<io::Result<Block>>>,
    fetching: Option<JoinHandle<io::Result<()>>>,
    cached_reads: bool,
}

/// What comes next of a file that need not be read.
pub(super) enum Part {
    /// It is in memory, so that the kernel can send it at once.
    Slice(FileSlice),
    /// Bytes, as the file system does not tell what is in memory.
    Block(Bytes),
}

impl Part {
    pub(super) fn through(self, outgoing: &Arc<Outgoing>) -> Piece {
        match self {
            Self::Slice(slice) => outgoing.send(slice),
            Self::Block(bytes) => Piece::Bytes(bytes),
        }
    }
}

impl FileReader {
    pub(super) fn new(slice: FileSlice) -> Self {
        Self { slice, reading: None, fetching: None, cached_reads: true }
    }

    pub(super) fn remaining(&self) -> u64 {
        self.slice.length
    }

    /// The next block; an error if the file ends early.
    pub(super) fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.slice.length == 0 {
            return Poll::Ready(None);
        }
        let block = match ready!(self.poll_read(cx)) {
            Ok(block) if block.filled == 0 => Err(ended_early()),
            other => other,
        };
        Poll::Ready(Some(block.map(|block| {
            let length = block.filled as u64;
            self.slice.offset += length;
            self.slice.length = self.slice.length.saturating_sub(length);
            Bytes::from_owner(block)
        })))
    }

    /// The next part that the kernel may send, or a block where it may not.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Part>>> {
        if self.slice.length == 0 {
            return Poll::Ready(None);
        }
        if let Some(fetching) = &mut self.fetching {
            let fetched = ready!(Pin::new(fetching).poll(cx));
            self.fetching = None;
            let fetched = fetched.unwrap_or_else(|cancelled| Err(io::Error::other(cancelled)));
            return Poll::Ready(Some(fetched.map(|()| Part::Slice(self.take(FETCHED)))));
        }
        match self.slice.cached(SENT) {
            Cached::Read => Poll::Ready(Some(Ok(Part::Slice(self.take(SENT))))),
            Cached::Failed(error) => Poll::Ready(Some(Err(error))),
            Cached::Unsupported => self.poll_block(cx).map(|block| block.map(|block| block.map(Part::Block))),
            Cached::Absent if matches!(self.slice.cached(FETCHED), Cached::Read) => {
                Poll::Ready(Some(Ok(Part::Slice(self.take(FETCHED)))))
            }
            Cached::Absent => {
                self.fetching = Some(tokio::spawn(fetch_in_turn(self.slice.first(FETCHED))));
                self.poll_part(cx)
            }
        }
    }

    /// The first bytes of what is left, which is shorter then.
    fn take(&mut self, most: u64) -> FileSlice {
        let first = self.slice.first(most);
        self.slice.offset += first.length;
        self.slice.length -= first.length;
        first
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Block>> {
        if self.reading.is_none() {
            let mut block = Block::new(self.slice.length);
            if self.cached_reads {
                match block.fill_from_cache(&self.slice) {
                    Cached::Read => return Poll::Ready(Ok(block)),
                    Cached::Failed(error) => return Poll::Ready(Err(error)),
                    Cached::Unsupported => self.cached_reads = false,
                    Cached::Absent => {}
                }
            }
            let slice = self.slice.clone();
            self.reading = Some(tokio::spawn(read_in_turn(block, slice)));
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let done = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(done.unwrap_or_else(|cancelled| Err(io::Error::other(cancelled))))
    }
}

impl FileSlice {
    fn first(&self, most: u64) -> Self {
        Self { file: Arc::clone(&self.file), offset: self.offset, length: self.length.min(most) }
    }

    /// Whether the first bytes are in memory, guessed by the first and the last of them: the kernel reads ahead in between.
    fn cached(&self, most: u64) -> Cached {
        let last = self.offset + self.length.min(most).saturating_sub(1);
        match is_cached(&self.file, self.offset) {
            Cached::Read => is_cached(&self.file, last),
            other => other,
        }
    }
}

/// Whether one byte is in memory. Behind the end of the file it counts as there: who sends it sees the end.
#[cfg(target_os = "linux")]
fn is_cached(file: &File, offset: u64) -> Cached {
    let mut byte = [0];
    read_cached(file, &mut byte, offset).map_or_else(|cached| cached, |_| Cached::Read)
}

#[cfg(not(target_os = "linux"))]
fn is_cached(_: &File, _: u64) -> Cached {
    Cached::Unsupported
}

/// Reads what the page cache holds, without ever waiting for the disk.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Cached> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let read = preadv2(file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT);
    read.map_err(|error| match error {
        Errno::AGAIN | Errno::INTR => Cached::Absent,
        Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL => Cached::Unsupported,
        error => Cached::Failed(error.into()),
    })
}

/// Brings a part into memory.
async fn fetch_in_turn(slice: FileSlice) -> io::Result<()> {
    // Nobody closes it, so this is a turn.
    let _turn = DISK_READS.acquire().await;
    let fetched = spawn_blocking(move || fetch(&slice)).await;
    fetched.unwrap_or_else(|cancelled| Err(io::Error::other(cancelled)))
}

fn fetch(slice: &FileSlice) -> io::Result<()> {
    let mut scratch = [0; SMALL_BLOCK];
    let mut done = 0;
    while done < slice.length {
        match slice.file.read_at(&mut scratch, slice.offset + done) {
            Ok(0) => return Err(ended_early()),
            Ok(read) => done += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_in_turn(mut block: Block, slice: FileSlice) -> io::Result<Block> {
    // Nobody closes it, so this is a turn.
    let _turn = DISK_READS.acquire().await;
    let read = spawn_blocking(move || block.fill_from_disk(&slice).map(|()| block)).await;
    read.unwrap_or_else(|cancelled| Err(io::Error::other(cancelled)))
}

fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than promised")
}

enum Cached {
    Read,
    Absent,
    Unsupported,
    Failed(io::Error),
}

/// One buffer, exactly as long as what was asked for, that gives its share of the budget back.
struct Block {
    bytes: Box<[u8]>,
    filled: usize,
    reserved: usize,
}

impl Block {
    fn new(wanted: u64) -> Self {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut size = wanted.min(LARGE_BLOCK);
        let mut reserved = 0;
        if size > SMALL_BLOCK {
            if LARGE_BLOCK_BYTES.fetch_add(size, Ordering::Relaxed) + size <= LARGE_BLOCK_BUDGET {
                reserved = size;
            } else {
                LARGE_BLOCK_BYTES.fetch_sub(size, Ordering::Relaxed);
                size = SMALL_BLOCK;
            }
        }
        Self { bytes: vec![0; size].into_boxed_slice(), filled: 0, reserved }
    }

    #[cfg(target_os = "linux")]
    fn fill_from_cache(&mut self, slice: &FileSlice) -> Cached {
        match read_cached(&slice.file, &mut self.bytes, slice.offset) {
            Ok(read) => {
                self.filled = read;
                Cached::Read
            }
            Err(cached) => cached,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn fill_from_cache(&mut self, _: &FileSlice) -> Cached {
        Cached::Unsupported
    }

    fn fill_from_disk(&mut self, slice: &FileSlice) -> io::Result<()> {
        while self.filled < self.bytes.len() {
            match slice.file.read_at(&mut self.bytes[self.filled..], slice.offset + self.filled as u64) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        LARGE_BLOCK_BYTES.fetch_sub(self.reserved, Ordering::Relaxed);
    }
}
