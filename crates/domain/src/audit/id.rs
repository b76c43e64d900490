//! Ids in the order of time: UUIDs of version 7 (RFC 9562, section 5.7).

use std::sync::atomic::{AtomicU64, Ordering};

use berth_store::Timestamp;

/// The id of a moment with ten random bytes, of which 74 bits count.
pub(super) fn uuid7(at: Timestamp, random: [u8; 10]) -> String {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (nth, byte) in bytes.iter().enumerate() {
        if matches!(nth, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for half in [byte >> 4, byte & 0xf] {
            text.push(char::from(HEX[usize::from(half)]));
        }
    }
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Many ids from one piece of randomness: each has the next number behind a start that nobody knows.
pub(super) struct Ids {
    start: u128,
    given: AtomicU64,
}

impl Ids {
    pub(super) fn new(start: [u8; 16]) -> Self {
        Self { start: u128::from_be_bytes(start), given: AtomicU64::new(0) }
    }

    pub(super) fn next(&self, at: Timestamp) -> String {
        let given = self.given.fetch_add(1, Ordering::Relaxed);
        let bytes = self.start.wrapping_add(u128::from(given)).to_be_bytes();
        let mut random = [0; 10];
        random.copy_from_slice(&bytes[6..]);
        uuid7(at, random)
    }
}

/// The moment that an id bears; `None` of a text that is no such id.
pub(super) fn moment(id: &str) -> Option<Timestamp> {
    let is_one = id.len() == 36 && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let (high, low) = (id.get(..8).filter(|_| is_one)?, id.get(9..13)?);
    let millis = i64::from_str_radix(high, 16).ok()? << 16 | i64::from_str_radix(low, 16).ok()?;
    (id.get(14..15) == Some("7")).then_some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_bear_their_moment_and_follow_it() {
        let at = Timestamp::from_millis(1_800_000_000_123);
        let id = uuid7(at, [0xff; 10]);
        assert_eq!(id, "01a3185c-507b-7fff-bfff-ffffffffffff");
        assert_eq!(moment(&id), Some(at));
        let later = uuid7(Timestamp::from_millis(1_800_000_000_124), [0; 10]);
        assert!(later > id);
        for other in ["", "x", "01a3185c-507b-4fff-bfff-ffffffffffff", "01a3185c-507b-7fff-bfff-fffffffffff\u{e9}"] {
            assert_eq!(moment(other), None, "{other}");
        }
    }

    #[test]
    fn ids_of_one_piece_of_randomness_differ() {
        let at = Timestamp::from_millis(1);
        let ids = Ids::new([0xff; 16]);
        let (one, other) = (ids.next(at), ids.next(at));
        assert_ne!(one, other);
    }
}
