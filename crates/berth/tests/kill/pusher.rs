//! A client that pushes, tags and deletes without end, until the server is gone.

use std::io;

use berth_testkit::{Client, Image, Manifest, Random, Reply, index, path_and_query, sha256, target_of};

use crate::model::{Fact, Pushed, Repository, Upload};

const REPOSITORIES: usize = 2;
const TAGS: [&str; 4] = ["latest", "v1", "v2", "stable"];
/// Layers that every pusher pushes, so that repositories share bytes.
const SHARED_LAYERS: u64 = 5;
const MOST_OPEN_UPLOADS: usize = 4;

/// An operation as far as the server let it come.
type Outcome = io::Result<()>;

pub struct Pusher {
    repositories: Vec<Repository>,
    random: Random,
    seed: u64,
    /// Operations acknowledged.
    pub acknowledged: usize,
    /// Operations that a kill cut off.
    pub cut: usize,
}

impl Pusher {
    pub fn new(number: u64, seed: u64) -> Self {
        let named = |place| Repository { name: format!("kill/pusher{number}/r{place}"), ..Repository::default() };
        let repositories = (0..REPOSITORIES).map(named).collect();
        Self {
            repositories,
            random: Random::seeded(seed ^ (number + 1).wrapping_mul(0x1234_5678_9abc_def1)),
            seed,
            acknowledged: 0,
            cut: 0,
        }
    }

    /// Works until the server is gone.
    pub fn work(&mut self, client: &Client) {
        while self.operate(client).is_ok() {
            self.acknowledged += 1;
        }
        self.cut += 1;
    }

    /// After a restart: everything uncertain and a part of the rest.
    pub fn check_sample(&mut self, client: &Client) {
        for repository in &mut self.repositories {
            let random = &mut self.random;
            repository.check(client, || random.below(10) == 0);
            repository.check_uploads(client, random);
        }
    }

    /// Everything.
    pub fn check_all(&mut self, client: &Client) {
        for repository in &mut self.repositories {
            repository.check_uploads(client, &mut self.random);
            repository.check(client, || true);
            repository.check_tag_list(client);
        }
    }

    fn operate(&mut self, client: &Client) -> Outcome {
        let place = self.random.below(REPOSITORIES);
        let operation =
            Operation { repository: &mut self.repositories[place], random: &mut self.random, client, seed: self.seed };
        operation.run()
    }
}

/// One operation on one repository.
struct Operation<'run> {
    repository: &'run mut Repository,
    random: &'run mut Random,
    client: &'run Client,
    seed: u64,
}

