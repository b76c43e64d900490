//! What the outages have in common.

use std::time::Duration;

use berth_testkit::oracle::{Oracle, Settings};
use berth_testkit::postgres::Postgres;
use berth_testkit::proxy::Proxy;
use berth_testkit::{Server, ServerBuilder, berth_binary};

pub const SOON: Duration = Duration::from_mins(2);

/// How long what nothing needs is kept.
pub const GRACE: Duration = Duration::from_secs(20);

/// A node of the build under test, which collects every second.
pub fn builder() -> ServerBuilder {
    let builder = Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")));
    builder.setting("gc.grace", "20s").setting("gc.interval", "1s")
}

/// Clients that know how long they are promised anything.
pub fn oracle(seed: u64) -> Oracle {
    Oracle::new(&Settings::seeded(seed).with_grace(GRACE))
}

/// How long to do harm.
pub fn time() -> Duration {
    let given = std::env::var("BERTH_TEST_SECONDS").map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(given.unwrap_or(15))
}

/// A fresh database, its name, and the url that leads to it through a proxy.
pub fn database_behind(postgres: &Postgres, proxy: &Proxy) -> (String, String) {
    let url = postgres.create_database();
    let name = url.rsplit('/').next().unwrap().to_owned();
    (name, url.replace(&format!(":{}/", postgres.port()), &format!(":{}/", proxy.port())))
}

/// Waits until no transaction is under way in a database.
pub fn await_rest(postgres: &Postgres, database: &str) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'berth' AND datname = '{database}' AND state <> 'idle'"
    );
    assert!(berth_testkit::within(SOON, || postgres.sql("postgres", &sql) == "0"), "transactions do not end");
}

/// Whole: nothing dangles, and every key has its row.
pub fn assert_whole(node: &Server) {
    let clean = || node.berth(&["verify"]).stdout.trim_end().ends_with("0 findings, 0 keys without an owner");
    assert!(berth_testkit::within(SOON, clean), "{:?}", node.berth(&["verify"]));
    assert_eq!(node.berth(&["verify"]).code, Some(0));
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

/// Shows the errors that a node logged where a test fails.
pub struct TellErrors<'n>(pub &'n Server);

impl Drop for TellErrors<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.0.log();
            let errors = log.lines().filter(|line| line.contains("ERROR"));
            println!("{}", errors.collect::<Vec<_>>().join("\n"));
        }
    }
}
