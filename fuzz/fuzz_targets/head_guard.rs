//! Any bytes on a connection are judged without a panic, and the same however they are split. The first byte of the
//! input says where.
#![no_main]

// The module is pure; its crate would bring the whole server along.
#[path = "../../crates/http/src/server/head_guard/mod.rs"]
#[allow(dead_code, reason = "the target drives a part of the module")]
mod head_guard;

use head_guard::{HeadGuard, Inspection};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 512;

fuzz_target!(|input: &[u8]| {
    let Some((step, bytes)) = input.split_first() else { return };
    let whole = HeadGuard::new(LIMIT).inspect(bytes);
    assert!(whole.release <= bytes.len());
    assert_eq!(in_pieces(bytes, usize::from(*step).max(1)), whole);
});

fn in_pieces(bytes: &[u8], step: usize) -> Inspection {
    let mut guard = HeadGuard::new(LIMIT);
    let mut release = 0;
    for end in (0..bytes.len()).step_by(step).skip(1).chain([bytes.len()]) {
        let inspection = guard.inspect(&bytes[release..end]);
        release += inspection.release;
        if inspection.refusal.is_some() {
            return Inspection { release, refusal: inspection.refusal };
        }
    }
    Inspection { release, refusal: None }
}
