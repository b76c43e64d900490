//! Several nodes on one PostgreSQL database and one bucket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "nodes/export.rs"]
mod export;
#[path = "support/exported.rs"]
mod exported;
#[path = "support/records.rs"]
mod records;
#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use berth_testkit::oracle::{Oracle, Settings};
use berth_testkit::postgres::Postgres;
use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{Image, Server, ServerBuilder, sha256};
use support::builder;

const KEY: &str = "5e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e7";
const MIB: usize = 1 << 20;

/// Nodes that are one registry.
fn nodes(count: usize, with: impl Fn(ServerBuilder) -> ServerBuilder) -> Vec<Server> {
    let (url, prefix) = (Postgres::shared().create_database(), Seaweed::shared().fresh_prefix());
    let node = || {
        let node = builder().setting("database.url", &url).env("BERTH_SERVER_KEY", KEY);
        with(node.on_bucket(Seaweed::shared(), &prefix)).start()
    };
    (0..count).map(|_| node()).collect()
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|nth| (nth * 31 + nth / 251).to_le_bytes()[0]).collect()
}

#[test]
fn what_one_node_took_the_others_give() {
    let nodes = nodes(3, |node| node);
    let images: Vec<Image> = ["a", "b", "c"].map(Image::small).into();
    for (nth, image) in images.iter().enumerate() {
        nodes[nth].client().push_image("team/app", &format!("v{nth}"), image);
    }
    for node in &nodes {
        for (nth, image) in images.iter().enumerate() {
            let manifest = node.client().manifest("team/app", &format!("v{nth}")).expect(200);
            assert_eq!(sha256(&manifest.body), image.manifest.digest);
        }
        assert_eq!(node.berth(&["verify"]).code, Some(0));
    }
}

#[test]
fn an_upload_begun_at_one_node_goes_on_at_another() {
    let mut nodes = nodes(2, |node| node);
    let bytes = content(21 * MIB + 7);
    let location = nodes[0].client().start_upload("team/app");
    let mut begin = 0;
    for (turn, end) in [2, 3 * MIB, 11 * MIB, 12 * MIB, 20 * MIB].into_iter().enumerate() {
        let client = nodes[turn % 2].client();
        client.patch_upload(&location, begin, &bytes[begin..end]).expect(202);
        for node in &nodes {
            assert_eq!(node.client().upload_offset(&location), end as u64);
        }
        begin = end;
    }
    nodes[0].kill9();
    let client = nodes[1].client();
    client.finish_upload(&location, &sha256(&bytes), &bytes[begin..]).expect(201);
    assert!(client.blob("team/app", &sha256(&bytes)).expect(200).body == bytes);
}

/// A node that dies in the middle of a write holds the upload until it is back, and no longer than its claim lives.
#[test]
fn an_upload_that_a_killed_node_was_writing_is_free_once_it_is_back() {
    let mut nodes = nodes(2, |node| node);
    let bytes = content(3 * MIB);
    let location = nodes[0].client().start_upload("team/app");
    nodes[0].client().patch_upload(&location, 0, &bytes[..MIB]).expect(202);
    let range = format!("{MIB}-{}", 3 * MIB - 1);
    let length = (2 * MIB).to_string();
    let headers = [("content-range", range.as_str()), ("content-length", &length)];
    let mut half = nodes[0].client().open("PATCH", &location, &headers);
    half.send(&bytes[MIB..2 * MIB]).unwrap();
    let other = nodes[1].client();
    berth_testkit::eventually("the first node has it", || {
        let reply = other.patch_upload(&location, MIB + 1, b"1");
        reply.text().contains("another request is writing")
    });
    nodes[0].kill9();
    let refused = other.patch_upload(&location, MIB, &bytes[MIB..]).expect(416);
    assert!(refused.text().contains("another request is writing"), "{}", refused.text());
    nodes[0].restart();
    let offset = usize::try_from(other.upload_offset(&location)).unwrap();
    other.finish_upload(&location, &sha256(&bytes), &bytes[offset..]).expect(201);
    assert!(nodes[0].client().blob("team/app", &sha256(&bytes)).expect(200).body == bytes);
}

