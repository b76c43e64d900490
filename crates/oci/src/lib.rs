//! Words of the OCI distribution and image specifications, each with one `parse` and private fields.
//!
//! Pure: nothing here does I/O, and nothing knows of a registry. Begin with [`endpoint::Endpoint`], which says what a path
//! asks for, and [`manifest::Manifest`], which says what a manifest is.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod macros;

pub mod accept;
pub mod digest;
pub mod endpoint;
pub mod error;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod query;
pub mod range;
pub mod reference;
pub mod referrers;
pub mod tag;
