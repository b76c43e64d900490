//! A14 to A18: digests, names and tags that are none, and paths out of the house.

use std::path::PathBuf;

use berth_testkit::{Client, empty_index, media, tree_files};

use crate::digests::{bad_digests, endless_digest};
use crate::support::{attack, encoded};

/// Every place of the API where a digest stands.
fn uses_of_digest(client: &Client, digest: &str) -> Vec<(&'static str, String)> {
    let session = client.start_upload("digests");
    let mut uses = vec![
        ("GET", format!("/v2/digests/referrers/{digest}")),
        ("PUT", format!("{session}?digest={digest}")),
        ("POST", format!("/v2/digests/blobs/uploads/?digest={digest}")),
        ("POST", format!("/v2/digests/blobs/uploads/?mount={digest}")),
        ("POST", format!("/v2/digests/blobs/uploads/?mount={digest}&from=digests")),
    ];
    for method in ["GET", "HEAD", "DELETE"] {
        uses.push((method, format!("/v2/digests/blobs/{digest}")));
    }
    uses
}

#[test]
fn a14_what_is_no_digest_is_refused_as_one() {
    attack(|server| {
        let client = server.client();
        client.push_manifest("digests", "latest", &empty_index("x")).expect(201);
        for digest in bad_digests() {
            for (method, target) in uses_of_digest(&client, &digest) {
                let reply = client.request(method, &target, &[], &[]);
                assert_eq!(reply.status, 400, "{method} {target:.200}: {}", reply.text());
                // A query with a control character or a very long value is refused before anybody asks what it stands for.
                let before_it_is_read = target.contains('?') && (digest.contains("%0") || digest.len() > 1_000);
                if method != "HEAD" && !before_it_is_read {
                    assert_eq!(reply.error_code().as_deref(), Some("DIGEST_INVALID"), "{method} {target:.200}");
                }
            }
            // As a reference it is neither tag nor digest; which of the two it should have been, nobody can say.
            for method in ["GET", "HEAD", "DELETE", "PUT"] {
                let target = format!("/v2/digests/manifests/{digest}");
                let body = if method == "PUT" { empty_index("x").bytes } else { Vec::new() };
                client.request(method, &target, &[("Content-Type", media::INDEX)], &body).expect_any(&[400, 404]);
            }
        }
        for (method, target) in uses_of_digest(&client, "") {
            client.request(method, &target, &[], &[]).expect_any(&[400, 404]);
        }
        client
            .request("PUT", &format!("{}?digest=", client.start_upload("digests")), &[], &[])
            .expect_error(400, "DIGEST_INVALID");
    });
}

#[test]
fn a14_a_digest_of_a_megabyte_is_refused() {
    attack(|server| {
        let client = server.client();
        for target in
            [format!("/v2/digests/blobs/{}", endless_digest()), format!("/v2/digests/manifests/{}", endless_digest())]
        {
            client.request("GET", &target, &[], &[]).expect_any(&[400, 414, 431]);
        }
    });
}

const BAD_NAMES: [&str; 26] = [
    "..",
    "a/../b",
    "%2e%2e",
    "a/%2e%2e/b",
    "a%2fb",
    "a//b",
    "%00",
    "a%00b",
    "A",
    "a/B",
    "a/",
    "/a",
    "-a",
    "a-",
    ".a",
    "a.",
    "a..b",
    "a.-b",
    "a___b",
    "a%20b",
    "a%0ab",
    "a%0d%0ab",
    "a\\b",
    "%c3%a9",
    "a~b",
    "_a",
];

#[test]
fn a15_what_is_no_repository_name_is_refused_as_one() {
    attack(|server| {
        let client = server.client();
        let stray = |file: &PathBuf| !file.starts_with(server.blobs()) && !file.to_string_lossy().contains("/berth.db");
        let outside = || tree_files(server.data().parent().unwrap()).into_iter().filter(stray).collect::<Vec<_>>();
        let manifest = empty_index("x");
        client.get("/v2/_catalog").expect(200);
        let before = outside();
        for name in BAD_NAMES {
            let requests = [
                ("GET", format!("/v2/{name}/tags/list")),
                ("GET", format!("/v2/{name}/manifests/latest")),
                ("PUT", format!("/v2/{name}/manifests/latest")),
                ("POST", format!("/v2/{name}/blobs/uploads/")),
                ("GET", format!("/v2/{name}/blobs/{}", manifest.digest)),
                (
                    "POST",
                    format!(
                        "/v2/good/blobs/uploads/?mount={}&from={}",
                        manifest.digest,
                        encoded(&name.replace('%', ""))
                    ),
                ),
            ];
            for (method, target) in &requests[..5] {
                let body: &[u8] = if *method == "PUT" { &manifest.bytes } else { &[] };
                let reply = client.request(method, target, &[("Content-Type", media::INDEX)], body);
                let refused = reply.status == 404
                    || (reply.status == 400 && reply.error_code().as_deref() == Some("NAME_INVALID"));
                assert!(refused, "{method} {target}: {} {}", reply.status, reply.text());
            }
            let (method, target) = &requests[5];
            // Without its percent signs a name may be a good one of a repository that is not there.
            client.request(method, target, &[], &[]).expect_any(&[202, 400, 404]);
        }
        let catalog = client.get("/v2/_catalog").expect(200).text();
        for name in ["..", "A", "a/B", "a//b"] {
            assert!(!catalog.contains(&format!("\"{name}\"")), "{catalog}");
        }
        assert_eq!(outside(), before, "files came into being");
    });
}

