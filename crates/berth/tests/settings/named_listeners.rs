//! `[listener.NAME]`: certificates, what is served, and what stops the start.

use std::net::SocketAddr;
use std::path::Path;

use berth_testkit::aws::{AwsClient, Keys};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, RawConnection, ServerBuilder, empty_index, eventually};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::Program;
use crate::support::builder;
use crate::{free_address, tls};

fn with(name: &str, address: SocketAddr, more: &[(&str, &str)]) -> ServerBuilder {
    let listen = [("listen", address.to_string())];
    let own = listen.iter().map(|(key, value)| (*key, value.as_str())).chain(more.iter().copied());
    own.fold(builder(), |builder, (key, value)| builder.setting(&format!("listener.{name}.{key}"), value))
}

#[test]
fn two_listeners_have_two_certificates() {
    let (one, two, address) = (TempDir::new().unwrap(), TempDir::new().unwrap(), free_address());
    let (first, second) = (tls::certificate(), tls::certificate());
    tls::write(one.path(), &first);
    tls::write(two.path(), &second);
    let path = |folder: &Path, name: &str| folder.join(name).display().to_string();
    let own = [("tls_cert", path(two.path(), "cert.pem")), ("tls_key", path(two.path(), "key.pem"))];
    let own: Vec<(&str, &str)> = own.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let server = with("inner", address, &[&own[..], &[("tls_versions", "1.3")]].concat())
        .args([
            "--tls-cert".to_owned(),
            path(one.path(), "cert.pem"),
            "--tls-key".to_owned(),
            path(one.path(), "key.pem"),
        ])
        .start();
    let comes_in = |address, certificate: &rcgen::CertifiedKey<rcgen::KeyPair>, versions: &[_]| {
        tls::connect(address, certificate.cert.der(), versions, &[]).is_ok()
    };
    let (both, old) = (rustls::ALL_VERSIONS, &[&rustls::version::TLS12][..]);
    assert!(comes_in(server.addr(), &first, both) && comes_in(address, &second, both));
    assert!(!comes_in(server.addr(), &second, both) && !comes_in(address, &first, both));
    assert!(comes_in(server.addr(), &first, old) && !comes_in(address, &second, old));
    // Each is renewed by itself.
    let third = tls::certificate();
    tls::write(two.path(), &third);
    eventually("the new certificate", || comes_in(address, &third, both));
    assert!(comes_in(server.addr(), &first, both));
}

#[test]
fn a_listener_serves_what_it_is_for() {
    let addresses = [free_address(), free_address(), free_address()];
    let mut builder = builder();
    for (name, address) in ["all", "oci", "aws"].iter().zip(&addresses) {
        builder = builder.setting(&format!("listener.{name}.listen"), &address.to_string());
        builder = builder.setting(&format!("listener.{name}.apis"), name);
    }
    let server = builder.start();
    server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
    for (address, (oci, aws)) in addresses.iter().zip([(200, 200), (200, 404), (404, 200)]) {
        let pulled = Client::login(*address, ADMIN_ID, ADMIN_SECRET).manifest("team/a", "latest");
        assert_eq!(pulled.status, oci, "{address}");
        let called = AwsClient::new(*address, Keys::new(ADMIN_ID, ADMIN_SECRET)).sts("GetCallerIdentity", &[]);
        assert_eq!(called.status, aws, "{address}");
    }
    eventually("all addresses in the log", || {
        addresses.iter().all(|address| server.log().contains(&format!("http://{address}")))
    });
}

#[test]
fn requests_under_way_at_any_listener_are_finished_at_the_end() {
    let address = free_address();
    let mut server = with("inner", address, &[]).start();
    let client = Client::login(address, ADMIN_ID, ADMIN_SECRET);
    let body = vec![7; 3_000_000];
    let digest = berth_testkit::sha256(&body);
    let location = client.start_upload("team/a");
    let mut upload = client.open("PUT", &format!("{location}?digest={digest}"), &[("Content-Length", "3000000")]);
    upload.send(&body[..2_000_000]).unwrap();
    let files = server.blobs();
    eventually("its first bytes on the disk", || berth_testkit::tree_bytes(&files) > 0);
    server.process().signal(Signal::TERM);
    eventually("no new connections", || RawConnection::connect(address).is_err());
    upload.send(&body[2_000_000..]).unwrap();
    upload.read_reply("PUT").unwrap().expect(201);
    eventually("the end", || !server.is_running());
}

#[test]
fn what_stops_the_start_names_the_file_and_the_line() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("data")).unwrap();
    let start = |settings: &[(&str, &str)]| {
        let program = Program::new().env("BERTH_LISTENER__PRIVATE__LISTEN", "127.0.0.1:0");
        let named = settings.iter().fold(program, |program, (key, value)| {
            program.env(&format!("BERTH_LISTENER__PRIVATE__{}", key.to_uppercase()), value)
        });
        let output = named.run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", &path("data")]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
        output.stderr
    };
    let policy = path("policy.json");
    let absent = start(&[("endpoint_policy", &policy)]);
    assert!(absent.contains("policy.json") && absent.contains("listener private"), "{absent}");
    let wrong = [
        ("{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [,]\n}", "line 3"),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
            "must contain principals",
        ),
        ("{}", "must contain statements"),
    ];
    for (text, expected) in wrong {
        std::fs::write(&policy, text).unwrap();
        let told = start(&[("endpoint_policy", &policy)]);
        assert!(told.contains("policy.json") && told.contains(expected), "{told}");
    }
    let certificate = tls::certificate();
    tls::write(folder.path(), &certificate);
    std::fs::write(path("clients.pem"), "nothing").unwrap();
    let (cert, key, clients) = (path("cert.pem"), path("key.pem"), path("clients.pem"));
    let rule = [("client_certificates", "required"), ("client_ca", clients.as_str())];
    let told = start(&[&[("tls_cert", cert.as_str()), ("tls_key", key.as_str())], &rule[..]].concat());
    assert!(told.contains("clients.pem") && told.contains("cannot be used"), "{told}");
}
