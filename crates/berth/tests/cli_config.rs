//! `berth config`, and the files that are made from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/program.rs"]
mod program;

use std::path::Path;

use program::Program;
use serde_json::Value;

fn settings(program: &Program, arguments: &[&str]) -> Value {
    let output = program.run(&[&["config", "--json"], arguments].concat());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

fn level(program: &Program, arguments: &[&str]) -> (String, String) {
    let entry = &settings(program, arguments)["settings"]["log.level"];
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    (text("value"), text("origin"))
}

/// Files of the sources that the program prints. `UPDATE=1 cargo test -p berth --test cli_config` writes them.
#[test]
fn the_files_made_from_the_catalogue_are_current() {
    for (file, flag) in [("docs/reference/configuration.md", "--reference"), ("deploy/berth.toml", "--example")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let printed = Program::new().run(&["config", flag]).stdout;
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let stands = std::fs::read_to_string(&path).unwrap();
        assert!(stands == printed, "{file} is out of date: UPDATE=1 cargo test -p berth --test cli_config");
    }
}

#[test]
fn the_example_file_changes_nothing_and_each_of_its_lines_counts() {
    let program = Program::new();
    let example = program.run(&["config", "--example"]).stdout;
    program.write("example.toml", &example);
    let defaults = settings(&program, &[]);
    assert_eq!(settings(&program, &["--config", "example.toml"])["settings"], defaults["settings"]);

    let uncommented: String = example.lines().map(|line| uncomment(line) + "\n").collect();
    program.write("all.toml", &uncommented);
    let all = settings(&program, &["--config", "all.toml"]);
    for (key, entry) in all["settings"].as_object().unwrap() {
        assert_eq!(entry["value"], defaults["settings"][key]["value"], "{key}");
        assert!(entry["origin"].as_str().unwrap().starts_with("all.toml:"), "{key}: {entry}");
    }
}

/// `#name = value` is a setting, `# words` are words.
fn uncomment(line: &str) -> String {
    let setting = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    setting.unwrap_or(line).to_owned()
}

#[test]
fn what_is_printed_can_be_used_as_the_file() {
    let program = Program::new().env("BERTH_LIMITS__LAYER_BYTES", "10GiB");
    let arguments = ["--listen", "[::1]:0", "--anonymous-pull", "a/*", "--read-only", "--data-dir", "a \"b\" #c"];
    let printed = program.run(&[&["config"][..], &arguments].concat());
    assert!(printed.stdout.contains("\"10GiB\"") && printed.stdout.contains("# env BERTH_LIMITS__LAYER_BYTES"));
    assert!(printed.stdout.contains("# flag --read-only") && printed.stdout.contains("# default"), "{printed:?}");
    program.write("printed.toml", &printed.stdout);
    let values = |arguments: &[&str]| {
        let settings = settings(&program, arguments);
        let entries = settings["settings"].as_object().unwrap().clone();
        entries.into_iter().map(|(key, entry)| (key, entry["value"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(values(&["--config", "printed.toml"]), values(&arguments));
}

#[test]
fn files_are_found_in_their_order() {
    let program = Program::new();
    assert_eq!(level(&program, &[]), ("info".to_owned(), "default".to_owned()));
    program.write("berth.toml", "[log]\nlevel = \"error\"\n");
    assert_eq!(level(&program, &[]), ("error".to_owned(), "./berth.toml:2".to_owned()));
    program.write("named.toml", "\n[log]\nlevel = \"warn\"\n");
    let program = program.env("BERTH_CONFIG", "named.toml");
    assert_eq!(level(&program, &[]), ("warn".to_owned(), "named.toml:3".to_owned()));
    program.write("flag.toml", "[log]\nlevel = \"off\"\n");
    assert_eq!(level(&program, &["--config", "flag.toml"]), ("off".to_owned(), "flag.toml:2".to_owned()));
    let program = program.env("BERTH_LOG__LEVEL", "debug");
    assert_eq!(level(&program, &["--config", "flag.toml"]), ("debug".to_owned(), "env BERTH_LOG__LEVEL".to_owned()));
    let by_flag = level(&program, &["--config", "flag.toml", "--log-level", "trace"]);
    assert_eq!(by_flag, ("trace".to_owned(), "flag --log-level".to_owned()));
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_nearest_name() {
    let program = Program::new().env("BERTH_SERVER__TLS_CRT", "x");
    program.write("berth.toml", "[server]\nlistn = []\n\n[storage]\nread_only = \"maybe\"\n");
    let output = program.run(&["config"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    let expected = [
        "./berth.toml:2: server.listn is not a setting; did you mean server.listen?",
        "./berth.toml:5: storage.read_only: got \"maybe\", expected true or false",
        "env BERTH_SERVER__TLS_CRT: is not a setting; did you mean BERTH_SERVER__TLS_CERT?",
    ];
    for line in expected {
        assert!(output.stderr.contains(line), "{line}\n{}", output.stderr);
    }
}

#[test]
fn secrets_are_not_shown() {
    let secret = "5ec5e700".repeat(8);
    let program = Program::new()
        .env("BERTH_SERVER_KEY", &secret)
        .env("BERTH_ADMIN_ACCESS_KEY_ID", "AKIAABCDEFGHIJKLMNOP")
        .env("BERTH_ADMIN_SECRET_ACCESS_KEY", &secret[..40])
        .env("BERTH_IMPORT_PASSWORD", &secret);
    for arguments in [&["config"][..], &["config", "--json"], &["config", "--log-level", "trace"]] {
        let output = program.run(arguments);
        assert_eq!(output.code, Some(0));
        assert!(!format!("{output:?}").contains("5ec5e700"), "{output:?}");
    }
}

#[test]
fn the_reference_is_json_too() {
    let output = Program::new().run(&["config", "--reference", "--json"]);
    let all: Value = serde_json::from_str(&output.stdout).unwrap();
    let listen = all.as_array().unwrap().iter().find(|entry| entry["setting"] == "server.listen").unwrap();
    assert_eq!((&listen["environment"], &listen["flag"]), (&"BERTH_SERVER__LISTEN".into(), &"listen".into()));
}
