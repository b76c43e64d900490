use std::path::PathBuf;

use super::*;
use crate::migrations::ALL;

/// Everything that makes up a schema, in an order that does not depend on its history.
fn schema(connection: &Connection) -> Vec<String> {
    let sql = "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn migrated(migrations: &[&str]) -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, migrations).unwrap();
    connection
}

fn fixture(version: usize) -> String {
    let name = format!("tests/fixtures/schema-{version:04}.sql");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("every version needs its frozen dump, {}: {error}", path.display()))
}

#[test]
fn every_frozen_version_migrates_to_the_fresh_schema() {
    let fresh = schema(&migrated(ALL));
    for frozen in 1..=ALL.len() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&fixture(frozen)).unwrap();
        assert_eq!(version(&connection).unwrap(), frozen, "the dump of version {frozen} says which it is");
        migrate(&mut connection, ALL).unwrap();
        assert_eq!(schema(&connection), fresh, "from version {frozen}");
        assert_eq!(version(&connection).unwrap(), ALL.len());
    }
}

#[test]
fn rows_survive_a_migration() {
    let first = "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (7);";
    let mut connection = migrated(&[first]);
    migrate(&mut connection, &[first, "ALTER TABLE a ADD COLUMN y TEXT;"]).unwrap();
    let row: (i64, Option<String>) =
        connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row, (7, None));
}

#[test]
fn a_failed_migration_leaves_the_version_before_it() {
    let first = "CREATE TABLE a (x INTEGER) STRICT;";
    let mut connection = migrated(&[first]);
    let before = schema(&connection);
    let broken = "CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE a (x INTEGER) STRICT;";
    let error = migrate(&mut connection, &[first, broken]).unwrap_err();
    assert!(error.to_string().contains("migration 2 failed"), "{error}");
    assert_eq!(schema(&connection), before);
    assert_eq!(version(&connection).unwrap(), 1);
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let mut connection = migrated(ALL);
    connection.pragma_update(None, "user_version", 99).unwrap();
    let before = schema(&connection);
    let error = migrate(&mut connection, ALL).unwrap_err();
    let wanted = format!(
        "written by a newer Berth (schema 99, this one knows {}): use that version, or restore a backup",
        ALL.len()
    );
    assert!(matches!(&error, StoreError::Open(reason) if *reason == wanted), "{error}");
    assert_eq!(schema(&connection), before);
    assert_eq!(version(&connection).unwrap(), 99);
}
