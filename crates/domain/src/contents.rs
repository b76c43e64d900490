//! Small content that was read lately, by digest: manifests, configs, small layers.
//!
//! What a digest names never changes, so nothing here is ever out of date. Whether a caller may have it, and whether it is
//! still there, the database says each time; only the bytes come from here.

use berth_oci::digest::Digest;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Bytes that are kept, all together.
const CAPACITY: u64 = 32 * 1024 * 1024;
/// What an entry takes beside its content, roughly.
const OVERHEAD: u64 = 256;
/// The size that the number of entries is guessed from: manifests of a few KiB are most.
const TYPICAL: u64 = 4 * 1024;

/// Verified bytes.
pub(crate) struct Contents(Cache<Digest, Bytes, Size>);

#[derive(Clone)]
struct Size;

impl Weighter<Digest, Bytes> for Size {
    fn weight(&self, _: &Digest, content: &Bytes) -> u64 {
        OVERHEAD + content.len() as u64
    }
}

impl Default for Contents {
    fn default() -> Self {
        let entries = usize::try_from(CAPACITY / TYPICAL).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(entries, CAPACITY, Size))
    }
}

impl Contents {
    pub(crate) fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.0.get(digest)
    }

    /// Keeps content that was just checked against its digest.
    pub(crate) fn keep(&self, digest: &Digest, content: &Bytes) {
        self.0.insert(digest.clone(), content.clone());
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::digest::Algorithm;

    use super::*;

    #[test]
    fn content_is_kept_as_long_as_there_is_room() {
        let contents = Contents::default();
        let piece = |number: u64| {
            let bytes = Bytes::from(number.to_le_bytes().repeat(8 * 1024));
            (Digest::of(Algorithm::Sha256, &bytes), bytes)
        };
        for number in 0..2000 {
            let (digest, bytes) = piece(number);
            contents.keep(&digest, &bytes);
            assert_eq!(contents.get(&digest), Some(bytes));
        }
        assert!(contents.0.weight() <= CAPACITY);
        let kept = (0..2000).filter(|number| contents.get(&piece(*number).0).is_some()).count();
        assert!((100..=512).contains(&kept), "{kept}");
    }
}
