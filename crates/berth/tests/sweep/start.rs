//! The first start of `berth serve`, watched from its first call: folders, keys, schema.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Child;

use berth_testkit::calls::{Fault, Journal, Plan, Seen, Stopped, Tracer, never};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client};

use crate::acknowledged::Acknowledged;
use crate::builder;
use crate::content::{KEPT, KEPT_IMAGE, TAG};
use crate::operation::Operation;
use crate::trial::Trial;

/// What came of a start.
struct Started {
    seen: Vec<Seen>,
    journal: Journal,
    ready: bool,
    log: Acknowledged,
    told: String,
    code: Option<i32>,
}

pub fn look_on() -> Vec<Seen> {
    let data = tempfile::tempdir().unwrap();
    let started = traced(data.path(), never());
    assert!(started.ready, "{}", started.told);
    assert_ne!(started.log, Acknowledged::default(), "nothing was pushed");
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
    let server = builder().start_at(data.path());
    started.log.check(&server.client(), &format!("{trial}, then kill -9"));
    server.client().push_image(KEPT, TAG, &KEPT_IMAGE);
    trial.verify(&server);
    if trial.may_lose_power(hit) {
        trial.after_power_cut(&started.journal, &started.log);
    }
    true
}

/// A server that is watched from its first call, and its url once it is ready.
pub fn watched(data: &Path, journal: Journal, plan: Plan) -> (Child, Tracer, Option<Client>) {
    let (mut child, tracer) = Stopped::spawn(&builder().command(data)).trace(journal, plan);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("berth ready url=http://");
    let client = address.map(|address| Client::login(address.parse().unwrap(), ADMIN_ID, ADMIN_SECRET));
    (child, tracer, client)
}

/// Starts, pushes to what became ready, and kills it. What the push calls is not told.
fn traced(data: &Path, plan: Plan) -> Started {
    let (mut child, tracer, client) = watched(data, Journal::begin(data), plan);
    let mut log = Acknowledged::default();
    let calls = tracer.seen();
    if let Some(client) = &client {
        Operation::Push.perform(client, &mut log);
    }
    let (mut seen, journal) = tracer.finish();
    seen.truncate(calls);
    let ready = client.is_some();
    if ready {
        child.kill().unwrap();
    }
    let code = child.wait().unwrap().code();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    Started { seen, journal, ready, log, told, code }
}
