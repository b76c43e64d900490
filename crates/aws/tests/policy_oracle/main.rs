//! Berth's policy evaluator against another one, on many requests and policies made at random.
//!
//! The other one is @cloud-copilot/iam-simulate, a program in Node under the AGPL that runs as a process of its own and is
//! neither linked nor shipped. Where the two differ, what AWS documents decides: `explained.rs` lists every difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

mod cases;
mod conditions;
mod explained;
mod ours;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cases::Case;
use explained::EXPLAINED;
use random::Random;

const CASES: usize = 20_000;
const SEED: u64 = 0x0062_6572_7468;

#[test]
fn both_evaluators_agree_or_differ_as_explained() {
    let mut random = Random::new(SEED);
    let cases: Vec<Case> = (0..CASES).map(|_| cases::generate(&mut random)).collect();
    let theirs = ask_the_oracle(&cases);
    assert_eq!(theirs.len(), cases.len());

    let mut seen = Seen::default();
    let (mut unexplained, mut avoided) = (Vec::new(), Vec::new());
    for (case, theirs) in cases.iter().zip(&theirs) {
        let ours = ours::outcome(case);
        seen.note(case, ours);
        if ours == theirs {
            continue;
        }
        let mut other = case.clone();
        if seen.explain(&mut other) {
            avoided.push(other);
        } else {
            unexplained.push(show(case, ours, theirs));
        }
    }
    println!("{CASES} cases: {seen:?}");
    assert!(unexplained.is_empty(), "{} unexplained differences, such as:\n{}", unexplained.len(), unexplained[0]);
    seen.assert_sound();

    // Without what explains a difference there must be none.
    let differing = avoided.iter().zip(ask_the_oracle(&avoided)).filter(|(case, theirs)| ours::outcome(case) != theirs);
    let differing: Vec<String> = differing.map(|(case, theirs)| show(case, ours::outcome(case), &theirs)).collect();
    assert!(differing.is_empty(), "{} differ for another reason, such as:\n{}", differing.len(), differing[0]);
}

/// What occurred.
#[derive(Debug, Default)]
struct Seen {
    outcomes: BTreeMap<&'static str, usize>,
    kinds: BTreeMap<&'static str, usize>,
    differences: BTreeMap<&'static str, usize>,
    /// Those that explain a difference alone.
    alone: BTreeSet<&'static str>,
}

impl Seen {
    fn note(&mut self, case: &Case, ours: &'static str) {
        *self.outcomes.entry(ours).or_default() += 1;
        case.tally(&mut self.kinds);
    }

    /// Whether a difference is explained; takes all that explains it out of the case.
    fn explain(&mut self, case: &mut Case) -> bool {
        let reasons: Vec<_> = EXPLAINED.iter().filter(|explained| (explained.applies)(case)).collect();
        for explained in &reasons {
            *self.differences.entry(explained.name).or_default() += 1;
            (explained.avoid)(case);
        }
        if let [only] = reasons.as_slice() {
            self.alone.insert(only.name);
        }
        !reasons.is_empty()
    }

    fn assert_sound(&self) {
        let unused = |explained: &&explained::Explained| !self.alone.contains(explained.name);
        let unused: Vec<_> = EXPLAINED.iter().filter(unused).map(|explained| explained.name).collect();
        assert_eq!(unused, [""; 0], "differences that explain nothing");
        assert!(EXPLAINED.len() <= 20);
        for outcome in ["Allowed", "ImplicitlyDenied", "ExplicitlyDenied"] {
            let count = self.outcomes.get(outcome).copied().unwrap_or(0);
            assert!(count * 10 >= CASES, "{outcome} is rare: {count}");
        }
    }
}

fn show(case: &Case, ours: &str, theirs: &str) -> String {
    let case = serde_json::to_string(case).unwrap();
    format!("{case}\n  ours: {ours}, theirs: {theirs}")
}

/// One answer for each case.
fn ask_the_oracle(cases: &[Case]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/policy/oracle.mjs");
    // Where the machine has no Node.js of its own, the script brought one.
    let brought = cache().join("node-env/bin/node");
    let node = if brought.exists() { brought } else { PathBuf::from("node") };
    let mut child = Command::new(node)
        .arg(script)
        .arg(oracle_folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is needed");
    let lines: Vec<String> = cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
    let mut stdin = child.stdin.take().unwrap();
    // In a thread: the answers come while the questions still go.
    let writer = std::thread::spawn(move || lines.iter().try_for_each(|line| writeln!(stdin, "{line}")));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the oracle failed: is it installed by tests/install/60-policy-oracle.sh?");
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn cache() -> PathBuf {
    let cache = std::env::var_os("BERTH_TEST_CACHE").map(PathBuf::from);
    cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/berth"))
}

fn oracle_folder() -> PathBuf {
    let cache = cache();
    cache.join("npm/policy-oracle")
}
