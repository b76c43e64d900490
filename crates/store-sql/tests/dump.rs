//! A dump knows every table and column that the migrations make: what it forgot would be lost by a restore.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use berth_store::dump::{LEFT_OUT, TABLES};
use berth_store_sql::SqliteEngine;
use rusqlite::Connection;

fn schema() -> BTreeMap<String, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berth.db");
    drop(SqliteEngine::open(&path).unwrap());
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let mut tables = BTreeMap::<String, BTreeSet<String>>::new();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for (table, column) in rows.map(Result::unwrap) {
        tables.entry(table).or_default().insert(column);
    }
    tables
}

#[test]
fn every_table_is_dumped_with_every_column_or_named_as_left_out() {
    let schema = schema();
    let known: BTreeSet<&str> = TABLES.iter().map(|table| table.name).chain(LEFT_OUT.iter().copied()).collect();
    assert_eq!(known, schema.keys().map(String::as_str).collect());
    for table in TABLES {
        let columns: BTreeSet<String> = table.columns.iter().map(ToString::to_string).collect();
        assert_eq!(columns, schema[table.name], "{}", table.name);
    }
}
