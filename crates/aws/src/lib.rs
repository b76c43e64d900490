//! Words of AWS that Berth speaks: accounts, regions, ARNs, access keys, signatures, policies and wire protocols.
//!
//! Pure: nothing here does I/O. [`sigv4`] verifies and signs requests; [`policy`] decides who may do what; [`protocol`] reads
//! and writes messages by the shapes of the services, which are in [`iam`], [`sts`], [`ecr`] and [`cloudtrail`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod access_key;
pub mod account;
pub mod arn;
pub mod cloudtrail;
pub mod ecr;
pub mod iam;
pub mod policy;
pub mod protocol;
pub mod registry_host;
pub mod sigv4;
pub mod sts;

pub use access_key::{AccessKeyId, SecretAccessKey};
pub use account::{AccountId, Region};