#[test]
fn a15_names_of_256_characters_are_good_and_of_257_are_not() {
    attack(|server| {
        let client = server.client();
        let longest = format!("{}/{}", "a".repeat(127), "b".repeat(128));
        client.push_manifest(&longest, "latest", &empty_index("x")).expect(201);
        client.push_manifest(&format!("{longest}c"), "latest", &empty_index("x")).expect_error(400, "NAME_INVALID");
    });
}

#[test]
fn a16_a_name_of_a_megabyte_costs_nothing() {
    attack(|server| {
        let client = server.client();
        let before = server.process().cpu_ticks();
        for unit in ["a", "a/", "a-", "a.a_", "a__b/", "a----------------/", "aA"] {
            // Once beyond the limit of a request's line, once just below it, where the name's own parser has the work.
            let endless = unit.repeat(1_000_000 / unit.len());
            let long = unit.repeat(50_000 / unit.len());
            client.get(&format!("/v2/{endless}/tags/list")).expect_any(&[400, 414, 431]);
            client.get(&format!("/v2/{long}/tags/list")).expect_any(&[400, 404, 414, 431]);
            client.get(&format!("/v2/{long}!/tags/list")).expect_any(&[400, 404, 414, 431]);
        }
        // 21 requests; a parser that goes back over a name of 50,000 characters takes minutes.
        let ticks = server.process().cpu_ticks() - before;
        assert!(ticks < 200, "{ticks} ticks of processor time");
    });
}

#[test]
fn a17_what_is_no_tag_is_refused_as_one() {
    attack(|server| {
        let client = server.client();
        let manifest = empty_index("x");
        let good = "t".repeat(128);
        client.push_manifest("tags", &good, &manifest).expect(201);
        let long = "t".repeat(129);
        let bad = [
            &long,
            ".hidden",
            "-dash",
            "%2e%2e%2fx",
            "..%2fx",
            "a%0d%0ab",
            "a%0d%0aSet-Cookie:x",
            "a%20b",
            "%00",
            "a%00",
            "a+b",
            "%c3%a9",
            "a!b",
            "@",
        ];
        for tag in bad {
            let reply = client.push_manifest("tags", tag, &manifest);
            assert_eq!(reply.status, 400, "{tag}: {}", reply.text());
            assert_eq!(reply.header("set-cookie"), None);
            client.manifest("tags", tag).expect_any(&[400, 404]);
            // As a parameter of a push by digest.
            let target = format!("/v2/tags/manifests/{}?tag={tag}", manifest.digest);
            if tag != "a+b" {
                client.request("PUT", &target, &[("Content-Type", media::INDEX)], &manifest.bytes).expect(400);
            }
        }
        client.push_manifest("tags", "../x", &manifest).expect_any(&[400, 404]);
        let tags = client.get("/v2/tags/tags/list").expect(200).json();
        assert_eq!(tags["tags"], serde_json::json!([good]));
    });
}

#[test]
fn a18_no_path_leads_to_the_servers_own_files() {
    attack(|server| {
        let key = server.data().join("server.key");
        let key = std::fs::read_to_string(key).expect("the server's key lies in its folder");
        let data = server.data();
        let mut targets: Vec<String> = [
            "/%2F%2F..%2F..%2Fetc%2Fpasswd",
            "/..%2f..%2f..%2f..%2fetc%2fpasswd",
            "/../../../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "//etc/passwd",
            "/static/..%2f..%2fetc%2fpasswd",
            "/v2/..%2f..%2fetc%2fpasswd",
            "/v2/a/blobs/..%2f..%2f..%2fserver.key",
            "/v2/a/manifests/..%2f..%2fserver.key",
            "/server.key",
            "/%5c..%5c..%5cetc%5cpasswd",
        ]
        .map(str::to_owned)
        .to_vec();
        targets.push(format!("/{}", data.join("server.key").display()));
        for caller in [server.client(), server.anonymous()] {
            for target in &targets {
                let reply = caller.get(target);
                assert!(matches!(reply.status, 400 | 401 | 404), "{target}: {reply:?}");
                assert!(!reply.text().contains("root:") && !reply.text().contains(key.trim()), "{target}: {reply:?}");
            }
            caller.get("/%2F%2F..%2F..%2Fetc%2Fpasswd").expect(404);
        }
    });
}
