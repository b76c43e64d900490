//! How `berth serve` starts, refuses to start, and ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/program.rs"]
mod program;

use std::net::TcpListener;

use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, within};
use program::{Program, Serving};
use rustix::process::Signal;
use serde_json::Value;

const ID: &str = "BERTH_ADMIN_ACCESS_KEY_ID";
const SECRET: &str = "BERTH_ADMIN_SECRET_ACCESS_KEY";

fn answers(serving: &Serving, id: &str, secret: &str) -> u16 {
    Client::login(serving.host().parse().unwrap(), id, secret).get("/v2/").status
}

/// The words behind `access key id` and `secret access key`.
fn shown(text: &str) -> Option<(String, String)> {
    let behind = |label: &str| text.lines().find_map(|line| Some(line.trim().strip_prefix(label)?.trim().to_owned()));
    Some((behind("access key id")?, behind("secret access key")?))
}

fn with_admin() -> Program {
    Program::new().env(ID, ADMIN_ID).env(SECRET, ADMIN_SECRET)
}

#[test]
fn one_line_on_standard_output_and_0_after_sigterm() {
    let program = with_admin();
    let serving = program.serve(&[]);
    let line = format!("berth ready url=http://{}\n", serving.host());
    let output = serving.stop();
    assert_eq!((output.code, output.stdout), (Some(0), line));
    assert!(output.stderr.contains("stopping") && output.stderr.contains("stopped"), "{}", output.stderr);
}

#[test]
fn sigint_ends_it_too_and_sighup_does_not() {
    let program = with_admin();
    let serving = program.serve(&[]);
    serving.process().signal(Signal::HUP);
    assert!(within(std::time::Duration::from_secs(20), || serving.stderr().contains("SIGHUP")), "{}", serving.stderr());
    assert_eq!(answers(&serving, ADMIN_ID, ADMIN_SECRET), 200);
    assert_eq!(serving.stop_by(Signal::INT).code, Some(0));
}

#[test]
fn the_first_start_shows_the_key_and_no_later_one() {
    let program = Program::new();
    let first = program.serve(&[]);
    let (id, secret) = shown(&first.stderr()).unwrap();
    let login = format!("docker login --username {id} {}", first.host());
    assert!(first.stderr().contains(&login), "{}", first.stderr());
    assert_eq!((answers(&first, &id, &secret), answers(&first, &id, ADMIN_SECRET)), (200, 401));
    assert!(!first.stop().stdout.contains(&secret));

    let second = program.serve(&[]);
    assert_eq!(answers(&second, &id, &secret), 200);
    let output = second.stop();
    assert!(shown(&output.stderr).is_none() && !output.stderr.contains(&secret), "{}", output.stderr);
}

#[test]
fn with_json_logs_the_key_is_json_and_so_is_everything_else() {
    let program = Program::new();
    let output = program.serve(&["--log-format", "json"]).stop();
    let lines: Vec<Value> = output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<&Value> = lines.iter().filter(|line| line["secret_access_key"].is_string()).collect();
    assert_eq!(keys.len(), 1, "{}", output.stderr);
    assert_eq!(keys[0]["access_key_id"].as_str().unwrap().len(), 20);
}

#[test]
fn a_key_of_the_environment_is_used_and_not_shown() {
    let program = with_admin();
    let serving = program.serve(&["--log-level", "trace"]);
    assert_eq!(answers(&serving, ADMIN_ID, ADMIN_SECRET), 200);
    let output = serving.stop();
    assert!(shown(&output.stderr).is_none() && !output.stderr.contains(ADMIN_SECRET));

    for (name, value) in [(ID, ADMIN_ID), (SECRET, ADMIN_SECRET)] {
        let output = Program::new().env(name, value).run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(ID) && output.stderr.contains(SECRET) && !output.stderr.contains(ADMIN_SECRET));
    }
    for (id, secret) in [("short", ADMIN_SECRET), (ADMIN_ID, "hunter2")] {
        let output = Program::new().env(ID, id).env(SECRET, secret).run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(!output.stderr.contains(ADMIN_SECRET) && !output.stderr.contains("hunter2"), "{output:?}");
    }
}

