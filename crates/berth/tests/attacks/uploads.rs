//! A29 to A33, A37: uploads that lie, break off or race.

use std::sync::Barrier;

use berth_testkit::{
    Client, MIB, Random, Reply, Server, empty_index, eventually, media, path_and_query, sha256, tree_bytes, tree_files,
};

use crate::support::attack;

fn content(length: usize) -> Vec<u8> {
    Random::seeded(7).bytes(length)
}

#[test]
fn a29_a_chunk_at_the_wrong_place_changes_nothing() {
    attack(|server| {
        let client = server.client();
        let bytes = content(200);
        let session = client.start_upload("ranges");
        client.patch_upload(&session, 0, &bytes[..100]).expect(202);
        let wrong_places = [
            "101-200",
            "50-149",
            "0-99",
            "200-299",
            "99-198",
            "18446744073709551616-18446744073709551715",
            "18446744073709551615-18446744073709551714",
            "9223372036854775807-9223372036854775906",
            "340282366920938463463374607431768211456-1",
            "199-100",
            "100-150",
            "100-18446744073709551615",
        ];
        for range in wrong_places {
            let reply = client.request("PATCH", &session, &[("Content-Range", range)], &bytes[100..]);
            assert_eq!(reply.status, 416, "{range}: {}", reply.text());
            assert_eq!(reply.header("range"), Some("0-99"), "{range}");
            assert_eq!(client.upload_offset(&session), 100, "{range}");
        }
        for range in ["-100", "abc", "100", "100-", "", "100-199-", "0x64-0xc7"] {
            let reply = client.request("PATCH", &session, &[("Content-Range", range)], &bytes[100..]);
            assert!(matches!(reply.status, 400 | 416), "{range}: {} {}", reply.status, reply.text());
            assert_eq!(client.upload_offset(&session), 100, "{range}");
        }
        let target = path_and_query(&session, &format!("digest={}", sha256(&bytes)));
        client.request("PUT", &target, &[("Content-Range", "150-249")], &bytes[100..]).expect(416);
        client.patch_upload(&session, 100, &bytes[100..]).expect(202);
        client.finish_upload(&session, &sha256(&bytes), &[]).expect(201);
        assert_eq!(client.blob("ranges", &sha256(&bytes)).expect(200).body, bytes);
    });
}

/// Sends less than was said, then hangs up.
fn break_off(client: &Client, method: &str, target: &str, headers: &[(&str, &str)], bytes: &[u8]) {
    let mut connection = client.open(method, target, headers);
    connection.send(bytes).unwrap();
    connection.finish_writing().unwrap();
    let _ = connection.read_reply(method);
}

/// The offset that the session reports is true: the upload goes on from there to the right digest.
fn assert_resumes(client: &Client, session: &str, bytes: &[u8], sent: usize) {
    let mut offset = u64::MAX;
    eventually("the session to be free again", || {
        let status = client.get(session).expect(204);
        let last = status.header("range").and_then(|range| range.strip_prefix("0-")?.parse().ok());
        offset = last.map_or(0, |last: u64| if last == 0 { 0 } else { last + 1 });
        let rest = &bytes[usize::try_from(offset).unwrap()..];
        client.patch_upload(session, usize::try_from(offset).unwrap(), rest).status == 202
    });
    assert!(offset <= sent as u64, "{offset} bytes held of {sent} sent");
    client.finish_upload(session, &sha256(bytes), &[]).expect(201);
    assert_eq!(client.blob("short", &sha256(bytes)).expect(200).body, bytes);
}

#[test]
fn a30_a_chunk_that_breaks_off_counts_as_far_as_it_came() {
    attack(|server| {
        let client = server.client();
        let mut random = Random::seeded(30);
        let framings: [&[(&str, &str)]; 3] = [
            &[("Content-Length", "200000")],
            &[("Content-Length", "200000"), ("Content-Range", "0-199999")],
            &[("Transfer-Encoding", "chunked")],
        ];
        for headers in framings {
            let bytes = random.bytes(200_000);
            let session = client.start_upload("short");
            let chunked = headers[0].0 == "Transfer-Encoding";
            let sent =
                if chunked { [b"1d4c0\r\n", &bytes[..120_000], b"\r\n"].concat() } else { bytes[..120_000].to_vec() };
            break_off(&client, "PATCH", &session, headers, &sent);
            client.blob("short", &sha256(&bytes)).expect(404);
            assert_resumes(&client, &session, &bytes, 120_000);
        }
    });
}

