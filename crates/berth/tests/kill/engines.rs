//! The engines that the environment chooses, each run with a database and a place for blobs of its own.

use std::time::Duration;

use berth_testkit::postgres::Postgres;
use berth_testkit::seaweedfs::{BUCKET, Seaweed};
use berth_testkit::{Server, ServerBuilder, berth_binary, eventually};

/// Both of them.
pub struct Engines {
    /// The name of the database, on PostgreSQL.
    pub database: Option<String>,
    prefix: String,
}

/// Where blobs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Files,
    Bucket,
}

impl Store {
    pub fn other(self) -> Self {
        if self == Self::Files { Self::Bucket } else { Self::Files }
    }
}

/// How long what nobody needs is kept here; the shortest there is.
pub const GRACE: Duration = Duration::from_secs(10);

impl Engines {
    pub fn fresh() -> Self {
        let url = Postgres::is_wanted().then(|| Postgres::shared().create_database());
        let database = url.map(|url| url.rsplit_once('/').unwrap().1.to_owned());
        let prefix = if Seaweed::is_wanted() { Seaweed::shared().fresh_prefix() } else { String::new() };
        Self { database, prefix }
    }

    /// As `sqlite+files`.
    pub fn name() -> String {
        let database = if Postgres::is_wanted() { "postgres" } else { "sqlite" };
        format!("{database}+{}", if Seaweed::is_wanted() { "s3" } else { "files" })
    }

    /// A server on them that collects all the time.
    pub fn builder(&self) -> ServerBuilder {
        let builder = self.on_database();
        if Seaweed::is_wanted() { builder.on_bucket(Seaweed::shared(), &self.prefix) } else { builder }
    }

    fn on_database(&self) -> ServerBuilder {
        let builder = Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")))
            .setting("gc.interval", "1s")
            .setting("gc.grace", &format!("{}s", GRACE.as_secs()));
        match &self.database {
            Some(name) => builder.setting("database.url", &Postgres::shared().url(name)),
            None => builder,
        }
    }

    /// Where blobs are at the beginning.
    pub fn store() -> Store {
        if Seaweed::is_wanted() { Store::Bucket } else { Store::Files }
    }

    /// Like [`Self::builder`], on the way from one store to the other.
    pub fn moving_to(&mut self, store: Store) -> ServerBuilder {
        if self.prefix.is_empty() {
            self.prefix = Seaweed::shared().fresh_prefix();
        }
        let on_bucket = self.on_database().on_bucket(Seaweed::shared(), &self.prefix);
        match store {
            Store::Bucket => on_bucket.setting("storage.move_from", "files"),
            Store::Files => on_bucket
                .setting("s3.bucket", "")
                .setting("storage.move_from", &format!("s3://{BUCKET}/{}", self.prefix)),
        }
    }

    /// In one store alone.
    pub fn only(&mut self, store: Store) -> ServerBuilder {
        self.moving_to(store).setting("storage.move_from", "")
    }

    /// After a server was killed: PostgreSQL may still be busy with what it had been sent.
    pub fn wait_for_silence(&self) {
        let Some(name) = &self.database else { return };
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
        eventually("PostgreSQL ends the sessions of a server that is gone", || {
            Postgres::shared().sql("postgres", &sessions) == "0"
        });
    }
}
