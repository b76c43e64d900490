//! Exit codes and `--json` of every command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/program.rs"]
mod program;
#[path = "support/mod.rs"]
mod support;

use berth_testkit::{Image, Output, Server, tree_files};
use program::Program;
use serde_json::Value;
use support::builder;

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {output:?}"))
}

fn with_image() -> Server {
    let server = builder().start();
    server.client().push_image("team/app", "one", &Image::small("one"));
    server
}

#[test]
fn help_and_version_are_done() {
    let program = Program::new();
    for arguments in
        [&["--version"][..], &["--help"], &["help"], &["help", "serve"], &["serve", "--help"], &["admin", "--help"]]
    {
        let output = program.run(arguments);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{arguments:?}: {output:?}");
        assert!(output.stdout.contains("berth"), "{output:?}");
    }
}

#[test]
fn wrong_usage_and_configuration_are_2() {
    let program = Program::new();
    program.write("wrong.toml", "[server]\nlistn = []\n");
    let table: &[&[&str]] = &[
        &[],
        &["nonsense"],
        &["serve", "--nonsense"],
        &["serve", "extra"],
        &["serve", "--listen", "5000"],
        &["serve", "--config", "wrong.toml"],
        &["serve", "--config", "missing.toml"],
        &["serve", "--tls-cert", "cert.pem"],
        &["config", "--log-format", "yaml"],
        &["config", "--config", "wrong.toml"],
        &["config", "--reference", "--example"],
        &["admin"],
        &["admin", "reset-key"],
        &["stats"],
        &["stats", "--listen", "127.0.0.1:1"],
        &["verify"],
        &["verify", "--config", "wrong.toml"],
        &["import"],
    ];
    for arguments in table {
        let output = program.run(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(!program.path("berth-data").exists(), "nothing is made where nothing is done");
}

#[test]
fn what_could_not_run_is_3() {
    let program = Program::new();
    program.write("file", "");
    std::fs::create_dir(program.path("broken")).unwrap();
    program.write("broken/berth.db", &"no database ".repeat(1000));
    let table: &[&[&str]] = &[
        &["serve", "--data-dir", "file/folder"],
        &["serve", "--data-dir", "broken"],
        &["serve", "--tls-cert", "missing.pem", "--tls-key", "missing.pem"],
        &["stats", "--data-dir", "broken"],
        &["verify", "--data-dir", "broken"],
        &["admin", "reset-key", "--data-dir", "broken"],
    ];
    for arguments in table {
        let output = program.run(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{arguments:?}: {output:?}");
        assert!(output.stderr.starts_with("berth: "), "{arguments:?}: {output:?}");
    }
}

#[test]
fn stats_tell_sizes_beside_a_running_server() {
    let server = with_image();
    let text = server.berth(&["stats"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.stdout.starts_with("REPOSITORY") && text.stdout.contains("team/app"), "{text:?}");
    let all = json(&server.berth(&["stats", "--json"]));
    assert_eq!((&all[0]["name"], &all[0]["images"]), (&"team/app".into(), &1.into()), "{all}");
    let one = server.berth(&["stats", "team/app", "--json"]);
    assert_eq!(json(&one)[0]["name"], Image::small("one").manifest.digest.as_str(), "{one:?}");
    assert!(server.berth(&["stats", "team/app"]).stdout.contains("one"));
    for unknown in ["team/none", "UPPER"] {
        let output = server.berth(&["stats", unknown]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    }
}

#[test]
fn verify_finds_what_is_damaged() {
    let server = builder().setting("storage.inline_blobs", "0").start();
    server.client().push_image("team/app", "one", &Image::small("one"));
    let clean = server.berth(&["verify"]);
    assert_eq!(clean.code, Some(0), "{clean:?}");
    assert!(clean.stdout.contains("0 findings"), "{clean:?}");
    let clean = server.berth(&["verify", "--json"]);
    assert_eq!((clean.code, &json(&clean)["findings"]), (Some(0), &Value::Array(Vec::new())), "{clean:?}");

    let blob = tree_files(&server.blobs()).into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    std::fs::remove_file(blob).unwrap();
    let damaged = server.berth(&["verify", "--json"]);
    assert_eq!(damaged.code, Some(1), "{damaged:?}");
    assert_eq!(json(&damaged)["findings"].as_array().unwrap().len(), 1, "{damaged:?}");
    assert_eq!(server.berth(&["verify"]).code, Some(1));
}

#[test]
fn errors_are_json_too() {
    let program = Program::new().env("BERTH_LOG__LEVL", "info");
    program.write("wrong.toml", "[server]\n\nlistn = []\n");
    let output = program.run(&["serve", "--json", "--config", "wrong.toml"]);
    let told: Value = serde_json::from_str(output.stderr.trim_end()).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    let problems = told["problems"].as_array().unwrap();
    assert_eq!((&problems[0]["origin"], problems.len()), (&"wrong.toml:3".into(), 2), "{told}");
    let output = Program::new().run(&["verify", "--json"]);
    let told: Value = serde_json::from_str(output.stderr.trim_end()).unwrap();
    assert!(told["error"].as_str().unwrap().contains("--data-dir"), "{told}");
}