#[test]
fn a30_a_final_put_that_breaks_off_commits_nothing() {
    attack(|server| {
        let client = server.client();
        let mut random = Random::seeded(31);
        for cut in [0, 1, 100_000, 199_999] {
            let bytes = random.bytes(200_000);
            let session = client.start_upload("short");
            let target = path_and_query(&session, &format!("digest={}", sha256(&bytes)));
            break_off(&client, "PUT", &target, &[("Content-Length", "200000")], &bytes[..cut]);
            // Even where the digest is the one of what came: less came than was said.
            let prefix = path_and_query(&client.start_upload("short"), &format!("digest={}", sha256(&bytes[..cut])));
            break_off(&client, "PUT", &prefix, &[("Content-Length", "200000")], &bytes[..cut]);
            let whole = format!("/v2/short/blobs/uploads/?digest={}", sha256(&bytes[..cut]));
            break_off(&client, "POST", &whole, &[("Content-Length", "200000")], &bytes[..cut]);
            std::thread::sleep(std::time::Duration::from_millis(200));
            for digest in [sha256(&bytes), sha256(&bytes[..cut])] {
                client.blob("short", &digest).expect(404);
            }
        }
    });
}

#[test]
fn a31_of_two_chunks_at_once_one_wins() {
    attack(|server| {
        let client = server.client();
        for round in 0..10 {
            let bytes = Random::seeded(round).bytes(100_000);
            let session = client.start_upload("race");
            let headers = [("Content-Length", "100000"), ("Content-Range", "0-99999")];
            let mut slow = client.open("PATCH", &session, &headers);
            slow.send(&bytes[..50_000]).unwrap();
            let second = {
                let (client, session, bytes) = (client.clone(), session.clone(), bytes.clone());
                std::thread::spawn(move || client.patch_upload(&session, 0, &bytes))
            };
            // The second may wait for the first, or be refused, or win.
            std::thread::sleep(std::time::Duration::from_millis(100));
            let _ = slow.send(&bytes[50_000..]);
            let statuses = [slow.read_reply("PATCH").unwrap().status, second.join().unwrap().status];
            assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1, "{statuses:?}");
            assert!(statuses.iter().all(|status| matches!(status, 202 | 409 | 416)), "{statuses:?}");
            assert_eq!(client.upload_offset(&session), 100_000);
            client.finish_upload(&session, &sha256(&bytes), &[]).expect(201);
            assert_eq!(client.blob("race", &sha256(&bytes)).expect(200).body, bytes);
        }
    });
}

#[test]
fn a32_of_several_last_puts_at_once_one_commits() {
    attack(|server| {
        let client = server.client();
        for round in 0..60 {
            let bytes = Random::seeded(100 + round).bytes(100_000);
            let session = client.start_upload("race");
            let body: &[u8] = if round % 2 == 0 { &bytes } else { &[] };
            if body.is_empty() {
                client.patch_upload(&session, 0, &bytes).expect(202);
            }
            let files = tree_files(&server.blobs()).len();
            let digest = sha256(&bytes);
            let mut statuses = at_once(6, |_| finish_stubbornly(&server.client(), &session, &digest, body));
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 404, 404, 404, 404, 404]);
            assert_eq!(client.blob("race", &sha256(&bytes)).expect(200).body, bytes);
            client.get(&session).expect(404);
            eventually("one file at most for one blob", || tree_files(&server.blobs()).len() <= files + 1);
        }
    });
}

/// Comes back as long as another request holds the upload.
fn finish_stubbornly(client: &Client, session: &str, digest: &str, body: &[u8]) -> u16 {
    loop {
        let status = client.finish_upload(session, digest, body).status;
        if status != 416 {
            return status;
        }
    }
}

