//! A disk for exported files that is full.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_testkit::calls::{Fault, Journal, Plan, Tracer};
use berth_testkit::{Server, Volume, eventually, sha256, tree_files};

use crate::{builder, exported};

/// What the file system gives at least.
const PAGE: u64 = 4096;

/// A server that exports to a folder from time to time, its data elsewhere.
fn exporting(folder: &Path, interval: &str) -> Server {
    let folder = folder.display().to_string();
    builder().setting("audit.export_dir", &folder).setting("audit.export_interval", interval).start()
}

/// Calls whose records do not get much smaller when they are compressed.
fn work(server: &Server, calls: usize) {
    for nth in 0..calls {
        let agent = [sha256(format!("one {nth}").as_bytes()), sha256(format!("other {nth}").as_bytes())].concat();
        server.anonymous().request("GET", "/v2/", &[("user-agent", &agent)], b"").expect(401);
    }
}

/// What the log says of exports that failed.
fn warnings(server: &Server) -> Vec<String> {
    let told = "the audit trail could not be exported; what is missing is written later";
    server.log().lines().filter(|line| line.contains(told)).map(str::to_owned).collect()
}

fn leave(filling: &Path, pages: u64, of: u64) {
    fs::File::options().write(true).open(filling).unwrap().set_len(of - pages * PAGE).unwrap();
}

#[test]
fn an_export_goes_on_when_a_full_disk_has_room_again() {
    let volume = Volume::of_mib(1);
    let filling = volume.fill();
    let server = exporting(volume.path(), "1s");
    work(&server, 50);
    // More than one: it tries again by itself.
    eventually("warnings", || warnings(&server).len() > 1);
    for warning in warnings(&server) {
        let place = volume.path().join("AWSLogs");
        assert!(
            warning.contains(&place.display().to_string()) && warning.contains("No space left on device"),
            "{warning}"
        );
    }
    assert_eq!(tree_files(volume.path()), std::slice::from_ref(&filling));
    server.client().get("/v2/").expect(200);
    server.anonymous().get("/readyz").expect(200);
    fs::remove_file(&filling).unwrap();
    let key = exported::public_key(&server);
    eventually("the files", || exported::read(volume.path(), &key).whole > 0);
    finish(server, volume.path());
}

/// Room for a part of the files, more by more: for some of one, for one of two.
#[test]
fn what_does_not_fit_is_not_there() {
    let volume = Volume::of_mib(1);
    let filling = volume.fill();
    let length = fs::metadata(&filling).unwrap().len();
    let server = exporting(volume.path(), "1d");
    work(&server, 100);
    eventually("the records are in the database", || {
        server.berth(&["audit", "search", "--json", "--refused", "--limit", "0"]).stdout.lines().count() == 100
    });
    let key = exported::public_key(&server);
    let (mut pages, mut seen) = (0, [false, false]);
    loop {
        leave(&filling, pages, length);
        let written = server.berth(&["audit", "export"]);
        let files = exported::read(volume.path(), &key);
        assert_eq!(files.parts, 0, "{pages} pages: {files:?}");
        exported::verify(&server, volume.path());
        if written.code == Some(0) {
            assert_eq!((files.whole, files.alone), (1, 0), "{files:?}");
            break;
        }
        assert_eq!((written.code, files.whole), (Some(3), 0), "{written:?}");
        assert!(written.stderr.contains("No space left on device"), "{written:?}");
        seen[files.alone] = true;
        pages += 1;
        assert!(pages < 100, "{written:?}");
    }
    assert_eq!(seen, [true, true], "neither fitted, then the first one; {pages} pages");
    finish(server, volume.path());
}

/// A file system may say that it is full at any of the calls that write: one that puts off where things go says it late.
#[test]
fn an_export_survives_a_full_disk_at_every_call() {
    let folder = tempfile::tempdir().unwrap();
    let server = exporting(folder.path(), "1s");
    let key = exported::public_key(&server);
    for kind in ["/CloudTrail/", "/CloudTrail-Digest/"] {
        for call in ["openat", "write", "fsync", "rename"] {
            let is_full = Arc::new(AtomicBool::new(true));
            let full = Arc::clone(&is_full);
            let plan: Plan = Box::new(move |met, class| {
                let is_it = met.call == call && class.changes() && met.object.contains(kind);
                (is_it && full.load(Ordering::SeqCst)).then_some(Fault::ENOSPC)
            });
            let (before, whole) = (warnings(&server).len(), exported::read(folder.path(), &key).whole);
            let tracer = Tracer::attach(server.pid(), Journal::begin(folder.path()), plan);
            work(&server, 3);
            eventually(&format!("{call} {kind} is told of"), || warnings(&server).len() > before + 1);
            let last = warnings(&server).pop().unwrap();
            assert!(last.contains(kind) && last.contains("No space left on device"), "{call} {kind}: {last}");
            eventually(&format!("{call} {kind} leaves no part"), || exported::read(folder.path(), &key).parts == 0);
            exported::verify(&server, folder.path());
            is_full.store(false, Ordering::SeqCst);
            eventually(&format!("{call} {kind} works again"), || exported::read(folder.path(), &key).whole > whole);
            tracer.finish();
        }
    }
    let files = exported::read(folder.path(), &key);
    assert!(files.whole >= 8 && files.parts == 0, "{files:?}");
    finish(server, folder.path());
}

/// Ends the server: every record is in one file.
fn finish(mut server: Server, folder: &Path) {
    assert!(server.stop().success(), "{}", server.log());
    let written = server.berth(&["audit", "export"]);
    assert_eq!(written.code, Some(0), "{written:?}");
    let files = exported::read(folder, &exported::public_key(&server));
    assert_eq!((files.alone, files.parts), (0, 0), "{files:?}");
    let verified = server.berth(&["audit", "verify", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    let written = files.ids.values().flatten();
    assert_eq!(report["records"], written.clone().count(), "{report}");
    let different: BTreeSet<_> = written.collect();
    assert_eq!(report["records"], different.len(), "a record is there twice");
    exported::verify(&server, folder);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
