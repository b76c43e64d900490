//! An endpoint is read back from the path that it shows as, and its repository's name stood in the path as it is.
#![no_main]

use berth_oci::endpoint::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let Ok(endpoint) = Endpoint::parse(path) else { return };
    let shown = endpoint.to_string();
    assert_eq!(Endpoint::parse(&shown).as_ref(), Ok(&endpoint));
    // The escaped colon of a digest and a slash at the end are all that may differ.
    let plain = path.replacen("%3A", ":", 1).replacen("%3a", ":", 1);
    assert_eq!(shown.trim_end_matches('/'), plain.trim_end_matches('/'));
});
