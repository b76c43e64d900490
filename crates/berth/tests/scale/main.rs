//! A registry of very many images: the answers are right, memory stays flat, and how long things take is printed, with a
//! calibration of the machine beside it. No test depends on a time.
//!
//! `BERTH_SCALE_IMAGES` says how many images (20,000) in a tenth as many repositories, at most 10,000; `BERTH_TEST_DATABASE` on
//! which engine. Figures are lines of JSON behind `figures: `, which `bench/scale` collects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures the real machine")]
#![allow(clippy::cast_possible_truncation, reason = "sizes that fit")]

mod fill;

use std::io::Write as _;
use std::time::{Duration, Instant};

use berth_oci::digest::Digest;
use berth_store::{Clock as _, Database, SystemClock};
use berth_store_sql::postgres::PostgresUrl;
use berth_store_sql::{PostgresEngine, PostgresSettings, SqliteEngine};
use berth_testkit::postgres::Postgres;
use berth_testkit::{Client, Image, MIB, Server, ServerBuilder, berth_binary};
use serde_json::{Value, json};

use fill::{CROWDED, Size};

/// What paging through everything may add to the memory of the server.
const FLAT: u64 = 64 * MIB;
const ROUNDS: usize = 5;
const PUSH_ROUNDS: usize = 7;
const REQUESTS: usize = 200;

fn size() -> Size {
    let images = std::env::var("BERTH_SCALE_IMAGES").map_or(20_000, |text| text.parse().expect("a number of images"));
    Size {
        images,
        repositories: (images / 10).min(10_000),
        tags: images.min(100_000),
        referrers: (images / 10).min(10_000),
    }
}

#[test]
fn a_large_registry_answers_right_and_stays_small() {
    let (size, url) = (size(), database_url());
    let mut server = builder(url.as_deref()).start();
    server.stop();
    let begin = Instant::now();
    let (subject, bytes) = filled(&server, url.as_deref(), size);
    let seconds = begin.elapsed().as_secs();
    let engine = if url.is_some() { "postgresql" } else { "sqlite" };
    print(&json!({ "what": "filled", "engine": engine, "images": size.images, "repositories": size.repositories,
        "tags": size.tags, "referrers": size.referrers, "seconds": seconds, "database_mib": bytes / MIB }));
    server.restart();
    let starts: Vec<Duration> = (0..ROUNDS).map(|_| restarted(&mut server)).collect();
    print(&json!({ "what": "start, median of five", "ms": millis(median(starts)) }));
    let client = server.client();
    memory_stays_flat(&server, size, &subject);
    latencies(&client, size, &subject);
    push_rates(&client);
    operator_commands(&server, size);
}

/// A line for the reader and for `bench/scale`.
fn print(figures: &Value) {
    println!("figures: {figures}");
}

