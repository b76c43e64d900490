//! Many runs, and what is told of one that failed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::run::{ALL_STEPS, Outcome, Plan, run};

/// Threads that run seeds; each run stays on one.
const THREADS: usize = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Runs the seeds that the environment asks for; fails with the first that breaks something.
pub fn run_seeds() {
    if let Some(seed) = number("BERTH_SIM_SEED") {
        let outcome = run(Plan { seed, steps: number("BERTH_SIM_STEPS").unwrap_or(ALL_STEPS) });
        println!("{}", tell(&outcome));
        assert!(outcome.violation.is_none(), "{:?}", outcome.violation);
        return;
    }
    let first = number("BERTH_SIM_FIRST").unwrap_or(1);
    let count = number("BERTH_SIM_SEEDS").unwrap_or(100);
    let begin = std::time::Instant::now();
    let (steps, failed) = search(first, count);
    let took = begin.elapsed();
    println!("simulation: {count} seeds from {first}, {steps} steps, {} ms", took.as_millis());
    if let Some(outcome) = failed {
        let shortest = shortened(&outcome);
        panic!("{}", tell(&shortest));
    }
}

/// Runs seeds on all threads until one fails; how many steps they made, and the failing run with the lowest seed.
fn search(first: u64, count: u64) -> (u64, Option<Outcome>) {
    let (next, steps) = (AtomicU64::new(first), AtomicU64::new(0));
    let failed: Mutex<BTreeMap<u64, Outcome>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + count || !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    let outcome = run(Plan { seed, steps: ALL_STEPS });
                    steps.fetch_add(outcome.steps, Ordering::SeqCst);
                    if outcome.violation.is_some() {
                        failed.lock().unwrap().insert(seed, outcome);
                    }
                }
            });
        }
    });
    (steps.into_inner(), failed.into_inner().unwrap().pop_first().map(|(_, outcome)| outcome))
}

/// The same run with its trouble cut off as early as a search by halves finds it still to fail.
fn shortened(outcome: &Outcome) -> Outcome {
    let mut shortest = outcome.clone();
    let (mut low, mut high) = (0, outcome.steps);
    while low < high {
        let steps = low.midpoint(high);
        let shorter = run(Plan { steps, ..outcome.plan });
        if shorter.violation.is_some() {
            (shortest, high) = (shorter, steps);
        } else {
            low = steps + 1;
        }
    }
    shortest
}

fn tell(outcome: &Outcome) -> String {
    let Plan { seed, .. } = outcome.plan;
    let trace = outcome.trace.join("\n  ");
    format!(
        "seed {seed}, {} steps, {:?}\n  {trace}\n{}\nreplay: BERTH_SIM_SEED={seed} BERTH_SIM_STEPS={} cargo test \
         --package berth-domain --test simulation nothing_is_lost -- --nocapture",
        outcome.steps,
        outcome.profile,
        outcome.violation.as_deref().unwrap_or("nothing was violated"),
        outcome.plan.steps.min(outcome.steps)
    )
}
