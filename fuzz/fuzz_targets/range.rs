//! A part that a `Range` header asks for lies within the content, whatever its length.
#![no_main]

use berth_oci::range::{ByteRange, RangeOutcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    for total in [0, 1, 10, 2048, u64::MAX] {
        match ByteRange::parse_header(header, total) {
            RangeOutcome::Part { start, end_inclusive } => {
                assert!(start <= end_inclusive && end_inclusive < total);
                let again = format!("bytes={start}-{end_inclusive}");
                let part = RangeOutcome::Part { start, end_inclusive };
                assert_eq!(ByteRange::parse_header(&again, total), part);
            }
            RangeOutcome::Whole | RangeOutcome::Unsatisfiable => {}
        }
    }
});
