use proptest::prelude::*;

use super::*;

const LIMIT: usize = 4096;

fn inspect_whole(bytes: &[u8]) -> Inspection {
    HeadGuard::new(LIMIT).inspect(bytes)
}

/// Shows the bytes in pieces, as the wrapper does: what was held back comes again.
fn inspect_pieces(bytes: &[u8], cuts: &[usize]) -> Inspection {
    let mut guard = HeadGuard::new(LIMIT);
    let mut released = 0;
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    for end in ends {
        let inspection = guard.inspect(&bytes[released..end]);
        released += inspection.release;
        if inspection.refusal.is_some() {
            return Inspection { release: released, ..inspection };
        }
    }
    Inspection { release: released, refusal: None }
}

fn passes(request: &str) {
    assert_eq!(inspect_whole(request.as_bytes()), Inspection { release: request.len(), refusal: None }, "{request:?}");
}

fn refused(request: &[u8], refusal: Refusal) {
    let inspection = inspect_whole(request);
    assert_eq!(inspection.refusal, Some(refusal), "{:?}", String::from_utf8_lossy(request));
}

fn refused_head(fields: &str, refusal: Refusal) {
    let request = format!("POST /v2/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    refused(request.as_bytes(), refusal);
    assert_eq!(inspect_whole(request.as_bytes()).release, 0);
}

#[test]
fn good_requests_pass() {
    for request in [
        "GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://a/v2/ HTTP/1.1\r\nHost: a\r\nX-Text: caf\u{e9} \t ok\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \t003 \r\n\r\nabc",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\na\n\0\r\n0\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0A;x=\"y\"\r\n0123456789\r\n00\r\nDigest: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        passes(request);
    }
}

#[test]
fn http2_passes_untouched() {
    let mut bytes = HTTP2_PREFACE.to_vec();
    bytes.extend_from_slice(b"\0\n\r\n\n anything");
    let mut guard = HeadGuard::new(LIMIT);
    assert_eq!(guard.inspect(&bytes[..10]), Inspection { release: 0, refusal: None });
    assert!(!guard.is_http2());
    assert_eq!(guard.inspect(&bytes), Inspection { release: bytes.len(), refusal: None });
    assert!(guard.is_http2());
    refused(b"PRI * HTTP/2.0\r\n\r\nSX", Refusal::RequestLine);
    refused(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::RequestLine);
}

#[test]
fn ambiguous_framing_is_refused() {
    for (fields, refusal) in [
        ("Content-Length: 3\r\nTransfer-Encoding: chunked", Refusal::TwoFramings),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3", Refusal::TwoFramings),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked", Refusal::TwoFramings),
        ("Content-Length: 3\r\nContent-Length: 3", Refusal::ContentLength),
        ("Content-Length: 3\r\ncontent-length: 4", Refusal::ContentLength),
        ("Content-Length: 3, 3", Refusal::ContentLength),
        ("Content-Length: +3", Refusal::ContentLength),
        ("Content-Length: -3", Refusal::ContentLength),
        ("Content-Length: 0x3", Refusal::ContentLength),
        ("Content-Length: 3 3", Refusal::ContentLength),
        ("Content-Length:", Refusal::ContentLength),
        ("Content-Length: 9223372036854775808", Refusal::ContentLength),
        ("Content-Length: 99999999999999999999999", Refusal::ContentLength),
        ("Transfer-Encoding: gzip", Refusal::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked", Refusal::TransferEncoding),
        ("Transfer-Encoding: chunked, identity", Refusal::TransferEncoding),
        ("Transfer-Encoding: xchunked", Refusal::TransferEncoding),
        ("Transfer-Encoding: \"chunked\"", Refusal::TransferEncoding),
        ("Transfer-Encoding:", Refusal::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Refusal::TransferEncoding),
        ("Host: b", Refusal::Host),
        (" folded: x", Refusal::FoldedField),
        ("A: x\r\n\tfolded", Refusal::FoldedField),
        ("Content-Length : 3", Refusal::HeaderField),
        ("Content-Length\t: 3", Refusal::HeaderField),
        (": x", Refusal::HeaderField),
        ("no colon", Refusal::HeaderField),
        ("na me: x", Refusal::HeaderField),
        ("naïve: x", Refusal::HeaderField),
        ("A: x\ny", Refusal::BareLineEnd),
        ("A: x\ry", Refusal::BareLineEnd),
        ("A: x\r\r", Refusal::BareLineEnd),
        ("A: x\0y", Refusal::ControlCharacter),
        ("A: x\x0by", Refusal::ControlCharacter),
        ("A: x\x7fy", Refusal::ControlCharacter),
    ] {
        refused_head(fields, refusal);
    }
    refused(b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::TransferEncoding);
    refused(b"GET / HTTP/1.1\r\n\r\n", Refusal::Host);
}

#[test]
fn odd_request_lines_are_refused() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET / HTTP/1.2",
        "GET / http/1.1",
        "GET / HTTP/2.0",
        "G\u{e9}T / HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "GET /",
        "(GET) / HTTP/1.1",
    ] {
        refused(format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), Refusal::RequestLine);
    }
    refused(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::RequestLine);
    refused(b"GET / HTTP/1.1\nHost: a\n\n", Refusal::BareLineEnd);
    refused(b"GET / HTTP/1.1\r\nHost: a\n", Refusal::BareLineEnd);
}

