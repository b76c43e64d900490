//! A large registry, written as pushes write it but without the requests: through the functions of `berth-store`, in
//! transactions of a thousand images, so that any engine can be filled.

use berth_aws::{AccountId, Region};
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store::blobs::{self, Location};
use berth_store::manifests::{self, ManifestReference, NewManifest, ReferenceKind};
use berth_store::repositories::{self, Registry, RepositoryId};
use berth_store::tags::{self, Change};
use berth_store::{Database, StoreError, Timestamp, Transaction};
use serde_json::{Value, json};

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub images: u64,
    pub repositories: u64,
    pub tags: u64,
    pub referrers: u64,
}

/// The repository with very many tags and referrers.
pub const CROWDED: &str = "zz/crowded";

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const BATCH: u64 = 1000;
const BY: &str = "arn:aws:iam::000000000000:root";

struct Filler<'t> {
    txn: &'t mut dyn Transaction,
    registry: Registry,
    now: Timestamp,
}

/// The name of a numbered repository.
pub fn repository(number: u64) -> String {
    format!("team-{}/app-{number:05}", number % 100)
}

/// Fills a registry; the digest of the manifest that all referrers are about.
pub async fn fill(database: &Database, size: Size, now: Timestamp) -> Digest {
    for begin in (0..size.images).step_by(BATCH as usize) {
        let batch =
            move |filler: &mut Filler<'_>| filler.images(begin, (begin + BATCH).min(size.images), size.repositories);
        write(database, now, batch).await;
    }
    for begin in (0..size.tags).step_by(BATCH as usize) {
        write(database, now, move |filler| filler.tags(begin, (begin + BATCH).min(size.tags))).await;
    }
    for begin in (0..size.referrers).step_by(BATCH as usize) {
        write(database, now, move |filler| filler.referrers(begin, (begin + BATCH).min(size.referrers))).await;
    }
    subject().0
}

async fn write(
    database: &Database,
    now: Timestamp,
    batch: impl Fn(&mut Filler<'_>) -> Result<(), StoreError> + Send + 'static,
) {
    let registry =
        Registry { account: AccountId::parse("000000000000").unwrap(), region: Region::parse("us-east-1").unwrap() };
    let write = move |txn: &mut dyn Transaction| batch(&mut Filler { txn, registry: registry.clone(), now });
    database.write(write).await.unwrap();
}

fn subject() -> (Digest, Vec<u8>) {
    image(u64::MAX, None)
}

/// An image of its own config and a layer that ten share.
fn image(number: u64, subject: Option<&Value>) -> (Digest, Vec<u8>) {
    let mut value = json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": describe("application/vnd.oci.image.config.v1+json", &config(number)),
        "layers": [describe("application/vnd.oci.image.layer.v1.tar", &layer(number))],
    });
    if let Some(subject) = subject {
        value["subject"] = subject.clone();
        value["artifactType"] = json!("application/vnd.example.note");
    }
    let bytes = value.to_string().into_bytes();
    (digest(&bytes), bytes)
}

fn config(number: u64) -> Vec<u8> {
    format!("{{\"image\":{number}}}").into_bytes()
}

fn layer(number: u64) -> Vec<u8> {
    format!("layer {}", number / 10).into_bytes()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

fn describe(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes).to_string(), "size": bytes.len() })
}

impl Filler<'_> {
    fn images(&mut self, begin: u64, end: u64, repositories: u64) -> Result<(), StoreError> {
        for number in begin..end {
            let repository = self.repository(&repository(number % repositories))?;
            let id = self.image(repository, number, None)?;
            self.tag(repository, &format!("v{}", number / repositories), id, &image(number, None).0)?;
        }
        Ok(())
    }

    fn tags(&mut self, begin: u64, end: u64) -> Result<(), StoreError> {
        let repository = self.repository(CROWDED)?;
        let id = self.image(repository, u64::MAX, None)?;
        (begin..end).try_for_each(|number| self.tag(repository, &format!("tag-{number:07}"), id, &subject().0))
    }

    fn referrers(&mut self, begin: u64, end: u64) -> Result<(), StoreError> {
        let repository = self.repository(CROWDED)?;
        let about = describe(IMAGE, &subject().1);
        for number in begin..end {
            self.image(repository, 1 << 40 | number, Some(&about))?;
        }
        Ok(())
    }

    fn repository(&mut self, name: &str) -> Result<RepositoryId, StoreError> {
        let name = RepositoryName::parse(name).unwrap();
        repositories::find_or_create(self.txn, &self.registry, &name, BY, self.now)
    }

    fn image(&mut self, repository: RepositoryId, number: u64, about: Option<&Value>) -> Result<i64, StoreError> {
        let mut references = Vec::new();
        for bytes in [config(number), layer(number)] {
            let (digest, size) = (digest(&bytes), bytes.len() as u64);
            let (id, _) = blobs::record(self.txn, &digest, &Location::Inline(bytes), size, self.now)?;
            blobs::link(self.txn, repository, &digest, id, size, self.now)?;
            references.push(ManifestReference { kind: ReferenceKind::Blob, digest, size });
        }
        let (digest, bytes) = image(number, about);
        let size = bytes.len() as u64;
        let (blob_id, _) = blobs::record(self.txn, &digest, &Location::Inline(bytes), size, self.now)?;
        let new = NewManifest {
            digest,
            blob_id,
            media_type: MediaType::parse(IMAGE).unwrap(),
            artifact_type: about.map(|_| "application/vnd.example.note".to_owned()),
            subject: about.map(|_| subject().0),
            annotations: [].into(),
            size,
            references,
        };
        match manifests::find(self.txn, repository, &new.digest)? {
            Some(known) => Ok(known.id),
            None => manifests::insert(self.txn, repository, &new, BY, self.now),
        }
    }

    fn tag(&mut self, repository: RepositoryId, tag: &str, id: i64, digest: &Digest) -> Result<(), StoreError> {
        let change = Change { by: BY.to_owned(), at: self.now };
        tags::point(self.txn, repository, &Tag::parse(tag).unwrap(), (id, digest), None, &change)
    }
}
