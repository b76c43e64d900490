//! `berth import` as its users run it: the real binary, a running registry as the source, kills on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use berth_testkit::{
    ADMIN_ID, ADMIN_SECRET, Client, Image, Output, Process, Random, Server, berth_binary, index, referrer, sha256,
    within,
};
use rustix::process::Signal;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(2);

fn binary() -> PathBuf {
    berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth"))
}

/// `berth import` into a server's data folder, without anything of the environment's but the login for the source.
fn command(target: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"BERTH_")) {
        command.env_remove(name);
    }
    command.env("BERTH_IMPORT_USERNAME", ADMIN_ID).env("BERTH_IMPORT_PASSWORD", ADMIN_SECRET);
    command.env("HOME", target.data()).env_remove("DOCKER_CONFIG").stdin(Stdio::null());
    command.arg("import").args(arguments).arg("--data-dir").arg(target.data());
    command
}

fn ended(mut command: Command) -> Output {
    let output = command.output().expect("the binary runs");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn import(target: &Server, arguments: &[&str]) -> Output {
    ended(command(target, arguments))
}

fn summary(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Every repository, tag and referrer that one registry shows, with all bytes.
fn everything(client: &Client) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let catalog = client.get("/v2/_catalog").expect(200).json();
    for repository in catalog["repositories"].as_array().unwrap().iter().filter_map(Value::as_str) {
        let tags = client.get(&format!("/v2/{repository}/tags/list")).expect(200).json();
        for tag in tags["tags"].as_array().unwrap().iter().filter_map(Value::as_str) {
            collect(client, repository, tag, &mut all);
        }
    }
    all
}

fn collect(client: &Client, repository: &str, reference: &str, all: &mut Vec<(String, Vec<u8>)>) {
    let reply = client.manifest(repository, reference).expect(200);
    let digest = reply.header("docker-content-digest").unwrap().to_owned();
    let document = reply.json();
    all.push((format!("{repository} {reference} {}", reply.header("content-type").unwrap()), reply.body));
    let digests = |value: &Value| value["digest"].as_str().map(str::to_owned);
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    for blob in list("layers").iter().chain([&document["config"]]).filter_map(digests) {
        all.push((format!("{repository} {blob}"), client.blob(repository, &blob).expect(200).body));
    }
    for child in list("manifests").iter().filter_map(digests) {
        collect(client, repository, &child, all);
    }
    let about = client.get(&format!("/v2/{repository}/referrers/{digest}")).expect(200).json();
    for referrer in about["manifests"].as_array().unwrap().iter().filter_map(digests) {
        collect(client, repository, &referrer, all);
    }
}

/// Repositories that share a layer, an index, a signature of it, and a tag of another subject's kind.
fn fill(client: &Client, random: &mut Random, layer_bytes: usize) {
    let shared = random.bytes(100_000);
    for repository in ["app", "team/deep/app"] {
        for tag in ["1", "2"] {
            let image = Image::of(vec![shared.clone(), random.bytes(layer_bytes), random.bytes(layer_bytes / 2)]);
            client.push_image(repository, tag, &image);
        }
    }
    let (amd, arm) = (Image::of(vec![random.bytes(1000)]), Image::of(vec![random.bytes(2000)]));
    for image in [&amd, &arm] {
        client.push_blobs("multi", image);
        client.push_manifest("multi", &image.manifest.digest, &image.manifest).expect(201);
    }
    let both = index(&[amd.manifest.descriptor(), arm.manifest.descriptor()]);
    client.push_manifest("multi", "latest", &both).expect(201);
    let signature = referrer(&both.descriptor(), "test/signature", &json!({"by": "somebody"}));
    client.push_manifest("multi", &signature.digest, &signature).expect(201);
    let fallback = index(&[signature.descriptor()]);
    client.push_manifest("multi", &arm.manifest.digest.replace(':', "-"), &fallback).expect(201);
}

fn server() -> Server {
    Server::builder(binary()).start()
}

fn assert_verified(server: &Server) {
    let verified = server.berth(&["verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn a_registry_comes_over_and_goes_on_after_kills() {
    let mut random = Random::seeded(7);
    let (source, target) = (server(), server());
    fill(&source.client(), &mut random, 6_000_000);
    let arguments = ["registry", source.url(), "--json"];
    let killed = [3, 9, 20].map(|megabytes| kill_when_stored(&target, &arguments, megabytes * 1_000_000));
    assert!(killed[0], "the import was over before it could be killed");
    let output = import(&target, &arguments);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.stderr.contains(ADMIN_SECRET) && !output.stdout.contains(ADMIN_SECRET));
    let told = summary(&output);
    assert_eq!((&told["finished"], &told["left_out_total"]), (&json!(true), &json!(0)), "{told}");
    assert!(told["images_there"].as_u64().unwrap() + told["blobs_there"].as_u64().unwrap() > 0, "{told}");
    assert!(everything(&source.client()) == everything(&target.client()), "the copy differs");
    assert_verified(&target);

    let again = summary(&import(&target, &arguments));
    assert_eq!((&again["images"], &again["tags"], &again["blobs"]), (&json!(0), &json!(0), &json!(0)), "{again}");
}

/// Kills an import when the target's files have grown to so many bytes; says whether it was not over yet.
fn kill_when_stored(target: &Server, arguments: &[&str], bytes: u64) -> bool {
    let mut child = command(target, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let stored = || berth_testkit::tree_bytes(&target.blobs());
    let grown = within(PATIENCE, || stored() >= bytes || has_ended(&mut child));
    assert!(grown, "only {} bytes came", stored());
    let running = !has_ended(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

fn has_ended(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}

#[test]
fn an_interrupted_import_ends_in_good_order_and_goes_on() {
    let mut random = Random::seeded(8);
    let (source, target) = (server(), server());
    fill(&source.client(), &mut random, 30_000_000);
    let arguments = ["registry", source.url(), "--json"];
    let child = command(&target, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(within(PATIENCE, || berth_testkit::tree_bytes(&target.blobs()) > 5_000_000), "nothing came");
    Process(child.id()).signal(Signal::INT);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("run the same command again"), "{stderr}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["finished"], json!(false));
    assert_eq!(import(&target, &arguments).code, Some(0));
    assert!(everything(&source.client()) == everything(&target.client()), "the copy differs");
    let verified = target.berth(&["verify", "--json"]);
    assert_eq!(summary(&verified)["unowned_keys"], json!(0), "an interrupt leaves nothing behind");
}

#[test]
fn a_pattern_a_prefix_and_a_login_from_docker() {
    let (source, target) = (server(), server());
    fill(&source.client(), &mut Random::seeded(9), 1000);
    let config = target.data().join("docker");
    std::fs::create_dir(&config).unwrap();
    let login = json!({"auths": {source.addr().to_string(): {"username": ADMIN_ID, "password": ADMIN_SECRET}}});
    std::fs::write(config.join("config.json"), login.to_string()).unwrap();
    let arguments = ["registry", source.url(), "--repository", "team/*", "--into", "old", "--json"];
    let mut with_docker = command(&target, &arguments);
    with_docker.env_remove("BERTH_IMPORT_USERNAME").env_remove("BERTH_IMPORT_PASSWORD").env("DOCKER_CONFIG", &config);
    let output = ended(with_docker);
    assert_eq!(output.code, Some(0), "{output:?}");
    let catalog = target.client().get("/v2/_catalog").json();
    assert_eq!(catalog["repositories"], json!(["old/team/deep/app"]));

    let mut without = command(&target, &arguments);
    without.env_remove("BERTH_IMPORT_USERNAME").env_remove("BERTH_IMPORT_PASSWORD");
    let output = ended(without);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("BERTH_IMPORT_USERNAME"), "{output:?}");
}

/// A registry that lets anybody pull something asks for tokens.
#[test]
fn a_registry_with_tokens_comes_over_with_and_without_a_login() {
    let source = Server::builder(binary()).args(["--anonymous-pull", "team/*"]).start();
    fill(&source.client(), &mut Random::seeded(10), 1000);
    let whole = server();
    let output = import(&whole, &["registry", source.url()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(everything(&source.client()) == everything(&whole.client()), "the copy differs");

    let part = server();
    let mut anonymous = command(&part, &["registry", source.url(), "--repository", "team/deep/app"]);
    anonymous.env_remove("BERTH_IMPORT_USERNAME").env_remove("BERTH_IMPORT_PASSWORD");
    let output = ended(anonymous);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(part.client().get("/v2/_catalog").json()["repositories"], json!(["team/deep/app"]));
}

#[test]
fn a_certificate_is_trusted_where_its_authority_is_named() {
    let target = server();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (target.data().join("certificate.pem"), target.data().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let source = Server::builder(binary()).args(files).start();
    let arguments = ["registry", source.url()];
    let mut trusting = command(&target, &arguments);
    trusting.env("SSL_CERT_FILE", &certificate);
    let output = ended(trusting);
    assert_eq!(output.code, Some(0), "{output:?}");
    let mut doubting = command(&target, &arguments);
    doubting.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    let output = ended(doubting);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("SSL_CERT_FILE"), "{output:?}");
}

/// A layout with one whole image and one that lacks its layer.
fn layout(folder: &Path) -> (Image, Image) {
    let (whole, broken) = (Image::small("whole"), Image::small("broken"));
    std::fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let add = |bytes: &[u8]| std::fs::write(folder.join("blobs").join(sha256(bytes).replace(':', "/")), bytes).unwrap();
    whole.blobs().for_each(|blob| add(blob));
    add(&whole.manifest.bytes);
    add(&broken.config);
    add(&broken.manifest.bytes);
    let tagged = |image: &Image, tag: &str| {
        let mut descriptor = image.manifest.descriptor();
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        descriptor
    };
    let index = json!({"schemaVersion": 2, "manifests": [tagged(&broken, "broken"), tagged(&whole, "whole")]});
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    (whole, broken)
}

#[test]
fn what_is_left_out_is_listed_and_the_exit_code_tells() {
    let target = server();
    let folder = target.data().join("layout");
    let (whole, broken) = layout(&folder);
    let arguments = ["oci-layout", folder.to_str().unwrap(), "--repository", "app"];
    let output = import(&target, &arguments);
    assert_eq!(output.code, Some(1), "{output:?}");
    for part in ["left out: app@", &broken.manifest.digest, "not in the source", "1 images and 1 tags"] {
        assert!(output.stdout.contains(part), "{part}: {output:?}");
    }
    assert!(target.client().manifest("app", "whole").expect(200).body == whole.manifest.bytes);
    target.client().manifest("app", "broken").expect(404);
    assert_verified(&target);
}

#[test]
fn wrong_usage_is_told_with_what_to_do() {
    let target = server();
    let empty = target.data().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    let table: [(&[&str], &str); 8] = [
        (&["distribution", empty], "no storage folder"),
        (&["distribution", "/nowhere/at/all"], "cannot be opened"),
        (&["oci-layout", empty, "--repository", "app"], "no OCI image layout"),
        (&["oci-layout", empty, "--repository", "APP"], "--repository"),
        (&["oci-layout", empty], "--repository"),
        (&["registry", "ftp://a.example"], "https://registry.example.com"),
        (&["registry", "https://user:hunter2@a.example"], "BERTH_IMPORT_USERNAME"),
        (&["registry", "http://127.0.0.1:1", "--into", "UPPER"], "--into"),
    ];
    for (arguments, told) in table {
        let output = import(&target, arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(told), "{arguments:?}: {output:?}");
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
    let nothing = import(&target, &["registry", target.url(), "--repository", "no*body"]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    let mut half = command(&target, &["registry", target.url()]);
    half.env_remove("BERTH_IMPORT_PASSWORD");
    assert_eq!(ended(half).code, Some(2));
}
