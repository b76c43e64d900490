//! Compares a registry with what the log on disk tells.

use super::{Model, Record, Sight};
use crate::{Client, Reply, sha256};

/// Looks at everything uncertain, at every tag, and at what is `chosen` of the rest. The registry must answer, and no call of
/// the log's may be under way.
pub fn check(record: &mut Record, client: &Client, chosen: &mut dyn FnMut() -> bool) {
    let model = Record::replay(record.path());
    assert_eq!(&model, record.model(), "the log on disk tells something else than was written");
    Check { record, client }.run(&model, chosen);
}

/// How many blobs are there that no manifest needs: a collection must take them once their promise is over.
pub fn count_garbage(record: &mut Record, client: &Client) -> usize {
    let model = record.model().clone();
    let mut check = Check { record, client };
    let mut count = 0;
    for (name, repository) in &model.repositories {
        let may_be_there = repository.blobs.iter().filter(|(_, blob)| blob.there.may_be(&true));
        for (digest, _) in may_be_there.filter(|(digest, _)| !repository.may_need(digest)) {
            count += usize::from(check.blob(name, digest));
        }
    }
    count
}

struct Check<'run> {
    record: &'run mut Record,
    client: &'run Client,
}

impl Check<'_> {
    fn run(&mut self, model: &Model, chosen: &mut dyn FnMut() -> bool) {
        model.uploads.keys().for_each(|upload| self.offset(upload));
        for (name, repository) in &model.repositories {
            let manifests = repository.manifests.iter().filter(|(_, known)| !known.there.is_certain() || chosen());
            manifests.for_each(|(digest, _)| self.manifest(name, digest));
        }
        for (name, repository) in &model.repositories {
            let blobs = repository.blobs.iter().filter(|(_, known)| !known.there.is_certain() || chosen());
            for (digest, _) in blobs {
                self.blob(name, digest);
            }
            repository.tags.keys().for_each(|tag| self.tag(name, tag));
            self.tags(name);
        }
    }

    fn offset(&mut self, upload: &str) {
        let offset = offset(self.client, upload);
        self.saw(Sight::Offset { upload: upload.to_owned(), offset });
    }

    fn manifest(&mut self, repository: &str, digest: &str) {
        let there = is_whole(&self.client.manifest(repository, digest), digest);
        self.saw(Sight::Manifest { repository: repository.to_owned(), digest: digest.to_owned(), there });
    }

    fn blob(&mut self, repository: &str, digest: &str) -> bool {
        let there = is_whole(&self.client.blob(repository, digest), digest);
        self.saw(Sight::Blob { repository: repository.to_owned(), digest: digest.to_owned(), there });
        there
    }

    fn tag(&mut self, repository: &str, tag: &str) {
        let reply = self.client.manifest(repository, tag);
        let names = (reply.status == 200).then(|| reply.header("docker-content-digest").unwrap().to_owned());
        is_whole(&reply, names.as_deref().unwrap_or_default());
        self.saw(Sight::Tag { repository: repository.to_owned(), tag: tag.to_owned(), names });
    }

    fn tags(&mut self, repository: &str) {
        let reply = self.client.get(&format!("/v2/{repository}/tags/list")).expect_any(&[200, 404]);
        let tags = if reply.status == 200 {
            serde_json::from_value(reply.json()["tags"].clone()).unwrap()
        } else {
            Vec::new()
        };
        self.saw(Sight::Tags { repository: repository.to_owned(), tags });
    }

    fn saw(&mut self, sight: Sight) {
        self.record.saw(sight);
    }
}

/// How far an upload is; none where it is gone.
pub fn offset(client: &Client, upload: &str) -> Option<usize> {
    let reply = client.get(upload).expect_any(&[204, 404]);
    (reply.status == 204).then(|| held(&reply))
}

/// What a `Range` says.
pub fn held(reply: &Reply) -> usize {
    let range = reply.header("range").expect("an upload's status has a Range");
    let last: usize = range.strip_prefix("0-").and_then(|last| last.parse().ok()).expect("a Range of the form 0-N");
    if last == 0 { 0 } else { last + 1 }
}

/// Whether it is there; fails where its bytes are not what the digest says.
fn is_whole(reply: &Reply, digest: &str) -> bool {
    match reply.status {
        200 => assert_eq!(sha256(&reply.body), digest, "wrong bytes"),
        404 => {}
        other => panic!("{digest} was answered by {other}: {}", reply.text()),
    }
    reply.status == 200
}
