//! The canonical request: what a signature covers, in one form that both sides make.
//!
//! Source: "Create a signed AWS API request", step 1, in the IAM User Guide.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use ring::digest;

use super::error::shown;
use super::parameters::RESERVED;
use super::{PathStyle, SigV4Error, SignedRequest, key};

/// In a path, the slashes stay.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');
/// What no URI may hold, beside bytes that are not ASCII.
const IMPOSSIBLE: &AsciiSet = &CONTROLS.add(b' ');

/// What does not depend on how the query string is read.
pub(super) struct Canonical<'a> {
    method: &'a str,
    path: String,
    headers: Vec<u8>,
    signed_headers: String,
    payload: String,
}

impl<'a> Canonical<'a> {
    /// Prepares the canonical request. A signed header that the request does not have is refused.
    pub(super) fn new(
        request: &SignedRequest<'a>,
        signed_headers: &[String],
        payload_sha256: &[u8; 32],
        style: PathStyle,
    ) -> Result<Self, SigV4Error> {
        Ok(Self {
            method: request.method,
            path: path(request.path, style),
            headers: headers(request, signed_headers)?,
            signed_headers: signed_headers.join(";"),
            payload: key::hex(payload_sha256),
        })
    }

    /// The SHA-256 of the canonical request with this canonical query string, in hex.
    pub(super) fn digest(&self, query: &str) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        let lines = [self.method.as_bytes(), self.path.as_bytes(), query.as_bytes(), &self.headers];
        for line in lines.into_iter().chain([self.signed_headers.as_bytes()]) {
            context.update(line);
            context.update(b"\n");
        }
        context.update(self.payload.as_bytes());
        key::hex(context.finish().as_ref())
    }
}

fn path(path: &str, style: PathStyle) -> String {
    match style {
        PathStyle::AsSent if path.is_empty() => "/".to_owned(),
        PathStyle::AsSent => utf8_percent_encode(path, IMPOSSIBLE).to_string(),
        PathStyle::Normalized => utf8_percent_encode(&normalize(path), RESERVED_IN_PATH).to_string(),
    }
}

/// Removes dot segments (RFC 3986, section 5.2.4) and, as AWS does, empty ones.
fn normalize(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let is_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let end = if is_folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// A line for each signed header. The bytes of values stay as they are.
fn headers(request: &SignedRequest<'_>, signed_headers: &[String]) -> Result<Vec<u8>, SigV4Error> {
    let mut lines = Vec::new();
    for name in signed_headers {
        let mut values = request.values(name).peekable();
        if values.peek().is_none() {
            return Err(SigV4Error::HeaderAbsent(shown(name)));
        }
        lines.extend_from_slice(name.as_bytes());
        for (value, before) in values.zip(std::iter::once(b':').chain(std::iter::repeat(b','))) {
            lines.push(before);
            collapse_into(&mut lines, value);
        }
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Adds a value without the white space around it, and with each run of white space inside as one space.
fn collapse_into(lines: &mut Vec<u8>, value: &[u8]) {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r');
    let words = value.split(is_space).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            lines.push(b' ');
        }
        lines.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_canonical() {
        let cases = [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("//", "/", "//"),
            ("/a/b", "/a/b", "/a/b"),
            ("//a//b//", "/a/b/", "//a//b//"),
            ("/a/./b/../c", "/a/c", "/a/./b/../c"),
            ("/a/b/..", "/a/", "/a/b/.."),
            ("/a/.", "/a/", "/a/."),
            ("/../../a", "/a", "/../../a"),
            ("/a/..", "/", "/a/.."),
            ("/a%20b", "/a%2520b", "/a%20b"),
            ("/a b", "/a%20b", "/a%20b"),
            ("/ሴ", "/%E1%88%B4", "/%E1%88%B4"),
            ("/a+b:c~d", "/a%2Bb%3Ac~d", "/a+b:c~d"),
            ("/a\nb", "/a%0Ab", "/a%0Ab"),
            ("*", "/%2A", "*"),
        ];
        for (given, normalized, as_sent) in cases {
            assert_eq!(path(given, PathStyle::Normalized), normalized, "{given}");
            assert_eq!(path(given, PathStyle::AsSent), as_sent, "{given}");
        }
    }

    #[test]
    fn values_are_collapsed_and_joined_in_order() {
        let given: &[(&str, &[u8])] =
            &[("b", b" \t x  y\n  z "), ("a", b"2"), ("b", b""), ("A", b"1"), ("b", b"\xff \"a   b\"")];
        let request = SignedRequest { method: "GET", path: "/", query: None, headers: given };
        let lines = headers(&request, &["a".to_owned(), "b".to_owned()]).unwrap();
        assert_eq!(lines, b"a:2,1\nb:x y z,,\xff \"a b\"\n");
        let absent = headers(&request, &["c".to_owned()]);
        assert_eq!(absent, Err(SigV4Error::HeaderAbsent("c".to_owned())));
    }
}
