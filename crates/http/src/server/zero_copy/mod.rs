//! Files that the kernel sends by itself, without their bytes passing through this process (sendfile).
//!
//! hyper takes the body of a response as buffers and writes them to the stream. For a part of a file it gets a buffer of a
//! kind of its own, [`Piece::File`], which shows a few bytes that stand in for all of the part, and the part waits in the
//! connection's [`Outgoing`]. When [`FileSender`] is to write those bytes, it lets the kernel send from the file instead, and
//! says how many bytes that were. So framing, order and keep-alive stay hyper's.
//!
//! It rests on hyper handing buffers on as they are. If it ever copied one, the stand-in would be read without anything
//! having been sent; that is seen before the copy can go out, and the connection is cut. Encrypted connections and HTTP/2,
//! which must copy, never get such a buffer.

mod sender;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};

use super::body::FileSlice;

pub(crate) use sender::FileSender;

/// Known by its address. One byte would do; with more, an assertion about lengths has less to stumble over.
static STAND_IN: [u8; 4096] = [b'?'; 4096];

fn is_stand_in(bytes: &[u8]) -> bool {
    std::ptr::eq(bytes.as_ptr(), STAND_IN.as_ptr())
}

/// The parts of files that one connection is to send, in their order.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    parts: Mutex<VecDeque<Arc<Part>>>,
    // A stand-in was read as if it were content.
    misread: AtomicBool,
}

/// A part of a file on its way.
#[derive(Debug)]
struct Part {
    slice: FileSlice,
    sent: AtomicU64,
}

impl Outgoing {
    /// Lines a part up. It must be given to hyper before any other.
    pub(crate) fn send(self: &Arc<Self>, slice: FileSlice) -> Piece {
        let length = slice.length;
        let part = Arc::new(Part { slice, sent: AtomicU64::new(0) });
        self.lock().push_back(Arc::clone(&part));
        Piece::File(FilePiece { outgoing: Arc::clone(self), part, advanced: 0, length })
    }

    fn first(&self) -> Option<Arc<Part>> {
        self.lock().front().cloned()
    }

    fn note_sent(&self, part: &Part, count: u64) {
        let sent = part.sent.fetch_add(count, Ordering::Relaxed) + count;
        if sent >= part.slice.length {
            self.lock().pop_front();
        }
    }

    fn is_misread(&self) -> bool {
        self.misread.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Part>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What hyper gets of a body.
pub(crate) enum Piece {
    /// Bytes, as they are.
    Bytes(Bytes),
    /// A part of a file.
    File(FilePiece),
}

/// A part of a file, as a buffer.
pub(crate) struct FilePiece {
    outgoing: Arc<Outgoing>,
    part: Arc<Part>,
    advanced: u64,
    length: u64,
}

impl FilePiece {
    fn left(&self) -> usize {
        usize::try_from(self.length - self.advanced).unwrap_or(usize::MAX)
    }

    fn advance(&mut self, count: usize) {
        self.advanced = self.advanced.saturating_add(count as u64).min(self.length);
        if self.advanced > self.part.sent.load(Ordering::Relaxed) {
            self.outgoing.misread.store(true, Ordering::Relaxed);
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.remaining(),
            Self::File(piece) => piece.left(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.chunk(),
            Self::File(piece) => &STAND_IN[..piece.left().min(STAND_IN.len())],
        }
    }

    fn chunks_vectored<'a>(&'a self, buffers: &mut [IoSlice<'a>]) -> usize {
        match (self.chunk(), buffers.first_mut()) {
            (chunk, Some(first)) if !chunk.is_empty() => {
                *first = IoSlice::new(chunk);
                1
            }
            _ => 0,
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::File(piece) => piece.advance(count),
        }
    }
}

#[cfg(test)]
mod tests;
