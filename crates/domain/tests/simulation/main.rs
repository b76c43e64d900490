//! Deterministic simulation of pushes, deletions and garbage collection: the real `Domain` twice, over a database and a
//! blob store that fail, with a clock and a scheduler that a seed decides for. `docs/explanation/simulation.md` tells how
//! to read what it prints.
//!
//! `BERTH_SIM_SEED=n` replays one seed, `BERTH_SIM_SEEDS` says how many are run, from `BERTH_SIM_FIRST` on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(
    clippy::disallowed_methods,
    reason = "the environment says which seeds; the ambient clock tells how long it took"
)]

mod background;
mod chaos;
mod clients;
mod clock;
mod content;
mod engine;
mod executor;
mod model;
mod pulls;
mod quiet;
mod report;
mod run;
mod store;
mod uploads;
mod world;

use run::{ALL_STEPS, Plan, run};

/// The store of the simulation keeps what every store promises.
mod contract {
    use std::sync::Arc;

    use berth_store::SystemClock;

    use crate::chaos::Chaos;
    use crate::store::MemoryStore;

    fn store() -> (MemoryStore, ()) {
        let chaos = Arc::new(Chaos::seeded(1));
        chaos.set_calm(true);
        (MemoryStore::new(chaos, Arc::new(SystemClock), Box::new(|_| {})), ())
    }

    berth_store::blob_contract!(store);
}

#[test]
fn a_seed_is_a_run() {
    for seed in 1..10 {
        let plan = Plan { seed, steps: ALL_STEPS };
        let (once, again) = (run(plan), run(plan));
        assert_eq!(
            (once.hash, once.steps),
            (again.hash, again.steps),
            "seed {seed}: {:?} {:?}",
            once.trace,
            again.trace
        );
        assert_ne!(once.hash, run(Plan { seed: seed + 1000, ..plan }).hash);
    }
}

#[test]
fn nothing_is_lost() {
    report::run_seeds();
}