/// Runs the same in several threads that begin together.
pub fn at_once<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let start = |number| {
            let (barrier, run) = (&barrier, &run);
            scope.spawn(move || {
                barrier.wait();
                run(number)
            })
        };
        let threads: Vec<_> = (0..count).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a33_a_wrong_digest_leaves_nothing_behind() {
    attack(|server| {
        let client = server.client();
        client.push_blob("wrong", b"first");
        let before = (tree_files(&server.blobs()).len(), tree_bytes(&server.blobs()));
        let bytes = content(1_000_000);
        let lie = sha256(b"something else");
        let monolithic = format!("/v2/wrong/blobs/uploads/?digest={lie}");
        client.request("POST", &monolithic, &[], &bytes).expect_error(400, "DIGEST_INVALID");
        let session = client.start_upload("wrong");
        client.finish_upload(&session, &lie, &bytes).expect_error(400, "DIGEST_INVALID");
        client.get(&session).expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        let session = client.start_upload("wrong");
        client.patch_upload(&session, 0, &bytes[..600_000]).expect(202);
        client.finish_upload(&session, &lie, &bytes[600_000..]).expect_error(400, "DIGEST_INVALID");
        client.get(&session).expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        for digest in [&lie, &sha256(&bytes)] {
            client.blob("wrong", digest).expect_error(404, "BLOB_UNKNOWN");
        }
        let after = || (tree_files(&server.blobs()).len(), tree_bytes(&server.blobs()));
        eventually("the partial files to go", || after() == before);
        // The content itself was not at fault.
        client.push_blob("wrong", &bytes);
    });
}

/// A gzip member of zeros (RFC 1951, section 3.2.6: fixed codes, each match repeating 258 zeros in 13 bits).
fn gzip_bomb(matches: usize) -> Vec<u8> {
    let mut bits: Vec<u8> = vec![1, 1, 0];
    bits.extend([0, 0, 1, 1, 0, 0, 0, 0]);
    for _ in 0..matches {
        bits.extend([1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
    bits.extend([0; 7]);
    let packed = bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |all, (place, bit)| all | bit << place));
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255].into_iter().chain(packed).chain([0; 8]).collect()
}

fn assert_raw_or_refused(server: &Server, reply: Reply, digest: &str, bytes: &[u8]) {
    if reply.expect_any(&[201, 415]).status == 201 {
        assert_eq!(server.client().blob("bomb", digest).expect(200).body, bytes);
    }
}

#[test]
fn a37_a_compressed_upload_is_never_inflated() {
    attack(|server| {
        let client = server.client();
        let bomb = gzip_bomb(600_000);
        let digest = sha256(&bomb);
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        for encoding in ["gzip", "deflate", "gzip, gzip, gzip", "zstd", "x-gzip", "br"] {
            let headers = [("Content-Encoding", encoding)];
            let monolithic = format!("/v2/bomb/blobs/uploads/?digest={digest}");
            assert_raw_or_refused(server, client.request("POST", &monolithic, &headers, &bomb), &digest, &bomb);
            let session = client.start_upload("bomb");
            client.request("PATCH", &session, &headers, &bomb).expect_any(&[202, 415]);
            let session = client.start_upload("bomb");
            let target = path_and_query(&session, &format!("digest={digest}"));
            assert_raw_or_refused(server, client.request("PUT", &target, &headers, &bomb), &digest, &bomb);
            let headers = [("Content-Encoding", encoding), ("Content-Type", media::INDEX)];
            client
                .request("PUT", "/v2/bomb/manifests/latest", &headers, &empty_index("bomb").bytes)
                .expect_any(&[201, 415]);
        }
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        assert!(grown < 48 * MIB, "{grown} bytes more at the peak");
        // As a layer like any other it is welcome.
        client.push_blob("bomb", &bomb);
        assert_eq!(client.blob("bomb", &digest).expect(200).body, bomb);
    });
}
