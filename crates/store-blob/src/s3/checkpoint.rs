//! What is remembered of an unfinished blob between requests.

use berth_oci::digest::{Algorithm, Hasher};
use berth_store::{BlobKey, BlobStoreError, Checkpoint};
use serde::{Deserialize, Serialize};

/// The form of the bytes; another one is not understood.
const VERSION: u32 = 1;

/// A multipart upload at the server, and its parts in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Multipart {
    pub(super) id: String,
    pub(super) parts: Vec<Part>,
}

/// A part that the server has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) id: String,
    pub(super) bytes: u64,
}

/// Everything but the bytes themselves.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    algorithm: String,
    hash: String,
    pub(super) multipart: Option<Multipart>,
    /// Bytes at the tail's key.
    pub(super) tail_bytes: u64,
    /// Which bucket holds all this.
    #[serde(default)]
    place: String,
}

impl State {
    pub(super) fn new(place: &str, hasher: &Hasher, multipart: Option<&Multipart>, tail_bytes: u64) -> Self {
        let (algorithm, hash) = (hasher.algorithm().as_str().to_owned(), hex::encode(hasher.state()));
        Self { version: VERSION, algorithm, hash, multipart: multipart.cloned(), tail_bytes, place: place.to_owned() }
    }

    /// Whether it was noted by a store in another bucket.
    pub(super) fn is_elsewhere(&self, place: &str) -> bool {
        !self.place.is_empty() && self.place != place
    }

    pub(super) fn read(checkpoint: &Checkpoint) -> Option<Self> {
        let state: Self = serde_json::from_slice(&checkpoint.state).ok()?;
        let parts = state.multipart.iter().flat_map(|multipart| &multipart.parts);
        let bytes = parts.map(|part| part.bytes).fold(state.tail_bytes, u64::saturating_add);
        (state.version == VERSION && bytes == checkpoint.offset).then_some(state)
    }

    pub(super) fn hasher(&self) -> Option<Hasher> {
        Hasher::from_state(Algorithm::parse(&self.algorithm).ok()?, &hex::decode(&self.hash).ok()?)
    }

    pub(super) fn checkpoint(&self, offset: u64, tail: Option<BlobKey>) -> Result<Checkpoint, BlobStoreError> {
        let state = serde_json::to_vec(self).map_err(|error| BlobStoreError::Io {
            action: "noting the state of an upload".to_owned(),
            source: error.into(),
        })?;
        Ok(Checkpoint { offset, tail, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_back_and_others_are_refused() {
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"content");
        let multipart = Multipart { id: "id".to_owned(), parts: vec![Part { id: "etag".to_owned(), bytes: 5 }] };
        let state = State::new("here", &hasher, Some(&multipart), 2);
        let checkpoint = state.checkpoint(7, None).unwrap();
        let read = State::read(&checkpoint).unwrap();
        assert_eq!((read.multipart.as_ref(), read.tail_bytes), (Some(&multipart), 2));
        assert!(read.is_elsewhere("there") && !read.is_elsewhere("here"));
        assert_eq!(read.hasher().unwrap().finish(), hasher.finish());
        for (offset, state) in [(8, checkpoint.state.clone()), (7, b"{}".to_vec()), (7, Vec::new())] {
            assert!(State::read(&Checkpoint { offset, tail: None, state }).is_none());
        }
    }
}
