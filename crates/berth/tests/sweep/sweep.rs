//! All trials, on two threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use berth_testkit::calls::{Fault, Seen};
use berth_testkit::{Random, seed_from_environment};

use crate::choice;
use crate::operation::{ALL, Operation};
use crate::trial::{Trial, look_on};

/// Runs at the same time.
const THREADS: usize = 2;
/// Runs of a trial until the operation comes by its point: threads do not take turns in the same order each time.
const TRIES: usize = 4;

#[test]
fn nothing_is_lost_at_any_call() {
    if let Ok(line) = std::env::var("BERTH_TEST_POINT") {
        return replay(&line);
    }
    let seed = seed_from_environment();
    println!("BERTH_TEST_SEED={seed}");
    let began = Instant::now();
    let _held: Vec<_> = wanted().into_iter().map(Operation::template).collect();
    let mut trials = Vec::new();
    let mut random = Random::seeded(seed);
    for operation in wanted() {
        trials.extend(choose(operation, &look_on(operation), &mut random));
    }
    let missed = run_all(&trials);
    for trial in &missed {
        println!("not met: {trial}");
    }
    println!("{} faults in {} s, {} not met", trials.len(), began.elapsed().as_secs(), missed.len());
    assert!(missed.len() * 20 <= trials.len(), "too many points were not met: {}", missed.len());
}

/// The operations that `BERTH_TEST_OPERATION` names, or all.
fn wanted() -> Vec<Operation> {
    let named = std::env::var("BERTH_TEST_OPERATION").ok();
    ALL.into_iter().filter(|operation| named.as_ref().is_none_or(|named| *named == operation.to_string())).collect()
}

/// The trials of an operation, whose points are printed with what is done to each.
fn choose(operation: Operation, seen: &[Seen], random: &mut Random) -> Vec<Trial> {
    let everything = std::env::var("BERTH_TEST_SWEEP").is_ok_and(|sweep| sweep == "all");
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let mut trials = Vec::new();
    let (all, alike) = (choice::all(seen), choice::alike(seen));
    for (seen, fault) in &all {
        let line = lines.entry(seen.point.to_string()).or_default();
        let alike = alike[&(seen.point.call, seen.point.object.as_str())];
        if everything || choice::is_taken(seen, *fault, alike, random) {
            *line += &format!(" {fault}");
            trials.push(Trial { operation, point: seen.point.to_string(), fault: *fault });
        }
    }
    for (point, faults) in &lines {
        println!("{operation}: {point}:{faults}");
    }
    println!("{operation}: {} calls, {} points, {} faults of {}", seen.len(), lines.len(), trials.len(), all.len());
    trials
}

fn run_all(trials: &[Trial]) -> Vec<&Trial> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || {
            let mut missed = Vec::new();
            while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !is_met(trial) {
                    missed.push(trial);
                }
            }
            missed
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("every trial went well")).collect()
    })
}

/// Runs a trial until the operation comes by its point. One that fails is named.
fn is_met(trial: &Trial) -> bool {
    let run = || (0..TRIES).any(|_| trial.run());
    std::panic::catch_unwind(run).unwrap_or_else(|panic| {
        println!("failed: BERTH_TEST_POINT='{trial}'");
        std::panic::resume_unwind(panic)
    })
}

fn replay(line: &str) {
    let mut parts = line.splitn(3, ": ");
    let mut part = || parts.next().expect("`operation: point: fault`").to_owned();
    let (operation, point, fault) = (part(), part(), part());
    let operation = ALL.into_iter().find(|known| known.to_string() == operation).expect("an operation");
    let faults = [Fault::Kill, Fault::EIO, Fault::ENOSPC, Fault::EMFILE];
    let fault = faults.into_iter().find(|known| known.to_string() == fault).expect("a fault");
    let trial = Trial { operation, point, fault };
    let _held = operation.template();
    assert!(is_met(&trial), "the operation does not come by {trial}");
}
