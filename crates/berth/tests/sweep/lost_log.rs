//! What a failed sync of the database's log or file means to what is acknowledged after it.
//!
//! The commit that a failed sync was for is refused, but its frames lie in the kernel's cache, whole, and not on the disk, and
//! the kernel takes them for written. A server that starts after a crash of the first finds them. What it acknowledges must
//! not lie behind them.
//!
//! A checkpoint that a reader keeps from its end writes pages to the file, does not sync it, and counts them as done. After a
//! failed sync of the file the next checkpoint does not write them again.
//!
//! And a log has a name only after its folder was synced, which `SQLite` does without looking at what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_testkit::calls::{Class, Fault, Journal, Plan, Point, Tracer, never};
use berth_testkit::{copy_tree, empty_index};

use crate::acknowledged::{Acknowledged, Fact, manifest};
use crate::content::{KEPT, KEPT_IMAGE, NEW, NEW_IMAGE, OLD, OLD_IMAGE, TAG};
use crate::operation::Operation;
use crate::start::watched;
use crate::trial::{is_ready, rest};
use crate::{builder, templates};

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

    let (mut second, tracer, client) = watched(&first.data(), journal, never());
    let client = client.expect("the second server is ready");
    client.push_manifest(KEPT, "later", &KEPT_IMAGE.manifest).expect(201);
    let (_, journal) = tracer.finish();
    second.kill().unwrap();
    second.wait().unwrap();

    let folder = tempfile::tempdir().unwrap();
    journal.power_cut(folder.path());
    let third = builder().start_at(folder.path());
    let mut log = Acknowledged::default();
    log.know_image(KEPT, TAG, &KEPT_IMAGE);
    log.know(&manifest(KEPT, "later"), Fact::There, &KEPT_IMAGE.manifest.bytes);
    log.intend(&manifest(KEPT, "refused"), &KEPT_IMAGE.manifest.bytes);
    log.check(&third.client(), "after the power cut");
    assert_eq!(third.berth(&["verify"]).code, Some(0));
}

/// The first sync of the database's file fails.
fn first_sync_of_the_file() -> Plan {
    let fails = |met: &Point, class| class == Class::Sync && met.object == "berth.db" && met.ordinal == 1;
    Box::new(move |met, class| fails(met, class).then_some(Fault::EIO))
}

#[test]
fn what_a_checkpoint_did_not_sync_is_written_again_after_a_failed_sync() {
    let mut server = builder().start();
    let client = server.client();
    client.push_image(KEPT, TAG, &KEPT_IMAGE);
    let tracer = Tracer::attach(server.pid(), Journal::begin(&server.data()), first_sync_of_the_file());
    let reader = rusqlite::Connection::open(server.data().join("berth.db")).unwrap();
    client.push_image(OLD, TAG, &OLD_IMAGE);
    reader.execute_batch("BEGIN; SELECT count(*) FROM blobs").unwrap();
    // Many commits move what was there when the reader began, and no more.
    templates::fill_log(&server);
    client.push_image(NEW, TAG, &NEW_IMAGE);
    rest(&tracer);
    drop(reader);
    // The next one moves the rest, and cannot sync it. The one behind it replays the log, and others write a new one.
    for number in 0..4 {
        let _ = client.push_manifest(KEPT, "moving", &empty_index(&format!("number {number}")));
        rest(&tracer);
    }
    client.push_manifest(KEPT, "later", &KEPT_IMAGE.manifest).expect(201);
    assert!(is_ready(&server), "{}", server.log());
    let (seen, journal) = tracer.finish();
    assert!(seen.iter().any(|seen| seen.fault.is_some()), "the database's file was never synced");
    server.kill9();

    let folder = tempfile::tempdir().unwrap();
    journal.power_cut(folder.path());
    let second = builder().start_at(folder.path());
    let mut log = Acknowledged::default();
    for (repository, image) in [(KEPT, &KEPT_IMAGE), (OLD, &OLD_IMAGE), (NEW, &NEW_IMAGE)] {
        log.know_image(repository, TAG, image);
    }
    log.know(&manifest(KEPT, "later"), Fact::There, &KEPT_IMAGE.manifest.bytes);
    log.check(&second.client(), "after the power cut");
    assert_eq!(second.berth(&["verify"]).code, Some(0));
}

#[test]
fn the_log_has_its_name_before_anything_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copy_tree(&templates::plain().data(), &data);
    let ready = Arc::new(AtomicBool::new(false));
    let (mut server, tracer, client) = watched(&data, Journal::begin(&data), no_sync_of_the_folder(Arc::clone(&ready)));
    let client = client.expect("the server is ready");
    ready.store(true, Ordering::Release);
    client.push_manifest(KEPT, "later", &KEPT_IMAGE.manifest).expect(201);
    let (seen, journal) = tracer.finish();
    assert!(seen.iter().any(|seen| seen.fault.is_some()), "SQLite no longer syncs the folder of a new log");
    server.kill().unwrap();
    server.wait().unwrap();

    let after = tempfile::tempdir().unwrap();
    journal.power_cut(after.path());
    let again = builder().start_at(after.path());
    let mut log = Operation::Pull.known_before();
    log.know(&manifest(KEPT, "later"), Fact::There, &KEPT_IMAGE.manifest.bytes);
    log.check(&again.client(), "after the power cut");
}

/// Once the server is ready, no sync of the data folder succeeds.
fn no_sync_of_the_folder(ready: Arc<AtomicBool>) -> Plan {
    Box::new(move |met, class| {
        let is_folder = class == Class::Sync && met.object == ".";
        (is_folder && ready.load(Ordering::Acquire)).then_some(Fault::EIO)
    })
}
