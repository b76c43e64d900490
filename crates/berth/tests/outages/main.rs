//! What Berth needs fails under load: the bucket, the database, and the way to either.
//!
//! Clients work on while a proxy or a signal does the harm. They hear 503 and when to try again, or nothing went wrong;
//! what was acknowledged is there afterwards, and what was not is whole or absent. Nobody starts Berth again.
//!
//! `BERTH_TEST_SECONDS` says how long each run does harm (15), `BERTH_TEST_SEED` what it chooses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod bucket;
mod commits;
mod database;
mod large;
mod prober;
mod support;
