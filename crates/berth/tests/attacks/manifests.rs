//! A5 to A13, A19, A20, A23: manifests.

use std::net::TcpListener;
use std::time::Duration;

use berth_testkit::{Client, Image, MIB, Manifest, empty_index, index, media, padded_manifest, sha256, sha512};
use serde_json::{Value, json};

use crate::support::attack;
use crate::uploads::at_once;

const LIMIT: usize = 4 * 1024 * 1024;

#[test]
fn a05_a_manifest_of_4_mib_is_accepted_and_one_byte_more_refused_before_reading() {
    attack(|server| {
        let client = server.client();
        let largest = padded_manifest(LIMIT);
        client.push_manifest("big", "latest", &largest).expect(201);
        assert_eq!(client.manifest("big", "latest").expect(200).body, largest.bytes);
        let length = (LIMIT + 1).to_string();
        let headers = [("Content-Type", media::INDEX), ("Content-Length", length.as_str())];
        let mut connection = client.open("PUT", "/v2/big/manifests/larger", &headers);
        // Not one byte of the body was sent.
        connection.read_reply("PUT").unwrap().expect_error(413, "SIZE_INVALID");
        client.manifest("big", "larger").expect(404);
    });
}

#[test]
fn a06_an_endless_chunked_manifest_is_cut_at_the_limit() {
    attack(|server| {
        let client = server.client();
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        let headers = [("Content-Type", media::INDEX), ("Transfer-Encoding", "chunked")];
        let mut connection = client.open("PUT", "/v2/big/manifests/endless", &headers);
        let chunk = vec![b' '; 64 * 1024];
        let mut sent = 0;
        while !connection.has_news() && connection.send_chunk(&chunk).is_ok() {
            sent += chunk.len();
            assert!(sent < 64 * LIMIT, "the server reads on after {sent} bytes");
        }
        connection.read_reply("PUT").unwrap().expect_error(413, "SIZE_INVALID");
        assert!(connection.is_closed_within(Duration::from_secs(20)), "the connection stays open");
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        assert!(grown < 48 * MIB, "{grown} bytes more at the peak");
        client.manifest("big", "endless").expect(404);
    });
}

fn refused(client: &Client, body: &[u8], why: &str) {
    let reply = client.push_manifest_as("refused", "latest", media::INDEX, body);
    assert_eq!(reply.status, 400, "{why}: {}", reply.text());
    assert_eq!(reply.error_code().as_deref(), Some("MANIFEST_INVALID"), "{why}: {}", reply.text());
}

#[test]
fn a07_deeply_nested_json_is_refused_and_the_stack_stays_whole() {
    attack(|server| {
        let client = server.client();
        let start = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"x":"#, media::INDEX);
        for depth in [10_000, 1_000_000] {
            let arrays = format!("{start}{}{}}}", "[".repeat(depth), "]".repeat(depth));
            let objects = format!("{start}{}1{}}}", r#"{"":"#.repeat(depth / 2), "}".repeat(depth / 2));
            refused(&client, arrays.as_bytes(), "arrays");
            refused(&client, objects.as_bytes(), "objects");
            refused(&client, "[".repeat(depth).as_bytes(), "arrays that never end");
        }
        let nested_annotations =
            start.replace("\"x\":", "\"annotations\":") + &"[".repeat(10_000) + &"]".repeat(10_000) + "}";
        refused(&client, nested_annotations.as_bytes(), "in a field that is read");
    });
}

/// Small things in great number: what a reader makes of each may be a hundred times larger than its text.
#[test]
fn a07_wide_json_costs_little_memory() {
    attack(|server| {
        let start = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"x":["#, media::INDEX);
        let bodies = [r#"{"":0},"#, "0,", "[],", r#""","#].map(|unit| {
            let count = (LIMIT - start.len() - 10) / unit.len();
            format!("{start}{}0]}}", unit.repeat(count))
        });
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        at_once(8, |number| {
            let body = bodies[number % bodies.len()].as_bytes();
            server.client().push_manifest_as("wide", "latest", media::INDEX, body).expect_any(&[201, 400]);
        });
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        assert!(grown < 256 * MIB, "{grown} bytes more at the peak");
    });
}

#[test]
fn a08_a_key_that_comes_twice_is_refused() {
    attack(|server| {
        let client = server.client();
        let image = Image::small("twice");
        client.push_blobs("refused", &image);
        let document = image.manifest.document();
        let (config, layers) = (&document["config"], &document["layers"]);
        let media_type = media::MANIFEST;
        let bodies = [
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{media_type}","mediaType":"{}","config":{config},"layers":{layers}}}"#,
                media::INDEX
            ),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{config},"layers":[],"layers":{layers}}}"#
            ),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{config},"l\u0061yers":[],"layers":{layers}}}"#
            ),
            format!(
                r#"{{"schemaVersion":2,"schemaVersion":2,"mediaType":"{media_type}","config":{config},"layers":{layers}}}"#
            ),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{config},"config":{config},"layers":{layers}}}"#
            ),
        ];
        for body in &bodies {
            let reply = client.push_manifest_as("refused", "latest", media_type, body.as_bytes());
            reply.expect_error(400, "MANIFEST_INVALID");
        }
        let digest_twice =
            document.to_string().replacen(r#""digest":"#, &format!(r#""digest":"{}","digest":"#, sha256(b"other")), 1);
        client
            .push_manifest_as("refused", "latest", media_type, digest_twice.as_bytes())
            .expect_error(400, "MANIFEST_INVALID");
        client.push_manifest("refused", "latest", &image.manifest).expect(201);
    });
}

