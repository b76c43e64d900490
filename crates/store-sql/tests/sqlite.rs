//! The `SQLite` engine keeps the database contract, and the promises of its own file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::Poll;

use berth_store::{Database, StoreError, Transaction};
use berth_store_sql::SqliteEngine;
use tempfile::TempDir;

berth_store::database_contract!(make);

const TABLE: &str =
    "CREATE TABLE contract_entries (name TEXT NOT NULL PRIMARY KEY, number INTEGER, content BLOB) STRICT";

fn file(home: &TempDir) -> PathBuf {
    home.path().join("registry.db")
}

fn open(path: &Path) -> Database {
    Database::new(SqliteEngine::open(path).unwrap())
}

async fn make() -> (Database, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let database = open(&file(&home));
    run(&database, TABLE).await;
    (database, home)
}

async fn run(database: &Database, sql: &'static str) {
    database.write(move |txn| txn.execute(sql, &[])).await.unwrap();
}

async fn integer(database: &Database, sql: &'static str) -> i64 {
    let rows = database.read(move |txn| txn.query(sql, &[])).await;
    let rows: Result<_, StoreError> = rows;
    rows.unwrap()[0].integer(0).unwrap()
}

const COUNT: &str = "SELECT count(*) FROM contract_entries";

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let (database, home) = make().await;
    run(&database, "INSERT INTO contract_entries (name) VALUES ('a')").await;
    drop(database);
    assert_eq!(integer(&open(&file(&home)), COUNT).await, 1);
}

/// As a server and an operator's command do.
#[tokio::test]
async fn each_reads_what_the_other_one_committed() {
    let (ours, home) = make().await;
    let theirs = open(&file(&home));
    for nth in 0..500 {
        let (writes, reads) = if nth % 3 == 0 { (&ours, &theirs) } else { (&theirs, &ours) };
        writes.write(move |txn| insert(txn, &nth.to_string())).await.unwrap();
        assert_eq!(integer(reads, COUNT).await, nth + 1);
        assert_eq!(integer(writes, COUNT).await, nth + 1);
    }
}

/// Another process, an operator's command, can move the log however long the server has had nothing to do.
#[tokio::test]
async fn a_registry_at_rest_keeps_no_snapshot() {
    let (database, home) = make().await;
    assert_eq!(integer(&database, COUNT).await, 0);
    let other = rusqlite::Connection::open(file(&home)).unwrap();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    other.execute("INSERT INTO contract_entries (name) VALUES ('elsewhere')", []).unwrap();
    let emptied = || other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).unwrap() == 0;
    for _ in 0..1000 {
        if emptied() {
            assert_eq!(integer(&database, COUNT).await, 1);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the log cannot begin anew");
}

fn insert(txn: &mut dyn Transaction, name: &str) -> Result<u64, StoreError> {
    txn.execute("INSERT INTO contract_entries (name) VALUES (?1)", berth_store::parameters![name])
}

type Writing<'d> = Pin<Box<dyn Future<Output = Result<u64, StoreError>> + 'd>>;

/// Puts a write into the engine's queue without waiting for its answer.
async fn queue<'d, F>(database: &'d Database, function: F) -> Writing<'d>
where
    F: Fn(&mut dyn Transaction) -> Result<u64, StoreError> + Send + 'static,
{
    let mut writing: Writing<'d> = Box::pin(database.write(function));
    let polled = poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await;
    assert!(polled.is_pending(), "the writer is held, so nothing can be answered");
    writing
}

/// Holds the thread that writes until the sender sends: what is queued meanwhile becomes one group.
async fn hold(database: &Database) -> (Writing<'_>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let (began, has_begun) = mpsc::channel();
    let holding = queue(database, move |_| {
        began.send(()).unwrap();
        released.recv().unwrap();
        Ok(0)
    });
    let holding = holding.await;
    has_begun.recv().unwrap();
    (holding, release)
}

#[tokio::test]
async fn writes_whose_callers_went_away_are_done_before_the_engine_is_gone() {
    let (database, home) = make().await;
    let (holding, release) = hold(&database).await;
    for nth in 0..5 {
        drop(queue(&database, move |txn| insert(txn, &format!("entry-{nth}"))).await);
    }
    drop(holding);
    release.send(()).unwrap();
    drop(database);
    assert_eq!(integer(&open(&file(&home)), COUNT).await, 5);
}

