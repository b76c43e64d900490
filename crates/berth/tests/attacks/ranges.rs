//! A36: ranges.

use berth_testkit::{MIB, Random};

use crate::support::attack;

fn many(part: &str, count: usize) -> String {
    format!("bytes={}", vec![part; count].join(","))
}

#[test]
fn a36_no_range_yields_more_bytes_than_the_blob_has() {
    attack(|server| {
        let client = server.client();
        let bytes = Random::seeded(36).bytes(1_000_000);
        let digest = client.push_blob("ranges", &bytes);
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        let ranges = [
            many("0-0", 10_000),
            many("0-", 10_000),
            many("-1", 10_000),
            many("0-0", 2),
            many("0-999999", 100),
            "bytes=0-18446744073709551616".into(),
            "bytes=0-18446744073709551615".into(),
            "bytes=0-9223372036854775807".into(),
            "bytes=18446744073709551616-".into(),
            "bytes=18446744073709551615-18446744073709551616".into(),
            "bytes=-18446744073709551616".into(),
            "bytes=-0".into(),
            "bytes=1-0".into(),
            "bytes=1000000-".into(),
            "bytes=-".into(),
            "bytes=".into(),
            "bytes=a-b".into(),
            "bytes=--1".into(),
            "bytes=0x0-0x10".into(),
            "lines=0-1".into(),
            "0-1".into(),
            "bytes=0-1-2".into(),
            "bytes= 0-1".into(),
            "bytes=999999-1000005".into(),
        ];
        for range in &ranges {
            let target = format!("/v2/ranges/blobs/{digest}");
            let reply = client.request("GET", &target, &[("Range", range)], &[]).expect_any(&[200, 206, 416]);
            match reply.status {
                200 => assert!(reply.body == bytes, "{range:.60}"),
                206 => assert_part(&reply, &bytes, range),
                _ => assert!(reply.body.len() < 4_096, "{range:.60}"),
            }
        }
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        assert!(grown < 32 * MIB, "{grown} bytes more at the peak");
    });
}

/// One part, the one that `Content-Range` names.
fn assert_part(reply: &berth_testkit::Reply, bytes: &[u8], range: &str) {
    let named = reply.header("content-range").expect("a Content-Range");
    let (first, last) = named
        .strip_prefix("bytes ")
        .and_then(|rest| rest.strip_suffix("/1000000")?.split_once('-'))
        .expect("bytes A-B/SIZE");
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    assert!(reply.body == bytes[first..=last], "{range:.60}: {named}");
}
