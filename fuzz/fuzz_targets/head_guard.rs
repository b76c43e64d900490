//! The guard says the same of a connection's bytes however they were cut on their way, and once it has refused it lets
//! nothing more pass. The first byte of the input is the length of the pieces.
#![no_main]

use berth_http::server::head_guard::HeadGuard;
use libfuzzer_sys::fuzz_target;

const MAX_HEADER_BYTES: usize = 512;

fuzz_target!(|input: &[u8]| {
    let Some((&length, bytes)) = input.split_first() else { return };
    let (at_once, refused) = inspect(bytes, bytes.len().max(1));
    let (in_pieces, refused_in_pieces) = inspect(bytes, usize::from(length).max(1));
    assert_eq!(refused, refused_in_pieces);
    if !refused {
        assert_eq!(at_once, in_pieces);
    }
});

/// How many bytes a new guard lets pass, and whether it refuses the rest.
fn inspect(bytes: &[u8], piece: usize) -> (usize, bool) {
    let mut guard = HeadGuard::new(MAX_HEADER_BYTES);
    let (mut arrived, mut released) = (0, 0);
    while arrived < bytes.len() {
        arrived = bytes.len().min(arrived + piece);
        let said = guard.inspect(&bytes[released..arrived]);
        released += said.release;
        assert!(released <= arrived);
        if said.refusal.is_some() {
            let again = guard.inspect(&bytes[released..]);
            assert_eq!((again.release, again.refusal), (0, said.refusal));
            return (released, true);
        }
    }
    (released, false)
}
