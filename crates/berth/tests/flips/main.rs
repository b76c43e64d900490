//! Flipped bits, and what else a disk may do to bytes at rest: manifests and small blobs are never served wrong; what is wrong with
//! large blobs is found by one scrub and by one `berth verify`, is refused from then on, and is repaired.
//!
//! `BERTH_TEST_FLIPS` sets how much is damaged (200), `BERTH_TEST_SEED` replays a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod backups;
mod damage;
mod database;
mod places;
mod pulls;
mod rounds;
mod stock;

use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Random, Server, ServerBuilder, berth_binary};

/// A server that may take from another one what it lacks.
fn builder() -> ServerBuilder {
    let built = Server::builder(berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth")));
    built.env("BERTH_IMPORT_USERNAME", ADMIN_ID).env("BERTH_IMPORT_PASSWORD", ADMIN_SECRET)
}

/// How many flips a test is to make, of `share` in a hundred of all.
fn flips(share: usize) -> usize {
    let all = std::env::var("BERTH_TEST_FLIPS").map_or(200, |count| count.parse::<usize>().expect("a number"));
    (all * share).div_ceil(100)
}

fn random(what: &str) -> Random {
    let seed = berth_testkit::seed_from_environment();
    println!("{what}: BERTH_TEST_SEED={seed}");
    Random::seeded(seed)
}
