//! What every database engine promises, as tests that any engine can be put through (invariant 10 of `ARCHITECTURE.md`).
//!
//! `database_contract!(make)` makes one test of each behaviour; `make().await` gives a [`Database`] and whatever must live
//! as long as it does. The database holds an empty table `contract_entries` with the columns `name` (text, primary key,
//! ordered by bytes), `number` (64 bits) and `content` (bytes), the last two of which may be NULL; its types are the
//! engine's. The crate that uses the macro has `tokio` with its macros and multi-thread runtime.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "these are the bodies of tests, which fail by panicking"
)]

use crate::parameters;
use crate::{Database, StoreError, Transaction, Value};

/// Makes a test of each promise, for the database that `$make().await` gives.
#[macro_export]
macro_rules! database_contract {
    ($make:expr) => {
        $crate::database_contract!(@each $make;
            a_write_is_seen_after_it,
            a_write_sees_its_own_changes,
            a_function_gives_back_its_result,
            a_function_that_fails_is_undone,
            a_function_that_panics_is_undone,
            a_reader_that_panics_harms_nobody,
            one_writer_that_fails_undoes_no_other,
            a_read_sees_one_state,
            a_reader_cannot_write,
            every_acknowledged_write_is_kept,
            rows_changed_are_counted,
            names_sort_by_their_bytes,
            values_come_back_as_they_were,
            big_values_come_back_as_they_were,
            a_parameter_can_be_used_twice_and_out_of_order,
            a_refused_statement_is_told_and_can_be_survived,
        );
    };
    (@each $make:expr; $($promise:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $promise() {
            let (database, _alive) = $make().await;
            $crate::database_contract::$promise(&database).await;
        }
    )* };
}

