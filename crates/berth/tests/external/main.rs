//! Attacks and promises whose proof needs another program: strace for A14 and for how blobs are sent, openssl for A86.
//!
//! `cargo test --test external` runs them; a missing program fails the test that needs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../support/digests.rs"]
mod digests;
#[path = "../support/mod.rs"]
mod support;

mod strace;
mod tls;
mod zero_copy;