#[test]
fn two_nodes_that_write_at_once_do_not_mix() {
    let nodes = nodes(2, |node| node);
    for round in 0..10_u8 {
        let location = nodes[0].client().start_upload("team/app");
        let first = content(MIB);
        nodes[0].client().patch_upload(&location, 0, &first).expect(202);
        let parts = [vec![round; 6 * MIB], vec![!round; 6 * MIB]];
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let send = |nth: usize| {
                let (client, location, part) = (nodes[nth].client(), &location, &parts[nth]);
                scope.spawn(move || client.patch_upload(location, MIB, part).status)
            };
            [send(0), send(1)].map(|sent| sent.join().unwrap()).into()
        });
        let winner = statuses.iter().position(|&status| status == 202).expect("one of the two is taken");
        assert!([202, 409, 416].contains(&statuses[1 - winner]), "{statuses:?}");
        if statuses[1 - winner] == 202 {
            // One after the other, the second at an offset that was not its own, would be a mixture.
            panic!("both were taken at one offset");
        }
        let whole = [first, parts[winner].clone()].concat();
        nodes[1].client().finish_upload(&location, &sha256(&whole), b"").expect(201);
        assert!(nodes[0].client().blob("team/app", &sha256(&whole)).expect(200).body == whole);
    }
}

#[test]
fn pulls_are_sent_to_the_bucket_where_that_is_wanted() {
    let nodes = nodes(1, |node| node.setting("s3.redirect", "true"));
    let client = nodes[0].client();
    let bytes = content(3 * MIB);
    let digest = client.push_blob("team/app", &bytes);
    let target = format!("/v2/team/app/blobs/{digest}");
    let reply = client.get(&target).expect(307);
    let address = reply.header("location").unwrap().to_owned();
    let path = address.strip_prefix(&Seaweed::shared().endpoint()).unwrap();
    let bucket = berth_testkit::Client::anonymous(([127, 0, 0, 1], Seaweed::shared().port()).into());
    assert!(bucket.get(path).expect(200).body == bytes);
    client.request("HEAD", &target, &[], b"").expect(200);
    nodes[0].anonymous().get(&target).expect(401);
}

#[test]
fn a_bucket_that_goes_away_is_told_and_loses_nothing() {
    let seaweed = Seaweed::start();
    let url = Postgres::shared().create_database();
    let node = builder().setting("database.url", &url).on_bucket(&seaweed, "gone").start();
    let client = node.client();
    let bytes = content(MIB);
    let digest = client.push_blob("team/app", &bytes);
    client.get(&format!("/v2/team/app/blobs/{digest}")).expect(200);
    drop(seaweed);
    let reply = client.get(&format!("/v2/team/app/blobs/{digest}"));
    assert_eq!(reply.status, 503, "{}", reply.text());
    client.get("/healthz").expect(200);
}

/// Each change of either node has its record, a node that is killed is followed by the other as the one that chains, and the
/// chain is one.
#[test]
fn nodes_keep_one_chain_of_records_and_one_takes_over_from_another() {
    let (url, prefix) = (Postgres::shared().create_database(), Seaweed::shared().fresh_prefix());
    let node = || {
        let node = builder().setting("database.url", &url).env("BERTH_SERVER_KEY", KEY);
        node.on_bucket(Seaweed::shared(), &prefix).start()
    };
    let (mut first, mut second) = (node(), node());
    let mut oracle = Oracle::new(&Settings::seeded(berth_testkit::seed_from_environment()));
    let clients = [first.client(), second.client()];
    oracle.work_until(&clients, || std::thread::sleep(Duration::from_secs(4)));
    oracle.work_until(&clients, || {
        std::thread::sleep(Duration::from_secs(1));
        first.kill9();
    });
    // Uploads of the killed node are its own until it is back: meanwhile the other gets something new.
    let database = url.rsplit_once('/').unwrap().1;
    let holders = "SELECT count(DISTINCT holder) FROM audit_links";
    berth_testkit::eventually("the other node chains", || {
        second.client().push_image("team/app", "latest", &Image::small("taken over"));
        Postgres::shared().sql(database, holders) == "2"
    });
    first.restart();
    oracle.settled();
    oracle.work_until(&[first.client(), second.client()], || std::thread::sleep(Duration::from_secs(4)));
    oracle.settled();
    oracle.check_all(&second.client());
    assert!(first.stop().success(), "{}", first.log());
    assert!(second.stop().success(), "{}", second.log());
    records::check(&second.data(), Some(&url), Some(KEY), &oracle.calls());
}