#[test]
fn broken_chunks_are_refused() {
    for chunks in [
        "\r\n",
        "x\r\n",
        " 3\r\nabc\r\n",
        "3 \r\nabc\r\n",
        "+3\r\n",
        "0x3\r\n",
        "3\nabc\r\n",
        "3\r\nabcd",
        "3\r\nabc\n",
        "3\r\nabc\rx",
        "3;a\nabc",
        "3;a\0\r\n",
        "1000000000000000\r\n",
        "0\r\nfield\r\n\r\n",
        "0\r\n a: b\r\n\r\n",
        "0\r\na : b\r\n\r\n",
        "0\r\n\n",
        "0\r\na: b\n\r\n",
        "-1\r\n",
        "g\r\n",
        ";a\r\n",
    ] {
        let request = format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        refused(request.as_bytes(), Refusal::Chunk);
    }
}

#[test]
fn size_limits_hold_to_the_byte() {
    let head_of = |length: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(length - frame))
    };
    passes(&head_of(LIMIT));
    refused(head_of(LIMIT + 1).as_bytes(), Refusal::HeadTooLarge);
    refused("x".repeat(LIMIT + 1).as_bytes(), Refusal::HeadTooLarge);
    let many = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(count));
    passes(&many(99));
    refused(many(100).as_bytes(), Refusal::HeadTooLarge);
    let trailers =
        format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: {}", "x".repeat(LIMIT));
    refused(trailers.as_bytes(), Refusal::Chunk);
    let extension = format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(300));
    refused(extension.as_bytes(), Refusal::Chunk);
}

#[test]
fn requests_before_the_bad_one_go_on() {
    let good = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let inspection = inspect_whole(format!("{good}GET / HTTP/1.1\nHost: a\r\n\r\n").as_bytes());
    assert_eq!(inspection, Inspection { release: good.len(), refusal: Some(Refusal::BareLineEnd) });
}

#[test]
fn a_refusal_is_final() {
    let mut guard = HeadGuard::new(LIMIT);
    assert!(guard.inspect(b"\n").refusal.is_some());
    assert_eq!(guard.inspect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").release, 0);
    assert!(!guard.expects_head());
}

fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Just("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\r\nc"),
        Just("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Just("3\r\nabc\r\n"),
        Just("0\r\n\r\n"),
        Just("0\r\nT: x\r\n\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("Content-Length: 1\r\n"),
        Just("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Just("x"),
    ];
    prop::collection::vec(fragment, 0..8).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn the_way_bytes_are_split_changes_nothing(bytes in fragments(), cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        prop_assert_eq!(inspect_pieces(&bytes, &cuts), inspect_whole(&bytes));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(any::<usize>(), 0..4)) {
        let whole = inspect_whole(&bytes);
        prop_assert!(whole.release <= bytes.len());
        prop_assert_eq!(inspect_pieces(&bytes, &cuts), whole);
    }

    #[test]
    fn whatever_body_follows_the_next_head_is_found(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut request = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        request.extend_from_slice(&body);
        request.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        prop_assert_eq!(inspect_whole(&request), Inspection { release: request.len(), refusal: None });
    }
}
