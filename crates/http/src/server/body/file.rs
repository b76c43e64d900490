//! A part of a file as a body, read in large positioned blocks.
//!
//! This is the place where zero copy comes in later: whoever sends the bytes without reading them replaces
//! [`FileReader`], and nothing above it changes.

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

/// What one read asks for while there is room in the budget: large enough that the cost per system call vanishes.
const LARGE_BLOCK: usize = 256 * 1024;
/// What one read asks for when the budget is used up. Always allowed, so nobody starves.
const SMALL_BLOCK: usize = 16 * 1024;
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
    cached_reads: bool,
}

impl FileReader {
    pub(super) fn new(slice: FileSlice) -> Self {
        Self { slice, reading: None, cached_reads: true }
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

    /// Reads what the page cache holds, without ever waiting for the disk.
    #[cfg(target_os = "linux")]
    fn fill_from_cache(&mut self, slice: &FileSlice) -> Cached {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        let mut buffers = [io::IoSliceMut::new(&mut self.bytes)];
        match preadv2(&*slice.file, &mut buffers, slice.offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => {
                self.filled = read;
                Cached::Read
            }
            Err(Errno::AGAIN | Errno::INTR) => Cached::Absent,
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Cached::Unsupported,
            Err(error) => Cached::Failed(error.into()),
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
