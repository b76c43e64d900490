//! A reply, and reading it strictly.

use std::io::{self, BufRead, Read, Write};

use serde_json::Value;

/// A longer header line than any reply of ours has.
const LONGEST_LINE: u64 = 64 * 1024;

/// A whole reply: header names in lower case, in the order they came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The three digits.
    pub status: u16,
    /// Names in lower case and values without the space around them.
    pub headers: Vec<(String, String)>,
    /// Empty after HEAD, 204 and 304.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header that may come once; fails if it comes twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_values(name);
        assert!(values.len() <= 1, "{name} came more than once: {values:?}");
        values.first().copied()
    }

    /// Every value of a header.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(header, _)| header == &name.to_ascii_lowercase());
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text, whatever it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The code of the first error in a body of the distribution specification's form.
    pub fn error_code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body["errors"][0]["code"].as_str()?.to_owned())
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        self.expect_any(&[status])
    }

    /// Fails unless the status is one of these.
    #[track_caller]
    pub fn expect_any(self, statuses: &[u16]) -> Self {
        assert!(statuses.contains(&self.status), "wanted {statuses:?}, got {}: {}", self.status, self.brief());
        self
    }

    /// Fails unless status and code of the first error are these.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.error_code().as_deref(), Some(code), "{}", reply.brief());
        reply
    }

    /// Whether the server said that it closes the connection.
    pub fn closes(&self) -> bool {
        self.header_values("connection").iter().any(|value| value.eq_ignore_ascii_case("close"))
    }

    fn brief(&self) -> String {
        let text = self.text();
        let start: String = text.chars().take(600).collect();
        format!("{:?} {start}", self.headers)
    }
}

/// Status and headers, the body still on the wire.
#[derive(Debug)]
pub(crate) struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// How the end of a body shows (RFC 9112, section 6.3).
enum Framing {
    Nothing,
    Length(u64),
    Chunked,
    Close,
}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Reads one line that must end in CRLF.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return Err(broken(format!("line without CRLF: {line:?}")));
    };
    if text.contains(&b'\r') {
        return Err(broken("CR inside a line"));
    }
    String::from_utf8(text.to_vec()).map_err(|_| broken("header that is not UTF-8"))
}

/// Reads status line and headers.
pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let line = read_line(reader)?;
    let status = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let status = status.and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    let status = status.ok_or_else(|| broken(format!("status line {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(Head { status, headers });
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken(format!("header {line:?}")))?;
        if name.is_empty() || name.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(broken(format!("header name {name:?}")));
        }
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn framing(method: &str, head: &Head) -> io::Result<Framing> {
    let values = |name| head.headers.iter().filter(move |(header, _)| header == name).map(|(_, value)| value);
    let (mut lengths, mut encodings) = (values("content-length"), values("transfer-encoding"));
    let (length, encoding) = (lengths.next(), encodings.next());
    if lengths.next().is_some() || encodings.next().is_some() || (length.is_some() && encoding.is_some()) {
        return Err(broken("a body framed twice"));
    }
    if method == "HEAD" || matches!(head.status, 100..=199 | 204 | 304) {
        return Ok(Framing::Nothing);
    }
    match (length, encoding) {
        (Some(length), _) => length.parse().map(Framing::Length).map_err(|_| broken(format!("length {length:?}"))),
        (_, Some(encoding)) if encoding == "chunked" => Ok(Framing::Chunked),
        (_, Some(encoding)) => Err(broken(format!("transfer encoding {encoding:?}"))),
        _ => Ok(Framing::Close),
    }
}

/// Reads the body that belongs to the head into the sink and gives its length in bytes.
pub(crate) fn read_body(
    reader: &mut impl BufRead,
    method: &str,
    head: &Head,
    sink: &mut impl Write,
) -> io::Result<u64> {
    match framing(method, head)? {
        Framing::Nothing => Ok(0),
        Framing::Length(length) => copy_exactly(reader, length, sink),
        Framing::Chunked => copy_chunks(reader, sink),
        Framing::Close => io::copy(reader, sink),
    }
}

fn copy_exactly(reader: &mut impl BufRead, length: u64, sink: &mut impl Write) -> io::Result<u64> {
    let copied = io::copy(&mut reader.take(length), sink)?;
    if copied == length { Ok(copied) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn copy_chunks(reader: &mut impl BufRead, sink: &mut impl Write) -> io::Result<u64> {
    let mut total = 0;
    loop {
        let line = read_line(reader)?;
        let size = u64::from_str_radix(&line, 16).map_err(|_| broken(format!("chunk size {line:?}")))?;
        total += copy_exactly(reader, size, sink)?;
        if size == 0 {
            while !read_line(reader)?.is_empty() {}
            return Ok(total);
        }
        if !read_line(reader)?.is_empty() {
            return Err(broken("chunk longer than said"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, bytes: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut reader = bytes.as_bytes();
        let head = read_head(&mut reader)?;
        let mut body = Vec::new();
        read_body(&mut reader, method, &head, &mut body)?;
        Ok((head.status, body))
    }

    #[test]
    fn bodies_end_where_the_framing_says() {
        let cases = [
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokrest", "ok"),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nrest", "ok"),
            ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nrest", ""),
            ("GET", "HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
        ];
        for (method, bytes, body) in cases {
            assert_eq!(read(method, bytes).unwrap(), (200, body.as_bytes().to_vec()), "{bytes:?}");
        }
    }

    #[test]
    fn broken_replies_are_refused() {
        let cases = [
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "HTTP/1.1 20x OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        ];
        for bytes in cases {
            assert!(read("GET", bytes).is_err(), "{bytes:?}");
        }
    }
}
