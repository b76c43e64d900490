//! Where images come from: other registries, storage folders and image layouts, each behind the [`Source`] seam.
//!
//! Begin with [`Source`]. [`registry::RegistrySource`] speaks the distribution specification as a client,
//! [`folder::LayoutSource`] reads an OCI image layout, [`folder::DistributionSource`] the storage folder of CNCF
//! Distribution. [`outbound`] asks servers at addresses that people give. [`BlobReader`] reads one blob to its end through any of them, going on where a connection broke off.
//!
//! It may not know where content goes: what is kept, and under which rules, is decided in `berth-domain`. What it reads
//! was written by strangers: every size is bounded, nothing is trusted before its digest was checked.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod error;
mod fetch;
pub mod folder;
pub mod outbound;
pub mod registry;
mod retry;
mod source;

pub use error::SourceError;
pub use fetch::BlobReader;
pub use retry::Retry;
pub use source::{ByteStream, Entry, Listing, Root, Source, SourceManifest};
