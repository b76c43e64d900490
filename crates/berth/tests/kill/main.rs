//! Kill -9 at random moments: what was acknowledged stays, what was not is whole or absent.
//!
//! A few clients push, tag and delete while the server is killed and started again on the same data. Each keeps a log of what it is
//! about to do and what was answered ([`berth_testkit::oracle`]); after every restart the registry is compared with it.
//! `BERTH_TEST_KILLS` says how often (50), `BERTH_TEST_SEED` replays the choices of a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use berth_testkit::oracle::{Oracle, Settings};
use berth_testkit::{Random, Server, berth_binary, seed_from_environment};

fn kills() -> usize {
    std::env::var("BERTH_TEST_KILLS").map_or(50, |kills| kills.parse().expect("BERTH_TEST_KILLS is a number"))
}

#[test]
fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let seed = seed_from_environment();
    println!("BERTH_TEST_SEED={seed} BERTH_TEST_KILLS={}", kills());
    let mut random = Random::seeded(seed);
    let mut oracle = Oracle::new(&Settings::seeded(seed));
    let mut server = Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth"))).start();
    for _ in 0..kills() {
        let after = Duration::from_micros(random.word() % 400_000);
        let client = server.client();
        oracle.work_until_gone(&client, || {
            std::thread::sleep(after);
            server.kill9();
        });
        assert!(!server.log().contains("panicked"), "{}", server.log());
        server.restart();
        oracle.settled();
        oracle.check_sample(&server.client());
    }
    oracle.check_all(&server.client());
    report(&server, &oracle);
    let verified = server.berth(&["verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(server.stop().success(), "{}", server.log());
}

/// Figures of the run, for the reader; a restart's limit is generous, as machines differ.
fn report(server: &Server, oracle: &Oracle) {
    let mut starts = server.ready_after()[1..].to_vec();
    starts.sort();
    let (median, longest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!("{} kills; ready again after {median:?} (median), {longest:?} (longest)", starts.len());
    let figures = oracle.figures();
    println!("{figures:?}");
    assert_eq!(figures.failed, 0, "a server without a fault failed: {}", server.log());
    assert!(figures.acknowledged > kills(), "hardly anything was pushed");
    assert!(longest < Duration::from_secs(30), "a restart took {longest:?}");
}