/// A function's own error, as a rule of the registry would give it.
#[derive(Debug, PartialEq)]
enum Failure {
    Rule(&'static str),
    Store(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

fn insert(txn: &mut dyn Transaction, name: &str, number: i64) -> Result<u64, StoreError> {
    let sql = "INSERT INTO contract_entries (name, number) VALUES (?1, ?2)";
    txn.execute(sql, parameters![name, number])
}

fn names(txn: &mut dyn Transaction) -> Result<Vec<String>, StoreError> {
    let rows = txn.query("SELECT name FROM contract_entries ORDER BY name", &[])?;
    rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

async fn stored_names(database: &Database) -> Vec<String> {
    database.read(names).await.unwrap()
}

async fn write_one(database: &Database, name: &'static str) {
    database.write(move |txn| insert(txn, name, 1)).await.unwrap();
}

/// A read that begins after a write was acknowledged sees it.
pub async fn a_write_is_seen_after_it(database: &Database) {
    for nth in 0..50_usize {
        database.write(move |txn| insert(txn, &format!("entry-{nth:02}"), 1)).await.unwrap();
        assert_eq!(stored_names(database).await.len(), nth + 1);
    }
}

/// Inside its function a change is there at once.
pub async fn a_write_sees_its_own_changes(database: &Database) {
    let seen = database.write(|txn| {
        insert(txn, "a", 1)?;
        insert(txn, "b", 1)?;
        names(txn)
    });
    assert_eq!(seen.await.unwrap(), ["a", "b"]);
}

/// What the function returns is what the caller gets, from a read and from a write, good or bad.
pub async fn a_function_gives_back_its_result(database: &Database) {
    assert_eq!(database.read(|_| Ok::<_, Failure>(7)).await, Ok(7));
    assert_eq!(database.write(|_| Ok::<_, Failure>("done")).await, Ok("done"));
    assert_eq!(database.read(|_| Err::<(), _>(Failure::Rule("no"))).await, Err(Failure::Rule("no")));
    assert_eq!(database.write(|_| Err::<(), _>(Failure::Rule("no"))).await, Err(Failure::Rule("no")));
}

/// An error undoes everything that its function did, and nothing before it.
pub async fn a_function_that_fails_is_undone(database: &Database) {
    write_one(database, "before").await;
    let failed = database.write(|txn| {
        insert(txn, "undone", 1)?;
        txn.execute("DELETE FROM contract_entries WHERE name = ?1", parameters!["before"])?;
        Err::<(), _>(Failure::Rule("refused"))
    });
    assert_eq!(failed.await, Err(Failure::Rule("refused")));
    assert_eq!(stored_names(database).await, ["before"]);
    write_one(database, "later").await;
    assert_eq!(stored_names(database).await, ["before", "later"]);
}

/// A panic undoes its function, is told to its caller and leaves the engine at work.
pub async fn a_function_that_panics_is_undone(database: &Database) {
    let panicked = database.write(|txn| -> Result<(), StoreError> {
        insert(txn, "undone", 1)?;
        panic!("a panic that the test makes");
    });
    assert!(matches!(panicked.await, Err(StoreError::Panicked)));
    assert!(stored_names(database).await.is_empty());
    write_one(database, "later").await;
    assert_eq!(stored_names(database).await, ["later"]);
}

/// A panic in a read is told to its caller and leaves the engine at work.
pub async fn a_reader_that_panics_harms_nobody(database: &Database) {
    write_one(database, "a").await;
    for _ in 0..3 {
        let panicked = database.read(|txn| -> Result<(), StoreError> {
            names(txn)?;
            panic!("a panic that the test makes");
        });
        assert!(matches!(panicked.await, Err(StoreError::Panicked)));
    }
    write_one(database, "b").await;
    assert_eq!(stored_names(database).await, ["a", "b"]);
}

/// Of writers at the same time, those that fail or panic lose their changes and no others do.
pub async fn one_writer_that_fails_undoes_no_other(database: &Database) {
    let writers = (0..60_i64).map(|nth| {
        let database = database.clone();
        tokio::spawn(async move {
            let write = database.write(move |txn| -> Result<(), Failure> {
                insert(txn, &format!("entry-{nth:02}"), nth)?;
                match nth % 3 {
                    0 => Ok(()),
                    1 => Err(Failure::Rule("refused")),
                    _ => panic!("a panic that the test makes"),
                }
            });
            (nth, write.await)
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        let (nth, outcome) = writer.await.unwrap();
        match nth % 3 {
            0 => assert_eq!(outcome, Ok(())),
            1 => assert_eq!(outcome, Err(Failure::Rule("refused"))),
            _ => assert_eq!(outcome, Err(StoreError::Panicked.into())),
        }
    }
    let kept: Vec<String> = (0..60).step_by(3).map(|nth| format!("entry-{nth:02}")).collect();
    assert_eq!(stored_names(database).await, kept);
}

/// A read sees the state of its first query to its end, whatever is committed meanwhile.
pub async fn a_read_sees_one_state(database: &Database) {
    write_one(database, "before").await;
    let (began, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel();
    let reading = database.clone();
    let reader = tokio::spawn(async move {
        let read = reading.read(move |txn| {
            let first = names(txn)?;
            began.send(()).unwrap();
            may_go_on.recv().unwrap();
            Ok::<_, StoreError>((first, names(txn)?))
        });
        read.await.unwrap()
    });
    has_begun.recv().await.unwrap();
    write_one(database, "meanwhile").await;
    go_on.send(()).unwrap();
    let (first, second) = reader.await.unwrap();
    assert_eq!(first, ["before"]);
    assert_eq!(second, first);
    assert_eq!(stored_names(database).await, ["before", "meanwhile"]);
}

/// A function that was given to `read` cannot change anything.
pub async fn a_reader_cannot_write(database: &Database) {
    let outcome = database.read(|txn| insert(txn, "a", 1)).await;
    assert!(matches!(outcome, Err(StoreError::Statement { .. })), "{outcome:?}");
    assert!(stored_names(database).await.is_empty());
}

/// However many write at once, everyone is answered and everything acknowledged is there.
pub async fn every_acknowledged_write_is_kept(database: &Database) {
    let writers = (0..400_i64).map(|nth| {
        let database = database.clone();
        tokio::spawn(async move { database.write(move |txn| insert(txn, &format!("{nth:03}"), nth)).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    let wanted: Vec<String> = (0..400).map(|nth| format!("{nth:03}")).collect();
    assert_eq!(stored_names(database).await, wanted);
}

/// A statement tells how many rows it changed, none included.
pub async fn rows_changed_are_counted(database: &Database) {
    let counts = database.write(|txn| {
        for name in ["a", "b", "c"] {
            insert(txn, name, 1)?;
        }
        let update = "UPDATE contract_entries SET number = ?1 WHERE name >= ?2";
        let again = "INSERT INTO contract_entries (name) VALUES (?1) ON CONFLICT (name) DO NOTHING";
        Ok::<_, StoreError>([
            txn.execute(update, parameters![2_i64, "b"])?,
            txn.execute(update, parameters![2_i64, "z"])?,
            txn.execute(again, parameters!["a"])?,
            txn.execute(again, parameters!["d"])?,
        ])
    });
    assert_eq!(counts.await.unwrap(), [2, 0, 0, 1]);
}

/// Names order and compare by bytes, so that a page can begin behind any name.
pub async fn names_sort_by_their_bytes(database: &Database) {
    const SORTED: [&str; 16] =
        ["", "-a", ".a", "0", "A", "B", "_a", "a", "a-b", "a.b", "a/b", "a0", "aB", "a_b", "ab", "\u{e9}"];
    assert!(SORTED.is_sorted());
    let written = database.write(|txn| {
        // In an order that is neither the right one nor its reverse.
        for nth in 0..SORTED.len() {
            insert(txn, SORTED[nth * 5 % SORTED.len()], 1)?;
        }
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
    assert_eq!(stored_names(database).await, SORTED);
    for (nth, name) in SORTED.into_iter().enumerate() {
        let behind = database.read(move |txn| {
            let sql = "SELECT name FROM contract_entries WHERE name > ?1 ORDER BY name LIMIT 1";
            let rows = txn.query(sql, parameters![name])?;
            rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
        });
        let behind: Result<_, StoreError> = behind.await;
        assert_eq!(behind.unwrap().as_deref(), SORTED.get(nth + 1).copied(), "behind {name:?}");
    }
}

async fn round_trip(database: &Database, row: [Value; 3]) -> Vec<Value> {
    let given = row.clone();
    let write = database.write(move |txn| {
        txn.execute("INSERT INTO contract_entries (name, number, content) VALUES (?1, ?2, ?3)", &given)
    });
    write.await.unwrap();
    let name = row[0].clone();
    let read = database.read(move |txn| {
        let sql = "SELECT name, number, content FROM contract_entries WHERE name = ?1";
        txn.query(sql, std::slice::from_ref(&name))
    });
    let mut rows = read.await.unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0).0
}

/// Each kind of value keeps its kind and its extremes.
pub async fn values_come_back_as_they_were(database: &Database) {
    let rows = [
        ["a".into(), Value::Null, Value::Null],
        ["".into(), 0_i64.into(), Value::Bytes(Vec::new())],
        ["it's \"quoted\"; --".into(), i64::MAX.into(), Value::Bytes((0..=255).collect())],
        ["\u{1F6A2} ?1 %".into(), i64::MIN.into(), Value::Bytes(vec![0; 3])],
    ];
    for row in rows {
        assert_eq!(round_trip(database, row.clone()).await, row);
    }
}

/// A value may be as large as the largest manifest, and larger.
pub async fn big_values_come_back_as_they_were(database: &Database) {
    let content: Vec<u8> = (0..9_000_000_u32).map(|nth| nth.to_be_bytes()[3] ^ nth.to_be_bytes()[2]).collect();
    // Names are keys, whose size some engines bound.
    let row = ["x".repeat(2000).into(), 1_i64.into(), Value::Bytes(content)];
    assert!(round_trip(database, row.clone()).await == row);
}

/// Parameters go by their number, not by where they appear.
pub async fn a_parameter_can_be_used_twice_and_out_of_order(database: &Database) {
    let found = database.write(|txn| {
        insert(txn, "a", 1)?;
        let sql = "SELECT name FROM contract_entries WHERE number = ?2 AND name = ?1 AND name <= ?1 AND number >= ?2";
        txn.query(sql, parameters!["a", 1_i64])
    });
    let found: Result<_, StoreError> = found.await;
    assert_eq!(found.unwrap().len(), 1);
}

/// A statement that the database refuses is named in the error; another transaction is not harmed by it.
pub async fn a_refused_statement_is_told_and_can_be_survived(database: &Database) {
    write_one(database, "a").await;
    let again = database.write(|txn| insert(txn, "a", 2)).await;
    match again {
        Err(StoreError::Statement { statement, reason }) => {
            assert!(statement.starts_with("INSERT INTO contract_entries"), "{statement}");
            assert!(!reason.is_empty());
        }
        other => panic!("a second row of one key ended as {other:?}"),
    }
    let unknown = database.read(|txn| txn.query("SELECT nothing FROM nowhere", &[])).await;
    assert!(matches!(unknown, Err(StoreError::Statement { .. })), "{unknown:?}");
    write_one(database, "b").await;
    assert_eq!(stored_names(database).await, ["a", "b"]);
}
