//! What was measured, as a table and as JSON.

use std::fs::{read, read_to_string, write};
use std::path::Path;

use berth_testkit::{MIB, sha256};
use serde_json::{Value, json};

use crate::crowds::Kind;
use crate::healthy::{Latencies, Times};

/// All rounds beside one crowd: alone, beside, and the most memory that the server had resident beside, in bytes.
pub struct Beside {
    kind: &'static Kind,
    pub rounds: Vec<(Latencies, Latencies, u64)>,
}

impl Beside {
    pub fn new(kind: &'static Kind) -> Self {
        Self { kind, rounds: Vec::new() }
    }

    /// The median over the rounds of one figure alone and beside, and of the ratio of the two.
    fn medians(&self, figure: impl Fn(&Latencies) -> f64) -> [f64; 3] {
        let of = |value: &dyn Fn(&(Latencies, Latencies, u64)) -> f64| median(self.rounds.iter().map(value).collect());
        let alone = of(&|round| figure(&round.0));
        let beside = of(&|round| figure(&round.1));
        [alone, beside, of(&|round| figure(&round.1) / figure(&round.0).max(0.001))]
    }

    fn peak_mib(&self) -> u64 {
        self.rounds.iter().map(|round| round.2).max().unwrap_or(0) / MIB
    }

    fn row(&self, what: &str, times: impl Fn(&Latencies) -> &Times) -> String {
        let [p50, p50_beside, _] = self.medians(|latencies| times(latencies).p50());
        let [p99, p99_beside, ratio] = self.medians(|latencies| times(latencies).p99());
        let Kind { count, about, .. } = self.kind;
        format!(
            "| {count} {about} | {what} | {p50:.2} | {p50_beside:.2} | {p99:.2} | {p99_beside:.2} | {ratio:.2} | {} |",
            self.peak_mib()
        )
    }

    fn json(&self) -> Value {
        let times = |times: &Times| json!({ "count": times.count(), "p50_ms": times.p50(), "p99_ms": times.p99() });
        let latencies = |seen: &Latencies| json!({ "pulls": times(&seen.pulls), "pushes": times(&seen.pushes) });
        let round = |(alone, beside, peak): &(Latencies, Latencies, u64)| json!({ "alone": latencies(alone), "beside": latencies(beside), "peak_mib": peak / MIB });
        let rounds: Vec<Value> = self.rounds.iter().map(round).collect();
        json!({ "crowd": self.kind.name, "count": self.kind.count, "rounds": rounds })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Everything.
pub struct Report {
    binary_sha256: String,
    crowds: Vec<Beside>,
}

impl Report {
    pub fn new(binary: &Path) -> Self {
        Self { binary_sha256: sha256(&read(binary).expect("the binary can be read")), crowds: Vec::new() }
    }

    pub fn add(&mut self, beside: Beside) {
        self.crowds.push(beside);
    }

    pub fn print(&self) {
        println!("\nMilliseconds, medians of the rounds; the most memory of all rounds.\n");
        println!("| crowd | | p50 alone | p50 beside | p99 alone | p99 beside | p99 ratio | MiB |");
        println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        for beside in &self.crowds {
            println!("{}", beside.row("pulls", |latencies| &latencies.pulls));
            println!("{}", beside.row("pushes", |latencies| &latencies.pushes));
        }
        println!("\n{}", machine());
    }

    pub fn write(&self, file: &str) {
        let crowds: Vec<Value> = self.crowds.iter().map(Beside::json).collect();
        let all = json!({ "binary_sha256": self.binary_sha256, "machine": machine(), "crowds": crowds });
        write(file, format!("{all:#}\n")).expect("the file of the results can be written");
    }
}

fn line_of(file: &str, field: &str) -> String {
    let text = read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim_start_matches([' ', '\t', ':']).to_owned()
}

fn machine() -> Value {
    json!({
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "processor": line_of("/proc/cpuinfo", "model name"),
        "memory": line_of("/proc/meminfo", "MemTotal:"),
        "kernel": line_of("/proc/sys/kernel/osrelease", ""),
        "load_average": line_of("/proc/loadavg", ""),
    })
}
