//! Words of AWS that Berth speaks: accounts, regions, ARNs and access keys.
//!
//! Pure: nothing here does I/O. Begin with [`AccountId`] and [`RepositoryArn`](arn::repository); request signing
//! and policies join them when their doors open.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod access_key;
pub mod account;
pub mod arn;

pub use access_key::{AccessKeyId, SecretAccessKey};
pub use account::{AccountId, Region};
