//! The blob stores: where the bytes are behind the [`berth_store::BlobStore`] seam.
//!
//! [`FilesystemStore`] keeps one file per key. It may not know digests beyond hashing what passes, nor repositories,
//! nor the database: what a key means is decided above. Begin at [`filesystem`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod filesystem;

pub use filesystem::FilesystemStore;
