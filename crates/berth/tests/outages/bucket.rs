//! The bucket answers with errors, slowly, by halves, or not at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_testkit::oracle::Oracle;
use berth_testkit::postgres::Postgres;
use berth_testkit::proxy::{Direction, Fault, Mishap, Proxy, Refusal, Stage};
use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{MIB, Random, Server, seed_from_environment, within};

use crate::large::Large;
use crate::support::{SOON, TellErrors, assert_whole, builder, oracle, time};

const LARGE: u64 = 3;
/// What the node may buffer, and what it may need besides: this is a build for tests, under load.
const BUDGET: u64 = 16 * MIB;
const BESIDES: u64 = 160 * MIB;

#[test]
fn a_bucket_that_fails_loses_nothing_of_a_node_on_sqlite() {
    run(None);
}

#[test]
fn a_bucket_that_fails_loses_nothing_of_a_node_on_postgresql() {
    run(Some(Postgres::shared().create_database()));
}

fn run(database: Option<String>) {
    let seed = seed_from_environment();
    println!("BERTH_TEST_SEED={seed} BERTH_TEST_SECONDS={}", time().as_secs());
    let (bucket, prefix) = (Seaweed::shared(), Seaweed::shared().fresh_prefix());
    let proxy = Proxy::http(bucket.port(), seed);
    let mut node = builder().on_bucket(bucket, &prefix).setting("s3.buffer_budget", "16MiB");
    node = node.setting("s3.endpoint", &format!("http://127.0.0.1:{}", proxy.port()));
    // An empty url is SQLite, whatever the other tests run on.
    let node = node.setting("database.url", database.as_deref().unwrap_or_default()).start();
    let _tell = TellErrors(&node);
    let before = node.process().rss_bytes();
    let mut oracle = oracle(seed);
    let mut large: Vec<Large> = (0..LARGE).map(|number| Large::new(node.client(), number, seed)).collect();
    oracle.work_until(&[node.client()], || beside(&mut large, || harm(&proxy, seed)));
    // Every call was answered, and what the bucket was still asked for has come to its end by then.
    oracle.settled();
    report(&node, &proxy, &oracle, &large, before);
    oracle.check_all(&node.client());
    let layers: usize = large.iter().map(|large| large.check(&node.client())).sum();
    assert!(layers > 0, "no large layer came through");
    assert_whole(&node);
    assert!(within(SOON, || bucket.multiparts(&prefix).is_empty()), "{:?}", bucket.multiparts(&prefix));
}

/// Lets large layers be pushed until `meanwhile` is over.
fn beside(large: &mut [Large], meanwhile: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for large in large {
            let is_over = &is_over;
            scope.spawn(move || large.work(is_over));
        }
        meanwhile();
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Goes from one fault to the next; in the end there is none.
fn harm(proxy: &Proxy, seed: u64) {
    let mut random = Random::seeded(seed);
    let (began, mut faults) = (Instant::now(), faults());
    let mut turn = 0;
    while began.elapsed() < time() {
        // Each has its turn before any comes again.
        if turn % faults.len() == 0 {
            (1..faults.len()).rev().for_each(|last| faults.swap(last, random.below(last + 1)));
        }
        proxy.set(faults[turn % faults.len()].clone());
        turn += 1;
        std::thread::sleep(Duration::from_millis(500 + random.word() % 2000));
        proxy.set(Fault::None);
        std::thread::sleep(Duration::from_millis(random.word() % 800));
    }
}

fn faults() -> Vec<Fault> {
    let slow_down = [Stage::Before, Stage::After].map(|stage| Mishap::Error(Refusal::SlowDown, stage));
    vec![
        Fault::Mishaps(20, Mishap::all()),
        Fault::Mishaps(70, slow_down.to_vec()),
        Fault::Mishaps(100, vec![Mishap::Error(Refusal::Internal, Stage::Before)]),
        Fault::Mishaps(30, vec![Mishap::CutRequest, Mishap::CutAnswer, Mishap::LostAnswer]),
        Fault::CutAfter(Direction::ToServer, 3_000_000),
        Fault::CutAfter(Direction::ToClient, 200_000),
        Fault::Throttle(1_000_000),
        Fault::Delay(Duration::from_millis(100)),
        Fault::BlackHole,
        Fault::Cut,
    ]
}

fn report(node: &Server, proxy: &Proxy, oracle: &Oracle, large: &[Large], before: u64) {
    println!("what went wrong: {:?}", proxy.befell());
    println!("{:?}; large layers heard {:?}", oracle.figures(), large.iter().map(|one| &one.heard).collect::<Vec<_>>());
    let peak = node.process().peak_rss_bytes();
    println!("{} MiB at the start, {} MiB at the peak", before / MIB, peak / MIB);
    assert!(peak < before + BUDGET + BESIDES, "{} MiB at the peak", peak / MIB);
    assert!(!proxy.befell().is_empty() && oracle.figures().acknowledged > 0);
}
