//! Two nodes collect garbage every second while clients push, ask, mount and delete at both.
//!
//! What was promised holds: no manifest is refused for want of a blob of which a HEAD, a mount or an upload said that it is
//! there, half of the grace time before. What nothing needs is gone a grace time and a collection later. In between one
//! node is stopped in the middle of a sweep, for long, and goes on.
//!
//! `BERTH_TEST_SECONDS` says how long (60), `BERTH_TEST_STOP` how long the node stands still (20), `BERTH_TEST_SEED` what
//! the clients choose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod churn;
#[path = "../support/keys.rs"]
mod keys;
mod multiparts;
#[path = "../support/nodes.rs"]
mod nodes;
mod stopped;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_testkit::oracle::{Oracle, Settings};
use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{Server, seed_from_environment, within};

use churn::Churn;
use nodes::Nodes;

const GRACE: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_mins(2);
const CHURNS: u64 = 8;

fn seconds(variable: &str, usual: u64) -> Duration {
    let given = std::env::var(variable).map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(given.unwrap_or(usual))
}

#[test]
fn collections_on_all_nodes_take_nothing_that_was_promised() {
    let (seed, time) = (seed_from_environment(), seconds("BERTH_TEST_SECONDS", 60));
    let stop = seconds("BERTH_TEST_STOP", 20);
    println!("BERTH_TEST_SEED={seed} BERTH_TEST_SECONDS={} BERTH_TEST_STOP={}", time.as_secs(), stop.as_secs());
    let nodes = Nodes::start(2, |node| {
        node.setting("gc.interval", "1s").setting("gc.grace", "10s").setting("storage.inline_blobs", "400")
    });
    // Some pushes take longer than they are promised, most just not.
    let settings = Settings { promise: GRACE / 2, pause: GRACE * 48 / 100, ..Settings::seeded(seed) };
    let mut oracle = Oracle::new(&settings);
    let at_both = |time: Duration| move || std::thread::sleep(time);
    // What is swept in the middle has to become garbage first.
    let working = time.saturating_sub(stop + 2 * GRACE) / 2;
    oracle.work_until(&nodes.clients(), || churn(&nodes, seed, at_both(working)));
    let frozen = &nodes.nodes[0];
    oracle.work_until(&nodes.clients()[1..], || stopped::in_mid_sweep(&nodes, frozen, stop));
    oracle.work_until(&nodes.clients(), || churn(&nodes, seed + 1, at_both(working)));
    oracle.settled();
    oracle.check_all(&nodes.clients()[0]);
    println!("{:?}", oracle.figures());
    assert!(oracle.figures().promises > 0, "no push came through");
    assert_eq!(oracle.figures().failed, 0, "a call failed: {}", nodes.nodes[1].log());
    assert_clean(&nodes);
}

/// Lets clients bring back content that is about to be garbage, until `meanwhile` is over.
fn churn(nodes: &Nodes, seed: u64, meanwhile: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    let kept: u64 = std::thread::scope(|scope| {
        let churn = |number| {
            let mut churn = Churn::new(nodes.clients(), number, CHURNS, seed, GRACE);
            let is_over = &is_over;
            scope.spawn(move || churn.work(is_over))
        };
        let churns: Vec<_> = (0..CHURNS).map(churn).collect();
        meanwhile();
        is_over.store(true, Ordering::Relaxed);
        churns.into_iter().map(|churn| churn.join().unwrap()).sum()
    });
    println!("{kept} pushes of content that may have been garbage, each promise kept");
    assert!(kept > 0);
}

/// Nothing dangles, and what nothing needs goes.
fn assert_clean(nodes: &Nodes) {
    let idle = || nodes.nodes[1].berth(&["gc", "--dry-run"]).stdout;
    let nothing_left = || idle().starts_with("0 links, 0 blobs and 0 keys") && nodes.unowned().is_empty();
    assert!(within(SOON, nothing_left), "{} {:?}", idle(), nodes.unowned());
    assert!(within(SOON, || nodes.multiparts().is_empty()), "{:?}", nodes.multiparts());
    for node in &nodes.nodes {
        // What became garbage last goes while this looks: its row is gone then, and its key in a moment.
        let all_owned = || {
            let verified = node.berth(&["verify"]);
            assert_eq!(verified.code, Some(0), "{verified:?}");
            assert!(verified.stdout.contains(" 0 findings, "), "{}", verified.stdout);
            verified.stdout.trim_end().ends_with(" 0 findings, 0 keys without an owner")
        };
        assert!(within(SOON, all_owned), "{}", node.berth(&["verify"]).stdout);
        println!("{}", collected(node));
        assert!(!node.log().contains("panicked"), "{}", node.log());
    }
    println!("{} keys in the bucket, each owned", keys::stored(Seaweed::shared(), &nodes.prefix).len());
}

/// What a node says that it collected.
fn collected(node: &Server) -> String {
    let figures = node.client().get("/metrics").expect(200).text();
    figures.lines().filter(|line| line.starts_with("berth_gc_")).collect::<Vec<_>>().join(", ")
}
