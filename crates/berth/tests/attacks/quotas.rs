//! A34, A35: more than is allowed.

use std::time::Duration;

use berth_testkit::{Client, Random, Server, eventually, path_and_query, sha256, tree_bytes, within};

use crate::support::{attack_on, builder};

const KIB: usize = 1024;

#[test]
fn a34_a_layer_over_the_limit_is_refused_and_the_disk_given_back() {
    attack_on(builder().setting("limits.layer_bytes", "1MiB"), |server| {
        let client = server.client();
        let allowed = Random::seeded(1).bytes(1024 * KIB);
        client.push_blob("limits", &allowed);
        let before = tree_bytes(&server.blobs());
        let too_long = Random::seeded(2).bytes(1024 * KIB + 1);
        declared(&client, &sha256(&too_long));
        streamed(&client);
        in_chunks(&client, &too_long);
        client.blob("limits", &sha256(&too_long)).expect(404);
        eventually("the disk to be as before", || tree_bytes(&server.blobs()) <= before);
    });
}

/// A length that is too great is refused before a byte of the body.
fn declared(client: &Client, digest: &str) {
    for length in ["1048577", "9223372036854775807", "18446744073709551615"] {
        let session = client.start_upload("limits");
        for (method, target) in [
            ("PATCH", session.clone()),
            ("PUT", path_and_query(&session, &format!("digest={digest}"))),
            ("POST", format!("/v2/limits/blobs/uploads/?digest={digest}")),
        ] {
            let mut connection = client.open(method, &target, &[("Content-Length", length)]);
            let reply = connection.read_reply(method).unwrap();
            // A session that ended with the first refusal is unknown to the next.
            assert!(matches!(reply.status, 413 | 404 | 400), "{method} {length}: {} {}", reply.status, reply.text());
            if length == "1048577" && reply.status != 404 {
                reply.expect_error(413, "SIZE_INVALID");
            }
        }
        client.delete(&session).expect_any(&[204, 404]);
    }
}

/// A body without a length is cut when it passes the limit.
fn streamed(client: &Client) {
    let session = client.start_upload("limits");
    let mut connection = client.open("PATCH", &session, &[("Transfer-Encoding", "chunked")]);
    let chunk = vec![0; 64 * KIB];
    let mut sent = 0;
    while !connection.has_news() && connection.send_chunk(&chunk).is_ok() {
        sent += chunk.len();
        assert!(sent < 256 * 1024 * KIB, "the server reads on after {sent} bytes");
    }
    connection.read_reply("PATCH").unwrap().expect_error(413, "SIZE_INVALID");
    client.delete(&session).expect_any(&[204, 404]);
}

/// Chunks that are small each count together.
fn in_chunks(client: &Client, bytes: &[u8]) {
    let session = client.start_upload("limits");
    client.patch_upload(&session, 0, &bytes[..600 * KIB]).expect(202);
    client.patch_upload(&session, 600 * KIB, &bytes[600 * KIB..]).expect_error(413, "SIZE_INVALID");
    client.delete(&session).expect_any(&[204, 404]);
    let session = client.start_upload("limits");
    client.patch_upload(&session, 0, &bytes[..600 * KIB]).expect(202);
    client.finish_upload(&session, &sha256(bytes), &bytes[600 * KIB..]).expect_error(413, "SIZE_INVALID");
    client.delete(&session).expect_any(&[204, 404]);
}

fn push(client: &Client, repository: &str, bytes: &[u8]) -> berth_testkit::Reply {
    let session = client.start_upload(repository);
    let reply = client.finish_upload(&session, &sha256(bytes), bytes);
    if reply.status != 201 {
        client.delete(&session).expect_any(&[204, 404]);
    }
    reply
}

