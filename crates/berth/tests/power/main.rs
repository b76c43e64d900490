//! Power loss: the file system under the data folder stops between two moments, and what was not synced is gone.
//!
//! Clients push, tag and delete, and each keeps a log elsewhere ([`berth_testkit::oracle`]). At a random moment the file system
//! is shut down without its journal being flushed, which is what a disk holds after the power failed; then the server is killed,
//! the file system mounted again, the server started, and the registry compared with the logs.
//! `BERTH_TEST_CYCLES` says how often (10), `BERTH_TEST_SEED` replays the choices of a run. Needs root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod disk;

use std::process::Command;
use std::time::Duration;

use berth_testkit::oracle::{Oracle, Settings};
use berth_testkit::{Random, Server, berth_binary, seed_from_environment};

use disk::Disk;

/// How long what nobody needs is kept here; the shortest there is.
const GRACE: Duration = Duration::from_secs(10);
const LONGEST: usize = 400_000;

#[test]
fn what_was_acknowledged_survives_power_loss_on_ext4() {
    run("ext4");
}

#[test]
fn what_was_acknowledged_survives_power_loss_on_xfs() {
    run("xfs");
}

fn run(file_system: &str) {
    let cycles = std::env::var("BERTH_TEST_CYCLES").map_or(10, |cycles| cycles.parse().expect("BERTH_TEST_CYCLES"));
    let seed = seed_from_environment();
    println!("power {file_system}: BERTH_TEST_SEED={seed} BERTH_TEST_CYCLES={cycles}");
    let mut random = Random::seeded(seed);
    let settings = Settings { pause: Duration::from_millis(200), ..Settings::seeded(seed).with_grace(GRACE) };
    let (mut oracle, mut disk) = (Oracle::new(&settings), Disk::make(file_system));
    let mut server = server_on(&disk);
    for _ in 0..cycles {
        let after = Duration::from_micros(random.below(LONGEST) as u64);
        lose_power(&mut server, &mut oracle, &mut disk, after);
        oracle.check_sample(&server.client());
        assert_sound(&server);
    }
    oracle.check_all(&server.client());
    oracle.garbage_goes(&server);
    report(file_system, seed, cycles, &server, &oracle);
    assert!(server.stop().success(), "{}", server.log());
}

fn server_on(disk: &Disk) -> Server {
    Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")))
        .setting("gc.interval", "1s")
        .setting("gc.grace", &format!("{}s", GRACE.as_secs()))
        .setting("storage.free_space_minimum", "16MiB")
        .start_at(&disk.folder().join("data"))
}

/// The power fails in the midst of work, and comes back.
fn lose_power(server: &mut Server, oracle: &mut Oracle, disk: &mut Disk, after: Duration) {
    let client = server.client();
    oracle.work_until_power_fails(&client, after, || {
        disk.shut_down();
        server.kill9();
    });
    assert!(!server.log().contains("panicked"), "{}", server.log());
    disk.remount();
    server.restart();
}

fn assert_sound(server: &Server) {
    let database = server.data().join("berth.db");
    let checked = Command::new("sqlite3").arg(&database).arg("PRAGMA integrity_check").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&checked.stdout).trim_end(), "ok", "{checked:?}");
    let verified = server.berth(&["verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// Figures for the reader; a restart's limit is generous, as machines differ.
fn report(file_system: &str, seed: u64, cycles: usize, server: &Server, oracle: &Oracle) {
    let mut starts = server.ready_after()[1..].to_vec();
    starts.sort();
    let (median, longest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    let figures = oracle.figures();
    println!(
        "power {file_system}: seed={seed} cycles={cycles} acknowledged={} cut={} failed={} promises={} lost=0 ready_median_ms={} ready_longest_ms={}",
        figures.acknowledged,
        figures.cut,
        figures.failed,
        figures.promises,
        median.as_millis(),
        longest.as_millis()
    );
    assert!(figures.acknowledged > cycles, "hardly anything was pushed: {figures:?}");
    assert!(longest < Duration::from_secs(30), "a restart took {longest:?}");
}
