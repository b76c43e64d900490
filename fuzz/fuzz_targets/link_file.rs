//! What is read from a link file is what stands there, without the white space.
#![no_main]

use berth_transfer::folder::parse_link;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(digest) = parse_link(bytes) {
        assert_eq!(digest.to_string().as_bytes(), bytes.trim_ascii());
    }
});