#[test]
fn reset_key_replaces_the_key() {
    let program = Program::new();
    let serving = program.serve(&[]);
    let (id, secret) = shown(&serving.stderr()).unwrap();
    let reset = program.run(&["admin", "reset-key"]);
    assert_eq!(reset.code, Some(0), "{reset:?}");
    let (new_id, new_secret) = shown(&reset.stdout).unwrap();
    assert!(!reset.stderr.contains(&new_secret));
    let soon = std::time::Duration::from_secs(20);
    assert!(within(soon, || answers(&serving, &id, &secret) == 401), "the old key still opens");
    assert_eq!(answers(&serving, &new_id, &new_secret), 200);

    let again = program.run(&["admin", "reset-key", "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    let text = |name: &str| again[name].as_str().unwrap().to_owned();
    let newest = (text("access_key_id"), text("secret_access_key"));
    assert!(within(soon, || answers(&serving, &newest.0, &newest.1) == 200));
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let program = with_admin();
    let serving = program.serve(&[]);
    let second = program.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!((second.code, second.stdout.as_str()), (Some(3), ""));
    let expected = format!("berth-data is in use by process {}", serving.process().0);
    assert!(second.stderr.contains(&expected), "{second:?}");
    assert_eq!(serving.stop().code, Some(0));
    assert_eq!(program.serve(&[]).stop().code, Some(0), "the lock goes with its process");
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for variable in [None, Some("BERTH_METRICS__LISTEN")] {
        let program = with_admin().env(variable.unwrap_or("UNUSED"), &address);
        let listen = if variable.is_some() { "127.0.0.1:0" } else { &address };
        let output = program.run(&["serve", "--listen", listen]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""));
        let expected = format!("cannot listen on {address}: ");
        assert!(output.stderr.contains(&expected) && output.stderr.contains("in use"), "{output:?}");
        let output = program.run(&["serve", "--listen", listen, "--log-format", "json"]);
        let lines: Vec<Value> = output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.last().unwrap()["error"].as_str().unwrap().contains(&expected), "{output:?}");
    }
}

#[test]
fn another_server_key_is_refused() {
    let program = with_admin();
    program.serve(&[]).stop();
    let other = program.path("other.key");
    std::fs::write(&other, "ab".repeat(32)).unwrap();
    let by_variable = with_admin().env("BERTH_SERVER_KEY", &"ab".repeat(32));
    let by_file = with_admin().env("BERTH_SERVER_KEY_FILE", other.to_str().unwrap());
    let data = program.path("berth-data");
    for elsewhere in [by_variable, by_file] {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["stats"], &["verify"], &["admin", "reset-key"]] {
            let output = elsewhere.run(&[command, &["--data-dir", data.to_str().unwrap()]].concat());
            assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{command:?}: {output:?}");
            assert!(output.stderr.contains("server key does not open"), "{output:?}");
        }
    }
    assert_eq!(program.serve(&[]).stop().code, Some(0), "the right key still does");

    std::fs::remove_file(data.join("server.key")).unwrap();
    let lost = program.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(lost.code, Some(3), "a lost key is not replaced by a fresh one: {lost:?}");
}

#[test]
fn what_is_no_server_key_is_refused() {
    let program = with_admin();
    program.write("short.key", "abcd");
    let missing = program.path("missing.key");
    let table = [
        ("BERTH_SERVER_KEY", "abcd", "BERTH_SERVER_KEY holds no server key"),
        ("BERTH_SERVER_KEY_FILE", "short.key", "short.key holds no server key"),
        ("BERTH_SERVER_KEY_FILE", missing.to_str().unwrap(), "missing.key cannot be read"),
    ];
    for (name, value, told) in table {
        let elsewhere = with_admin().env(name, value);
        elsewhere.write("short.key", "abcd");
        let output = elsewhere.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(told) && !output.stderr.contains("abcd"), "{output:?}");
    }
}

#[test]
fn the_server_key_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = with_admin();
    program.serve(&[]).stop();
    let key = program.path("berth-data/server.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(key).unwrap().trim_end().len(), 64);
}

/// The schema's number is `PRAGMA user_version`: four bytes at 60 of the file's header (section 1.3 of the file format).
#[test]
fn a_database_of_a_newer_version_is_refused() {
    let program = with_admin();
    program.serve(&[]).stop();
    let path = program.path("berth-data/berth.db");
    assert!(!program.path("berth-data/berth.db-wal").exists(), "everything is in the file after a stop");
    let mut database = std::fs::read(&path).unwrap();
    database[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&path, &database).unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["stats"], &["verify"], &["admin", "reset-key"]] {
        let output = program.run(command);
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
        assert!(output.stderr.contains("newer Berth (schema 99"), "{output:?}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), database, "it is left as it was");
}
