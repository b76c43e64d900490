//! One registry, two doors: calls of OCI and of ECR, chosen at random and done one after the other against a real server, and
//! a model that says what each answers and what both doors then show.
//!
//! `BERTH_TEST_SEED` replays one run; `BERTH_TEST_RUNS` says how many there are without it (20), `BERTH_TEST_STEPS` how many
//! calls each makes (60). A run that fails prints its seed and what it did. The runs have the database and store that
//! `BERTH_TEST_DATABASE` and `BERTH_TEST_STORE` name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod ecr;
mod ecr_view;
mod model;
mod oci;
mod pool;
mod run;
mod step;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use berth_testkit::seed_from_environment;

use pool::Pool;
use run::Run;

/// Runs at the same time.
const THREADS: usize = 2;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn both_doors_answer_and_show_what_the_model_says() {
    let (first, steps) = (seed_from_environment(), number("BERTH_TEST_STEPS", 60));
    let is_replay = std::env::var_os("BERTH_TEST_SEED").is_some();
    let runs = if is_replay { 1 } else { number("BERTH_TEST_RUNS", 20) };
    println!("{runs} runs of {steps} steps from BERTH_TEST_SEED={first}");
    let (pool, next, tally) = (Pool::new(), AtomicU64::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= runs {
                return;
            }
            let mut run = Run::new(first.wrapping_add(number), &pool);
            run.go(steps);
            for outcome in run.outcomes {
                *tally.lock().unwrap().entry(outcome).or_insert(0) += 1;
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let ended: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        assert!(ended.iter().all(Result::is_ok), "a run failed: its seed and its steps are above");
    });
    let tally = tally.into_inner().unwrap();
    for (outcome, times) in &tally {
        println!("{times:6} {outcome}");
    }
    let done: u64 = tally.iter().filter(|(outcome, _)| outcome.ends_with("done")).map(|(_, times)| times).sum();
    assert!(done * 2 > runs * steps, "most steps were refused, which tries little");
}
