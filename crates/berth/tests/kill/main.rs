//! Kill -9 at random moments: what was acknowledged stays, what was not is whole or absent.
//!
//! A few clients push, tag and delete while the server is killed and started again on the same data. Each notes in its
//! [`model`] what it is about to do and what was acknowledged; after every restart the registry is compared with it.
//! `BERTH_TEST_KILLS` says how often (50), `BERTH_TEST_SEED` replays the choices of a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod model;
mod pusher;

use std::time::Duration;

use berth_testkit::{Random, Server, berth_binary, seed_from_environment};

use pusher::Pusher;

const PUSHERS: u64 = 4;

fn kills() -> usize {
    std::env::var("BERTH_TEST_KILLS").map_or(50, |kills| kills.parse().expect("BERTH_TEST_KILLS is a number"))
}

#[test]
fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let seed = seed_from_environment();
    println!("BERTH_TEST_SEED={seed} BERTH_TEST_KILLS={}", kills());
    let mut random = Random::seeded(seed);
    let mut pushers: Vec<Pusher> = (0..PUSHERS).map(|number| Pusher::new(number, seed)).collect();
    let mut server = Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth"))).start();
    for _ in 0..kills() {
        work_until_killed(&mut server, &mut pushers, Duration::from_micros(random.word() % 400_000));
        server.restart();
        check(&server, &mut pushers, Pusher::check_sample);
    }
    check(&server, &mut pushers, Pusher::check_all);
    report(&server, &pushers);
    let verified = server.berth(&["verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(server.stop().success(), "{}", server.log());
}

/// Lets every pusher work, kills the server after a while, and waits until each pusher has seen it gone.
fn work_until_killed(server: &mut Server, pushers: &mut [Pusher], after: Duration) {
    let client = server.client();
    std::thread::scope(|scope| {
        for pusher in pushers {
            let client = client.clone();
            scope.spawn(move || pusher.work(&client));
        }
        std::thread::sleep(after);
        server.kill9();
    });
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

fn check(server: &Server, pushers: &mut [Pusher], how: impl Fn(&mut Pusher, &berth_testkit::Client) + Sync) {
    std::thread::scope(|scope| {
        for pusher in pushers {
            let (client, how) = (server.client(), &how);
            scope.spawn(move || how(pusher, &client));
        }
    });
}

/// Figures of the run, for the reader; a restart's limit is generous, as machines differ.
fn report(server: &Server, pushers: &[Pusher]) {
    let mut starts = server.ready_after()[1..].to_vec();
    starts.sort();
    let (median, longest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!("{} kills; ready again after {median:?} (median), {longest:?} (longest)", starts.len());
    let acknowledged: usize = pushers.iter().map(|pusher| pusher.acknowledged).sum();
    println!(
        "{acknowledged} operations acknowledged, {} cut by a kill",
        pushers.iter().map(|pusher| pusher.cut).sum::<usize>()
    );
    assert!(acknowledged > kills(), "hardly anything was pushed: {acknowledged} operations");
    assert!(longest < Duration::from_secs(30), "a restart took {longest:?}");
}