fn builder(url: Option<&str>) -> ServerBuilder {
    let builder = Server::builder(berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth")));
    match url {
        Some(url) => builder.setting("database.url", url),
        None => builder,
    }
}

fn database_url() -> Option<String> {
    Postgres::is_wanted().then(|| Postgres::shared().create_database())
}

/// Fills the database of a server that stands still; the subject of all referrers, and how large the database is.
fn filled(server: &Server, url: Option<&str>, size: Size) -> (Digest, u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fill = |database: Database| runtime.block_on(fill::fill(&database, size, SystemClock.now()));
    let Some(url) = url else {
        let file = server.data().join("berth.db");
        let subject = fill(Database::new(SqliteEngine::open(&file).unwrap()));
        return (subject, std::fs::metadata(file).unwrap().len());
    };
    let settings = PostgresSettings {
        url: PostgresUrl::parse(url).unwrap(),
        connections: 1,
        statement_timeout: Duration::from_mins(1),
        tls_ca: None,
    };
    let subject = fill(Database::new(runtime.block_on(PostgresEngine::open(&settings)).unwrap()));
    let name = url.rsplit('/').next().unwrap();
    // What the server would do by itself a while after so many rows.
    Postgres::shared().sql(name, "ANALYZE");
    let bytes = Postgres::shared().sql(name, "SELECT pg_database_size(current_database())");
    (subject, bytes.parse().unwrap())
}

fn memory_stays_flat(server: &Server, size: Size, subject: &Digest) {
    let before = server.process().rss_bytes();
    everything_is_listed(&server.client(), size, subject);
    let after = server.process().rss_bytes();
    print(&json!({ "what": "memory", "after_start_mib": before / MIB, "after_paging_mib": after / MIB }));
    assert!(after < before + FLAT, "memory grew from {before} to {after}");
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

fn restarted(server: &mut Server) -> Duration {
    server.stop();
    server.restart();
    *server.ready_after().last().unwrap()
}

fn median<T: Copy + PartialOrd>(mut of: Vec<T>) -> T {
    of.sort_by(|a, b| a.partial_cmp(b).unwrap());
    of[of.len() / 2]
}

/// Images per second of the full registry and of an empty one beside it, in turns; medians.
fn push_rates(full: &Client) {
    let empty = builder(database_url().as_deref()).start();
    let empty = empty.client();
    let rates = (0..PUSH_ROUNDS).map(|round| (push_rate(&empty, round), push_rate(full, round)));
    let (empties, fulls): (Vec<f64>, Vec<f64>) = rates.unzip();
    let ratios = empties.iter().zip(&fulls).map(|(empty, full)| full / empty).collect();
    let rounded = |rate: f64| (rate * 100.0).round() / 100.0;
    print(&json!({ "what": "pushes, images a second", "rounds": PUSH_ROUNDS, "empty": rounded(median(empties)),
        "full": rounded(median(fulls)), "ratio": rounded(median(ratios)) }));
}

fn push_rate(client: &Client, round: usize) -> f64 {
    const IMAGES: u32 = 100;
    let begin = Instant::now();
    for number in 0..IMAGES {
        client.push_image("push/one", "latest", &Image::small(&format!("{round} {number}")));
    }
    f64::from(IMAGES) / begin.elapsed().as_secs_f64()
}

/// Walks through pages by their Link headers; how many entries, all of them in order.
fn walk(client: &Client, first: &str, entries: impl Fn(&serde_json::Value) -> Vec<String>) -> u64 {
    let (mut at, mut count, mut last) = (Some(first.to_owned()), 0, String::new());
    while let Some(target) = at {
        let reply = client.get(&target).expect(200);
        for entry in entries(&reply.json()) {
            assert!(entry > last, "{entry} comes behind {last}");
            (count, last) = (count + 1, entry);
        }
        at = reply.header("link").map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
    }
    count
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|entry| entry.as_str().unwrap().to_owned()).collect()
}

fn everything_is_listed(client: &Client, size: Size, subject: &Digest) {
    assert_eq!(walk(client, "/v2/_catalog?n=1000", |page| strings(&page["repositories"])), size.repositories + 1);
    let tags = format!("/v2/{CROWDED}/tags/list?n=1000");
    assert_eq!(walk(client, &tags, |page| strings(&page["tags"])), size.tags);
    let digests = |page: &serde_json::Value| {
        page["manifests"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(walk(client, &format!("/v2/{CROWDED}/referrers/{subject}"), digests), size.referrers);
    for number in [0, size.images / 2, size.images - 1] {
        let (name, tag) = (fill::repository(number % size.repositories), format!("v{}", number / size.repositories));
        let manifest = client.manifest(&name, &tag).expect(200).json();
        client.blob(&name, manifest["config"]["digest"].as_str().unwrap()).expect(200);
    }
}

/// The slowest but one in a hundred of some requests, the median of five rounds.
fn p99(mut request: impl FnMut(usize)) -> Duration {
    let round = |_| {
        let mut took: Vec<Duration> = (0..REQUESTS)
            .map(|number| {
                let begin = Instant::now();
                request(number);
                begin.elapsed()
            })
            .collect();
        took.sort();
        took[REQUESTS * 99 / 100 - 1]
    };
    median((0..ROUNDS).map(round).collect())
}

fn latencies(client: &Client, size: Size, subject: &Digest) {
    let print = |what: &str, took: Duration| print(&json!({ "what": format!("p99 of {what}"), "ms": millis(took) }));
    print("GET /v2/, as calibration", p99(|_| drop(client.get("/v2/").expect(200))));
    let mut file = tempfile::tempfile().unwrap();
    print(
        "a write of 4 KiB with fsync, as calibration",
        p99(|_| {
            file.write_all(&[0; 4096]).unwrap();
            file.sync_all().unwrap();
        }),
    );
    let behind = |number: usize, of: u64| (number as u64 * of / REQUESTS as u64).min(of - 1);
    for n in [100, 1000] {
        print(
            &format!("a page of {n} tags"),
            p99(|number| {
                let last = behind(number, size.tags);
                client.get(&format!("/v2/{CROWDED}/tags/list?n={n}&last=tag-{last:07}")).expect(200);
            }),
        );
        print(
            &format!("a page of {n} repositories"),
            p99(|number| {
                let last = fill::repository(behind(number, size.repositories));
                client.get(&format!("/v2/_catalog?n={n}&last={last}")).expect(200);
            }),
        );
    }
    print(
        "the first page of referrers",
        p99(|_| {
            client.get(&format!("/v2/{CROWDED}/referrers/{subject}")).expect(200);
        }),
    );
    print(
        "a manifest by its tag",
        p99(|number| {
            let image = behind(number, size.images);
            let name = fill::repository(image % size.repositories);
            client.manifest(&name, &format!("v{}", image / size.repositories)).expect(200);
        }),
    );
}

/// What operators run reads everything, so its time grows with the registry. Verification writes about every blob, which
/// takes too long for the largest.
fn operator_commands(server: &Server, size: Size) {
    let verify = (size.images <= 100_000).then_some(&["verify"][..]);
    for command in [&["gc", "--dry-run"][..], &["stats"]].into_iter().chain(verify) {
        let begin = Instant::now();
        let output = server.berth(command);
        assert_eq!(output.code, Some(0), "{command:?}: {}", output.stderr);
        print(&json!({ "what": format!("berth {}", command.join(" ")), "ms": millis(begin.elapsed()) }));
    }
}
