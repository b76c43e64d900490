//! Clients: each does what chance tells it, and holds every answer against the model.

use std::rc::Rc;

use berth_domain::images::Push;
use berth_domain::uploads::Mount;
use berth_domain::{Caller, Domain, EcrError, Error};
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;

use crate::content::Manifest;
use crate::model::{Moment, Outcome};
use crate::world::{GRACE, World};

/// One client of one node.
pub struct Client {
    pub world: Rc<World>,
    pub domain: Rc<Domain>,
    pub node: usize,
    pub caller: Caller,
}

impl Client {
    /// Works until the run has no operations left.
    pub async fn run(self) {
        while self.take_turn() {
            self.operate().await;
        }
    }

    fn take_turn(&self) -> bool {
        let mut left = self.world.operations_left.borrow_mut();
        let some = *left > 0 && !self.world.chaos.is_calm();
        *left = left.saturating_sub(1);
        some
    }

    async fn operate(&self) {
        let chaos = &self.world.chaos;
        let repository = chaos.below(self.world.pool.repositories.len());
        let deleting = chaos.profile().deleting;
        if chaos.chance(deleting, 1000) {
            return self.destroy(repository).await;
        }
        match chaos.below(10) {
            0..=4 => self.push_image(repository, chaos.pick(&self.world.pool.manifests)).await,
            5 => self.pull_by_tag(repository, self.any_tag()).await,
            6 => drop(self.check(repository, &chaos.pick(&self.world.pool.blobs).digest).await),
            7 => drop(self.pull_manifest(repository, chaos.pick(&self.world.pool.manifests)).await),
            8 => self.put(repository, chaos.pick(&self.world.pool.manifests)).await,
            _ => self.take_up_upload(repository).await,
        }
    }

    async fn destroy(&self, repository: usize) {
        let (chaos, pool) = (&self.world.chaos, &self.world.pool);
        match chaos.below(4) {
            0 | 1 => self.delete_manifest(repository, &chaos.pick(&pool.manifests).digest).await,
            2 => self.untag(repository, self.any_tag()).await,
            _ => self.delete_blob(repository, &chaos.pick(&pool.blobs).digest).await,
        }
    }