#[test]
fn a34_quotas_of_repository_and_account_hold() {
    let small = builder().setting("limits.repository_bytes", "3MiB").setting("limits.account_bytes", "5MiB");
    attack_on(small, |server| {
        let client = server.client();
        let layers: Vec<Vec<u8>> = (0..4).map(|seed| Random::seeded(seed).bytes(2048 * KIB)).collect();
        push(&client, "quota/a", &layers[0]).expect(201);
        let before = tree_bytes(&server.blobs());
        push(&client, "quota/a", &layers[1]).expect_error(403, "DENIED");
        client.blob("quota/a", &sha256(&layers[1])).expect(404);
        eventually("the disk to be as before", || tree_bytes(&server.blobs()) <= before);
        // Room in another repository, but not in the account for a third layer.
        push(&client, "quota/b", &layers[1]).expect(201);
        let before = tree_bytes(&server.blobs());
        push(&client, "quota/c", &layers[2]).expect_error(403, "DENIED");
        client.blob("quota/c", &sha256(&layers[2])).expect(404);
        eventually("the disk to be as before", || tree_bytes(&server.blobs()) <= before);
        // What is refused can still be read and deleted around.
        assert_eq!(client.blob("quota/a", &sha256(&layers[0])).expect(200).body, layers[0]);
        client.delete(&format!("/v2/quota/a/blobs/{}", sha256(&layers[0]))).expect(202);
        push(&client, "quota/a", &layers[3]).expect(201);
    });
}

#[test]
fn a35_ten_thousand_abandoned_sessions_stop_at_the_cap() {
    attack_on(builder().setting("limits.open_uploads", "100"), |server| {
        let client = server.client();
        let mut opened = 0;
        for _ in 0..10_000 {
            let reply = client.request("POST", "/v2/abandoned/blobs/uploads/", &[], &[]).expect_any(&[202, 429]);
            opened += usize::from(reply.status == 202);
            if reply.status == 429 {
                assert!(reply.header("retry-after").is_some(), "no Retry-After");
                reply.expect_error(429, "TOOMANYREQUESTS");
            }
        }
        assert_eq!(opened, 100);
        client.blob("abandoned", &sha256(b"x")).expect(404);
    });
}

/// Opens sessions that hold bytes until the cap stops it.
fn abandon(server: &Server) -> usize {
    let client = server.client();
    let bytes = Random::seeded(35).bytes(64 * KIB);
    for count in 0..1_000 {
        let reply = client.request("POST", "/v2/abandoned/blobs/uploads/", &[], &[]);
        if reply.status == 429 {
            return count;
        }
        let session = berth_testkit::target_of(&reply.expect(202));
        client.patch_upload(&session, 0, &bytes);
    }
    panic!("no cap");
}

#[test]
fn a35_abandoned_sessions_are_reaped_when_their_time_is_over() {
    let short = builder().setting("limits.open_uploads", "5").setting("uploads.ttl", "1m");
    attack_on(short, |server| {
        let before = tree_bytes(&server.blobs());
        assert!(abandon(server) >= 5);
        let patience = Duration::from_mins(3);
        assert!(within(patience, || tree_bytes(&server.blobs()) <= before), "the bytes of dead sessions stay");
        let client = server.client();
        let again = || client.request("POST", "/v2/abandoned/blobs/uploads/", &[], &[]).status == 202;
        assert!(within(patience, again), "no new session after the old ones' time");
    });
}

/// A soft limit of 1,024 files is what most systems give a service that asks for nothing.
#[test]
fn a35_sessions_do_not_use_up_the_servers_files() {
    let shell = ["sh", "-c", "ulimit -Sn 1024 && exec \"$0\" \"$@\""];
    attack_on(builder().under(shell), |server| {
        let client = server.client();
        let blob = client.push_blob("files", b"small");
        for _ in 0..3_000 {
            let session = client.request("POST", "/v2/files/blobs/uploads/", &[], &[]).expect(202);
            let reply = client.patch_upload(&berth_testkit::target_of(&session), 0, b"some bytes");
            reply.expect(202);
        }
        assert_eq!(server.client().blob("files", &blob).expect(200).body, b"small");
        client.push_blob("files", b"one more");
    });
}