#[tokio::test]
async fn a_failed_commit_fails_the_whole_group_and_the_engine_goes_on() {
    let (database, _home) = make().await;
    // A constraint that is only judged at the outer commit makes that commit fail.
    run(&database, "CREATE TABLE late (name TEXT REFERENCES contract_entries (name) DEFERRABLE INITIALLY DEFERRED)")
        .await;
    let (holding, release) = hold(&database).await;
    let first = queue(&database, |txn| insert(txn, "first")).await;
    let bad = queue(&database, |txn| txn.execute("INSERT INTO late VALUES ('nobody')", &[])).await;
    // Its own error rests on what the first one wrote, which never came to be.
    let second = queue(&database, |txn| insert(txn, "first")).await;
    release.send(()).unwrap();
    holding.await.unwrap();

    for write in [first, bad, second] {
        match write.await {
            Err(StoreError::Statement { statement, .. }) => assert_eq!(statement, "COMMIT"),
            other => panic!("a write of a group that failed ended as {other:?}"),
        }
    }
    assert_eq!(integer(&database, COUNT).await, 0);
    run(&database, "INSERT INTO contract_entries (name) VALUES ('later')").await;
    assert_eq!(integer(&database, COUNT).await, 1);
}

#[tokio::test]
async fn a_transaction_that_the_engine_gave_up_fails_the_whole_group() {
    let (database, _home) = make().await;
    let (holding, release) = hold(&database).await;
    let first = queue(&database, |txn| insert(txn, "first")).await;
    // What a full disk does, without a full disk.
    let lost = queue(&database, |txn| txn.execute("ROLLBACK", &[])).await;
    let second = queue(&database, |txn| insert(txn, "second")).await;
    release.send(()).unwrap();
    holding.await.unwrap();
    for write in [first, lost, second] {
        let outcome = write.await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    run(&database, "INSERT INTO contract_entries (name) VALUES ('later')").await;
    assert_eq!(integer(&database, COUNT).await, 1);
}

#[tokio::test]
async fn commits_are_synced_and_references_enforced() {
    let (database, home) = make().await;
    let pragma = |sql: &'static str| {
        let database = database.clone();
        async move {
            let rows = database.write(move |txn| txn.query(sql, &[])).await;
            let rows: Result<_, StoreError> = rows;
            format!("{:?}", rows.unwrap()[0].0[0])
        }
    };
    assert_eq!(pragma("PRAGMA synchronous").await, "Integer(2)");
    assert_eq!(pragma("PRAGMA foreign_keys").await, "Integer(1)");
    assert_eq!(pragma("PRAGMA journal_mode").await, "Text(\"wal\")");
    assert_eq!(integer(&database, "PRAGMA foreign_keys").await, 1);
    assert!(home.path().join("registry.db-wal").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_engines_write_to_one_file() {
    let (first, home) = make().await;
    let second = open(&file(&home));
    let writes: Vec<_> = (0..40)
        .map(|nth| {
            let database = if nth % 2 == 0 { first.clone() } else { second.clone() };
            tokio::spawn(async move { database.write(move |txn| insert(txn, &format!("entry-{nth}"))).await })
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert_eq!(integer(&first, COUNT).await, 40);
    assert_eq!(integer(&second, COUNT).await, 40);
}

#[test]
fn a_file_that_is_no_database_is_refused_with_its_path() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(file(&home), "this is no database, only a text that is long enough".repeat(40)).unwrap();
    let error = SqliteEngine::open(&file(&home)).err().unwrap();
    assert!(matches!(&error, StoreError::Open(_)), "{error}");
    assert!(error.to_string().contains("registry.db"), "{error}");
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    let home = tempfile::tempdir().unwrap();
    drop(SqliteEngine::open(&file(&home)).unwrap());
    let connection = rusqlite::Connection::open(file(&home)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = SqliteEngine::open(&file(&home)).err().unwrap();
    assert!(error.to_string().contains("newer Berth (schema 99"), "{error}");
}
