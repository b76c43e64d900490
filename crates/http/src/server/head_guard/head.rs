//! One request head: where it ends, and what it says about the body.

use super::Refusal;

/// hyper parses a hundred fields without allocating; nobody sends more.
const MAX_FIELDS: usize = 100;

/// hyper keeps the largest lengths for itself; no blob comes near.
const MAX_LENGTH: u64 = i64::MAX as u64;

/// How the body that follows a head is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Finds the end of a head. Line ends and control characters are judged on the way, so that a head whose end can
/// never come is refused at once.
#[derive(Debug, Default)]
pub(super) struct HeadScanner {
    scanned: usize,
    line_start: usize,
    head_start: usize,
}

/// Where a head lies in the bytes shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeadEnd {
    /// After an empty line that a client sent too much.
    pub(super) start: usize,
    /// After the empty line that ends the head.
    pub(super) end: usize,
}

impl HeadScanner {
    /// `bytes` begins with all that was shown before.
    pub(super) fn advance(&mut self, bytes: &[u8], limit: usize) -> Result<Option<HeadEnd>, Refusal> {
        while let Some(&byte) = bytes.get(self.scanned) {
            let at = self.scanned;
            if at >= limit {
                return Err(Refusal::HeadTooLarge);
            }
            self.scanned += 1;
            let after_return = at > 0 && bytes[at - 1] == b'\r';
            match byte {
                b'\n' if after_return => {
                    if let Some(end) = self.end_line(at) {
                        return Ok(Some(end));
                    }
                }
                b'\n' => return Err(Refusal::BareLineEnd),
                _ if after_return => return Err(Refusal::BareLineEnd),
                b'\r' | b'\t' => {}
                0..=31 | 127 => return Err(Refusal::ControlCharacter),
                _ => {}
            }
        }
        Ok(None)
    }

    fn end_line(&mut self, at: usize) -> Option<HeadEnd> {
        let is_empty = at == self.line_start + 1;
        let is_first = self.line_start == self.head_start;
        self.line_start = at + 1;
        // RFC 9112 section 2.2: one empty line before the request line is forgiven.
        if is_empty && is_first && self.head_start == 0 {
            self.head_start = self.line_start;
            return None;
        }
        is_empty.then_some(HeadEnd { start: self.head_start, end: at + 1 })
    }
}

/// Judges a whole head, its empty line included, and says how the body is framed.
pub(super) fn check_head(head: &[u8]) -> Result<Framing, Refusal> {
    let mut lines = lines_of(head);
    let version = request_line(lines.next().unwrap_or_default())?;
    let mut facts = Facts::default();
    for (count, line) in lines.enumerate() {
        if count >= MAX_FIELDS {
            return Err(Refusal::HeadTooLarge);
        }
        let (name, value) = field(line)?;
        facts.note(name, value)?;
    }
    facts.framing(version)
}

fn lines_of(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    // Every line feed follows a carriage return here, so splitting at one is splitting at both.
    body.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<Version, Refusal> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::RequestLine);
    };
    let method_is_right = is_token(method) && method != b"CONNECT";
    let target_is_right = !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
    if !method_is_right || !target_is_right {
        return Err(Refusal::RequestLine);
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(Refusal::RequestLine),
    }
}

/// Splits a field line into its name and its trimmed value.
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if line.first().is_some_and(|&byte| byte == b' ' || byte == b'\t') {
        return Err(Refusal::FoldedField);
    }
    let colon = line.iter().position(|&byte| byte == b':').ok_or(Refusal::HeaderField)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if is_token(name) { Ok((name, value.trim_ascii())) } else { Err(Refusal::HeaderField) }
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[derive(Debug, Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    hosts: usize,
}

impl Facts {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if name.eq_ignore_ascii_case(b"content-length") {
            self.note_length(value)
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.note_encoding(value)
        } else {
            self.hosts += usize::from(name.eq_ignore_ascii_case(b"host"));
            Ok(())
        }
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let length = decimal(value).filter(|&length| length <= MAX_LENGTH).ok_or(Refusal::ContentLength)?;
        if self.length.replace(length).is_some() { Err(Refusal::ContentLength) } else { Ok(()) }
    }

    fn note_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn framing(self, version: Version) -> Result<Framing, Refusal> {
        if self.hosts > 1 || (self.hosts == 0 && version == Version::Http11) {
            return Err(Refusal::Host);
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Refusal::TwoFramings),
            (true, None) if version == Version::Http10 => Err(Refusal::TransferEncoding),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}
