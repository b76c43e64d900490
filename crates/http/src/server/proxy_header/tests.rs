use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

fn client(address: &str) -> Source {
    Source::Client(address.parse::<IpAddr>().unwrap())
}

fn v4(added: &[u8]) -> Vec<u8> {
    [&[203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb], added].concat()
}

fn v6(first: &str) -> Vec<u8> {
    let from: std::net::Ipv6Addr = first.parse().unwrap();
    [&from.octets()[..], &[0; 16], &[0x12, 0x34, 0x01, 0xbb]].concat()
}

#[test]
fn headers_that_are_right() {
    let table: [(Vec<u8>, Source); 14] = [
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 4660 443\r\n".to_vec(), client("203.0.113.7")),
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 0 65535\r\n".to_vec(), client("203.0.113.7")),
        (b"PROXY TCP6 2001:db8::7 ::1 4660 443\r\n".to_vec(), client("2001:db8::7")),
        (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 4660 443\r\n".to_vec(), client("203.0.113.7")),
        (b"PROXY UNKNOWN\r\n".to_vec(), Source::Peer),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), Source::Peer),
        (second(0x21, 0x11, &v4(&[])), client("203.0.113.7")),
        (second(0x21, 0x11, &v4(&[4, 0, 0])), client("203.0.113.7")),
        (second(0x21, 0x11, &v4(&[1, 0, 2, b'h', b'2', 3, 0, 1, 9])), client("203.0.113.7")),
        (second(0x21, 0x21, &v6("2001:db8::7")), client("2001:db8::7")),
        (second(0x21, 0x21, &v6("::ffff:203.0.113.7")), client("203.0.113.7")),
        (second(0x21, 0x31, &[0; 216]), Source::Peer),
        (second(0x21, 0x00, b"anything"), Source::Peer),
        (second(0x20, 0x11, &v4(&[])), Source::Peer),
    ];
    for (bytes, source) in table {
        let length = bytes.len();
        assert_eq!(parse(&bytes), Reading::Complete { source, length }, "{bytes:?}");
        // What comes behind it does not matter, and every part of it is a beginning.
        assert_eq!(parse(&[&bytes[..], b"GET / HTTP/1.1\r\n"].concat()), Reading::Complete { source, length });
        for end in 1..length {
            assert_eq!(parse(&bytes[..end]), Reading::Incomplete, "{:?}", &bytes[..end]);
        }
    }
}

#[test]
fn headers_that_are_wrong() {
    let lines = [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY UDP4 203.0.113.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 1\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 1 2 \r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 1 2 3\r\n",
        "PROXY TCP4  203.0.113.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4\t203.0.113.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4 203.0.113.07 10.0.0.1 1 2\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 01 2\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 +1 2\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 1 65536\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 1 \r\n",
        "PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
        "PROXY TCP6 203.0.113.7 10.0.0.1 1 2\r\n",
        "PROXY TCP6 2001:db8::7%1 ::1 1 2\r\n",
        "PROXY tcp4 203.0.113.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 1 2\n\r\n",
        "PROXY TCP4 localhost 10.0.0.1 1 2\r\n",
        "PROXY \u{e9}\r\n",
    ];
    for line in lines {
        assert_eq!(parse(line.as_bytes()), Reading::Malformed("a line of version 1 is wrong"), "{line:?}");
    }
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    assert_eq!(parse(long.as_bytes()), Reading::Malformed("a line of version 1 is too long"));
    let blocks = [
        second(0x11, 0x11, &v4(&[])),
        second(0x22, 0x11, &v4(&[])),
        second(0x21, 0x12, &v4(&[])),
        second(0x21, 0x22, &v6("::1")),
        second(0x21, 0x32, &[0; 216]),
        second(0x21, 0x41, &v4(&[])),
        second(0x21, 0x11, &v4(&[])[..11]),
        second(0x21, 0x21, &v6("::1")[..35]),
        second(0x21, 0x31, &[0; 215]),
        second(0x21, 0x11, &v4(&[1])),
        second(0x21, 0x11, &v4(&[1, 0, 2, 9])),
    ];
    for block in blocks {
        assert_eq!(parse(&block), Reading::Malformed("a header of version 2 is wrong"), "{block:?}");
    }
    let long = [SIGNATURE, &[0x20, 0, 0x0f, 0xf1]].concat();
    assert_eq!(parse(&long), Reading::Malformed("a header of version 2 is too long"));
    assert_eq!(parse(&[SIGNATURE, &[0x20, 0, 0x0f, 0xf0]].concat()), Reading::Incomplete);
}

#[test]
fn what_is_no_header() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXYTCP4",
        b"proxy TCP4",
        b"POST",
        b"\x16\x03\x01\x02",
        b"\r\n\r\nGET",
        b"\r\n\r\n\0\r\nQUIT\r",
    ] {
        assert_eq!(parse(bytes), Reading::Absent, "{bytes:?}");
    }
    for bytes in [&b""[..], b"P", b"PROXY", b"\r", b"\r\n\r\n\0\r\nQUIT"] {
        assert_eq!(parse(bytes), Reading::Incomplete, "{bytes:?}");
    }
}

proptest! {
    /// No bytes panic, and a header is told the same whatever comes behind it.
    #[test]
    fn any_bytes(head in 0..4_usize, rest in proptest::collection::vec(any::<u8>(), 0..300), behind in any::<u8>()) {
        let head = [&b""[..], b"PROXY TCP4 ", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"][head];
        let bytes = [head, &rest].concat();
        if let Reading::Complete { source, length } = parse(&bytes) {
            prop_assert!(length <= bytes.len() && length <= LONGEST);
            let cut = [&bytes[..length], &[behind]].concat();
            prop_assert_eq!(parse(&cut), Reading::Complete { source, length });
        }
    }
}