#[test]
fn a09_a_manifest_that_is_image_and_index_at_once_is_refused() {
    attack(|server| {
        let client = server.client();
        let image = Image::small("both");
        client.push_image("refused", "good", &image);
        let mut document = image.manifest.document();
        document["manifests"] = json!([image.manifest.descriptor()]);
        for media_type in [media::MANIFEST, media::INDEX] {
            document["mediaType"] = json!(media_type);
            client
                .push_manifest("refused", "both", &Manifest::of(media_type, &document))
                .expect_error(400, "MANIFEST_INVALID");
            let mut silent = document.clone();
            silent.as_object_mut().unwrap().remove("mediaType");
            client
                .push_manifest("refused", "both", &Manifest::of(media_type, &silent))
                .expect_error(400, "MANIFEST_INVALID");
        }
        client.manifest("refused", "both").expect(404);
    });
}

#[test]
fn a10_a_content_type_that_contradicts_the_media_type_is_refused() {
    attack(|server| {
        let client = server.client();
        let image = Image::small("types");
        client.push_blobs("refused", &image);
        let bytes = &image.manifest.bytes;
        for media_type in [media::INDEX, media::DOCKER_MANIFEST, media::DOCKER_LIST] {
            client.push_manifest_as("refused", "latest", media_type, bytes).expect_error(400, "MANIFEST_INVALID");
        }
        client
            .push_manifest_as("refused", "latest", media::MANIFEST, &index(&[]).bytes)
            .expect_error(400, "MANIFEST_INVALID");
        for media_type in
            ["text/html", "application/json", "nonsense", "application/vnd.docker.distribution.manifest.v1+json"]
        {
            client.push_manifest_as("refused", "latest", media_type, bytes).expect_any(&[400, 415]);
        }
        client.manifest("refused", "latest").expect(404);
    });
}

fn docker_manifest(image: &Image) -> Manifest {
    let mut document = image.manifest.document();
    document["mediaType"] = json!(media::DOCKER_MANIFEST);
    document["config"]["mediaType"] = json!("application/vnd.docker.container.image.v1+json");
    for layer in document["layers"].as_array_mut().unwrap() {
        layer["mediaType"] = json!("application/vnd.docker.image.rootfs.diff.tar.gzip");
    }
    Manifest::of(media::DOCKER_MANIFEST, &document)
}

