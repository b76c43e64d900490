//! The framing of a chunked body (RFC 9112 section 7.1), followed without looking at the data.

use super::Refusal;
use super::head::field;

/// Nobody sends chunk extensions; a short one is passed over.
const MAX_EXTENSION: usize = 256;

/// Where in a chunked body the next byte falls.
#[derive(Debug)]
pub(super) struct Chunks {
    state: State,
    trailer_bytes_left: usize,
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64, length: usize },
    SizeLineFeed { size: u64 },
    Data { left: u64 },
    DataReturn,
    DataLineFeed,
    Trailer,
    TrailerLineFeed,
    Ended,
}

const SIZE: State = State::Size { size: 0, digits: 0 };

impl Chunks {
    /// The trailer section may have so many bytes.
    pub(super) fn new(max_trailer_bytes: usize) -> Self {
        Self { state: SIZE, trailer_bytes_left: max_trailer_bytes, line: Vec::new() }
    }

    /// Goes over the next bytes. Gives how many belong to this body, and whether it has ended. A wrong byte is
    /// refused when it is the first.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Ended {
            if let State::Data { left } = &mut self.state {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                *left -= count as u64;
                at += count;
                if *left == 0 {
                    self.state = State::DataReturn;
                }
            } else {
                match self.next(bytes[at]) {
                    Ok(state) => self.state = state,
                    // What is right goes on; the same byte is refused again by the next call.
                    Err(_) if at > 0 => return Ok((at, false)),
                    Err(refusal) => return Err(refusal),
                }
                at += 1;
            }
        }
        Ok((at, self.state == State::Ended))
    }

    fn next(&mut self, byte: u8) -> Result<State, Refusal> {
        match (self.state, byte) {
            (State::Size { size, digits }, _) => size_byte(size, digits, byte),
            (State::Extension { size, .. }, b'\r') => Ok(State::SizeLineFeed { size }),
            (State::Extension { size, length }, b'\t' | 32..=126) if length < MAX_EXTENSION => {
                Ok(State::Extension { size, length: length + 1 })
            }
            (State::SizeLineFeed { size: 0 }, b'\n') => Ok(State::Trailer),
            (State::SizeLineFeed { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataReturn, b'\r') => Ok(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Ok(SIZE),
            (State::Trailer, b'\r') => Ok(State::TrailerLineFeed),
            (State::Trailer, _) => self.trailer_byte(byte),
            (State::TrailerLineFeed, b'\n') => self.end_trailer_line(),
            _ => Err(Refusal::Chunk),
        }
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, Refusal> {
        let is_text = byte == b'\t' || (byte >= 32 && byte != 127);
        self.trailer_bytes_left = self.trailer_bytes_left.checked_sub(1).ok_or(Refusal::Chunk)?;
        self.line.push(byte);
        if is_text { Ok(State::Trailer) } else { Err(Refusal::Chunk) }
    }

    fn end_trailer_line(&mut self) -> Result<State, Refusal> {
        if self.line.is_empty() {
            return Ok(State::Ended);
        }
        field(&self.line).map_err(|_| Refusal::Chunk)?;
        self.line.clear();
        self.trailer_bytes_left = self.trailer_bytes_left.saturating_sub(2);
        Ok(State::Trailer)
    }
}

fn size_byte(size: u64, digits: u8, byte: u8) -> Result<State, Refusal> {
    match (byte, char::from(byte).to_digit(16)) {
        // Sixteen digits would reach lengths that hyper keeps for itself.
        (_, Some(digit)) if digits < 15 => Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }),
        (b';', _) if digits > 0 => Ok(State::Extension { size, length: 0 }),
        (b'\r', _) if digits > 0 => Ok(State::SizeLineFeed { size }),
        _ => Err(Refusal::Chunk),
    }
}
