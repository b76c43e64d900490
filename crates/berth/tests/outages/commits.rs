//! A change is committed, and the answer that says so never comes: or the commit itself never arrived.

use std::time::Duration;

use berth_testkit::postgres::Postgres;
use berth_testkit::proxy::{Fault, Proxy, Stage};
use berth_testkit::{Client, Image, Server, eventually, seed_from_environment, sha256};

use crate::prober::Heard;
use crate::support::{assert_whole, await_rest, builder, database_behind, oracle, time};

/// A node whose commits a proxy sees.
struct Seen {
    node: Server,
    proxy: Proxy,
    database: String,
}

fn start(seed: u64) -> Seen {
    let postgres = Postgres::shared();
    let proxy = Proxy::postgres(postgres.port(), seed);
    let (database, url) = database_behind(postgres, &proxy);
    let node = builder().setting("database.url", &url).start();
    Seen { node, proxy, database }
}

impl Seen {
    fn sql(&self, sql: &str) -> String {
        Postgres::shared().sql(&self.database, sql)
    }

    /// Makes a call whose commit is lost, and says what its caller heard.
    fn lose(&self, stage: Stage, call: impl Fn(&Client) -> berth_testkit::Reply) -> u16 {
        let before: u64 = self.proxy.befell().values().sum();
        self.proxy.set(Fault::LostCommits(100, stage));
        let reply = call(&self.node.client());
        self.proxy.set(Fault::None);
        assert!(self.proxy.befell().values().sum::<u64>() > before, "no commit was lost");
        Heard::default().note(&reply);
        println!("{stage:?}: {} {}", reply.status, reply.text());
        reply.status
    }
}

#[test]
fn what_was_committed_without_an_answer_can_be_asked_for_again() {
    for stage in [Stage::After, Stage::Before] {
        let seen = start(1);
        let (client, image) = (seen.node.client(), Image::small("lost"));
        client.push_blobs("team/app", &image);
        // The manifest: it and its tag are there after all, or not at all.
        assert_eq!(seen.lose(stage, |client| client.push_manifest("team/app", "v1", &image.manifest)), 503);
        let there = client.manifest("team/app", "v1").expect_any(&[200, 404]).status == 200;
        assert_eq!(there, stage == Stage::After);
        client.push_manifest("team/app", "v1", &image.manifest).expect(201);
        assert_eq!(history(&seen, "v1"), [image.manifest.digest.clone()], "{stage:?}");
        // The tag moves once, however often that is asked for.
        let other = Image::small("other");
        client.push_blobs("team/app", &other);
        seen.lose(stage, |client| client.push_manifest("team/app", "v1", &other.manifest));
        client.push_manifest("team/app", "v1", &other.manifest).expect(201);
        let moves = [image.manifest.digest.clone(), other.manifest.digest.clone()];
        assert_eq!(history(&seen, "v1"), moves, "{stage:?}");
        // A blob: whoever pushes it again finds it, or brings it.
        let bytes = b"a blob whose commit is lost".as_slice();
        let target = format!("/v2/team/app/blobs/uploads/?digest={}", sha256(bytes));
        seen.lose(stage, |client| client.request("POST", &target, &[], bytes));
        client.push_blob("team/app", bytes);
        assert!(client.blob("team/app", &sha256(bytes)).expect(200).body == bytes);
        // A deletion: it is done, or it is not.
        let old = format!("/v2/team/app/manifests/{}", image.manifest.digest);
        seen.lose(stage, |client| client.delete(&old));
        client.delete(&old).expect_any(&[202, 404]);
        client.get(&old).expect(404);
        assert_whole(&seen.node);
    }
}

/// What a tag named, in order.
fn history(seen: &Seen, tag: &str) -> Vec<String> {
    let sql = format!("SELECT digest FROM tag_history WHERE tag = '{tag}' ORDER BY id");
    seen.sql(&sql).lines().map(str::to_owned).collect()
}

#[test]
fn lost_commits_under_load_lose_nothing_and_do_nothing_twice() {
    let seed = seed_from_environment();
    println!("BERTH_TEST_SEED={seed} BERTH_TEST_SECONDS={}", time().as_secs());
    let seen = start(seed);
    let mut oracle = oracle(seed);
    oracle.work_until(&[seen.node.client()], || {
        for stage in [Stage::After, Stage::Before] {
            seen.proxy.set(Fault::LostCommits(20, stage));
            std::thread::sleep(time() / 3);
        }
        seen.proxy.set(Fault::None);
        std::thread::sleep(Duration::from_secs(1));
    });
    await_rest(Postgres::shared(), &seen.database);
    oracle.settled();
    let (figures, befell) = (oracle.figures(), seen.proxy.befell());
    println!("{figures:?}; {befell:?}");
    assert!(befell["answer of a commit lost"] > 0 && befell["commit cut before it was sent"] > 0);
    oracle.check_all(&seen.node.client());
    assert_whole(&seen.node);
    // A tag that is moved to where it is leaves nothing in its history.
    let twice = "SELECT count(*) FROM (SELECT digest, lag(digest) OVER (PARTITION BY repository_id, tag ORDER BY id) \
                 AS before FROM tag_history) AS moves WHERE digest = before";
    assert_eq!(seen.sql(twice), "0", "a tag moved to where it was");
    eventually("the pool is whole", || seen.node.client().get("/readyz").status == 200);
}
