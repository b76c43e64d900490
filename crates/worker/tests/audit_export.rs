//! Files of the audit trail, written over a database and a folder of their own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_aws::{AccountId, Region};
use berth_domain::audit::AuditSettings;
use berth_domain::audit_export::{DigestFile, Scope};
use berth_domain::seal::ServerKey;
use berth_domain::{Domain, Parts, Settings};
use berth_store::audit::{AuditRow, Digested};
use berth_store::repositories::Registry;
use berth_store::{Clock as _, Database, StoreError, SystemClock, SystemRandom, audit, leases};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;
use berth_worker::audit_export::{Export, ExportError, Written, write};
use flate2::read::GzDecoder;
use serde_json::{Value, json};

const HOME: &str = "000000000000";
const OTHER: &str = "123456789012";

struct Trail {
    domain: Domain,
    database: Database,
    export: Export,
    _folder: tempfile::TempDir,
}

impl Trail {
    async fn new(size: u64) -> Self {
        Self::with(size, AuditSettings::default()).await
    }

    async fn with(size: u64, audit: AuditSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(SqliteEngine::open(&folder.path().join("berth.db")).unwrap());
        let account = AccountId::parse(HOME).unwrap();
        let parts = Parts {
            database: database.clone(),
            blobs: Arc::new(FilesystemStore::open(folder.path().join("blobs")).unwrap()),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            settings: Settings {
                audit,
                ..Settings::new(Registry { account, region: Region::parse("us-east-1").unwrap() })
            },
            server_key: ServerKey::generate(&SystemRandom),
            node: "one".to_owned(),
        };
        let domain = Domain::open(parts).await.unwrap();
        let export = Export { folder: folder.path().join("trail"), size };
        fs::create_dir(&export.folder).unwrap();
        Self { domain, database, export, _folder: folder }
    }

    /// Writes a row with records of these accounts and names.
    async fn row(&self, records: &[(&str, &str)]) {
        let lines = records.iter().map(|(account, name)| {
            json!({ "eventName": name, "recipientAccountId": account, "awsRegion": "us-east-1" }).to_string() + "\n"
        });
        let payload: Vec<u8> = lines.collect::<String>().into_bytes();
        let at = SystemClock.now();
        let digest = ring_sha256(&payload);
        let id = format!("{:05}", self.rows().await);
        let digested = Digested { id, kind: "change".to_owned(), first_at: at, last_at: at, records: 1, digest };
        let row = AuditRow { digested, encoding: "json".to_owned(), payload: Some(payload) };
        self.database.write(move |txn| audit::insert(txn, &row)).await.unwrap();
    }

    async fn rows(&self) -> usize {
        let count = |txn: &mut dyn berth_store::Transaction| {
            Ok::<_, StoreError>(txn.query("SELECT id FROM audit_rows", &[])?.len())
        };
        self.database.read(count).await.unwrap()
    }

    /// Chains what there is: one link more.
    async fn link(&self, records: &[(&str, &str)]) {
        self.row(records).await;
        self.domain.chain_audit().await.unwrap();
    }

    async fn write(&self) -> Result<Written, ExportError> {
        write(&self.domain, &self.export).await
    }

    /// The names in the files of an account, in the order of their ranges.
    fn names(&self, account: &str) -> Vec<Vec<String>> {
        let digests = self.files(".json").into_iter().filter(|path| path.to_string_lossy().contains(account));
        let of_digest = digests.map(|path| {
            let digest = DigestFile::open(&fs::read(&path).unwrap(), &self.domain.audit_public_key()).unwrap().digest;
            let mut text = String::new();
            let file = fs::File::open(self.export.folder.join(&digest.path)).unwrap();
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
            let tree: Value = serde_json::from_str(&text).unwrap();
            let records = tree["Records"].as_array().unwrap();
            assert_eq!(digest.records, records.len() as u64);
            (
                digest.last.number,
                records.iter().map(|record| record["eventName"].as_str().unwrap().to_owned()).collect(),
            )
        });
        of_digest.collect::<BTreeMap<u64, Vec<String>>>().into_values().collect()
    }

