//! What a client knows about its repository from what it asked and what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use berth_testkit::{Client, Manifest, Random};

/// Whether something is in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Yes,
    No,
    /// A push or deletion of it was cut off.
    Maybe,
}

#[derive(Debug)]
pub struct Blob {
    pub bytes: Vec<u8>,
    pub fact: Fact,
}

#[derive(Debug)]
pub struct Pushed {
    pub manifest: Manifest,
    /// Blobs that it needs.
    pub blobs: Vec<String>,
    /// Manifests that it needs.
    pub children: Vec<String>,
    pub fact: Fact,
}

/// The values a tag may have; one when it is certain. `None` is no tag.
type Candidates = BTreeSet<Option<String>>;

/// An upload that was begun.
#[derive(Debug)]
pub struct Upload {
    pub location: String,
    pub digest: String,
    pub bytes: Vec<u8>,
    /// Bytes acknowledged with 202.
    pub acknowledged: usize,
    /// Bytes that were on their way.
    pub sent: usize,
    /// Whether the final PUT was on its way.
    pub finishing: bool,
}

/// One repository, used by one client only.
#[derive(Debug, Default)]
pub struct Repository {
    pub name: String,
    pub blobs: BTreeMap<String, Blob>,
    pub manifests: BTreeMap<String, Pushed>,
    pub tags: BTreeMap<String, Candidates>,
    pub uploads: Vec<Upload>,
}

impl Repository {
    pub fn intend_blob(&mut self, digest: &str, bytes: &[u8]) {
        let blob =
            self.blobs.entry(digest.to_owned()).or_insert_with(|| Blob { bytes: bytes.to_vec(), fact: Fact::No });
        if blob.fact == Fact::No {
            blob.fact = Fact::Maybe;
        }
    }

    pub fn know_blob(&mut self, digest: &str, fact: Fact) {
        self.blobs.get_mut(digest).unwrap().fact = fact;
    }

    pub fn intend_manifest(&mut self, pushed: Pushed, tag: &str) {
        let digest = pushed.manifest.digest.clone();
        let known = self.manifests.entry(digest.clone()).or_insert(pushed);
        if known.fact == Fact::No {
            known.fact = Fact::Maybe;
        }
        self.tag_may_be(tag, Some(digest));
    }

    pub fn know_tagged(&mut self, digest: &str, tag: &str) {
        self.manifests.get_mut(digest).unwrap().fact = Fact::Yes;
        self.know_tag(tag, Some(digest.to_owned()));
    }

    pub fn intend_deletion(&mut self, digest: &str) {
        self.manifests.get_mut(digest).unwrap().fact = Fact::Maybe;
        for tag in self.tags_of(digest) {
            self.tag_may_be(&tag, None);
        }
    }

    pub fn know_deleted(&mut self, digest: &str) {
        self.manifests.get_mut(digest).unwrap().fact = Fact::No;
        for tag in self.tags_of(digest) {
            self.know_tag(&tag, None);
        }
    }

    pub fn tag_may_be(&mut self, tag: &str, value: Option<String>) {
        self.tags.entry(tag.to_owned()).or_insert_with(|| BTreeSet::from([None])).insert(value);
    }

    pub fn know_tag(&mut self, tag: &str, value: Option<String>) {
        self.tags.insert(tag.to_owned(), BTreeSet::from([value]));
    }

    /// Whether a manifest that is there needs this blob.
    pub fn uses_blob(&self, digest: &str) -> bool {
        self.present().any(|pushed| pushed.blobs.iter().any(|blob| blob == digest))
    }

    /// Whether an index that is there has this manifest as its child.
    pub fn has_parent(&self, digest: &str) -> bool {
        self.present().any(|pushed| pushed.children.iter().any(|child| child == digest))
    }

    pub fn present(&self) -> impl Iterator<Item = &Pushed> {
        self.manifests.values().filter(|pushed| pushed.fact == Fact::Yes)
    }

    fn tags_of(&self, digest: &str) -> Vec<String> {
        let named = |candidates: &Candidates| candidates.iter().flatten().any(|candidate| candidate == digest);
        self.tags.iter().filter(|(_, candidates)| named(candidates)).map(|(tag, _)| tag.clone()).collect()
    }