impl Operation<'_> {
    fn run(mut self) -> Outcome {
        match self.random.below(20) {
            0..7 => self.push_image(),
            7..9 => self.push_index(),
            9..12 => self.move_tag(),
            12..14 => self.delete_tag(),
            14..16 => self.delete_manifest(),
            16..17 => self.delete_blob(),
            _ => self.upload_a_part(),
        }
    }

    fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
        self.client.try_request(method, target, headers, body)
    }

    fn tag(&mut self) -> String {
        (*self.random.pick(&TAGS)).to_owned()
    }

    fn layer(&mut self) -> Vec<u8> {
        match self.random.below(6) {
            0 => Random::seeded(self.seed ^ (self.random.word() % SHARED_LAYERS)).bytes(60_000),
            1 => self.sized_layer(1_500_000),
            _ => self.sized_layer(40_000),
        }
    }

    fn sized_layer(&mut self, most: usize) -> Vec<u8> {
        let length = 1_000 + self.random.below(most);
        self.random.bytes(length)
    }

    fn push_image(&mut self) -> Outcome {
        let layers = (0..=self.random.below(2)).map(|_| self.layer()).collect();
        let image = Image::of(layers);
        for blob in image.blobs() {
            self.push_blob(blob)?;
        }
        let blobs = image.blobs().map(|blob| sha256(blob)).collect();
        let tag = self.tag();
        self.push_manifest(Pushed { manifest: image.manifest, blobs, children: Vec::new(), fact: Fact::No }, &tag)
    }

    fn push_index(&mut self) -> Outcome {
        let Some(first) = self.present_manifest() else { return Ok(()) };
        let second = self.present_manifest().unwrap();
        let manifest = index(&[first.descriptor(), second.descriptor()]);
        let children = vec![first.digest, second.digest];
        let tag = self.tag();
        self.push_manifest(Pushed { manifest, blobs: Vec::new(), children, fact: Fact::No }, &tag)
    }

    fn push_manifest(&mut self, pushed: Pushed, tag: &str) -> Outcome {
        let manifest = pushed.manifest.clone();
        self.repository.intend_manifest(pushed, tag);
        let target = format!("/v2/{}/manifests/{tag}", self.repository.name);
        self.call("PUT", &target, &[("Content-Type", &manifest.media_type)], &manifest.bytes)?.expect(201);
        self.repository.know_tagged(&manifest.digest, tag);
        Ok(())
    }

    fn push_blob(&mut self, bytes: &[u8]) -> Outcome {
        let digest = sha256(bytes);
        self.repository.intend_blob(&digest, bytes);
        let uploads = format!("/v2/{}/blobs/uploads/", self.repository.name);
        if self.random.below(2) == 0 {
            self.call("POST", &path_and_query(&uploads, &format!("digest={digest}")), &[], bytes)?.expect(201);
        } else {
            let location = target_of(&self.call("POST", &uploads, &[], &[])?.expect(202));
            let rest = self.push_chunks(&location, bytes)?;
            self.call("PUT", &path_and_query(&location, &format!("digest={digest}")), &[], &bytes[rest..])?.expect(201);
        }
        self.repository.know_blob(&digest, Fact::Yes);
        Ok(())
    }

    /// Sends some of the bytes in chunks and says where the rest begins.
    fn push_chunks(&mut self, location: &str, bytes: &[u8]) -> io::Result<usize> {
        let mut offset = 0;
        for _ in 0..self.random.below(4) {
            let length = self.random.below(bytes.len() - offset) + 1;
            let range = format!("{offset}-{}", offset + length - 1);
            self.call("PATCH", location, &[("Content-Range", &range)], &bytes[offset..offset + length])?.expect(202);
            offset += length;
            if offset == bytes.len() {
                break;
            }
        }
        Ok(offset)
    }

    fn present_manifest(&mut self) -> Option<Manifest> {
        let present: Vec<&Pushed> = self.repository.present().collect();
        if present.is_empty() {
            return None;
        }
        Some(self.random.pick(&present).manifest.clone())
    }

    fn move_tag(&mut self) -> Outcome {
        let Some(manifest) = self.present_manifest() else { return Ok(()) };
        let tag = self.tag();
        self.push_manifest(Pushed { manifest, blobs: Vec::new(), children: Vec::new(), fact: Fact::Yes }, &tag)
    }

    fn delete_tag(&mut self) -> Outcome {
        let tag = self.tag();
        self.repository.tag_may_be(&tag, None);
        let reply = self.call("DELETE", &format!("/v2/{}/manifests/{tag}", self.repository.name), &[], &[])?;
        let candidates = &self.repository.tags[&tag];
        let expected = if candidates.len() == 1 { 404 } else { 202 };
        assert_eq!(reply.status, expected, "delete tag {tag} {candidates:?}: {}", reply.text());
        self.repository.know_tag(&tag, None);
        Ok(())
    }

    fn delete_manifest(&mut self) -> Outcome {
        let Some(manifest) = self.present_manifest() else { return Ok(()) };
        let target = format!("/v2/{}/manifests/{}", self.repository.name, manifest.digest);
        if self.repository.has_parent(&manifest.digest) {
            self.call("DELETE", &target, &[], &[])?.expect_any(&[403, 405]);
            return Ok(());
        }
        self.repository.intend_deletion(&manifest.digest);
        self.call("DELETE", &target, &[], &[])?.expect(202);
        self.repository.know_deleted(&manifest.digest);
        Ok(())
    }

    fn delete_blob(&mut self) -> Outcome {
        let present = self.repository.blobs.iter().filter(|(_, blob)| blob.fact == Fact::Yes);
        let digests: Vec<String> = present.map(|(digest, _)| digest.clone()).collect();
        if digests.is_empty() {
            return Ok(());
        }
        let digest = self.random.pick(&digests);
        let target = format!("/v2/{}/blobs/{digest}", self.repository.name);
        if self.repository.uses_blob(digest) {
            self.call("DELETE", &target, &[], &[])?.expect_any(&[403, 405]);
            return Ok(());
        }
        self.repository.know_blob(digest, Fact::Maybe);
        self.call("DELETE", &target, &[], &[])?.expect(202);
        self.repository.know_blob(digest, Fact::No);
        Ok(())
    }

    /// Begins an upload, or carries one on by a chunk, or ends it.
    fn upload_a_part(&mut self) -> Outcome {
        if self.repository.uploads.len() < MOST_OPEN_UPLOADS {
            self.begin_upload()?;
        }
        let place = self.random.below(self.repository.uploads.len());
        let upload = &self.repository.uploads[place];
        if upload.acknowledged == upload.bytes.len() { self.finish_upload(place) } else { self.send_chunk(place) }
    }

    fn begin_upload(&mut self) -> Outcome {
        let bytes = self.sized_layer(300_000);
        let uploads = format!("/v2/{}/blobs/uploads/", self.repository.name);
        let location = target_of(&self.call("POST", &uploads, &[], &[])?.expect(202));
        let digest = sha256(&bytes);
        self.repository.uploads.push(Upload { location, digest, bytes, acknowledged: 0, sent: 0, finishing: false });
        Ok(())
    }

    fn send_chunk(&mut self, place: usize) -> Outcome {
        let upload = &mut self.repository.uploads[place];
        let length = 1 + self.random.below(upload.bytes.len() - upload.acknowledged);
        let (first, end) = (upload.acknowledged, upload.acknowledged + length);
        upload.sent = end;
        let range = format!("{first}-{}", end - 1);
        let upload = &self.repository.uploads[place];
        self.call("PATCH", &upload.location, &[("Content-Range", &range)], &upload.bytes[first..end])?.expect(202);
        self.repository.uploads[place].acknowledged = end;
        Ok(())
    }

    fn finish_upload(&mut self, place: usize) -> Outcome {
        let upload = &mut self.repository.uploads[place];
        upload.finishing = true;
        let (digest, bytes) = (upload.digest.clone(), upload.bytes.clone());
        let target = path_and_query(&upload.location, &format!("digest={digest}"));
        self.repository.intend_blob(&digest, &bytes);
        self.call("PUT", &target, &[], &[])?.expect(201);
        self.repository.know_blob(&digest, Fact::Yes);
        self.repository.uploads.remove(place);
        Ok(())
    }
}
