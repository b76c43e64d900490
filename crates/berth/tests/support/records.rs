//! The records of a registry that was stopped, read by the domain itself: each change has its own, and the chain holds.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_aws::{AccountId, Region};
use berth_domain::audit::{AuditReport, Head};
use berth_domain::seal::ServerKey;
use berth_domain::{Domain, Error, Parts, Settings};
use berth_store::repositories::Registry;
use berth_store::{Database, Row, SystemClock, SystemRandom};
use berth_store_blob::FilesystemStore;
use berth_store_sql::postgres::PostgresUrl;
use berth_store_sql::{PostgresEngine, PostgresSettings, SqliteEngine};
use berth_testkit::oracle::{Answer, Call};
use serde_json::Value;

/// What a stopped registry has on record.
pub struct Records {
    pub report: AuditReport,
    /// The kind of each record's row, and the record.
    pub all: Vec<(String, Value)>,
    /// Repository and tag of each change of a tag.
    pub history: Vec<(String, String)>,
}

impl Records {
    /// Those of a data folder, or of a database elsewhere with the server key that goes with it.
    pub fn read(data: &Path, url: Option<&str>, key: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(read(data, url, key))
    }

    /// Records written with a change, by method and path.
    pub fn changes(&self) -> HashMap<(String, String), usize> {
        let mut counted = HashMap::new();
        for (kind, record) in &self.all {
            let told = &record["additionalEventData"];
            let (method, path) = (told["method"].as_str(), told["path"].as_str());
            if let (true, Some(method), Some(path)) = (kind == "change", method, path) {
                *counted.entry((method.to_owned(), path.to_owned())).or_default() += 1;
            }
        }
        counted
    }
}

/// Every acknowledged change has its record, there is none of a change that was not, and the chain is sound.
pub fn check(data: &Path, url: Option<&str>, key: Option<&str>, calls: &[(Call, Option<Answer>)]) {
    let records = Records::read(data, url, key);
    assert!(records.report.is_sound(), "{:?}", records.report.findings);
    let recorded = records.changes();
    let (mut acknowledged, mut made) = (HashMap::<_, usize>::new(), HashMap::<_, usize>::new());
    for (call, answer) in calls {
        let (method, target) = call.request();
        let at = (method.to_owned(), target.split('?').next().unwrap().to_owned());
        *made.entry(at.clone()).or_default() += 1;
        // Pieces of an upload, and a mount of what is there already, need write nothing.
        let changes = !matches!(call, Call::Chunk { .. } | Call::Head { .. } | Call::Mount { .. });
        let is_done = answer.as_ref().and_then(|answer| answer.status).is_some_and(|status| status / 100 == 2);
        if changes && is_done {
            *acknowledged.entry(at).or_default() += 1;
        }
    }
    for (at, count) in &acknowledged {
        let found = recorded.get(at).copied().unwrap_or_default();
        assert!(found >= *count, "{at:?}: {count} were acknowledged, {found} are on record");
    }
    for (at, count) in recorded.iter().filter(|(at, _)| made.contains_key(*at)) {
        let asked = made.get(at).copied().unwrap_or_default();
        assert!(*count <= asked, "{at:?}: {count} are on record, {asked} were asked for");
    }
    // A tag that was never there has no record of its change, and one that was has.
    let tag = |path: &str| {
        path.strip_prefix("/v2/")?.split_once("/manifests/").map(|(name, tag)| (name.to_owned(), tag.to_owned()))
    };
    let puts = recorded.keys().filter(|(method, _)| method == "PUT").filter_map(|(_, path)| tag(path));
    let put: std::collections::HashSet<_> = puts.collect();
    let there: std::collections::HashSet<_> = records.history.iter().cloned().collect();
    assert_eq!(put.difference(&there).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "recorded and not done");
    assert_eq!(there.difference(&put).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "done and not recorded");
    assert!(!acknowledged.is_empty(), "nothing was done");
}

async fn read(data: &Path, url: Option<&str>, key: Option<&str>) -> Records {
    let scratch = tempfile::tempdir().unwrap();
    let account = AccountId::parse("000000000000").unwrap();
    let key = key.map_or_else(|| std::fs::read_to_string(data.join("server.key")).unwrap(), str::to_owned);
    let domain = Domain::open(Parts {
        database: database(data, url).await,
        blobs: Arc::new(FilesystemStore::open(scratch.path().join("blobs")).unwrap()),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        settings: Settings::new(Registry { account, region: Region::parse("us-east-1").unwrap() }),
        server_key: ServerKey::parse(&key).unwrap(),
        node: "reader of records".to_owned(),
    })
    .await
    .unwrap();
    // What a killed sequencer left is chained when its lease is over.
    for _ in 0..600 {
        let chained = domain.chain_audit().await.unwrap();
        if chained.rows == 0 && late(data, url).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(if chained.is_full { 0 } else { 50 })).await;
    }
    let head = std::fs::read_to_string(data.join("audit.head")).ok().and_then(|text| Head::parse(&text));
    let report = domain.verify_audit(head).await.unwrap();
    let (mut all, mut place) = (Vec::new(), (0, None));
    loop {
        let rows = domain.audit_rows_after(place, 500).await.unwrap();
        let Some(last) = rows.last() else { break };
        place = (last.link, Some(last.place));
        for row in &rows {
            let lines = domain.audit_lines(&row.row).unwrap().unwrap_or_default();
            let kind = &row.row.digested.kind;
            all.extend(lines.lines().map(|line| (kind.clone(), serde_json::from_str(line).unwrap())));
        }
    }
    Records { report, all, history: history(data, url).await }
}

async fn database(data: &Path, url: Option<&str>) -> Database {
    let Some(url) = url else { return Database::new(SqliteEngine::open(&data.join("berth.db")).unwrap()) };
    let (url, statement_timeout) = (PostgresUrl::parse(url).unwrap(), Duration::from_secs(30));
    let settings = PostgresSettings { url, connections: 4, statement_timeout, tls_ca: None };
    Database::new(PostgresEngine::open(&settings).await.unwrap())
}

async fn rows(data: &Path, url: Option<&str>, sql: &'static str) -> Vec<Row> {
    database(data, url).await.read(move |txn| txn.query(sql, &[]).map_err(Error::from)).await.unwrap()
}

async fn late(data: &Path, url: Option<&str>) -> i64 {
    let rows = rows(data, url, "SELECT COUNT(*) FROM audit_rows WHERE link IS NULL").await;
    rows[0].integer(0).unwrap()
}

async fn history(data: &Path, url: Option<&str>) -> Vec<(String, String)> {
    let sql = "SELECT r.name, h.tag FROM tag_history h JOIN repositories r ON r.id = h.repository_id";
    let text = |row: &Row, nth| row.text(nth).unwrap().to_owned();
    rows(data, url, sql).await.iter().map(|row| (text(row, 0), text(row, 1))).collect()
}
