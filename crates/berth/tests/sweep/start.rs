//! The first start of `berth serve`, watched from its first call: folders, keys, schema.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use berth_testkit::calls::{Fault, Journal, Plan, Seen, Stopped, never};

use crate::acknowledged::Acknowledged;
use crate::builder;
use crate::content::{KEPT, KEPT_IMAGE, TAG};
use crate::trial::Trial;

/// What came of a start.
struct Started {
    seen: Vec<Seen>,
    journal: Journal,
    ready: bool,
    told: String,
    code: Option<i32>,
}

pub fn look_on() -> Vec<Seen> {
    let data = tempfile::tempdir().unwrap();
    let started = traced(data.path(), never());
    assert!(started.ready, "{}", started.told);
    started.seen
}

pub fn run(trial: &Trial) -> bool {
    let data = tempfile::tempdir().unwrap();
    let started = traced(data.path(), trial.plan());
    let Some(hit) = started.seen.iter().find(|seen| seen.fault.is_some()) else { return false };
    let told = &started.told;
    let refused = trial.fault == Fault::Kill || started.ready || matches!(started.code, Some(2 | 3));
    assert!(refused && !told.contains("panicked"), "{trial}: {:?} {told}", started.code);
    // Another start makes it whole, without help.
    let server = builder().start_in(data.path());
    server.client().push_image(KEPT, TAG, &KEPT_IMAGE);
    trial.verify(&server);
    if trial.may_lose_power(hit) {
        trial.after_power_cut(&started.journal, &Acknowledged::default());
    }
    true
}

/// Starts, waits until it is ready or has ended, and kills it.
fn traced(data: &Path, plan: Plan) -> Started {
    let (mut child, tracer) = Stopped::spawn(&builder().command(data)).trace(Journal::begin(data), plan);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (seen, journal) = tracer.finish();
    let ready = line.starts_with("berth ready");
    if ready {
        child.kill().unwrap();
    }
    let code = child.wait().unwrap().code();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    Started { seen, journal, ready, told, code }
}
