//! Servers on PostgreSQL: outages, read-only times, two nodes that share a database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use berth_testkit::postgres::Postgres;
use berth_testkit::{Image, Server, within};
use support::builder;

const SOON: Duration = Duration::from_mins(1);

fn on(url: &str) -> Server {
    builder().setting("database.url", url).start()
}

#[test]
fn an_outage_is_told_survived_and_loses_nothing() {
    let mut postgres = Postgres::start();
    let server = on(&postgres.create_database());
    let client = server.client();
    let image = Image::small("before");
    client.push_image("team/app", "v1", &image);
    for end in [Postgres::kill9, Postgres::stop] {
        end(&mut postgres);
        let refused = client.manifest("team/app", "v1");
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.header("retry-after").is_some(), "{}", refused.text());
        client.get("/healthz").expect(200);
        client.get("/readyz").expect(503);
        postgres.restart();
        assert!(within(SOON, || client.get("/readyz").status == 200), "{}", server.log());
        client.manifest("team/app", "v1").expect(200);
    }
    client.push_image("team/app", "v2", &Image::small("after"));
    assert_eq!(server.berth(&["verify"]).code, Some(0));
}

#[test]
fn a_database_that_takes_no_writes_still_serves_pulls() {
    let postgres = Postgres::start();
    let server = on(&postgres.create_database());
    let client = server.client();
    client.push_image("team/app", "v1", &Image::small("before"));
    // What a standby says of itself, while a fail-over lasts.
    postgres.sql("postgres", "ALTER ROLE postgres NOCREATEROLE");
    postgres.sql(
        "berth_0",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN RAISE read_only_sql_transaction; END'",
    );
    for table in ["uploads", "manifests", "tags"] {
        let sql = format!("CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION refuse()");
        postgres.sql("berth_0", &sql);
    }
    let refused = client.request("POST", "/v2/team/app/blobs/uploads/", &[], b"");
    assert_eq!(refused.status, 503, "{}", refused.text());
    client.manifest("team/app", "v1").expect(200);
    for table in ["uploads", "manifests", "tags"] {
        postgres.sql("berth_0", &format!("DROP TRIGGER refuse ON {table}"));
    }
    client.push_image("team/app", "v2", &Image::small("after"));
}

#[test]
fn a_server_waits_for_a_database_that_starts_later() {
    let mut postgres = Postgres::start();
    let url = postgres.create_database();
    postgres.stop();
    let starting = std::thread::spawn(move || on(&url));
    std::thread::sleep(Duration::from_secs(1));
    postgres.restart();
    starting.join().unwrap().client().get("/readyz").expect(200);
}

#[test]
fn a_password_comes_from_a_file_and_is_never_printed() {
    let postgres = Postgres::start();
    let url = postgres.create_database();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "pass-word-of-the-database\n").unwrap();
    let server =
        builder().setting("database.url", &url).env("BERTH_DATABASE_PASSWORD_FILE", file.to_str().unwrap()).start();
    server.client().get("/readyz").expect(200);
    let printed = server.berth(&["config", "--json"]);
    assert!(printed.stdout.contains(&url), "{}", printed.stdout);
    assert!(!printed.stdout.contains("pass-word") && !server.log().contains("pass-word"));
    let refused = builder().setting("database.url", &url.replace("postgres@", "postgres:pass-word@"));
    let output = std::panic::catch_unwind(move || refused.start()).map(drop).unwrap_err();
    let told = output.downcast_ref::<String>().unwrap();
    assert!(told.contains("BERTH_DATABASE_PASSWORD") && !told.contains("pass-word"), "{told}");
}

#[test]
fn a_node_with_another_server_key_is_refused() {
    let postgres = Postgres::start();
    let url = postgres.create_database();
    let _first = on(&url);
    let second = std::panic::catch_unwind(move || on(&url)).map(drop).unwrap_err();
    let told = second.downcast_ref::<String>().unwrap();
    assert!(told.contains("server key"), "{told}");
}
