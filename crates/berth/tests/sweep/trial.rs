//! One run of one operation with one fault.

use std::fmt;
use std::time::Duration;

use berth_testkit::calls::{Class, Fault, Journal, Plan, Seen, Tracer, never};
use berth_testkit::{Server, within};

use crate::acknowledged::Acknowledged;
use crate::operation::Operation;
use crate::{builder, collection, start, templates};

const SOON: Duration = Duration::from_secs(20);
/// Looks, a fiftieth of a second apart, at a process that makes no calls until it is taken to rest.
const QUIET: usize = 10;

/// A fault at a point, both as they are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    pub operation: Operation,
    pub point: String,
    pub fault: Fault,
}

impl fmt::Display for Trial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}: {}", self.operation, self.point, self.fault)
    }
}

/// The calls that an operation makes when nothing is wrong.
pub fn look_on(operation: Operation) -> Vec<Seen> {
    match operation {
        Operation::Collect => collection::look_on(),
        Operation::Start => start::look_on(),
        _ => look_on_requests(operation),
    }
}

fn look_on_requests(operation: Operation) -> Vec<Seen> {
    let mut server = builder().start_on_copy(&templates::plain().data());
    let mut log = operation.known_before();
    let (seen, _, done) = traced(&mut server, operation, &mut log, never());
    assert!(done && log.refused.is_empty(), "{operation}: {log:?}\n{}", server.log());
    log.check(&server.client(), "nothing was wrong");
    seen
}

impl Trial {
    /// Runs it; false where the operation did not come by the point this time.
    pub fn run(&self) -> bool {
        match self.operation {
            Operation::Collect => collection::run(self),
            Operation::Start => start::run(self),
            _ => self.run_requests(),
        }
    }

    fn run_requests(&self) -> bool {
        let mut server = builder().start_on_copy(&templates::plain().data());
        let mut log = self.operation.known_before();
        let (seen, journal, done) = traced(&mut server, self.operation, &mut log, self.plan());
        let Some(hit) = seen.iter().find(|seen| seen.fault.is_some()) else { return false };
        if self.fault != Fault::Kill {
            self.survived(&mut server, &log, done);
        }
        server.kill9();
        assert!(!server.log().contains("panicked"), "{self}: {}", server.log());
        self.after_crash(&mut server, log.clone());
        if self.may_lose_power(hit) {
            self.after_power_cut(&journal, &log);
        }
        true
    }

    /// Whether it is told from what is on the disk alone, too.
    pub fn may_lose_power(&self, hit: &Seen) -> bool {
        self.fault == Fault::Kill || hit.class == Class::Sync
    }

    pub fn plan(&self) -> Plan {
        let (wanted, fault) = (self.point.clone(), self.fault);
        Box::new(move |met, _| (met.to_string() == wanted).then_some(fault))
    }

    /// The server told of the fault or needed not, goes on, and did what was asked again.
    fn survived(&self, server: &mut Server, log: &Acknowledged, done: bool) {
        let told = || format!("{self}: {log:?}\n{}", server.log());
        assert!(log.refused.iter().all(|status| [500, 503, 507].contains(status)), "{}", told());
        assert!(done, "not done after some attempts: {}", told());
        let ready = || is_ready(server);
        assert!(within(SOON, ready), "it does not become ready again: {}", told());
        log.check(&server.client(), "before the server ended");
        assert!(server.is_running(), "{self}: the server ended: {}", server.log());
    }

    /// Nothing that lived in the server's memory helps: what it acknowledged is there, and it goes on.
    fn after_crash(&self, server: &mut Server, mut log: Acknowledged) {
        server.restart();
        let client = server.client();
        log.check(&client, &format!("{self}, then kill -9"));
        log.check_upload(&client);
        self.verify(server);
        log.refused.clear();
        let done = self.operation.perform(&client, &mut log);
        assert!(done && log.refused.is_empty(), "{self}: not done after a restart: {log:?}\n{}", server.log());
        templates::age_files(server);
        let collected = server.berth(&["gc"]);
        assert_eq!(collected.code, Some(0), "{self}: {collected:?}");
        if !collected.stdout.contains(" and 0 keys") {
            let left = server.berth(&["gc", "--dry-run"]);
            assert!(left.stdout.contains(" and 0 keys"), "{self}: {left:?}");
        }
        log.check(&client, &format!("{self}, kill -9, and again"));
    }

    pub fn after_power_cut(&self, journal: &Journal, log: &Acknowledged) {
        let folder = tempfile::tempdir().unwrap();
        journal.power_cut(folder.path());
        let server = builder().start_at(folder.path());
        log.check(&server.client(), &format!("{self}, then the power was cut"));
        self.verify(&server);
    }

    pub fn verify(&self, server: &Server) {
        let verified = server.berth(&["verify"]);
        assert_eq!(verified.code, Some(0), "{self}: {verified:?}");
    }
}

pub fn is_ready(server: &Server) -> bool {
    let asked = server.anonymous().try_request("GET", "/readyz", &[], &[]);
    asked.is_ok_and(|reply| reply.status == 200)
}

/// Waits until no call is made any more.
pub fn rest(tracer: &Tracer) {
    let (mut calls, mut same) = (0, 0);
    within(SOON, || {
        same = if tracer.seen() == calls { same + 1 } else { 0 };
        calls = tracer.seen();
        same == QUIET
    });
}

/// Performs the operation with the server's calls watched, until they have come to rest.
fn traced(server: &mut Server, operation: Operation, log: &mut Acknowledged, plan: Plan) -> (Vec<Seen>, Journal, bool) {
    if operation == Operation::Checkpoint {
        templates::fill_log(server);
    }
    let client = server.client();
    // The connection is there, and the key is known.
    client.get("/v2/").expect(200);
    let tracer = Tracer::attach(server.pid(), Journal::begin(&server.data()), plan);
    let done = operation.perform(&client, log);
    if operation == Operation::Checkpoint {
        rest(&tracer);
    }
    let (seen, journal) = tracer.finish();
    (seen, journal, done)
}