#[test]
fn a11_no_accept_header_changes_what_a_digest_names() {
    attack(|server| {
        let client = server.client();
        let image = Image::small("accept");
        client.push_image("accept", "image", &image);
        let docker = docker_manifest(&image);
        client.push_manifest("accept", "docker", &docker).expect(201);
        let list = index(&[image.manifest.descriptor(), docker.descriptor()]);
        client.push_manifest("accept", "index", &list).expect(201);
        let long = "application/x, ".repeat(2_000) + "text/plain";
        let accepts = [
            media::MANIFEST,
            media::INDEX,
            media::DOCKER_MANIFEST,
            media::DOCKER_LIST,
            "*/*",
            "application/*",
            "text/html",
            "",
            ",",
            ";q=",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "application/vnd.docker.distribution.manifest.v1+json",
            "*/*;q=0",
            "application/vnd.oci.image.index.v1+json;q=0, */*",
            "application/json",
            "\u{7f}",
            &long,
        ];
        for (tag, manifest) in [("image", &image.manifest), ("docker", &docker), ("index", &list)] {
            for accept in accepts {
                for reference in [tag, manifest.digest.as_str()] {
                    let target = format!("/v2/accept/manifests/{reference}");
                    let reply =
                        client.request("GET", &target, &[("Accept", accept)], &[]).expect_any(&[200, 400, 404, 406]);
                    if reply.status == 200 {
                        assert_eq!(reply.body, manifest.bytes, "{accept:.80}");
                        assert_eq!(reply.header("content-type"), Some(manifest.media_type.as_str()), "{accept:.80}");
                        assert_eq!(reply.header("docker-content-digest"), Some(manifest.digest.as_str()));
                    }
                }
            }
            client.manifest("accept", tag).expect(200);
        }
    });
}

