//! Kill -9 at random moments: what was acknowledged stays, what was not is whole or absent.
//!
//! Clients push, tag and delete, and each keeps a log of what it is about to do and what was answered
//! ([`berth_testkit::oracle`]); after every restart the registry is compared with it. [`clients`] kills the server beside
//! garbage collection, [`moves`] kills it and `berth migrate-store`, [`schema`] kills the start that brings an older database
//! up to date. `BERTH_TEST_DATABASE` (`sqlite`, `postgres`) and `BERTH_TEST_STORE` (`files`, `s3`) choose the engines, which
//! are not killed. `BERTH_TEST_KILLS` says how often (25), `BERTH_TEST_SEED` replays the choices of a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod aim;
mod clients;
mod engines;
mod moves;
#[path = "../support/records.rs"]
mod records;
mod run;
mod schema;
mod schema_of;
