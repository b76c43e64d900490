//! A14: a digest that is none reaches no file system call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use berth_testkit::aws::{AwsClient, Keys};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Process, Random, Server, empty_index, eventually, within};
use rustix::process::Signal;
use serde_json::json;

use crate::digests::{bad_digests, bad_digests_in_json, endless_digest};
use crate::support::{attack_on, builder};

/// What the C library's allocator reads once, whenever it first shrinks a heap.
const ALLOCATOR: &str = "\"/proc/sys/vm/overcommit_memory\"";

/// `strace` attached to a server, writing calls to a file.
pub struct Trace {
    strace: Child,
    output: PathBuf,
}

impl Trace {
    /// Every call that takes a path.
    fn attach(server: &Server, output: &Path) -> Self {
        Self::of("%file", server, output)
    }

    /// The calls of these names, with commas.
    pub fn of(names: &str, server: &Server, output: &Path) -> Self {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-qq", "-e", &format!("trace={names}"), "-e", "signal=none", "-o"])
            .arg(output)
            .arg("-p")
            .arg(server.pid().to_string());
        let strace = command.stdin(Stdio::null()).spawn().expect("strace is needed (apt-get install strace)");
        Self { strace, output: output.to_owned() }
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<String> {
        let lines = fs::read_to_string(&self.output).unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }

    /// Lets go of the server.
    pub fn detach(mut self) -> Vec<String> {
        Process(self.strace.id()).signal(Signal::INT);
        assert!(
            within(std::time::Duration::from_secs(20), || self.strace.try_wait().unwrap().is_some()),
            "strace does not let go"
        );
        self.calls()
    }
}

fn requests(client: &Client, digest: &str) {
    for method in ["GET", "HEAD", "DELETE"] {
        client.request(method, &format!("/v2/traced/blobs/{digest}"), &[], &[]).expect(400);
        client.request(method, &format!("/v2/traced/manifests/{digest}"), &[], &[]).expect_any(&[400, 404]);
    }
    client.get(&format!("/v2/traced/referrers/{digest}")).expect(400);
    client.request("POST", &format!("/v2/traced/blobs/uploads/?mount={digest}&from=traced"), &[], &[]).expect(400);
    client.request("POST", &format!("/v2/traced/blobs/uploads/?digest={digest}"), &[], &[]).expect(400);
}

/// The same in the members of ECR's operations.
fn calls(by: &AwsClient, digest: &str) {
    let name = "traced";
    let manifest = String::from_utf8(empty_index("untraced").bytes).unwrap();
    let requests = [
        ("PutImage", json!({ "repositoryName": name, "imageManifest": manifest, "imageDigest": digest })),
        ("BatchGetImage", json!({ "repositoryName": name, "imageIds": [{ "imageDigest": digest }] })),
        ("BatchDeleteImage", json!({ "repositoryName": name, "imageIds": [{ "imageDigest": digest }] })),
        ("DescribeImages", json!({ "repositoryName": name, "imageIds": [{ "imageDigest": digest }] })),
        ("ListImageReferrers", json!({ "repositoryName": name, "subjectId": { "imageDigest": digest } })),
        ("BatchCheckLayerAvailability", json!({ "repositoryName": name, "layerDigests": [digest] })),
        ("GetDownloadUrlForLayer", json!({ "repositoryName": name, "layerDigest": digest })),
        (
            "CompleteLayerUpload",
            json!({
                "repositoryName": name, "uploadId": "00000000-0000-4000-8000-000000000000", "layerDigests": [digest],
            }),
        ),
    ];
    for (operation, input) in requests {
        let reply = by.ecr(operation, &input.to_string()).expect_any(&[200, 400]);
        let failed = reply.status == 400 || reply.json()["failures"].as_array().is_some_and(|all| !all.is_empty());
        assert!(failed, "{operation} {digest:.200}: {}", reply.text());
    }
}

#[test]
fn a14_what_is_no_digest_reaches_no_file() {
    // Collections look at every folder.
    attack_on(builder().setting("gc.enabled", "false"), |server| {
        let (client, by_key) = (server.client(), AwsClient::new(server.addr(), Keys::new(ADMIN_ID, ADMIN_SECRET)));
        client.push_manifest("traced", "latest", &empty_index("traced")).expect(201);
        let blob = client.push_blob("traced", &Random::seeded(14).bytes(1_000_000));
        let folder = tempfile::tempdir().unwrap();
        let trace = Trace::attach(server, &folder.path().join("trace"));
        // The trace sees what a good digest does, else it could prove nothing.
        eventually("the trace to see a blob being opened", || {
            client.blob("traced", &blob).expect(200);
            trace.calls().iter().any(|call| call.contains("/blobs/"))
        });
        let before = trace.calls().len();
        for digest in bad_digests() {
            requests(&client, &digest);
        }
        for digest in bad_digests_in_json() {
            calls(&by_key, &digest);
        }
        client.get(&format!("/v2/traced/blobs/{}", endless_digest())).expect_any(&[400, 414, 431]);
        let calls = trace.detach();
        let of_requests: Vec<_> = calls[before..].iter().filter(|call| !call.contains(ALLOCATOR)).collect();
        assert!(of_requests.is_empty(), "calls with paths during requests with bad digests: {of_requests:#?}");
    });
}
