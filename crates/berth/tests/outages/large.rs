//! A client that pushes images with a layer of several parts, goes on wherever the server says that it is, and never gives
//! one up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_testkit::{Client, Image, Random, Reply, sha256, target_of};

use crate::prober::Heard;

const MIB: usize = 1 << 20;
/// No push takes longer, whatever happens to it.
const LONGEST: Duration = Duration::from_mins(3);
const PAUSE: Duration = Duration::from_millis(100);

/// The client, and what it pushed.
pub struct Large {
    client: Client,
    repository: String,
    random: Random,
    pushed: Vec<(u64, usize)>,
    pub heard: Heard,
    began: Instant,
}

impl Large {
    pub fn new(client: Client, number: u64, seed: u64) -> Self {
        let random = Random::seeded(seed ^ (number << 40));
        let (repository, pushed, heard) = (format!("large/r{number}"), Vec::new(), Heard::default());
        Self { client, repository, random, pushed, heard, began: Instant::now() }
    }

    /// Pushes images until told to stop; the last one is brought to its end.
    pub fn work(&mut self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::Relaxed) {
            let (seed, length) = (self.random.word(), 9 * MIB + self.random.below(16 * MIB));
            self.push_image(&Image::of(vec![Random::seeded(seed).bytes(length)]));
            self.pushed.push((seed, length));
        }
    }

    /// Every layer that was acknowledged is there, whole. How many.
    pub fn check(&self, client: &Client) -> usize {
        for (seed, length) in &self.pushed {
            let bytes = Random::seeded(*seed).bytes(*length);
            assert!(client.blob(&self.repository, &sha256(&bytes)).expect(200).body == bytes, "other bytes");
        }
        self.pushed.len()
    }

    fn push_image(&mut self, image: &Image) {
        self.began = Instant::now();
        loop {
            image.blobs().for_each(|blob| self.push(blob));
            let target = format!("/v2/{}/manifests/{}", self.repository, image.manifest.digest);
            let headers = [("Content-Type", image.manifest.media_type.as_str())];
            let reply = self.client.try_request("PUT", &target, &headers, &image.manifest.bytes);
            // One that took too long may find its blobs gone.
            if self.noted(reply).is_some_and(|reply| reply.status == 201) {
                return;
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let digest = sha256(bytes);
        let mut upload = None;
        loop {
            let Some((location, offset)) = upload.take() else {
                upload = self.begin();
                continue;
            };
            let end = bytes.len().min(offset + MIB + self.random.below(11 * MIB));
            let rest = &bytes[offset..end];
            if !rest.is_empty() && self.send(&location, offset, rest).is_none_or(|reply| reply.status != 202) {
                upload = self.where_it_is(&location);
                continue;
            }
            if end < bytes.len() {
                upload = Some((location, end));
                continue;
            }
            let target = berth_testkit::path_and_query(&location, &format!("digest={digest}"));
            let finished = self.client.try_request("PUT", &target, &[], b"");
            let is_done = self.noted(finished).is_some_and(|reply| reply.status == 201);
            if is_done || self.has(&digest) {
                return;
            }
            upload = self.where_it_is(&location);
        }
    }

    fn send(&mut self, location: &str, offset: usize, bytes: &[u8]) -> Option<Reply> {
        let range = format!("{offset}-{}", offset + bytes.len() - 1);
        let reply = self.client.try_request("PATCH", location, &[("Content-Range", &range)], bytes);
        self.noted(reply)
    }

    fn begin(&mut self) -> Option<(String, usize)> {
        let target = format!("/v2/{}/blobs/uploads/", self.repository);
        let reply = self.ask("POST", &target)?;
        (reply.status == 202).then(|| (target_of(&reply), 0))
    }

    /// How far an upload is; none where it is gone.
    fn where_it_is(&mut self, location: &str) -> Option<(String, usize)> {
        loop {
            match self.ask("GET", location) {
                Some(reply) if reply.status == 204 => return Some((location.to_owned(), held(&reply))),
                Some(reply) if reply.status == 404 => return None,
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    fn has(&mut self, digest: &str) -> bool {
        loop {
            match self.ask("HEAD", &format!("/v2/{}/blobs/{digest}", self.repository)) {
                Some(reply) if [200, 404].contains(&reply.status) => return reply.status == 200,
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    fn ask(&mut self, method: &str, target: &str) -> Option<Reply> {
        let reply = self.client.try_request(method, target, &[], b"");
        self.noted(reply)
    }

    /// The answer, where there is one.
    fn noted(&mut self, reply: std::io::Result<Reply>) -> Option<Reply> {
        let is_in_time = self.began.elapsed() < LONGEST;
        assert!(is_in_time, "a push does not come to its end: {:?}, and now {reply:?}", self.heard);
        let Ok(reply) = reply else {
            std::thread::sleep(PAUSE);
            return None;
        };
        // An answer to HEAD has no body, so no code in it.
        if reply.status != 503 || !reply.body.is_empty() {
            self.heard.note(&reply);
        }
        if reply.status >= 400 {
            std::thread::sleep(PAUSE);
        }
        Some(reply)
    }
}

/// How many bytes an upload's status says that it holds.
fn held(reply: &Reply) -> usize {
    let last: usize = reply.header("range").and_then(|range| range.strip_prefix("0-")?.parse().ok()).unwrap();
    if last == 0 { 0 } else { last + 1 }
}