    fn files(&self, end: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        below(&self.export.folder, &mut found);
        found.retain(|path| path.to_string_lossy().ends_with(end));
        found.sort();
        found
    }

    fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.files("").into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { below(&path, found) } else { found.push(path) }
    }
}

fn ring_sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

#[tokio::test]
async fn every_record_comes_into_one_file_of_its_account_in_the_order_of_the_chain() {
    let trail = Trail::new(1 << 20).await;
    assert_eq!(trail.write().await.unwrap(), Written::default());
    trail.link(&[(HOME, "a"), (OTHER, "b"), (HOME, "c")]).await;
    trail.link(&[(HOME, "d")]).await;
    let written = trail.write().await.unwrap();
    assert_eq!((written.files, written.records, written.link), (2, 4, 2));
    assert_eq!(trail.names(HOME), [["a", "c", "d"]]);
    assert_eq!(trail.names(OTHER), [["b"]]);
    // What is not chained is not written.
    trail.row(&[(HOME, "e")]).await;
    assert_eq!(trail.write().await.unwrap().files, 0);
    trail.domain.chain_audit().await.unwrap();
    trail.link(&[("../../evil", "f")]).await;
    assert_eq!(trail.write().await.unwrap().records, 2);
    assert_eq!(trail.names(HOME), [vec!["a", "c", "d"], vec!["e", "f"]]);
}

#[tokio::test]
async fn a_file_ends_where_it_is_large_enough() {
    let trail = Trail::new(1).await;
    for name in ["a", "b", "c"] {
        trail.link(&[(HOME, name)]).await;
    }
    assert_eq!(trail.write().await.unwrap().files, 3);
    assert_eq!(trail.names(HOME), [["a"], ["b"], ["c"]]);
}

#[tokio::test]
async fn what_was_planned_is_written_as_planned_however_often_it_fails() {
    let trail = Trail::new(1 << 20).await;
    trail.link(&[(HOME, "a")]).await;
    // A file where a folder should be: the disk takes nothing.
    let obstacle = trail.export.folder.join("AWSLogs");
    fs::write(&obstacle, "").unwrap();
    for name in ["b", "c"] {
        let error = trail.write().await.unwrap_err();
        assert!(matches!(error, ExportError::File { .. }), "{error}");
        trail.link(&[(HOME, name)]).await;
    }
    assert_eq!(trail.domain.export_position().await.unwrap().done, 0);
    fs::remove_file(&obstacle).unwrap();
    assert_eq!(trail.write().await.unwrap().records, 3);
    assert_eq!(trail.names(HOME), [vec!["a"], vec!["b", "c"]]);
}

#[tokio::test]
async fn the_same_range_has_the_same_files() {
    let trail = Trail::new(1 << 20).await;
    trail.link(&[(HOME, "a"), (OTHER, "b")]).await;
    trail.write().await.unwrap();
    let before = trail.bytes();
    // As if the process had ended between the files and the position.
    let position = br#"{"done":0,"planned":1}"#;
    let back = |txn: &mut dyn berth_store::Transaction| -> Result<(), StoreError> {
        berth_store::properties::set(txn, "audit_export", position)?;
        for account in [HOME, OTHER] {
            berth_store::properties::remove(txn, &format!("audit_export/{account}/us-east-1"))?;
        }
        Ok(())
    };
    trail.database.write(move |txn| back(txn)).await.unwrap();
    trail.link(&[(HOME, "c")]).await;
    trail.write().await.unwrap();
    let after = trail.bytes();
    assert_eq!(after.len(), before.len() + 2);
    assert!(before.iter().all(|file| after.contains(file)));
}

#[tokio::test]
async fn a_folder_that_is_gone_gets_no_plan_and_is_not_made() {
    let trail = Trail::new(1 << 20).await;
    trail.link(&[(HOME, "a")]).await;
    fs::remove_dir(&trail.export.folder).unwrap();
    assert!(matches!(trail.write().await, Err(ExportError::File { .. })));
    assert!(!trail.export.folder.exists());
    assert_eq!(trail.domain.export_position().await.unwrap().planned, 0);
    fs::create_dir(&trail.export.folder).unwrap();
    assert_eq!(trail.write().await.unwrap().records, 1);
}

