//! The stream of a connection that sends files.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::{Outgoing, Part, is_stand_in};

/// The kernel sends no more than this at once (sendfile(2)).
const MOST: u64 = 0x7fff_f000;
/// What is copied at once where the kernel cannot send from a file.
const COPIED: usize = 64 * 1024;

/// A TCP connection whose stand-ins become parts of files.
#[derive(Debug)]
pub(crate) struct FileSender {
    stream: TcpStream,
    outgoing: Arc<Outgoing>,
}

impl FileSender {
    pub(crate) fn new(stream: TcpStream, outgoing: Arc<Outgoing>) -> Self {
        Self { stream, outgoing }
    }

    /// Sends some of the first part: how many bytes. An error where the file ends before its part does.
    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(part) = self.outgoing.first() else { return Poll::Ready(Err(misread())) };
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_io(Interest::WRITABLE, || send(&self.stream, &part)) {
                Ok(0) => return Poll::Ready(Err(ended_early())),
                Ok(count) => {
                    self.outgoing.note_sent(&part, count as u64);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn send(stream: &TcpStream, part: &Part) -> io::Result<usize> {
    let sent = part.sent.load(std::sync::atomic::Ordering::Relaxed);
    let offset = part.slice.offset.saturating_add(sent);
    let left = part.slice.length.saturating_sub(sent);
    match send_file(stream, &part.slice.file, offset, left) {
        // The file system cannot.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            copy(stream, &part.slice.file, offset, left)
        }
        sent => sent,
    }
}

#[cfg(target_os = "linux")]
fn send_file(stream: &TcpStream, file: &File, mut offset: u64, length: u64) -> io::Result<usize> {
    let count = usize::try_from(length.min(MOST)).unwrap_or(usize::MAX);
    Ok(rustix::fs::sendfile(stream, file, Some(&mut offset), count)?)
}

#[cfg(not(target_os = "linux"))]
fn send_file(_: &TcpStream, _: &File, _: u64, _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

fn copy(stream: &TcpStream, file: &File, offset: u64, length: u64) -> io::Result<usize> {
    let mut block = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(COPIED)];
    let read = file.read_at(&mut block, offset)?;
    if read == 0 {
        return Ok(0);
    }
    Ok(rustix::io::write(stream, &block[..read])?)
}

fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than promised")
}

fn misread() -> io::Error {
    io::Error::other("a part of a file was taken for bytes; the connection is cut before wrong ones go out")
}

impl AsyncRead for FileSender {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for FileSender {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.outgoing.is_misread() {
            return Poll::Ready(Err(misread()));
        }
        match bufs.iter().position(|buf| is_stand_in(buf)) {
            Some(0) => self.poll_send(cx),
            Some(before) => Pin::new(&mut self.stream).poll_write_vectored(cx, &bufs[..before]),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
