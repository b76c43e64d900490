//! Any `Accept` header is read, and naming a type exactly, at first, accepts it. Each line is one header.
#![no_main]

use berth_oci::accept::Accept;
use berth_oci::media_type::{MediaType, OCI_INDEX, OCI_MANIFEST};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for known in [OCI_MANIFEST, OCI_INDEX] {
        let media_type = MediaType::parse(known).unwrap();
        let _ = Accept::parse(text.split('\n')).accepts(&media_type);
        assert!(Accept::parse(std::iter::once(known).chain(text.split('\n'))).accepts(&media_type));
        let refused = format!("{known};q=0");
        assert!(!Accept::parse(std::iter::once(refused.as_str()).chain(text.split('\n'))).accepts(&media_type));
    }
});
