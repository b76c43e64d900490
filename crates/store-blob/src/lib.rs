//! The blob stores: where the bytes are behind the [`berth_store::BlobStore`] seam.
//!
//! [`FilesystemStore`] keeps one file per key, [`S3Store`] one object per key, in a bucket that several nodes share;
//! [`MovingStore`] is two of them while blobs move from the one to the other. They may not know digests beyond hashing what
//! passes, nor repositories, nor the database: what a key means is decided above. Begin at [`filesystem`], which is the
//! simpler one. [`archive`] is where backups lie.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod archive;
pub mod filesystem;
pub mod moving;
pub mod s3;

pub use archive::{ArchiveKey, ObjectArchive, SealedArchive};
pub use filesystem::FilesystemStore;
pub use moving::MovingStore;
pub use s3::{S3Settings, S3Store};
