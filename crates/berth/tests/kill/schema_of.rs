//! Databases of earlier schemas with the content of one of today: what the frozen schemas have room for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth_testkit::Server;
use berth_testkit::postgres::Postgres;
use tempfile::TempDir;

use crate::engines::Engines;

const FROZEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../store-sql/tests/fixtures");

/// A database of each earlier schema.
pub struct Older {
    folder: TempDir,
    versions: usize,
    /// On PostgreSQL the name of the database.
    postgres: Option<String>,
}

impl Older {
    /// Of the database of a server that is stopped.
    pub fn of(server: &Server, engines: &Engines) -> Self {
        // The newest frozen one is today's.
        let versions = fs::read_dir(FROZEN).unwrap().count() - 1;
        let folder = TempDir::with_prefix("berth-older-").unwrap();
        let older = Self { folder, versions, postgres: engines.database.clone() };
        for version in 1..=versions {
            older.frozen(version);
            if older.postgres.is_none() {
                older.fill(version, &server.data().join("berth.db"));
            }
        }
        older
    }

    /// Earlier schemas, from 1 to this.
    pub fn versions(&self) -> usize {
        self.versions
    }

    /// The server's next start finds the database of this version, where the last one brought it up to date.
    pub fn put_back(&self, version: usize, server: &Server) {
        if let Some(name) = &self.postgres {
            self.downgrade(name, version);
            return;
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(server.data().join(format!("berth.db{suffix}")));
        }
        fs::copy(self.file(version), server.data().join("berth.db")).unwrap();
    }

    /// The schema that a killed start left.
    pub fn version_now(&self, server: &Server) -> usize {
        if let Some(name) = &self.postgres {
            return Postgres::shared().sql(name, "SELECT max(version) FROM berth_schema").parse().unwrap();
        }
        // A look at the file itself would do the recovery that is the server's to do.
        let copy = self.folder.path().join("look.db");
        for suffix in ["", "-wal"] {
            let (from, to) = (server.data().join(format!("berth.db{suffix}")), format!("{}{suffix}", copy.display()));
            let _ = fs::remove_file(&to);
            let _ = fs::copy(from, to);
        }
        sqlite(&copy, "PRAGMA user_version").parse().unwrap()
    }

    fn file(&self, version: usize) -> PathBuf {
        self.folder.path().join(format!("{version}.db"))
    }

    /// An empty database as it was released.
    fn frozen(&self, version: usize) {
        sqlite(&self.file(version), &format!(".read {FROZEN}/schema-{version:04}.sql"));
    }

    /// The tables of a version, and their columns.
    fn columns(&self, version: usize) -> BTreeMap<String, Vec<String>> {
        let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
        let mut columns = BTreeMap::<String, Vec<String>>::new();
        for line in sqlite(&self.file(version), sql).lines() {
            let (table, column) = line.split_once('|').unwrap();
            columns.entry(table.to_owned()).or_default().push(column.to_owned());
        }
        columns
    }

    fn fill(&self, version: usize, current: &Path) {
        let copy = |(table, columns): (String, Vec<String>)| {
            let columns = columns.join(", ");
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table};")
        };
        let copies: String = self.columns(version).into_iter().map(copy).collect();
        sqlite(&self.file(version), &format!("ATTACH '{}' AS now; BEGIN; {copies} COMMIT;", current.display()));
    }

    /// Drops what a version did not have.
    fn downgrade(&self, name: &str, version: usize) {
        let known = self.columns(version);
        let sql = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'";
        let found = Postgres::shared().sql(name, sql);
        let drop = |line: &str| {
            let (table, column) = line.split_once('|').unwrap();
            match known.get(table) {
                _ if table == "berth_schema" => String::new(),
                // With what refers to it: rows come in no order.
                None => format!("DROP TABLE IF EXISTS {table} CASCADE;"),
                Some(columns) if columns.iter().any(|known| known == column) => String::new(),
                Some(_) => format!("ALTER TABLE {table} DROP COLUMN {column};"),
            }
        };
        let drops: String = found.lines().map(drop).collect();
        Postgres::shared().sql(name, &format!("{drops} UPDATE berth_schema SET version = {version}"));
    }
}

/// Runs SQL by the command line and gives the rows, a line each, columns between `|`.
fn sqlite(database: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").args(["-batch", "-bail"]).arg(database).arg(sql).output();
    let output = output.expect("sqlite3 is installed");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
