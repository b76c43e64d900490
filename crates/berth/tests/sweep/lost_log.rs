//! What a failed sync of the database's log means to those who come after a crash.
//!
//! The commit that it was for is refused, but its frames lie in the kernel's cache, whole, and not on the disk, and the
//! kernel takes them for written. A server that starts after a crash of the first finds them. What it acknowledges must not
//! lie behind them.

use std::io::{BufRead, BufReader};
use std::process::Child;

use berth_testkit::calls::{Class, Fault, Journal, Plan, Stopped, Tracer, never};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client};

use crate::acknowledged::{Acknowledged, Fact, manifest};
use crate::builder;
use crate::content::{KEPT, KEPT_IMAGE, TAG};

/// Every sync of the log fails.
fn no_sync_of_the_log() -> Plan {
    Box::new(|met, class| (class == Class::Sync && met.object == "berth.db-wal").then_some(Fault::EIO))
}

#[test]
fn nothing_is_acknowledged_on_top_of_a_commit_whose_sync_failed() {
    let mut first = builder().start();
    let client = first.client();
    client.push_image(KEPT, TAG, &KEPT_IMAGE);
    let tracer = Tracer::attach(first.pid(), Journal::begin(&first.data()), no_sync_of_the_log());
    let refused = client.push_manifest(KEPT, "refused", &KEPT_IMAGE.manifest);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(first.anonymous().get("/readyz").status, 503, "ready on a disk that does not take writes");
    client.manifest(KEPT, TAG).expect(200);
    let (_, journal) = tracer.finish();
    first.kill9();

    let (mut second, tracer, client) = start_traced(&first.data(), journal);
    client.push_manifest(KEPT, "later", &KEPT_IMAGE.manifest).expect(201);
    let (_, journal) = tracer.finish();
    second.kill().unwrap();
    second.wait().unwrap();

    let folder = tempfile::tempdir().unwrap();
    journal.power_cut(folder.path());
    let third = builder().start_in(folder.path());
    let mut log = Acknowledged::default();
    log.know_image(KEPT, TAG, &KEPT_IMAGE);
    log.know(&manifest(KEPT, "later"), Fact::There, &KEPT_IMAGE.manifest.bytes);
    log.intend(&manifest(KEPT, "refused"), &KEPT_IMAGE.manifest.bytes);
    log.check(&third.client(), "after the power cut");
    assert_eq!(third.berth(&["verify"]).code, Some(0));
}

/// A server that is watched from its first call.
fn start_traced(data: &std::path::Path, journal: Journal) -> (Child, Tracer, Client) {
    let (mut child, tracer) = Stopped::spawn(&builder().command(data)).trace(journal, never());
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let (_, address) = line.trim_end().split_once("http://").expect("the server is ready");
    let client = Client::login(address.parse().unwrap(), ADMIN_ID, ADMIN_SECRET);
    (child, tracer, client)
}
