//! The strict reader of HTTP/1 framing that stands in front of hyper.
//!
//! hyper accepts what RFC 9112 lets a recipient repair: `Content-Length` together with `Transfer-Encoding`, equal
//! `Content-Length` lines, bare line feeds. A proxy in front may repair them in another way, and where two readers
//! disagree a request can be smuggled. So everything ambiguous is refused here (RFC 9112 sections 2.2, 5, 6 and 7.1).
//!
//! The guard is pure: it is shown the bytes that came and says how many of them may go on. Head bytes go on when their
//! head is whole and right, body bytes at once. It follows the framing from request to request, so pipelining works,
//! and lets everything pass once the connection has begun with the preface of HTTP/2.

mod chunked;
mod head;
#[cfg(test)]
mod tests;

use chunked::Chunks;
use head::{Framing, HeadEnd, HeadScanner, check_head};

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The head is longer, or has more fields, than allowed. Answer 431.
    #[error("the request head is too large")]
    HeadTooLarge,
    /// A line feed without a carriage return before it, or a carriage return without a line feed after it.
    #[error("a line of the request does not end in CRLF")]
    BareLineEnd,
    /// A control character in the head.
    #[error("the request head holds a control character")]
    ControlCharacter,
    /// The first line is not `method SP target SP HTTP/1.x`, or the method is CONNECT.
    #[error("the request line is malformed")]
    RequestLine,
    /// A line without a field name, with something odd in it, or with a space before the colon.
    #[error("a header field is malformed")]
    HeaderField,
    /// A line that begins with white space (obs-fold).
    #[error("a header field is folded over lines")]
    FoldedField,
    /// `Content-Length` twice, not of digits only, or too large.
    #[error("the content length is repeated or not a number")]
    ContentLength,
    /// `Transfer-Encoding` is anything but one `chunked`, or comes with HTTP/1.0.
    #[error("the transfer encoding is not exactly `chunked`")]
    TransferEncoding,
    /// Both `Content-Length` and `Transfer-Encoding`.
    #[error("both a content length and a transfer encoding are given")]
    TwoFramings,
    /// No `Host` in HTTP/1.1, or several.
    #[error("there must be exactly one host field")]
    Host,
    /// A chunked body is not framed right.
    #[error("the chunked body is malformed")]
    Chunk,
}

/// What the guard says about the bytes it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// So many bytes, from the first, may go on.
    pub release: usize,
    /// Those after them must not; nothing more may come.
    pub refusal: Option<Refusal>,
}

/// Follows the framing of one connection. Sans I/O: see [`HeadGuard::inspect`].
#[derive(Debug)]
pub struct HeadGuard {
    max_header_bytes: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Head(HeadScanner),
    Body(u64),
    Chunked(Chunks),
    Http2,
    Refused { refusal: Refusal, in_body: bool },
}

impl HeadGuard {
    /// A guard at the start of a connection. A head may have so many bytes.
    pub fn new(max_header_bytes: usize) -> Self {
        Self { max_header_bytes, state: State::Start }
    }

    /// Looks at all bytes that have come and were not released yet; each call repeats those that were held back.
    pub fn inspect(&mut self, pending: &[u8]) -> Inspection {
        let mut release = 0;
        loop {
            let step = self.step(&pending[release..]);
            match step {
                Ok(Step::Released(count)) => release += count,
                Ok(Step::Turn) => {}
                Ok(Step::NeedsMore) => return Inspection { release, refusal: None },
                Err(refusal) => {
                    self.state = State::Refused { refusal, in_body: self.is_in_body() };
                    return Inspection { release, refusal: Some(refusal) };
                }
            }
        }
    }

    /// Whether the connection speaks HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self.state, State::Http2)
    }

    /// Whether the next byte belongs to a head, not to a body.
    pub fn expects_head(&self) -> bool {
        matches!(self.state, State::Start | State::Head(_))
    }

    /// Whether the next byte belongs to a body, or the refusal came in the middle of one: then it is for the reader of
    /// the body to hear of it, since no further head can be answered.
    pub fn is_in_body(&self) -> bool {
        matches!(self.state, State::Body(_) | State::Chunked(_) | State::Refused { in_body: true, .. })
    }

    fn step(&mut self, rest: &[u8]) -> Result<Step, Refusal> {
        match &mut self.state {
            State::Refused { refusal, .. } => Err(*refusal),
            State::Start => Ok(self.start(rest)),
            State::Http2 => Ok(Step::released(rest.len())),
            State::Head(_) => self.head(rest),
            State::Body(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= count as u64;
                if *left == 0 {
                    self.state = State::Head(HeadScanner::default());
                    return Ok(if count == 0 { Step::Turn } else { Step::Released(count) });
                }
                Ok(Step::released(count))
            }
            State::Chunked(chunks) => {
                let (count, ended) = chunks.advance(rest)?;
                if ended {
                    self.state = State::Head(HeadScanner::default());
                }
                Ok(Step::released(count))
            }
        }
    }

    fn start(&mut self, rest: &[u8]) -> Step {
        if rest.starts_with(HTTP2_PREFACE) {
            self.state = State::Http2;
        } else if HTTP2_PREFACE.starts_with(rest) {
            return Step::NeedsMore;
        } else {
            self.state = State::Head(HeadScanner::default());
        }
        Step::Turn
    }

    fn head(&mut self, rest: &[u8]) -> Result<Step, Refusal> {
        let State::Head(scanner) = &mut self.state else { return Ok(Step::Turn) };
        let Some(HeadEnd { start, end }) = scanner.advance(rest, self.max_header_bytes)? else {
            return Ok(Step::NeedsMore);
        };
        self.state = match check_head(&rest[start..end])? {
            Framing::Length(0) => State::Head(HeadScanner::default()),
            Framing::Length(length) => State::Body(length),
            Framing::Chunked => State::Chunked(Chunks::new(self.max_header_bytes)),
        };
        Ok(Step::Released(end))
    }
}

enum Step {
    Released(usize),
    Turn,
    NeedsMore,
}

impl Step {
    fn released(count: usize) -> Self {
        if count == 0 { Self::NeedsMore } else { Self::Released(count) }
    }
}
