//! `~/.aws/credentials` and `~/.aws/config`: the files in which AWS's tools keep credentials, read and written.
//!
//! What a profile's values come to is for whoever uses them to say: the store in a bucket ([`Place`]), and the commands
//! that sign requests.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod ini;
mod keys;
mod place;
mod write;

pub use ini::{File, Secret, Values};
pub use keys::AwsKeys;
pub use place::{Environment, Place, Stamp};
pub use write::{WriteError, write_profile};
