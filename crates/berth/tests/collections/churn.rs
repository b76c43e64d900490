//! A client that brings back content just when it may be taken away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_testkit::{Client, Image, Random, sha256, target_of};

/// Images that all clients push, so that repositories share blobs, and blobs come back after they were forgotten.
const IMAGES: u64 = 16;

/// One repository and its client.
pub struct Churn {
    nodes: Vec<Client>,
    repository: String,
    neighbour: String,
    random: Random,
    images: Vec<Image>,
    grace: Duration,
}

impl Churn {
    /// Client `number` of `count`.
    pub fn new(nodes: Vec<Client>, number: u64, count: u64, seed: u64, grace: Duration) -> Self {
        let image =
            |nth: u64| Image::of(vec![Random::seeded(nth).bytes(2000), Random::seeded(nth / 2 + 1000).bytes(5000)]);
        Self {
            nodes,
            repository: format!("churn/r{number}"),
            neighbour: format!("churn/r{}", (number + 1) % count),
            random: Random::seeded(seed ^ (number << 32)),
            images: (0..IMAGES).map(image).collect(),
            grace,
        }
    }

    /// Works until it is told to stop; how many pushes kept within what they were promised.
    pub fn work(&mut self, is_over: &AtomicBool) -> u64 {
        let mut kept = 0;
        while !is_over.load(Ordering::Relaxed) {
            kept += u64::from(self.push());
        }
        kept
    }

    /// Pushes an image over blobs that are there or not, taking its time, and deletes it again. Whether it had a promise
    /// for each blob all the time.
    fn push(&mut self) -> bool {
        let image = self.random.pick(&self.images).clone();
        let asked = Instant::now();
        for blob in image.blobs() {
            self.obtain(blob);
        }
        // Up to just under half of the grace time, which is what is promised.
        let share = u32::try_from(self.random.below(100)).unwrap();
        std::thread::sleep((self.grace * 46 / 100 * share / 100).saturating_sub(asked.elapsed()));
        let reply = self.node().push_manifest(&self.repository, "latest", &image.manifest);
        let is_in_time = asked.elapsed() < self.grace / 2;
        if reply.status != 201 {
            assert!(!is_in_time, "after {:?}: {} {}", asked.elapsed(), reply.status, reply.text());
            return false;
        }
        for blob in image.blobs() {
            let pulled = self.node().blob(&self.repository, &sha256(blob)).expect(200);
            assert!(pulled.body == *blob, "other bytes");
        }
        self.node().delete(&format!("/v2/{}/manifests/{}", self.repository, image.manifest.digest)).expect(202);
        is_in_time
    }

    /// Sees to it that the repository has a blob: by a HEAD, a mount, or an upload, whichever says yes.
    fn obtain(&mut self, blob: &[u8]) {
        let digest = sha256(blob);
        let target = format!("/v2/{}/blobs/{digest}", self.repository);
        let way = self.random.below(3);
        if way == 0 && self.node().request("HEAD", &target, &[], b"").expect_any(&[200, 404]).status == 200 {
            return;
        }
        if way == 1 {
            let from = format!("/v2/{}/blobs/uploads/?mount={digest}&from={}", self.repository, self.neighbour);
            let reply = self.node().request("POST", &from, &[], b"").expect_any(&[201, 202]);
            if reply.status == 202 {
                self.node().finish_upload(&target_of(&reply), &digest, blob).expect(201);
            }
            return;
        }
        self.node().push_blob(&self.repository, blob);
    }

    fn node(&mut self) -> Client {
        self.random.pick(&self.nodes).clone()
    }
}
