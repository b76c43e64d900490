//! A PROXY header says the same whatever comes behind it, every part of it is the beginning of one, and it never ends
//! beyond what was sent.
#![no_main]

use berth_http::server::proxy_header::{LONGEST, Reading, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let said = parse(bytes);
    let Reading::Complete { length, .. } = said else { return };
    assert!(length <= bytes.len() && length <= LONGEST);
    assert_eq!(parse(&bytes[..length]), said);
    assert_eq!(parse(&[&bytes[..length], b"\r\n"].concat()), said);
    for end in 0..length {
        assert_eq!(parse(&bytes[..end]), Reading::Incomplete);
    }
});