#[test]
fn a12_bytes_are_kept_and_trailing_bytes_refused() {
    attack(|server| {
        let client = server.client();
        let image = Image::small("exact");
        client.push_blobs("exact", &image);
        let document = image.manifest.document();
        let compact = document.to_string();
        let Value::Object(fields) = &document else { unreachable!() };
        let reversed: Vec<String> = fields.iter().rev().map(|(name, value)| format!("{name:?}:{value}")).collect();
        let kept = [
            serde_json::to_string_pretty(&document).unwrap(),
            format!("\n\t {compact} \r\n\n"),
            format!("{{{}}}", reversed.join(" ,\n")),
            compact.replace("schemaVersion", "\\u0073chemaVersion"),
            compact.replacen('{', r#"{"unknown":{"n":1e2,"u":"\u00e9é","deep":[[[]]]},"#, 1),
        ];
        for text in kept {
            let reply = client.push_manifest_as("exact", "latest", media::MANIFEST, text.as_bytes()).expect(201);
            assert_eq!(reply.header("docker-content-digest"), Some(sha256(text.as_bytes()).as_str()));
            assert_eq!(client.manifest("exact", "latest").expect(200).text(), text);
        }
        let with_mark = [b"\xef\xbb\xbf", compact.as_bytes()].concat();
        if client.push_manifest_as("exact", "mark", media::MANIFEST, &with_mark).expect_any(&[201, 400]).status == 201 {
            assert_eq!(client.manifest("exact", "mark").expect(200).body, with_mark);
        }
        for junk in ["x", "{}", " {}", "\0", "]", "}", "null", "//", ","] {
            let text = format!("{compact}{junk}");
            client
                .push_manifest_as("exact", "junk", media::MANIFEST, text.as_bytes())
                .expect_error(400, "MANIFEST_INVALID");
        }
        for text in ["", " ", "null", "[]", "\"\"", "1", "{", "\u{fffd}", "{\"schemaVersion\":2}"] {
            client.push_manifest_as("exact", "junk", media::MANIFEST, text.as_bytes()).expect(400);
        }
        client.push_manifest_as("exact", "junk", media::MANIFEST, b"{\"a\":\"\xff\xfe\"}").expect(400);
        client.manifest("exact", "junk").expect(404);
    });
}

#[test]
fn a13_a_digest_cannot_be_given_other_content() {
    attack(|server| {
        let client = server.client();
        let (first, second) = (empty_index("first"), empty_index("second"));
        client.push_manifest("swap", &first.digest, &first).expect(201);
        for digest in [&first.digest, &sha256(b"nothing"), &sha512(&first.bytes)] {
            client.push_manifest("swap", digest, &second).expect_error(400, "DIGEST_INVALID");
        }
        assert_eq!(client.manifest("swap", &first.digest).expect(200).body, first.bytes);
        for digest in [&second.digest, &sha256(b"nothing")] {
            client.manifest("swap", digest).expect(404);
        }
        let target = format!("/v2/swap/manifests/{}?tag=stolen", first.digest);
        client
            .request("PUT", &target, &[("Content-Type", media::INDEX)], &second.bytes)
            .expect_error(400, "DIGEST_INVALID");
        client.manifest("swap", "stolen").expect(404);
    });
}

/// What is no size of anything.
pub const BAD_SIZES: [&str; 14] = [
    "-1",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "1.5",
    "1e1",
    "\"17\"",
    "null",
    "[]",
    "{}",
    "true",
];

fn assert_size_refused(client: &Client, media_type: &str, body: &str) {
    let reply = client.push_manifest_as("sizes", "latest", media_type, body.as_bytes());
    assert_eq!(reply.status, 400, "{body}: {}", reply.text());
    let code = reply.error_code().unwrap_or_default();
    assert!(matches!(code.as_str(), "SIZE_INVALID" | "MANIFEST_INVALID"), "{body}: {}", reply.text());
}

#[test]
fn a19_descriptors_of_wrong_size_are_refused() {
    attack(|server| {
        let client = server.client();
        let image = Image::small("sizes");
        client.push_image("sizes", "good", &image);
        let text = String::from_utf8(image.manifest.bytes.clone()).unwrap();
        let parent = String::from_utf8(index(&[image.manifest.descriptor()]).bytes).unwrap();
        let lengths = [(media::MANIFEST, &text, image.config.len()), (media::MANIFEST, &text, image.layers[0].len())];
        let cases = lengths.into_iter().chain([(media::INDEX, &parent, image.manifest.bytes.len())]);
        for (media_type, body, length) in cases {
            let right = format!("\"size\":{length}");
            assert_eq!(body.matches(&right).count(), 1, "{body}");
            let near = [length + 1, length - 1, 0].map(|size| size.to_string());
            for size in near.iter().map(String::as_str).chain(BAD_SIZES) {
                assert_size_refused(&client, media_type, &body.replace(&right, &format!("\"size\":{size}")));
            }
            assert_size_refused(&client, media_type, &body.replace(&right, "\"size_\":1"));
        }
        client.manifest("sizes", "latest").expect(404);
    });
}

#[test]
fn a20_missing_blobs_and_children_are_refused_and_the_tag_stays() {
    attack(|server| {
        let client = server.client();
        let (old, new, elsewhere) = (Image::small("old"), Image::small("new"), Image::small("elsewhere"));
        client.push_image("missing", "latest", &old);
        client.push_image("other", "latest", &elsewhere);
        let refuse = |manifest: &Manifest| {
            let reply = client.push_manifest("missing", "latest", manifest).expect_any(&[400, 404]);
            assert_eq!(reply.error_code().as_deref(), Some("MANIFEST_BLOB_UNKNOWN"), "{}", reply.text());
            assert_eq!(client.manifest("missing", "latest").expect(200).body, old.manifest.bytes);
            client.manifest("missing", &manifest.digest).expect(404);
        };
        refuse(&new.manifest);
        client.push_blob("missing", &new.config);
        refuse(&new.manifest);
        client.push_blob("missing", &new.layers[0]);
        client.push_manifest("missing", "new", &new.manifest).expect(201);
        // Content of another repository counts as missing.
        refuse(&elsewhere.manifest);
        refuse(&index(&[old.manifest.descriptor(), elsewhere.manifest.descriptor()]));
        refuse(&index(&[Image::small("nowhere").manifest.descriptor()]));
    });
}

#[test]
fn a23_addresses_in_foreign_layers_are_stored_and_never_fetched() {
    attack(|server| {
        let trap = TcpListener::bind("127.0.0.1:0").unwrap();
        trap.set_nonblocking(true).unwrap();
        let client = server.client();
        let image = Image::small("foreign");
        client.push_blobs("foreign", &image);
        let mut document = image.manifest.document();
        let urls = json!([
            format!("http://{}/layer", trap.local_addr().unwrap()),
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd"
        ]);
        let layer = json!({"mediaType": media::FOREIGN_LAYER, "digest": sha256(b"foreign"), "size": 7, "urls": urls});
        document["layers"].as_array_mut().unwrap().push(layer);
        let manifest = Manifest::of(media::MANIFEST, &document);
        client.push_manifest("foreign", "latest", &manifest).expect(201);
        assert_eq!(client.manifest("foreign", "latest").expect(200).body, manifest.bytes);
        client.blob("foreign", &sha256(b"foreign")).expect(404);
        let verified = server.berth(&["verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        std::thread::sleep(Duration::from_secs(1));
        assert!(trap.accept().is_err(), "the server fetched the address of a foreign layer");
    });
}
