//! Several nodes that are one registry, on one PostgreSQL database and one part of a bucket.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;

use berth_testkit::postgres::Postgres;
use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{Client, Server, ServerBuilder, berth_binary};

use super::keys;

const KEY: &str = "5e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e7";

/// The nodes, and where their database and blobs are.
pub struct Nodes {
    pub nodes: Vec<Server>,
    pub prefix: String,
    database: String,
}

impl Nodes {
    /// So many nodes, each with settings of the test.
    pub fn start(count: usize, with: impl Fn(ServerBuilder) -> ServerBuilder) -> Self {
        let (url, prefix) = (Postgres::shared().create_database(), Seaweed::shared().fresh_prefix());
        let builder = || {
            let builder = Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")));
            with(builder.setting("database.url", &url).env("BERTH_SERVER_KEY", KEY))
                .on_bucket(Seaweed::shared(), &prefix)
        };
        let nodes = (0..count).map(|_| builder().start()).collect();
        Self { nodes, database: url.rsplit('/').next().unwrap().to_owned(), prefix }
    }

    /// A client of each node.
    pub fn clients(&self) -> Vec<Client> {
        self.nodes.iter().map(Server::client).collect()
    }

    /// Asks the database.
    pub fn sql(&self, sql: &str) -> String {
        Postgres::shared().sql(&self.database, sql)
    }

    /// Keys in the bucket that no row owns.
    pub fn unowned(&self) -> BTreeSet<String> {
        keys::unowned(Seaweed::shared(), &self.prefix, |sql| self.sql(sql))
    }

    /// Keys for which multipart uploads are open in the bucket.
    pub fn multiparts(&self) -> Vec<String> {
        Seaweed::shared().multiparts(&self.prefix)
    }
}
