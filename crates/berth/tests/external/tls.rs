//! A86: hellos that are none.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use berth_testkit::{MIB, Random, RawConnection, Server, within};

use crate::support::{assert_no_secret, builder};

fn openssl(folder: &Path, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl is needed (apt-get install openssl)");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "openssl {arguments:?}: {stdout}{stderr}");
    stdout.into_owned()
}

pub fn certificate(folder: &Path) {
    let request = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ];
    openssl(folder, &request, "");
}

/// A good client gets a good answer.
fn assert_serves(server: &Server, folder: &Path) {
    let address = server.addr().to_string();
    let arguments =
        ["s_client", "-connect", &address, "-CAfile", "cert.pem", "-verify_return_error", "-quiet", "-ign_eof"];
    let answer = openssl(folder, &arguments, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// The first bytes of a `ClientHello` that announces 512 bytes (RFC 8446, sections 4 and 5.1).
const PARTIAL_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

fn hello(number: usize, random: &mut Random) -> Vec<u8> {
    let length = random.below(600);
    match number % 6 {
        0 => random.bytes(length),
        1 => PARTIAL_HELLO.to_vec(),
        2 => [PARTIAL_HELLO, &random.bytes(508)].concat(),
        3 => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        4 => [&[0x16, 3, 1, 0xff, 0xff], random.bytes(length).as_slice()].concat(),
        _ => Vec::new(),
    }
}

#[test]
fn a86_ten_thousand_bad_hellos_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let files = ["--tls-cert".to_owned(), path("cert.pem"), "--tls-key".to_owned(), path("key.pem")];
    let mut server = builder().args(files).setting("server.header_timeout", "3s").start();
    assert!(server.url().starts_with("https://"), "{}", server.url());
    assert_serves(&server, folder.path());
    let (before, files_before) = (server.process().rss_bytes(), server.process().open_fds());
    let mut random = Random::seeded(86);
    for number in 0..10_000 {
        let mut connection = RawConnection::connect(server.addr()).unwrap();
        let _ = connection.send(&hello(number, &mut random));
        if number % 1_000 == 0 {
            assert_serves(&server, folder.path());
        }
    }
    // Those that stop halfway and wait are cut, and good clients are served meanwhile.
    let mut waiting: Vec<RawConnection> = (0..500).map(|_| RawConnection::connect(server.addr()).unwrap()).collect();
    for connection in &mut waiting {
        connection.send(PARTIAL_HELLO).unwrap();
    }
    assert_serves(&server, folder.path());
    for connection in &mut waiting {
        assert!(connection.is_closed_within(Duration::from_secs(30)), "half a hello keeps a connection open");
    }
    let process = server.process();
    let patience = Duration::from_secs(20);
    assert!(within(patience, || process.open_fds() <= files_before + 5), "{} files open", process.open_fds());
    assert!(within(patience, || process.rss_bytes() < before + 64 * MIB), "{} MiB resident", process.rss_bytes() / MIB);
    assert_serves(&server, folder.path());
    assert!(server.is_running() && server.stop().success());
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    assert_no_secret(&log);
}
