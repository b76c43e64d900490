//! Signature Version 4 against AWS's own vectors, AWS's signer for Rust, and a table of what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::disallowed_methods)]

mod arbitrary;
mod known;
mod refusals;
mod sdk;
mod support;
mod vectors;
