//! Tokens of OpenID Connect, made by keys of these tests: the true ones open, and whatever is wrong with one is found.
#![allow(clippy::similar_names, clippy::large_enum_variant, reason = "tokens and their parts")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

mod claims;
mod keys;
mod mint;
mod properties;
mod tokens;
