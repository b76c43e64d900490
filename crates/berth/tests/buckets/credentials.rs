//! Credentials from where AWS's tools look: a profile, and the metadata services of containers and machines.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{Random, Server, berth_binary, within};
use tempfile::TempDir;

use crate::stranger;

const SOON: Duration = Duration::from_mins(1);

fn keys() -> (&'static str, &'static str) {
    let [(_, id), (_, secret)] = Seaweed::environment();
    (id, secret)
}

fn write_profile(file: &Path, name: &str, secret: &str) {
    let text = format!("[{name}]\naws_access_key_id = {}\naws_secret_access_key = {secret}\n", keys().0);
    fs::write(file, text).unwrap();
}

#[test]
fn a_profile_gives_the_credentials_and_is_read_again_when_it_changes() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("credentials");
    write_profile(&file, "registry", keys().1);
    let builder = stranger(Seaweed::shared()).env("AWS_SHARED_CREDENTIALS_FILE", &file.display().to_string());
    let node = builder.env("AWS_PROFILE", "registry").start();
    let client = node.client();
    // More than the database or memory would hold.
    let digest = client.push_blob("team/app", &Random::seeded(1).bytes(100_000));
    client.blob("team/app", &digest).expect(200);
    // Keys that no longer work, then some that do: nobody restarts anything.
    write_profile(&file, "registry", "another-secret");
    let pull = || client.blob("team/app", &digest).status;
    assert!(within(SOON, || pull() == 503), "{}", pull());
    write_profile(&file, "registry", keys().1);
    assert!(within(SOON, || pull() == 200), "{}", pull());
    assert!(!node.log().contains(keys().1) && !node.log().contains("another-secret"), "{}", node.log());
}

#[test]
fn a_profile_that_is_missing_or_too_clever_is_told_at_the_start() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("config");
    fs::write(&file, "[profile clever]\ncredential_process = /bin/true\n").unwrap();
    // A registry that is there, on files.
    let node =
        Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth"))).setting("s3.bucket", "").start();
    for (profile, told) in [("missing", "no profile missing"), ("clever", "credential_process")] {
        let builder = stranger(Seaweed::shared()).env("AWS_CONFIG_FILE", &file.display().to_string());
        let output =
            builder.env("AWS_PROFILE", profile).env("HOME", "/nonexistent").run(&node.data(), &["gc", "--dry-run"]);
        assert_ne!(output.code, Some(0));
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
}

/// A metadata service: answers paths with texts, and notes what it was asked.
fn metadata(answers: Vec<(&'static str, String)>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
    let notes = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let first = lines.next().unwrap_or_default();
            lines.for_each(drop);
            let found = answers.iter().find(|(request, _)| first.starts_with(&format!("{request} ")));
            let (status, text) = found.map_or(("404 Not Found", ""), |(_, text)| ("200 OK", text));
            let head =
                format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            let _ = (&stream).write_all(head.as_bytes());
            notes.lock().unwrap().push(first);
        }
    });
    (port, asked)
}

/// Credentials as the services give them: good for long.
fn document() -> String {
    let (id, secret) = keys();
    format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{id}","SecretAccessKey":"{secret}","Token":"","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2096-01-01T00:00:00Z"}}"#
    )
}

#[test]
fn a_machine_gives_the_credentials_of_its_role() {
    let role = "/latest/meta-data/iam/security-credentials/";
    let (port, asked) = metadata(vec![
        ("PUT /latest/api/token", "token".to_owned()),
        ("GET /latest/meta-data/iam/security-credentials/", "registry".to_owned()),
        ("GET /latest/meta-data/iam/security-credentials/registry", document()),
    ]);
    let builder = stranger(Seaweed::shared()).env("HOME", "/nonexistent");
    let node = builder.env("AWS_METADATA_ENDPOINT", &format!("http://127.0.0.1:{port}")).start();
    node.client().push_blob("team/app", b"by a machine's role");
    assert!(asked.lock().unwrap().iter().any(|line| line.starts_with(&format!("GET {role}registry"))));
}

#[test]
fn a_container_gives_the_credentials_of_its_role() {
    let (port, _) = metadata(vec![("GET /role", document())]);
    let folder = TempDir::new().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "token").unwrap();
    let builder = stranger(Seaweed::shared()).env("HOME", "/nonexistent");
    let builder = builder.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("http://127.0.0.1:{port}/role"));
    let node = builder.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token.display().to_string()).start();
    node.client().push_blob("team/app", b"by a container's role");
}
