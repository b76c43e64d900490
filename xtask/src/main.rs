//! The house's own checks, run by `cargo xtask check` and by `./test`, and the generator of AWS shapes, [`shapes`].
//!
//! The checks look at the sources and at `cargo metadata`, never at a running registry, and change nothing. Begin at
//! [`check::CHECKS`]: each check is a function from the [`House`](house::House) to findings, in a module of its own.
//! Exit codes are those of `berth`: 0 done, 1 findings, 2 usage, 3 could not run.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks on its terminal")]

mod check;
mod house;
mod markdown;
mod shapes;

use std::path::Path;
use std::process::ExitCode;

use check::{CHECKS, Check};
use house::House;

const DONE: u8 = 0;
const FINDINGS: u8 = 1;
const USAGE: u8 = 2;
const COULD_NOT_RUN: u8 = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let code = match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            print!("{}", usage());
            DONE
        }
        ["check", names @ ..] => run(names),
        ["shapes", "--models", models] => generate(Path::new(models), false),
        ["shapes", "--check", "--models", models] => generate(Path::new(models), true),
        _ => wrong_usage(&words.join(" ")),
    };
    ExitCode::from(code)
}

fn usage() -> String {
    let checks: Vec<String> = CHECKS.iter().map(|check| format!("    {:<12} {}\n", check.name, check.about)).collect();
    let check = "  check [NAME...]   checks of the house: all, or those named\n\n";
    let shapes = "  shapes [--check] --models DIR\n                    writes the shapes of AWS services, or tells which differ; DIR is botocore/data\n";
    format!("usage: cargo xtask COMMAND\n\n{check}{}\n{shapes}", checks.concat())
}

fn wrong_usage(said: &str) -> u8 {
    eprint!("not a command: {said}\n\n{}", usage());
    USAGE
}

fn run(names: &[&str]) -> u8 {
    if let Some(unknown) = names.iter().find(|name| CHECKS.iter().all(|check| check.name != **name)) {
        return wrong_usage(&format!("check {unknown}"));
    }
    let house = match House::open() {
        Ok(house) => house,
        Err(error) => {
            eprintln!("could not read the sources: {error}");
            return COULD_NOT_RUN;
        }
    };
    let chosen = CHECKS.iter().filter(|check| names.is_empty() || names.contains(&check.name));
    let failed = chosen.filter(|check| !report(check, &house)).count();
    if failed == 0 { DONE } else { FINDINGS }
}

/// Runs one check and prints what it found; says whether that was nothing.
fn report(check: &Check, house: &House) -> bool {
    let findings = (check.run)(house);
    println!("{:<12} {}", check.name, if findings.is_empty() { "ok" } else { "FAILED" });
    for finding in &findings {
        println!("  {finding}");
    }
    findings.is_empty()
}

/// Writes the shapes of AWS services, or looks whether they are what would be written.
fn generate(models: &Path, check: bool) -> u8 {
    let differing = match house::root().and_then(|root| shapes::run(&root, models, check)) {
        Ok(differing) => differing,
        Err(error) => {
            eprintln!("could not generate the shapes: {error}");
            return COULD_NOT_RUN;
        }
    };
    for path in &differing {
        println!("{} {path}", if check { "differs:" } else { "wrote" });
    }
    if !check || differing.is_empty() {
        return DONE;
    }
    let models = models.display();
    println!(
        "not what the models and operations.txt say; run `cargo xtask shapes --models {models}` and look at `git diff`"
    );
    FINDINGS
}
