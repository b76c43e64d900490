//! The body of a response.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http_body::{Body, Frame, SizeHint};

use super::file::{FileReader, FileSlice};
use crate::server::zero_copy::{Outgoing, Piece};

/// The body of a response: nothing, bytes, a part of a file, or a stream.
pub struct ResponseBody(Kind);

enum Kind {
    Empty,
    Full(Bytes),
    File(FileReader),
    Stream { stream: BoxStream<'static, io::Result<Bytes>>, remaining: Option<u64> },
}

impl ResponseBody {
    /// No body.
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Full(bytes)) }
    }

    /// A part of a file. A file that turns out shorter cuts the connection, so that the client sees a broken reply.
    pub fn file(slice: FileSlice) -> Self {
        if slice.length == 0 { Self::empty() } else { Self(Kind::File(FileReader::new(slice))) }
    }

    /// Bytes as they come. An error, or another length than the one given, cuts the connection.
    pub fn stream(stream: BoxStream<'static, io::Result<Bytes>>, length: Option<u64>) -> Self {
        Self(Kind::Stream { stream, remaining: length })
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T: Into<Bytes>> From<T> for ResponseBody {
    fn from(bytes: T) -> Self {
        Self::full(bytes)
    }
}

impl ResponseBody {
    /// The next piece. A part of a file waits in `outgoing`, where there is one, and is read otherwise.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: Option<&Arc<Outgoing>>,
    ) -> Poll<Option<io::Result<Piece>>> {
        if let (Kind::File(reader), Some(outgoing)) = (&mut self.0, outgoing) {
            return reader.poll_part(cx).map(|part| part.map(|part| part.map(|part| part.through(outgoing))));
        }
        let frame = ready!(Pin::new(self).poll_frame(cx));
        // No body of ours has trailers.
        let bytes = |frame: Frame<Bytes>| Piece::Bytes(frame.into_data().unwrap_or_default());
        Poll::Ready(frame.map(|frame| frame.map(bytes)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut self.0 {
            Kind::Empty => return Poll::Ready(None),
            Kind::Full(bytes) => Some(Ok(std::mem::take(bytes))),
            Kind::File(reader) => return reader.poll_block(cx).map(|block| block.map(|b| b.map(Frame::data))),
            Kind::Stream { stream, remaining } => counted(ready!(stream.poll_next_unpin(cx)), remaining),
        };
        if !matches!((&self.0, &piece), (Kind::Stream { .. }, Some(Ok(_)))) {
            self.0 = Kind::Empty;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::File(reader) => reader.remaining() == 0,
            Kind::Stream { remaining, .. } => *remaining == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File(reader) => SizeHint::with_exact(reader.remaining()),
            Kind::Stream { remaining, .. } => remaining.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

fn counted(piece: Option<io::Result<Bytes>>, remaining: &mut Option<u64>) -> Option<io::Result<Bytes>> {
    let Some(left) = remaining else { return piece };
    let wrong_length = || io::Error::new(io::ErrorKind::InvalidData, "the stream has another length than promised");
    match piece {
        Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
            Some(rest) => {
                *left = rest;
                Some(Ok(bytes))
            }
            None => Some(Err(wrong_length())),
        },
        None if *left > 0 => Some(Err(wrong_length())),
        other => other,
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.0 {
            Kind::Empty => "empty",
            Kind::Full(_) => "full",
            Kind::File(_) => "file",
            Kind::Stream { .. } => "stream",
        };
        write!(f, "ResponseBody::{name}({:?})", self.size_hint().exact())
    }
}