    /// Compares everything uncertain, every tag, and of the rest what `chosen` chooses.
    pub fn check(&mut self, client: &Client, mut chosen: impl FnMut() -> bool) {
        let name = self.name.clone();
        for (digest, pushed) in &mut self.manifests {
            if pushed.fact == Fact::Maybe || chosen() {
                let reply = client.manifest(&name, digest);
                pushed.fact =
                    settle(pushed.fact, &reply, &pushed.manifest.bytes, &format!("manifest {digest} of {name}"));
            }
        }
        for (digest, blob) in &mut self.blobs {
            if blob.fact == Fact::Maybe || chosen() {
                let reply = client.blob(&name, digest);
                blob.fact = settle(blob.fact, &reply, &blob.bytes, &format!("blob {digest} of {name}"));
            }
        }
        self.check_tags(client);
    }

    fn check_tags(&mut self, client: &Client) {
        let tags: Vec<String> = self.tags.keys().cloned().collect();
        for tag in tags {
            let reply = client.manifest(&self.name, &tag).expect_any(&[200, 404]);
            let named = (reply.status == 200).then(|| reply.header("docker-content-digest").unwrap().to_owned());
            let candidates = &self.tags[&tag];
            assert!(
                candidates.contains(&named),
                "tag {tag} of {} is {named:?}, but should be one of {candidates:?}",
                self.name
            );
            if let Some(digest) = &named {
                let pushed = &self.manifests[digest];
                assert!(reply.body == pushed.manifest.bytes, "tag {tag} of {}: wrong bytes", self.name);
                assert_eq!(pushed.fact, Fact::Yes, "tag {tag} of {} names a manifest that is gone", self.name);
            }
            self.know_tag(&tag, named);
        }
    }

    /// The list of tags is that of the model, once every tag is certain.
    pub fn check_tag_list(&self, client: &Client) {
        let expected: Vec<&str> = self
            .tags
            .iter()
            .filter(|(_, candidates)| !candidates.contains(&None))
            .map(|(tag, _)| tag.as_str())
            .collect();
        let reply = client.get(&format!("/v2/{}/tags/list", self.name)).expect_any(&[200, 404]);
        let listed = if reply.status == 200 { reply.json()["tags"].clone() } else { serde_json::json!([]) };
        assert_eq!(listed, serde_json::json!(expected), "tags of {}", self.name);
    }

    /// Sessions are where they were: at least what was acknowledged, at most what was sent.
    pub fn check_uploads(&mut self, client: &Client, random: &mut Random) {
        let uploads = std::mem::take(&mut self.uploads);
        for mut upload in uploads {
            let status = client.get(&upload.location).expect_any(&[204, 404]);
            if status.status == 404 {
                let whole = self.blobs.get(&upload.digest).is_some_and(|blob| blob.fact == Fact::Yes);
                assert!(
                    upload.finishing && whole,
                    "an upload of {} is lost: {} bytes were acknowledged",
                    self.name,
                    upload.acknowledged
                );
                continue;
            }
            let offset = usize::try_from(client.upload_offset(&upload.location)).unwrap();
            let (least, most) = (upload.acknowledged, upload.sent);
            assert!(
                (least..=most).contains(&offset),
                "an upload of {} is at {offset}, not in {least}..={most}",
                self.name
            );
            (upload.acknowledged, upload.sent, upload.finishing) = (offset, offset, false);
            if random.below(2) == 0 {
                self.uploads.push(upload);
            } else {
                self.complete(client, &upload);
            }
        }
    }

    fn complete(&mut self, client: &Client, upload: &Upload) {
        let rest = &upload.bytes[upload.acknowledged..];
        client.finish_upload(&upload.location, &upload.digest, rest).expect(201);
        self.intend_blob(&upload.digest, &upload.bytes);
        self.know_blob(&upload.digest, Fact::Yes);
    }
}

/// What is so now, or a failure where that contradicts what was known.
fn settle(known: Fact, reply: &berth_testkit::Reply, bytes: &[u8], what: &str) -> Fact {
    let now = match reply.status {
        200 => Fact::Yes,
        404 => Fact::No,
        other => panic!("{what}: {other} {}", reply.text()),
    };
    assert!(known == now || known == Fact::Maybe, "{what}: {known:?} was acknowledged, {now:?} is so");
    assert!(now == Fact::No || reply.body == bytes, "{what}: wrong bytes");
    now
}