    fn any_tag(&self) -> &'static str {
        let tags = &self.world.pool.tags;
        tags[self.world.chaos.below(tags.len())]
    }

    pub fn name(&self, repository: usize) -> &RepositoryName {
        &self.world.pool.repositories[repository]
    }

    /// Notes an answer, and says what it tells.
    pub fn heard<T>(&self, what: &str, repository: usize, result: &Result<T, Error>) -> Outcome {
        let outcome = self.world.judge(what, result);
        let now = self.world.now();
        self.world.chaos.note(|| {
            let error = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
            format!("{now} node {} {what} in {}: {outcome:?} {error}", self.node, self.name(repository))
        });
        outcome
    }

    /// Brings what a manifest names, then the manifest, as clients do.
    async fn push_image(&self, repository: usize, manifest: &Manifest) {
        for child in &manifest.children {
            let child = self.world.pool.manifest(child).unwrap();
            Box::pin(self.push_image(repository, child)).await;
        }
        for blob in &manifest.blobs {
            if !self.ensure(repository, blob).await && self.world.chaos.chance(9, 10) {
                return;
            }
        }
        self.put(repository, manifest).await;
    }

    async fn ensure(&self, repository: usize, blob: &Digest) -> bool {
        self.check(repository, blob).await
            || self.world.chaos.chance(1, 3) && self.mount(repository, blob).await
            || self.upload(repository, blob).await
    }

    /// HEAD: a 200 promises half of the grace time at least.
    async fn check(&self, repository: usize, blob: &Digest) -> bool {
        let (begun, asked) = (self.world.tick(), self.world.now());
        let result = self.domain.check_blob(&self.caller, self.name(repository), blob).await;
        let outcome = self.heard(&format!("HEAD {}", short(blob)), repository, &result);
        match outcome {
            Outcome::Done => self.promised(repository, blob, begun, asked + half_grace()),
            Outcome::Refused => self.must_not_be_missing("HEAD", repository, blob, begun),
            Outcome::Unknown => {}
        }
        outcome == Outcome::Done
    }

    async fn mount(&self, repository: usize, blob: &Digest) -> bool {
        let (begun, asked) = (self.world.tick(), self.world.now());
        let from = 1 - repository;
        let source = self.world.chaos.chance(1, 2).then(|| self.name(from));
        let result = self.domain.mount_blob(&self.caller, self.name(repository), blob, source).await;
        let outcome = self.heard(&format!("mount {} {result:?}", short(blob)), repository, &result);
        let mounted = matches!(result, Ok(Mount::Mounted));
        if mounted {
            self.promised(repository, blob, begun, asked + grace());
        } else if outcome == Outcome::Done {
            self.must_not_be_missing("mount", from, blob, begun);
        }
        mounted
    }

    pub fn promised(&self, repository: usize, blob: &Digest, begun: Moment, until: i64) {
        self.world.model.borrow_mut().promise(repository, blob, begun, until);
    }

    pub fn must_not_be_missing(&self, what: &str, repository: usize, blob: &Digest, begun: Moment) {
        if self.world.must_have_blob(repository, blob, begun) {
            let name = self.name(repository);
            self.world.violated(|| format!("{what} misses blob {} in {name}", short(blob)));
        }
    }

    /// PUT of a manifest, by a tag or by its digest.
    async fn put(&self, repository: usize, manifest: &Manifest) {
        let tags: Vec<&'static str> =
            self.world.pool.tags.iter().copied().filter(|_| self.world.chaos.chance(1, 2)).collect();
        let begun = self.world.model.borrow_mut().begin_put(repository, &manifest.digest, &tags);
        let result = self.domain.push_manifest(&self.caller, self.name(repository), push(manifest, &tags)).await;
        let what = format!("PUT {} at {tags:?}", short(&manifest.digest));
        let outcome = self.heard(&what, repository, &result);
        self.world.model.borrow_mut().end_put(repository, &manifest.digest, &tags, begun, outcome);
        if let Err(Error::ReferencesMissing(missing) | Error::Ecr(EcrError::ChildrenMissing(missing))) = &result {
            for digest in missing {
                self.must_not_be_missing("PUT", repository, digest, begun);
                if self.world.must_have_manifest(repository, digest, begun) {
                    self.world.violated(|| format!("{what} misses child {}", short(digest)));
                }
            }
        } else if outcome == Outcome::Refused {
            self.world.violated(|| format!("{what} was refused: {result:?}"));
        }
    }

    async fn delete_manifest(&self, repository: usize, digest: &Digest) {
        let tags = &self.world.pool.tags;
        let (begun, asked) = (self.world.model.borrow_mut().begin_delete(repository, digest, tags), self.world.now());
        let reference = Reference::Digest(digest.clone());
        let result = self.domain.delete_manifest(&self.caller, self.name(repository), &reference).await;
        let outcome = self.heard(&format!("DELETE {}", short(digest)), repository, &result);
        self.world.model.borrow_mut().end_delete(repository, digest, tags, begun, outcome);
        let unknown = matches!(result, Err(Error::ManifestUnknown(_) | Error::RepositoryUnknown(_)));
        if unknown && self.world.must_have_manifest(repository, digest, begun) {
            self.world.violated(|| format!("DELETE misses manifest {}", short(digest)));
        }
        if outcome == Outcome::Done {
            // What it leaves behind stays for the grace time, so that the image can be pushed again without its layers.
            for blob in &self.world.pool.manifest(digest).unwrap().blobs {
                self.promised(repository, blob, begun, asked + grace());
            }
        }
    }

    async fn untag(&self, repository: usize, tag: &'static str) {
        let begun = self.world.model.borrow_mut().begin_untag(repository, tag);
        let result = self.domain.delete_manifest(&self.caller, self.name(repository), &reference(tag)).await;
        let outcome = self.heard(&format!("untag {tag}"), repository, &result);
        self.world.model.borrow_mut().end_untag(repository, tag, begun, outcome);
    }

    async fn delete_blob(&self, repository: usize, blob: &Digest) {
        let begun = self.world.model.borrow_mut().begin_removal(repository, blob);
        let result = self.domain.delete_blob(&self.caller, self.name(repository), blob).await;
        let outcome = self.heard(&format!("DELETE blob {}", short(blob)), repository, &result);
        self.world.model.borrow_mut().end_removal(repository, blob, begun, outcome);
        if matches!(result, Err(Error::BlobUnknown(_) | Error::RepositoryUnknown(_))) {
            self.must_not_be_missing("DELETE", repository, blob, begun);
        }
    }
}

fn push(manifest: &Manifest, tags: &[&'static str]) -> Push {
    let parse = |tag: &&str| Tag::parse(tag).unwrap();
    let reference = tags.first().map_or(Reference::Digest(manifest.digest.clone()), |tag| Reference::Tag(parse(tag)));
    let tags = tags.iter().skip(1).map(parse).collect();
    Push { reference, tags, content_type: None, bytes: manifest.bytes.clone() }
}

pub fn reference(tag: &str) -> Reference {
    Reference::Tag(Tag::parse(tag).unwrap())
}

/// Enough of a digest to know it by.
pub fn short(digest: &Digest) -> String {
    digest.hex()[..8].to_owned()
}

pub fn grace() -> i64 {
    i64::try_from(GRACE.as_millis()).unwrap()
}

pub fn half_grace() -> i64 {
    grace() / 2
}
