//! Nodes that write the audit trail as files into one folder: one at a time does, another goes on where one was killed, and every
//! record is in one file.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use berth_testkit::aws::{self, ACCOUNT, AwsClient, AwsRequest, Keys, Signing};
use berth_testkit::calls::{Class, Fault, Journal, Plan, Tracer};
use berth_testkit::postgres::Postgres;
use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Server, eventually, within};
use serde_json::Value;
use tempfile::TempDir;

use crate::records::Records;
use crate::support::builder;
use crate::{KEY, exported};

/// Another account than the registry's.
const OTHER: &str = "222222222222";
const NOBODY: usize = usize::MAX;

/// Two nodes of one registry and the folder that both export to.
struct Shared {
    nodes: [Server; 2],
    folder: TempDir,
    url: String,
    /// The key of another account's administrator.
    other: Keys,
}

/// A call of whoever exports, before which the process ends.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// What stands in the path.
    kind: &'static str,
    class: Class,
    /// Which one of these, from 1.
    nth: usize,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} #{} below {}", self.class, self.nth, self.kind)
    }
}

impl Moment {
    /// Kills the node that comes by it first, and notes which one that is.
    fn plan(self, own: usize, victim: &Arc<AtomicUsize>) -> Plan {
        let (mut met, victim) = (0, Arc::clone(victim));
        Box::new(move |point, class| {
            if class != self.class || !point.object.contains(self.kind) || !point.object.starts_with("AWSLogs") {
                return None;
            }
            met += 1;
            let is_it =
                met == self.nth && victim.compare_exchange(NOBODY, own, Ordering::SeqCst, Ordering::SeqCst).is_ok();
            is_it.then_some(Fault::Kill)
        })
    }
}

impl Shared {
    fn start(export_size: &str) -> Self {
        Self::start_with(export_size, "1s")
    }

    fn start_with(export_size: &str, interval: &str) -> Self {
        let (url, prefix) = (Postgres::shared().create_database(), Seaweed::shared().fresh_prefix());
        let folder = tempfile::tempdir().unwrap();
        let node = || {
            let node = builder().setting("database.url", &url).env("BERTH_SERVER_KEY", KEY);
            let node = node.setting("audit.export_dir", &folder.path().display().to_string());
            let node = node.setting("audit.export_interval", interval).setting("audit.export_size", export_size);
            node.on_bucket(Seaweed::shared(), &prefix).start()
        };
        let nodes = [node(), node()];
        let administrator = AwsClient::new(nodes[0].addr(), Keys::new(ADMIN_ID, ADMIN_SECRET));
        let other = Keys::of(&administrator.iam("CreateAccount", &[("AccountId", OTHER)]));
        Self { nodes, folder, url, other }
    }

    fn sql(&self, sql: &str) -> String {
        Postgres::shared().sql(self.url.rsplit_once('/').unwrap().1, sql)
    }

    /// The last link whose records are in files, and the last one that is to come into the files being written.
    fn position(&self) -> (u64, u64) {
        let told = self.sql("SELECT convert_from(value, 'UTF8') FROM properties WHERE name = 'audit_export'");
        let tree: Value = serde_json::from_str(&told).unwrap_or_default();
        let number = |name: &str| tree[name].as_u64().unwrap_or_default();
        (number("done"), number("planned"))
    }

    /// Some calls of each node; one that ends meanwhile does not answer.
    fn work(&self) {
        for node in &self.nodes {
            for _ in 0..5 {
                let _ = node.client().try_request("POST", "/v2/team/app/blobs/uploads/", &[], b"");
                let _ = node.client().try_request("GET", "/v2/team/none/tags/list", &[], b"");
            }
            let asked = AwsRequest::query("sts", "GetCallerIdentity", &[]);
            let signed = Signing::new(&self.other, "sts").sign(asked, &node.anonymous().host());
            let headers: Vec<_> = signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let _ = node.anonymous().try_request(&signed.method, &signed.target(), &headers, &signed.body);
        }
    }

    /// Works until whoever exports comes by a moment and is killed there, and says which node that was.
    fn kill_at(&mut self, moment: Moment) -> usize {
        let victim = Arc::new(AtomicUsize::new(NOBODY));
        let attach = |own: usize| {
            let journal = Journal::begin(self.folder.path());
            Tracer::attach(self.nodes[own].pid(), journal, moment.plan(own, &victim))
        };
        let tracers = [attach(0), attach(1)];
        self.work();
        eventually(&format!("an export comes by {moment}"), || victim.load(Ordering::SeqCst) != NOBODY);
        let victim = victim.load(Ordering::SeqCst);
        for (nth, tracer) in tracers.into_iter().enumerate() {
            let _ = if nth == victim { tracer.finish_at_end() } else { tracer.finish() };
        }
        self.nodes[victim].kill9();
        victim
    }

    /// As if the leases of a node had run out.
    fn forget(&self, node: usize) {
        let id = std::fs::read_to_string(self.nodes[node].data().join("node.id")).unwrap();
        self.sql(&format!("UPDATE leases SET held_until = 0 WHERE holder = '{}'", id.trim()));
    }

