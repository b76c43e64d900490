//! The PostgreSQL engine keeps the database contract, and the promises of its own: reruns, bounds, lost servers, upgrades.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use berth_store::{Database, StoreError, Transaction, parameters};
use berth_store_sql::postgres::PostgresUrl;
use berth_store_sql::{PostgresEngine, PostgresSettings, migrations};
use berth_testkit::postgres::Postgres;

berth_store::database_contract!(make);

const TABLE: &str =
    "CREATE TABLE contract_entries (name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY, number BIGINT, content BYTEA)";

fn settings(url: &str) -> PostgresSettings {
    PostgresSettings {
        url: PostgresUrl::parse(url).unwrap(),
        connections: 16,
        statement_timeout: Duration::from_secs(30),
        tls_ca: None,
    }
}

async fn open(url: &str) -> Database {
    Database::new(PostgresEngine::open(&settings(url)).await.unwrap())
}

async fn make() -> (Database, ()) {
    (with_table(&Postgres::shared().create_database()).await, ())
}

async fn with_table(url: &str) -> Database {
    let database = open(url).await;
    database.write(|txn| txn.execute(TABLE, &[])).await.unwrap();
    database
}

fn insert(txn: &mut dyn Transaction, name: &str, number: i64) -> Result<u64, StoreError> {
    txn.execute("INSERT INTO contract_entries (name, number) VALUES (?1, ?2)", parameters![name, number])
}

fn number(txn: &mut dyn Transaction, name: &str) -> Result<i64, StoreError> {
    let rows = txn.query("SELECT number FROM contract_entries WHERE name = ?1", parameters![name])?;
    rows.first().map_or(Err(StoreError::Panicked), |row| row.integer(0))
}

