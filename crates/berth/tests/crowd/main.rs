//! Crowds: slow clients, idle connections and very many pushes at once, beside clients that must not feel it.
//!
//! The server is a process of its own, best the release build (`BERTH_BIN`). Nothing here measures time: `bench/crowd` does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod healthy;
mod idle;
mod pushes;
mod slow;

use berth_testkit::{MIB, Server, ServerBuilder, berth_binary};

/// What a server may need beside any of these crowds.
const MEMORY: u64 = 512 * MIB;

fn builder() -> ServerBuilder {
    Server::builder(berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth")))
}

/// The most memory that a server ever had resident; fails where it is more than it may be.
fn assert_memory(server: &Server, what: &str) {
    let peak = server.process().peak_rss_bytes();
    println!("{what}: {} MiB at the peak", peak / MIB);
    assert!(peak <= MEMORY, "{what}: {} MiB at the peak", peak / MIB);
}

/// How many, where a variable does not say otherwise.
fn count(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |count| count.parse().expect("a number"))
}