    /// Ends both nodes: every record that there is is in one file, in the order of the chain.
    fn settle(mut self) {
        self.stop();
        self.check();
    }

    fn stop(&mut self) {
        for node in &mut self.nodes {
            assert!(node.stop().success(), "{}", node.log());
        }
    }

    fn check(&self) {
        let written = self.nodes[1].berth(&["audit", "export"]);
        assert_eq!(written.code, Some(0), "{written:?}");
        let files = exported::read(self.folder.path(), &exported::public_key(&self.nodes[0]));
        assert_eq!((files.alone, files.parts), (0, 0), "{files:?}");
        let records = Records::read(&self.nodes[0].data(), Some(&self.url), Some(KEY));
        assert!(records.report.is_sound(), "{:?}", records.report.findings);
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, record) in &records.all {
            let text = |name: &str| record[name].as_str().unwrap().to_owned();
            ids.entry(text("recipientAccountId")).or_default().push(text("eventID"));
        }
        assert_eq!(files.ids, ids);
        assert!(!ids[OTHER].is_empty() && ids[ACCOUNT].len() > 10, "{ids:?}");
        for node in &self.nodes {
            exported::verify(node, self.folder.path());
        }
    }
}

#[test]
fn a_node_that_is_killed_while_it_exports_is_followed_by_the_other() {
    let mut shared = Shared::start("16MiB");
    let of = |kind| {
        let calls = [(Class::Create, 1), (Class::Write, 1), (Class::Sync, 1), (Class::Remove, 1), (Class::Sync, 2)];
        calls.map(|(class, nth)| Moment { kind, class, nth })
    };
    let first = [of("000000000000/CloudTrail/"), of("000000000000/CloudTrail-Digest/")].concat();
    // When the files of one account are there, and those of another are not.
    let second = [of("222222222222/CloudTrail/"), of("222222222222/CloudTrail-Digest/")].concat();
    for moment in first.into_iter().chain(second.into_iter().step_by(3)) {
        let victim = shared.kill_at(moment);
        let (done, planned) = shared.position();
        assert!(planned > done, "{moment}: {done} {planned}");
        // Nothing of what was left is taken for something else.
        exported::read(shared.folder.path(), &exported::public_key(&shared.nodes[1 - victim]));
        exported::verify(&shared.nodes[1 - victim], shared.folder.path());
        shared.forget(victim);
        eventually("the other one has written the same", || shared.position().0 >= planned);
        shared.nodes[victim].restart();
    }
    let files = exported::read(shared.folder.path(), &exported::public_key(&shared.nodes[0]));
    assert!(files.whole >= 10, "{files:?}");
    shared.settle();
}

/// A node that chains and is not there: what it left is in no link, and so in no file, before its lease is over.
#[test]
fn an_export_that_is_asked_for_waits_for_whoever_chains() {
    let mut shared = Shared::start("16MiB");
    let until = (aws::now() + 3600) * 1000;
    shared.sql(&format!(
        "INSERT INTO leases (name, holder, held_until) VALUES ('audit', 'gone', {until}) \
         ON CONFLICT (name) DO UPDATE SET holder = 'gone', held_until = {until}"
    ));
    shared.work();
    shared.stop();
    let waiting = shared.sql("SELECT count(*) FROM audit_rows WHERE link IS NULL");
    assert_ne!(waiting, "0");
    shared.sql(&format!("UPDATE leases SET held_until = {} WHERE holder = 'gone'", (aws::now() + 2) * 1000));
    shared.check();
}

/// A node that is stopped keeps nobody from exporting.
#[test]
fn a_node_that_is_stopped_while_it_exports_gives_its_lease_back() {
    let mut shared = Shared::start_with("16MiB", "1d");
    shared.work();
    let id = std::fs::read_to_string(shared.nodes[0].data().join("node.id")).unwrap();
    let until = (aws::now() + 3600) * 1000;
    shared.sql(&format!(
        "INSERT INTO leases (name, holder, held_until) VALUES ('audit export', '{}', {until})",
        id.trim()
    ));
    shared.stop();
    shared.check();
}

/// Nodes, commands beside them that have the nodes' names, and one that verifies, all at once.
#[test]
fn exports_at_once_write_every_record_once() {
    let shared = Shared::start("1");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (shared, is_over) = (&shared, &is_over);
        let export = |node: usize| {
            while !is_over.load(Ordering::SeqCst) {
                let written = shared.nodes[node].berth(&["audit", "export"]);
                let is_busy = written.stderr.contains("another process is exporting");
                assert!(written.code == Some(0) || is_busy, "{written:?}");
            }
        };
        let exporting: Vec<_> = [0, 0, 1].into_iter().map(|node| scope.spawn(move || export(node))).collect();
        let verifying = scope.spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                exported::verify(&shared.nodes[1], shared.folder.path());
            }
        });
        let many = within(Duration::from_mins(2), || {
            shared.work();
            shared.position().0 >= 15
        });
        is_over.store(true, Ordering::SeqCst);
        for thread in exporting.into_iter().chain([verifying]) {
            thread.join().unwrap();
        }
        assert!(many, "{:?}", shared.position());
    });
    shared.settle();
}
