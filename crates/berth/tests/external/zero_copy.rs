//! Large blobs go out by sendfile where they can, and are the same where they cannot. strace counts.

use std::process::Command;

use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Random, Server, eventually};

use crate::strace::Trace;
use crate::support::builder;
use crate::tls::certificate;

const SIZE: usize = 8 << 20;
/// Served from memory, whose bytes are checked first.
const SMALL: usize = 20_000;

/// Runs curl as the administrator; it must succeed.
fn curl(server: &Server, path: &str, arguments: &[&str]) -> Vec<u8> {
    let user = format!("{ADMIN_ID}:{ADMIN_SECRET}");
    let url = format!("{}{path}", server.url());
    let done = Command::new("curl").args(["-ksSf", "--user", &user]).args(arguments).arg(url).output();
    let done = done.expect("curl is needed (apt-get install curl)");
    assert!(done.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// How many bytes the kernel sent by itself while this was done, in how many calls.
fn sent_by_the_kernel(server: &Server, pull: impl FnOnce()) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let trace = Trace::of("sendfile,statfs", server, &folder.path().join("trace"));
    eventually("the trace to see a call", || {
        // Readiness measures the disk.
        curl(server, "/readyz", &[]);
        !trace.calls().is_empty()
    });
    pull();
    let calls = trace.detach();
    let sent: Vec<usize> = calls
        .iter()
        .filter(|call| call.contains("sendfile("))
        .filter_map(|call| call.rsplit(" = ").next()?.trim().parse().ok())
        .collect();
    (sent.iter().sum(), sent.len())
}

#[test]
fn large_blobs_are_sent_by_the_kernel_and_read_for_tls_and_http2() {
    let settings = || builder().setting("gc.enabled", "false");
    let mut server = settings().start();
    let client = server.client();
    let content = Random::seeded(41).bytes(SIZE);
    let large = format!("/v2/large/blobs/{}", client.push_blob("large", &content));
    let small = format!("/v2/large/blobs/{}", client.push_blob("large", &content[..SMALL]));
    let pulls = |server: &Server, path: &str, arguments: &[&str], expected: &[u8]| {
        sent_by_the_kernel(server, || assert!(curl(server, path, arguments) == expected, "{arguments:?}"))
    };

    let (sent, calls) = pulls(&server, &large, &["--http1.1"], &content);
    assert!(sent == SIZE && calls <= 200, "{sent} bytes of {SIZE} in {calls} calls");
    let (sent, _) = pulls(&server, &large, &["--http1.1", "-r", "1000000-5000000"], &content[1_000_000..=5_000_000]);
    assert_eq!(sent, 4_000_001);
    assert_eq!(pulls(&server, &small, &["--http1.1"], &content[..SMALL]), (0, 0));
    assert_eq!(pulls(&server, &large, &["--http2-prior-knowledge"], &content), (0, 0));

    server.stop();
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    server.reconfigure(settings().args([
        "--tls-cert".to_owned(),
        path("cert.pem"),
        "--tls-key".to_owned(),
        path("key.pem"),
    ]));
    server.restart();
    assert!(server.url().starts_with("https://"), "{}", server.url());
    assert_eq!(pulls(&server, &large, &["--http1.1"], &content), (0, 0));
    assert_eq!(pulls(&server, &large, &["--http2", "-r", "5-"], &content[5..]), (0, 0));
}

/// No key is used twice, so this is what a disk or an operator does to a registry.
#[test]
fn a_file_that_is_replaced_or_cut_gives_old_bytes_or_an_error() {
    let server = builder().setting("gc.enabled", "false").start();
    let client = server.client();
    let content = Random::seeded(42).bytes(SIZE);
    let digest = client.push_blob("large", &content);
    let path = format!("/v2/large/blobs/{digest}");
    let mut files = Vec::new();
    for shard in std::fs::read_dir(server.blobs()).unwrap().flatten().filter(|shard| shard.path().is_dir()) {
        files.extend(std::fs::read_dir(shard.path()).unwrap().flatten().map(|file| file.path()));
    }
    let [file] = &files[..] else { panic!("one blob, and {files:?}") };

    let other = file.with_extension("other");
    std::fs::write(&other, &content).unwrap();
    std::fs::rename(&other, file).unwrap();
    assert!(curl(&server, &path, &[]) == content);

    std::fs::File::options().write(true).open(file).unwrap().set_len(1_000_000).unwrap();
    client.get(&path).expect_any(&[500, 503]);
    client.get("/v2/").expect(200);
    client.push_blob("large", &content);
    assert!(curl(&server, &path, &[]) == content, "a push repairs it");
}
