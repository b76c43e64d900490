//! The files for running Berth name only what the program has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::Program;

const UNIT: &str = "deploy/berth.service";
const FILES: [&str; 3] = [UNIT, "Dockerfile", "compose.yaml"];
/// What `docs/reference/configuration.md` has under "Secrets", and the variable that names the file.
const OTHER_VARIABLES: [&str; 5] = [
    "BERTH_CONFIG",
    "BERTH_SERVER_KEY",
    "BERTH_SERVER_KEY_FILE",
    "BERTH_ADMIN_ACCESS_KEY_ID",
    "BERTH_ADMIN_SECRET_ACCESS_KEY",
];

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(source(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-/.:".contains(c))).filter(|word| !word.is_empty())
}

/// `Key=value` lines of a unit's section, comments and blank lines aside.
fn directives<'t>(unit: &'t str, section: &str) -> Vec<(&'t str, &'t str)> {
    let mut current = "";
    let mut found = Vec::new();
    for line in unit.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => current = name,
            None if current == section => found.push(line.split_once('=').unwrap_or_else(|| panic!("{line}"))),
            None => assert!(line.contains('='), "{line}"),
        }
    }
    found
}

#[test]
fn the_unit_starts_what_there_is() {
    let unit = read(UNIT);
    let service = directives(&unit, "Service");
    let start = service.iter().find(|(key, _)| *key == "ExecStart").unwrap().1;
    let mut words = start.split_whitespace();
    assert_eq!((words.next(), words.next()), (Some("/usr/local/bin/berth"), Some("serve")), "{start}");
    let help = Program::new().run(&["serve", "--help"]).stdout;
    for flag in words.filter(|word| word.starts_with("--")) {
        assert!(help.split_whitespace().any(|word| word == flag), "{flag} is no flag of serve:\n{help}");
    }
    for (key, value) in [("DynamicUser", "yes"), ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict")] {
        assert!(service.contains(&(key, value)), "{key}={value}");
    }
    for section in ["Unit", "Install"] {
        assert!(!directives(&unit, section).is_empty(), "[{section}]");
    }
}

/// Where systemd is installed it says whether it understands every line; elsewhere the reading above must do.
#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("berth.service");
    std::fs::write(&copy, read(UNIT).replace("/usr/local/bin/berth", env!("CARGO_BIN_EXE_berth"))).unwrap();
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output() {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            let ours: Vec<&str> = told.lines().filter(|line| line.contains("berth.service")).collect();
            assert!(output.status.success() && ours.is_empty(), "{told}");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
    }
}

#[test]
fn every_variable_is_one() {
    let reference = Program::new().run(&["config", "--reference"]).stdout;
    let known: BTreeSet<&str> = words(&reference).filter(|word| word.starts_with("BERTH_")).collect();
    let mut count = 0;
    for file in FILES {
        let text = read(file);
        for variable in
            words(&text).map(|word| word.trim_end_matches([':', '.'])).filter(|word| word.starts_with("BERTH_"))
        {
            assert!(known.contains(variable) || OTHER_VARIABLES.contains(&variable), "{file}: {variable}");
            count += 1;
        }
    }
    assert!(count > 0, "the files name variables");
}

#[test]
fn the_image_runs_the_program_as_nobody_special() {
    let text = read("Dockerfile");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let last = |word: &str| lines.iter().rev().find(|line| line.starts_with(word)).copied();
    let user = last("USER ").unwrap().trim_start_matches("USER ");
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert_eq!(last("ENTRYPOINT "), Some("ENTRYPOINT [\"berth\"]"));
    assert_eq!(last("CMD "), Some("CMD [\"serve\"]"));
    assert!(last("HEALTHCHECK ").is_some() && text.contains("/healthz"));
    assert!(lines.iter().filter(|line| line.starts_with("FROM ")).count() >= 2, "built in one stage, run in another");
}

/// The image's own health check, run here against a server of ours.
#[test]
fn the_health_check_tells_a_server_from_none() {
    let text = read("Dockerfile").replace("\\\n", " ");
    let line = text.lines().find(|line| line.starts_with("HEALTHCHECK ")).unwrap();
    let check: Vec<String> = serde_json::from_str(line.split_once("CMD ").unwrap().1).unwrap();
    let is_healthy = |port: &str| {
        let arguments = check[1..].iter().map(|word| word.replace("/5000", &format!("/{port}")));
        Command::new(&check[0]).args(arguments).output().unwrap().status.success()
    };
    let program = Program::new();
    let serving = program.serve(&[]);
    let port = serving.host().rsplit(':').next().unwrap().to_owned();
    assert!(is_healthy(&port));
    assert_eq!(serving.stop().code, Some(0));
    assert!(!is_healthy(&port));
}

/// Where Docker Compose is installed it says whether it understands the file.
#[test]
fn compose_understands_its_file() {
    let text = read("compose.yaml");
    assert!(text.contains("services:") && text.contains("/var/lib/berth"), "{text}");
    let output =
        Command::new("docker").args(["compose", "-f"]).arg(source("compose.yaml")).args(["config", "-q"]).output();
    let Ok(output) = output else { return };
    let told = String::from_utf8_lossy(&output.stderr);
    let has_no_compose =
        told.contains("'compose' is not a docker command") || told.contains("unknown shorthand flag: 'f'");
    assert!(output.status.success() || has_no_compose, "{told}");
}
