//! Facts and bytes: what the registry remembers, and the two seams it remembers them through.
//!
//! * [`Database`] runs functions of a [`Transaction`]; one module of SQL per entity ([`repositories`], [`blobs`],
//!   [`manifests`], [`images`], [`tags`], [`layers`], [`uploads`], [`access_keys`], [`identity`], [`properties`], [`leases`])
//!   says what can be asked.
//! * [`BlobStore`] keeps bytes under keys that are used once. Only the database knows which key holds which digest.
//! * [`Archive`] keeps backups under names: [`dump`] says what of the database is in them.
//! * [`Clock`] and [`Random`] are the only ways to the time and to randomness.
//!
//! It may not know an engine (that is `berth-store-sql` and `berth-store-blob`) nor any rule of the registry (that is
//! `berth-domain`). The schema is drawn in `crates/store-sql/migrations/`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod access_keys;
pub mod archive;
pub mod archive_contract;
pub mod audit;
pub mod blob_contract;
pub mod blob_store;
pub mod blobs;
pub mod clearing;
pub mod clock;
pub mod database;
pub mod database_contract;
pub mod dump;
pub mod federation;
pub mod garbage;
pub mod identity;
pub mod images;
pub mod layers;
pub mod leases;
pub mod lifecycle;
pub mod manifests;
pub mod properties;
pub mod registry_settings;
pub mod repositories;
pub mod saml;
pub mod stats;
pub mod tags;
pub mod throttling;
pub mod uploads;
pub mod usage;

pub use archive::{Archive, ArchiveError, Archived, Content};
pub use blob_store::{
    Begun, BlobKey, BlobRead, BlobStore, BlobStoreError, BlobWriter, Checkpoint, Stored, StoredKey, Unfinished,
};
pub use clock::{Clock, Random, SystemClock, SystemRandom, Timestamp};
pub use database::{Database, Engine, Row, StoreError, Transaction, Value};
