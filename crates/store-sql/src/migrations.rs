//! The versions of the schema. Version N is what the first N files of `migrations/` make, in order.
//!
//! A file that was released is never edited: databases out there were made by it. The text is written once, as `SQLite`
//! reads it; [`crate::postgres`] translates it (ADR 0013). During a rolling upgrade nodes of the version before work on
//! with the schema that the first new node made, so a migration only adds: tables, indices, columns that may be left
//! out of an INSERT. What is no longer used goes away one version later.

/// The SQL text of every version, oldest first.
pub const ALL: &[&str] = &[
    include_str!("../migrations/0001_registry.sql"),
    include_str!("../migrations/0002_shared_uploads.sql"),
    include_str!("../migrations/0003_leases.sql"),
    include_str!("../migrations/0004_identity.sql"),
    include_str!("../migrations/0005_ecr.sql"),
    include_str!("../migrations/0006_federation_audit.sql"),
];
