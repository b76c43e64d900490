//! A21 and A22: manifests that refer to many others, or far.

use std::collections::HashSet;

use berth_testkit::{Client, MIB, Manifest, Server, empty_index, index, media, referrer};
use serde_json::json;

use crate::listings::next_page;
use crate::support::attack;

const LARGEST_PAGE: usize = 4 * 1024 * 1024;

/// Commands that walk over everything end, and find nothing wrong.
fn assert_walks_end(server: &Server, repository: &str) {
    for arguments in [&["verify"][..], &["stats"], &["stats", repository]] {
        let output = server.berth(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a21_indexes_nested_a_thousand_deep_do_no_harm() {
    attack(|server| {
        let client = server.client();
        let mut top = empty_index("bottom");
        client.push_manifest("deep", &top.digest, &top).expect(201);
        let mut all = vec![top.clone()];
        for _ in 0..1_000 {
            top = index(&[top.descriptor()]);
            client.push_manifest("deep", &top.digest, &top).expect(201);
            all.push(top.clone());
        }
        client.push_manifest("deep", "top", &top).expect(201);
        assert_eq!(client.manifest("deep", "top").expect(200).body, top.bytes);
        assert_walks_end(server, "deep");
        // From the top down, each is free once its parent is gone.
        for manifest in all.iter().rev() {
            client.delete(&format!("/v2/deep/manifests/{}", manifest.digest)).expect(202);
        }
        assert_walks_end(server, "deep");
    });
}

#[test]
fn a21_an_index_of_twenty_thousand_descriptors_is_stored_or_refused() {
    attack(|server| {
        let client = server.client();
        let child = empty_index("child");
        client.push_manifest("wide", "child", &child).expect(201);
        let wide = index(&vec![child.descriptor(); 20_000]);
        assert!(wide.bytes.len() <= LARGEST_PAGE, "{}", wide.bytes.len());
        let reply = client.push_manifest("wide", "wide", &wide).expect_any(&[201, 400]);
        if reply.status == 201 {
            assert_eq!(client.manifest("wide", "wide").expect(200).body, wide.bytes);
        }
        assert_walks_end(server, "wide");
    });
}

#[test]
fn a21_an_index_cannot_hold_itself_and_subjects_may_point_anywhere() {
    attack(|server| {
        let client = server.client();
        client.push_manifest("loops", "start", &empty_index("start")).expect(201);
        // Whoever claims a digest for an index that names this very digest must have found a collision.
        let claimed = format!("sha256:{}", "5".repeat(64));
        let own = json!({"mediaType": media::INDEX, "digest": claimed, "size": 200});
        client.push_manifest("loops", &claimed, &index(std::slice::from_ref(&own))).expect(400);
        client
            .push_manifest("loops", &claimed, &referrer(&own, "application/loop", &json!({})))
            .expect_error(400, "DIGEST_INVALID");
        // A chain of subjects, and one whose subject comes only later.
        let mut last = empty_index("subject");
        for number in 0..1_000 {
            last = referrer(&last.descriptor(), "application/chain", &json!({"number": number.to_string()}));
            client.push_manifest("loops", &last.digest, &last).expect(201);
        }
        let listed = client.get(&format!("/v2/loops/referrers/{}", empty_index("subject").digest)).expect(200).json();
        assert_eq!(listed["manifests"].as_array().unwrap().len(), 1);
        client.push_manifest("loops", "subject", &empty_index("subject")).expect(201);
        assert_walks_end(server, "loops");
        client.delete(&format!("/v2/loops/manifests/{}", last.digest)).expect(202);
    });
}

/// The number that a soak runs with is in `BERTH_TEST_REFERRERS`.
fn referrer_count() -> usize {
    std::env::var("BERTH_TEST_REFERRERS").map_or(5_000, |count| count.parse().expect("a number"))
}

fn push_referrers(server: &Server, subject: &Manifest, count: usize) -> HashSet<String> {
    let clients = 8;
    std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..clients)
            .map(|part| {
                let client = server.client();
                let numbers = (part..count).step_by(clients);
                scope.spawn(move || numbers.map(|number| push_referrer(&client, subject, number)).collect::<Vec<_>>())
            })
            .collect();
        pushers.into_iter().flat_map(|pusher| pusher.join().unwrap()).collect()
    })
}

fn push_referrer(client: &Client, subject: &Manifest, number: usize) -> String {
    let annotations = json!({"number": number.to_string(), "note": "n".repeat(3_000)});
    let manifest = referrer(&subject.descriptor(), "application/note", &annotations);
    client.push_manifest("popular", &manifest.digest, &manifest).expect(201);
    manifest.digest
}

/// Follows every page and gives the digests listed; each page is small and none comes twice.
fn walk_pages(client: &Client, subject: &Manifest) -> (HashSet<String>, usize) {
    let (mut seen, mut pages) = (HashSet::new(), 0);
    let mut target = Some(format!("/v2/popular/referrers/{}", subject.digest));
    while let Some(page) = target {
        let reply = client.get(&page).expect(200);
        assert!(reply.body.len() <= LARGEST_PAGE, "a page of {} bytes", reply.body.len());
        for manifest in reply.json()["manifests"].as_array().unwrap() {
            assert!(seen.insert(manifest["digest"].as_str().unwrap().to_owned()), "listed twice: {manifest:.200}");
        }
        pages += 1;
        target = next_page(&reply);
    }
    (seen, pages)
}

#[test]
fn a22_very_many_referrers_come_in_pages_and_never_at_once() {
    attack(|server| {
        let client = server.client();
        let subject = empty_index("popular");
        client.push_manifest("popular", "latest", &subject).expect(201);
        let pushed = push_referrers(server, &subject, referrer_count());
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        let (seen, pages) = walk_pages(&client, &subject);
        assert!(seen == pushed, "{} listed of {}", seen.len(), pushed.len());
        assert!(pages * LARGEST_PAGE >= referrer_count() * 3_000, "{pages} pages");
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        assert!(grown < 48 * MIB, "{grown} bytes more at the peak");
    });
}

#[test]
fn a22_referrers_with_huge_annotations_come_in_pages_too() {
    attack(|server| {
        let client = server.client();
        let subject = empty_index("popular");
        let lengths = [LARGEST_PAGE, LARGEST_PAGE - 1, LARGEST_PAGE - 200, LARGEST_PAGE / 2, 3_000_000, 1_500_000];
        let mut pushed = HashSet::new();
        for number in 0..40 {
            let annotate =
                |note: &str| referrer(&subject.descriptor(), "a/b", &json!({"n": number.to_string(), "note": note}));
            let padding = lengths[number % lengths.len()] - annotate("").bytes.len();
            let manifest = annotate(&"n".repeat(padding));
            client.push_manifest("popular", &manifest.digest, &manifest).expect(201);
            pushed.insert(manifest.digest);
        }
        server.process().reset_peak();
        let before = server.process().rss_bytes();
        let (seen, _) = walk_pages(&client, &subject);
        assert!(seen == pushed, "{} listed of {}", seen.len(), pushed.len());
        let grown = server.process().peak_rss_bytes().saturating_sub(before);
        assert!(grown < 64 * MIB, "{grown} bytes more at the peak");
    });
}
