//! The range of a chunk is in order, has a length, and is read back from its plain form.
#![no_main]

use berth_oci::range::ContentRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(range) = ContentRange::parse(text) else { return };
    assert!(range.start <= range.end_inclusive && range.end_inclusive < u64::MAX);
    for again in [
        format!("{}-{}", range.start, range.end_inclusive),
        format!("bytes {}-{}/{}", range.start, range.end_inclusive, "*"),
    ] {
        assert_eq!(ContentRange::parse(&again), Ok(range));
    }
});
