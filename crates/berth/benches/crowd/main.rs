//! Healthy clients, alone and beside crowds: how long their requests take, and what memory the server needs.
//!
//! `bench/crowd` builds and runs this. Server, crowd and healthy clients are processes of their own. The crowd is there and gone
//! again in turn, so that what else happens on the machine meets both sides alike.
// A measurement fails loudly and prints what it found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
// The ambient clock is what it measures with.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::cast_precision_loss)]

mod crowds;
mod healthy;
mod report;

use std::path::Path;
use std::time::Duration;

use berth_testkit::crowd::raise_file_limit;
use berth_testkit::{MIB, Server, berth_binary};

use crowds::{Guests, KINDS, Kind};
use healthy::Latencies;
use report::{Beside, Report};

/// What was asked for on the command line.
struct Asked {
    rounds: usize,
    span: Duration,
    file: Option<String>,
    kinds: Vec<&'static Kind>,
}

impl Asked {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self { rounds: 5, span: Duration::from_secs(10), file: None, kinds: Vec::new() };
        // Cargo adds `--bench`.
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
            match argument.as_str() {
                "--rounds" => asked.rounds = value().parse().expect("a number of rounds"),
                "--seconds" => asked.span = Duration::from_secs(value().parse().expect("a number of seconds")),
                "--json" => asked.file = Some(value()),
                name => asked.kinds.push(Kind::find(name)),
            }
        }
        if asked.kinds.is_empty() {
            asked.kinds = KINDS.iter().collect();
        }
        asked
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    raise_file_limit();
    if let [role, kind, address] = &arguments[..]
        && role == "be-crowd"
    {
        return crowds::be(Kind::find(kind), address.parse().expect("an address"));
    }
    let asked = Asked::read(arguments.into_iter());
    let binary = berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth"));
    let mut report = Report::new(&binary);
    for kind in &asked.kinds {
        let server = start(&binary);
        report.add(measure(kind, &server, &asked));
    }
    report.print();
    if let Some(file) = &asked.file {
        report.write(file);
    }
}

/// Slow uploads are left open, round after round.
fn start(binary: &Path) -> Server {
    let many = Server::builder(binary).setting("server.max_connections", "12000");
    many.setting("limits.open_uploads", "1000000").start()
}

/// Rounds of both, after one that nobody counts.
fn measure(kind: &'static Kind, server: &Server, asked: &Asked) -> Beside {
    crowds::prepare(server);
    healthy::prepare(server);
    healthy::measure(server, asked.span / 4);
    let mut beside = Beside::new(kind);
    for round in 1..=asked.rounds {
        let alone = healthy::measure(server, asked.span);
        server.process().reset_peak();
        let guests = Guests::invite(kind, server);
        let crowded = healthy::measure(server, asked.span);
        guests.leave();
        let peak = server.process().peak_rss_bytes();
        tell(kind, round, &alone, &crowded, peak);
        beside.rounds.push((alone, crowded, peak));
    }
    beside
}

fn tell(kind: &Kind, round: usize, alone: &Latencies, crowded: &Latencies, peak: u64) {
    let line = |latencies: &Latencies| format!("{} / {}", latencies.pulls.p99(), latencies.pushes.p99());
    let (alone, crowded) = (line(alone), line(crowded));
    println!(
        "{}, round {round}: p99 of pulls / pushes {alone} ms alone, {crowded} ms beside; {} MiB",
        kind.name,
        peak / MIB
    );
}