#[tokio::test]
async fn one_process_writes_at_a_time() {
    let trail = Trail::new(1 << 20).await;
    trail.link(&[(HOME, "a")]).await;
    let now = SystemClock.now();
    let until = now.after(Duration::from_mins(1));
    let take = trail.database.write(move |txn| leases::take(txn, leases::AUDIT_EXPORT, "other", now, until));
    assert!(take.await.unwrap());
    assert!(matches!(trail.write().await, Err(ExportError::Busy)));
    let give = trail.database.write(move |txn| leases::give_back(txn, leases::AUDIT_EXPORT, "other"));
    give.await.unwrap();
    assert_eq!(trail.write().await.unwrap().records, 1);
}

#[tokio::test]
async fn rows_that_were_changed_before_are_told_of() {
    let trail = Trail::new(1).await;
    trail.link(&[(HOME, "a")]).await;
    trail.link(&[(HOME, "b")]).await;
    let change = |txn: &mut dyn berth_store::Transaction| {
        let sql = "UPDATE audit_rows SET payload = ?1 WHERE link = 2";
        let payload = br#"{"eventName":"x","recipientAccountId":"000000000000","awsRegion":"us-east-1"}"#;
        txn.execute(sql, &[payload.to_vec().into()])
    };
    trail.database.write(change).await.unwrap();
    let written = trail.write().await.unwrap();
    assert_eq!((written.files, written.doubtful), (2, vec![2]));
    let doubtful =
        trail.files(".json").iter().filter(|path| fs::read_to_string(path).unwrap().contains("doubtful")).count();
    assert_eq!(doubtful, 1);
}

#[tokio::test]
async fn records_stay_until_they_are_in_a_file_however_old_they_are() {
    let (retention, reads_retention) = (Duration::ZERO, Duration::ZERO);
    let settings = AuditSettings { retention, reads_retention, exported: true, ..AuditSettings::default() };
    let trail = Trail::with(1 << 20, settings).await;
    trail.link(&[(HOME, "a")]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!((trail.domain.retain_audit().await.unwrap(), trail.rows().await), (0, 1));
    assert_eq!(trail.write().await.unwrap().records, 1);
    assert!(trail.domain.retain_audit().await.unwrap() > 0);
    assert_eq!(trail.rows().await, 0);
    // What comes later follows in the files, though the chain begins behind them.
    trail.link(&[(HOME, "b")]).await;
    assert_eq!(trail.write().await.unwrap().records, 1);
    assert_eq!(trail.names(HOME), [["a"], ["b"]]);
    assert!(trail.domain.verify_audit(None).await.unwrap().is_sound());
}

/// One process gathers, and before it writes another one has written and moved on: what the first would write is not it.
#[tokio::test]
async fn who_was_overtaken_writes_nothing() {
    let trail = Trail::new(1 << 20).await;
    trail.link(&[(HOME, "a")]).await;
    let before = trail.domain.export_position().await.unwrap();
    assert!(trail.domain.plan_export(before, 1).await.unwrap());
    let planned = trail.domain.export_position().await.unwrap();
    let scope = Scope::parse(HOME, "us-east-1").unwrap();
    let gather = async || {
        let mut batch = trail.domain.gather_export(planned, 1 << 20).await.unwrap().unwrap();
        let gathered = batch.files.remove(&scope).unwrap();
        (batch, gathered)
    };
    let pending = trail.domain.pending_export().await.unwrap().unwrap();
    let (batch, gathered) = gather().await;
    let (place, bytes, digest) = trail.domain.seal_export(&batch, planned, &scope, gathered).await.unwrap().unwrap();
    assert_eq!(pending.place(&scope), place);
    let (batch, gathered) = gather().await;
    assert_eq!(trail.write().await.unwrap().files, 1);
    let written = |path: &str| fs::read(trail.export.folder.join(path)).unwrap();
    assert_eq!((written(&place.records), written(&place.digest)), (bytes, digest.bytes));
    assert!(trail.domain.seal_export(&batch, planned, &scope, gathered).await.unwrap().is_none());
    assert_eq!(trail.domain.pending_export().await.unwrap(), None);
}
