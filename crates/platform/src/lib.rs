//! What the safe world lacks of the operating system: the one crate in which `unsafe` may stand, one module for each need.
//!
//! It may know nothing of registries. Each module says what it relies on, and does nothing where that is not there.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod disk;
pub mod memory;
