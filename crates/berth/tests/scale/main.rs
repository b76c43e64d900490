//! A registry of very many images: the answers are right, memory stays flat, and how long things take is printed, with a
//! calibration of the machine beside it. No test depends on a time.
//!
//! `BERTH_SCALE_IMAGES` says how many images (20,000) in a tenth as many repositories, at most 10,000.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures the real machine")]
#![allow(clippy::cast_possible_truncation, reason = "sizes that fit")]

mod fill;

use std::io::Write as _;
use std::time::{Duration, Instant};

use berth_oci::digest::Digest;
use berth_store::{Clock as _, Database, SystemClock};
use berth_store_sql::SqliteEngine;
use berth_testkit::{Client, Image, MIB, Server, berth_binary};

use fill::{CROWDED, Size};

/// What paging through everything may add to the memory of the server.
const FLAT: u64 = 64 * MIB;
const ROUNDS: usize = 5;
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
    let size = size();
    let mut server = Server::builder(berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth"))).start();
    let empty = push_rate(&server.client(), "empty");
    server.stop();
    let begin = Instant::now();
    let subject = filled(&server, size);
    println!("filled: {size:?}, {} s, {} MiB", begin.elapsed().as_secs(), database_bytes(&server) / MIB);
    server.restart();
    let starts: Vec<Duration> = (0..ROUNDS).map(|_| restarted(&mut server)).collect();
    let client = server.client();
    let before = server.process().rss_bytes();
    everything_is_listed(&client, size, &subject);
    let after = server.process().rss_bytes();
    println!("start: {} ms (median of {ROUNDS})", median(starts).as_millis());
    println!("memory: {} MiB after the start, {} MiB after paging through all", before / MIB, after / MIB);
    assert!(after < before + FLAT, "memory grew from {before} to {after}");
    latencies(&client, size, &subject);
    let full = push_rate(&client, "full");
    println!("pushes: {empty:.0} images/s empty, {full:.0} full, ratio {:.2}", full / empty);
    operator_commands(&server, size);
}

fn filled(server: &Server, size: Size) -> Digest {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let database = Database::new(SqliteEngine::open(&server.data().join("berth.db")).unwrap());
    runtime.block_on(fill::fill(&database, size, SystemClock.now()))
}

fn database_bytes(server: &Server) -> u64 {
    std::fs::metadata(server.data().join("berth.db")).unwrap().len()
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

/// Images per second, the median of five rounds.
fn push_rate(client: &Client, name: &str) -> f64 {
    const IMAGES: u32 = 100;
    let round = |round: usize| {
        let begin = Instant::now();
        for number in 0..IMAGES {
            client.push_image(&format!("push/{name}"), "latest", &Image::small(&format!("{name} {round} {number}")));
        }
        f64::from(IMAGES) / begin.elapsed().as_secs_f64()
    };
    median((0..ROUNDS).map(round).collect())
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
    assert_eq!(walk(client, "/v2/_catalog?n=1000", |page| strings(&page["repositories"])), size.repositories + 2);
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
    let print = |what: &str, took: Duration| println!("p99: {:8.2} ms  {what}", took.as_secs_f64() * 1000.0);
    print("calibration: GET /v2/", p99(|_| drop(client.get("/v2/").expect(200))));
    let mut file = tempfile::tempfile().unwrap();
    print(
        "calibration: write of 4 KiB and fsync",
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
        println!("berth {}: {:.1} s", command.join(" "), begin.elapsed().as_secs_f64());
    }
}