async fn add_one(database: &Database, runs: Arc<AtomicU32>) -> Result<(), StoreError> {
    let write = database.write(move |txn| {
        runs.fetch_add(1, Ordering::Relaxed);
        let found = number(txn, "counter")?;
        std::thread::yield_now();
        txn.execute("UPDATE contract_entries SET number = ?1 WHERE name = 'counter'", parameters![found + 1])
    });
    write.await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_meet_are_run_again_and_none_is_lost() {
    let (database, ()) = make().await;
    database.write(|txn| insert(txn, "counter", 0)).await.unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let writers: Vec<_> = (0..40)
        .map(|_| {
            let (database, runs) = (database.clone(), Arc::clone(&runs));
            tokio::spawn(async move { add_one(&database, runs).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let counted = database.read(|txn| number(txn, "counter")).await;
    assert_eq!(counted.unwrap(), 40);
    assert!(runs.load(Ordering::Relaxed) > 40, "nothing met, so nothing was shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_each_read_what_the_other_writes_are_not_both_kept() {
    let (database, ()) = make().await;
    let go = Arc::new(tokio::sync::Barrier::new(2));
    let enter = |own: &'static str| {
        let (database, go) = (database.clone(), Arc::clone(&go));
        tokio::spawn(async move {
            go.wait().await;
            let write = database.write(move |txn| {
                let there = txn.query("SELECT 1 FROM contract_entries", &[])?.len();
                std::thread::sleep(Duration::from_millis(100));
                if there == 0 { insert(txn, own, 1) } else { Ok(0) }
            });
            write.await.unwrap()
        })
    };
    let (first, second) = (enter("a"), enter("b"));
    assert_eq!(first.await.unwrap() + second.await.unwrap(), 1, "each saw an empty table and filled it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_another_made_meanwhile_is_found_by_the_next_run() {
    let (database, ()) = make().await;
    let ensure = |database: Database| async move {
        let write = database.write(|txn| {
            if txn.query("SELECT 1 FROM contract_entries WHERE name = 'a'", &[])?.is_empty() {
                std::thread::sleep(Duration::from_millis(30));
                insert(txn, "a", 1)?;
            }
            Ok::<_, StoreError>(())
        });
        write.await
    };
    let all: Vec<_> = (0..8).map(|_| tokio::spawn(ensure(database.clone()))).collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_cut_short() {
    let url = Postgres::shared().create_database();
    let quick = PostgresSettings { statement_timeout: Duration::from_millis(300), ..settings(&url) };
    let database = Database::new(PostgresEngine::open(&quick).await.unwrap());
    let slow = database.read(|txn| txn.query("SELECT 1 FROM pg_sleep(20)", &[])).await;
    assert!(matches!(slow, Err(StoreError::Unavailable(_))), "{slow:?}");
    database.read(|txn| txn.query("SELECT 1", &[])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_are_opened_than_allowed() {
    let server = Postgres::shared();
    let url = server.create_database();
    let few = PostgresSettings { connections: 3, ..settings(&url) };
    let database = Database::new(PostgresEngine::open(&few).await.unwrap());
    let readers: Vec<_> = (0..30)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.read(|txn| txn.query("SELECT 1 FROM pg_sleep(0.02)", &[])).await })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap().unwrap();
    }
    let name = url.rsplit('/').next().unwrap();
    let open = server.sql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"));
    assert!((1..=3).contains(&open.parse::<u32>().unwrap()), "{open} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_and_came_back_is_found_again() {
    let mut server = Postgres::start();
    let database = with_table(&server.create_database()).await;
    database.write(|txn| insert(txn, "before", 1)).await.unwrap();
    for kill in [Postgres::kill9, Postgres::stop] {
        kill(&mut server);
        let down = database.read(|txn| number(txn, "before")).await;
        assert!(matches!(down, Err(StoreError::Unavailable(_))), "{down:?}");
        server.restart();
        assert_eq!(database.read(|txn| number(txn, "before")).await.unwrap(), 1);
    }
    database.write(|txn| insert(txn, "after", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_is_not_noticed_by_a_waiting_writer() {
    let mut server = Postgres::start();
    let database = with_table(&server.create_database()).await;
    server.stop();
    let writer = tokio::spawn(async move { database.write(|txn| insert(txn, "a", 1)).await });
    tokio::task::yield_now().await;
    server.restart();
    writer.await.unwrap().unwrap();
}

/// A certificate for 127.0.0.1 and its key, PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_the_right_server_is_talked_to() {
    let (certificate, key) = certificate();
    let server = Postgres::start_with_tls(&certificate, &key);
    let url = format!("{}?sslmode=verify-full", server.create_database());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let trusting = PostgresSettings { tls_ca: Some(file.clone()), ..settings(&url) };
    std::fs::write(&file, &certificate).unwrap();
    let database = Database::new(PostgresEngine::open(&trusting).await.unwrap());
    let sql = "SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()";
    let rows = database.read(move |txn| txn.query(sql, &[])).await;
    assert_eq!(rows.unwrap()[0].integer(0).unwrap(), 1, "the connection is not encrypted");
    std::fs::write(&file, self::certificate().0).unwrap();
    assert!(PostgresEngine::open(&trusting).await.is_err(), "a stranger's certificate was taken");
    assert!(PostgresEngine::open(&settings(&url)).await.is_err(), "an unknown authority was taken");
}

/// Passes bytes between a client and the server until the client says COMMIT, which it passes on; the answer to that it
/// keeps, and ends the connection.
fn cut_behind_commit(server: u16) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), std::net::TcpStream::connect(("127.0.0.1", server)).unwrap());
            let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
            std::thread::spawn(move || pass_until_commit(client, server));
        }
    });
    port
}

fn pass_until_commit(mut client: std::net::TcpStream, mut server: std::net::TcpStream) {
    use std::io::{Read as _, Write as _};
    let mut block = [0; 8192];
    while let Ok(read @ 1..) = client.read(&mut block) {
        let said = &block[..read];
        if said.windows(7).any(|word| word == b"COMMIT\0") {
            client.shutdown(std::net::Shutdown::Both).unwrap();
            server.write_all(said).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            return;
        }
        server.write_all(said).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_told_so_and_not_made_twice() {
    let server = Postgres::shared();
    let url = server.create_database();
    let database = with_table(&url).await;
    let proxied = url.replace(&server.port().to_string(), &cut_behind_commit(server.port()).to_string());
    // Its schema is there already, so that opening commits through the proxy are all cut; the pool alone is wanted.
    let cut = Database::new(PostgresEngine::connect(&settings(&proxied)).unwrap());
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let write = cut.write(move |txn| {
        counted.fetch_add(1, Ordering::Relaxed);
        insert(txn, "once", 1)
    });
    let outcome = write.await;
    assert!(matches!(&outcome, Err(StoreError::Unavailable(told)) if told.contains("may or may not")), "{outcome:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    let mut found = false;
    for _ in 0..100 {
        found = database.read(|txn| number(txn, "once")).await.is_ok_and(|number| number == 1);
        if found {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(found, "the server had the COMMIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_user_is_told_at_once() {
    let url = Postgres::shared().create_database().replace("postgres@", "nobody-known@");
    let error = PostgresEngine::open(&settings(&url)).await.err().unwrap();
    assert!(matches!(&error, StoreError::Open(told) if told.contains("nobody-known")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_migrate_once() {
    let url = Postgres::shared().create_database();
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { PostgresEngine::open(&settings(&url)).await.map(|_| ()) })
        })
        .collect();
    for node in nodes {
        node.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_works_on_beside_the_next_one() {
    let url = Postgres::shared().create_database();
    let old = Database::new(PostgresEngine::open(&settings(&url)).await.unwrap());
    let mut next = migrations::ALL.to_vec();
    next.push("CREATE TABLE later (x INTEGER) STRICT; ALTER TABLE properties ADD COLUMN later TEXT;");
    let new = Database::new(PostgresEngine::open_with(&settings(&url), &next).await.unwrap());
    let set = |txn: &mut dyn Transaction, name: &str| {
        txn.execute("INSERT INTO properties (name, value) VALUES (?1, ?2)", parameters![name, &b"x"[..]])
    };
    old.write(move |txn| set(txn, "by the old one")).await.unwrap();
    new.write(move |txn| set(txn, "by the new one")).await.unwrap();
    // A node of the old version may also start again.
    let again = open(&url).await;
    let rows = again.read(|txn| txn.query("SELECT name FROM properties", &[])).await;
    assert_eq!(rows.unwrap().len(), 2);
    next.push("CREATE TABLE much_later (x INTEGER) STRICT;");
    PostgresEngine::open_with(&settings(&url), &next).await.unwrap();
    let error = PostgresEngine::open(&settings(&url)).await.err().unwrap();
    assert!(error.to_string().contains("written by a newer Berth"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_leaves_the_version_before_it() {
    let server = Postgres::shared();
    let url = server.create_database();
    let broken =
        ["CREATE TABLE a (x INTEGER) STRICT;", "CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE a (x INTEGER) STRICT;"];
    let error = PostgresEngine::open_with(&settings(&url), &broken).await.err().unwrap();
    assert!(error.to_string().contains("migration 2 failed"), "{error}");
    let name = url.rsplit('/').next().unwrap();
    assert_eq!(server.sql(name, "SELECT version FROM berth_schema"), "1");
    assert_eq!(server.sql(name, "SELECT count(*) FROM pg_tables WHERE tablename = 'b'"), "0");
}
