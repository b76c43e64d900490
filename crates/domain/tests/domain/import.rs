//! Imports: what comes, what is left out and told, and what is not read twice.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use berth_domain::Caller;
use berth_domain::import::{ImportError, Imported, LeftOut, Options, Progress};
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_transfer::{ByteStream, Entry, Listing, Root, Source, SourceError, SourceManifest};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::registry::{IMAGE, INDEX, TestRegistry, digest, image, index, name, reference};

/// A source in memory, which counts the blobs that are read from it.
#[derive(Default)]
pub struct Shelf {
    tags: BTreeMap<String, BTreeMap<String, Digest>>,
    manifests: BTreeMap<Digest, (&'static str, Bytes)>,
    blobs: BTreeMap<Digest, Bytes>,
    read: AtomicU64,
}

impl Shelf {
    fn put_blob(&mut self, bytes: &[u8]) {
        self.blobs.insert(digest(bytes), Bytes::copy_from_slice(bytes));
    }

    fn put_manifest(&mut self, kind: &'static str, bytes: &[u8]) {
        self.manifests.insert(digest(bytes), (kind, Bytes::copy_from_slice(bytes)));
    }

    fn tag(&mut self, repository: &str, tag: &str, bytes: &[u8]) {
        self.tags.entry(repository.to_owned()).or_default().insert(tag.to_owned(), digest(bytes));
    }

    fn taken_reads(&self) -> u64 {
        self.read.swap(0, Ordering::SeqCst)
    }
}

fn missing<T>(what: &Digest) -> Result<T, SourceError> {
    Err(SourceError::Missing(what.to_string()))
}

#[async_trait]
impl Source for Shelf {
    fn repositories(&self) -> Listing<'_, RepositoryName> {
        stream::iter(self.tags.keys().map(|text| Ok(Entry::Is(name(text))))).boxed()
    }

    fn roots<'a>(&'a self, repository: &'a RepositoryName) -> Listing<'a, Root> {
        let tags = self.tags[repository.as_str()].keys();
        stream::iter(tags.map(|tag| Ok(Entry::Is(Root::Tag(Tag::parse(tag).unwrap(), None))))).boxed()
    }

    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, SourceError> {
        Ok(self.tags[repository.as_str()].get(tag.as_str()).cloned())
    }

    async fn manifest(&self, repository: &RepositoryName, at: &Reference) -> Result<SourceManifest, SourceError> {
        let digest = match at {
            Reference::Tag(tag) => self.tags[repository.as_str()][tag.as_str()].clone(),
            Reference::Digest(digest) => digest.clone(),
        };
        let Some((kind, bytes)) = self.manifests.get(&digest) else { return missing(&digest) };
        Ok(SourceManifest { digest, media_type: Some((*kind).to_owned()), bytes: bytes.clone() })
    }

    async fn referrers(&self, _: &RepositoryName, _: &Digest) -> Result<Vec<Digest>, SourceError> {
        Ok(Vec::new())
    }

    async fn blob(&self, _: &RepositoryName, digest: &Digest, offset: u64) -> Result<ByteStream, SourceError> {
        let Some(bytes) = self.blobs.get(digest) else { return missing(digest) };
        self.read.fetch_add(1, Ordering::SeqCst);
        let rest = bytes.slice(usize::try_from(offset).unwrap()..);
        Ok(stream::iter([Ok(rest)]).boxed())
    }
}

/// Remembers what was told.
#[derive(Default)]
struct Told(Mutex<Vec<LeftOut>>);

impl Progress for Told {
    fn repository(&self, _: &RepositoryName) {}
    fn read(&self, _: u64) {}
    fn image(&self) {}
    fn left_out(&self, left_out: &LeftOut) {
        self.0.lock().unwrap().push(left_out.clone());
    }
}

pub async fn import_by(registry: &TestRegistry, caller: &Caller, shelf: &Shelf) -> (Imported, Result<(), ImportError>) {
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let told = Told::default();
    let options = Options { into: Some(name("mirror")), ..Options::default() };
    let (imported, outcome) = registry.domain.import(caller, shelf, &options, &told, stopped).await;
    assert_eq!(*told.0.lock().unwrap(), imported.left_out);
    (imported, outcome)
}

async fn import(registry: &TestRegistry, shelf: &Shelf) -> Imported {
    let (imported, outcome) = import_by(registry, &registry.admin, shelf).await;
    outcome.unwrap();
    imported
}

/// An index over an image, and a single one that shares a layer with it.
fn shelf() -> (Shelf, Vec<u8>, Vec<u8>) {
    let mut shelf = Shelf::default();
    for bytes in [b"{}".as_slice(), b"shared", b"own"] {
        shelf.put_blob(bytes);
    }
    let (child, single) = (image(b"{}", &[b"shared"]), image(b"{}", &[b"shared", b"own"]));
    let index = index(&[&child]);
    shelf.put_manifest(IMAGE, &child);
    shelf.put_manifest(IMAGE, &single);
    shelf.put_manifest(INDEX, &index);
    shelf.tag("team/app", "all", &index);
    shelf.tag("team/app", "one", &single);
    (shelf, index, single)
}

async fn tagged(registry: &TestRegistry, tag: &str) -> Vec<u8> {
    let (_, bytes) =
        registry.domain.get_manifest(&registry.admin, &name("mirror/team/app"), &reference(tag)).await.unwrap();
    bytes.to_vec()
}

#[tokio::test]
async fn everything_comes_and_nothing_is_read_twice() {
    let registry = TestRegistry::new().await;
    let (mut shelf, index, single) = shelf();
    let imported = import(&registry, &shelf).await;
    assert_eq!((imported.images, imported.tags, imported.left_out_total), (3, 2, 0));
    assert_eq!(shelf.taken_reads(), 3);
    assert_eq!((tagged(&registry, "all").await, tagged(&registry, "one").await), (index, single));
    let again = import(&registry, &shelf).await;
    assert_eq!((again.images, again.left_out_total, shelf.taken_reads()), (0, 0, 0));
    let newer = image(b"{}", &[b"own"]);
    shelf.put_manifest(IMAGE, &newer);
    shelf.tag("team/app", "one", &newer);
    let third = import(&registry, &shelf).await;
    assert_eq!((third.images, third.tags, shelf.taken_reads()), (1, 1, 0));
    assert_eq!(tagged(&registry, "one").await, newer);
}

#[tokio::test]
async fn an_image_without_a_layer_is_left_out_and_told() {
    let registry = TestRegistry::new().await;
    let (mut shelf, index, single) = shelf();
    shelf.blobs.remove(&digest(b"own"));
    let imported = import(&registry, &shelf).await;
    assert_eq!((imported.images, imported.left_out_total), (2, 1));
    assert_eq!(imported.left_out[0].digest, Some(digest(&single)));
    assert_eq!(tagged(&registry, "all").await, index);
    assert_eq!(registry.tags("mirror/team/app").await, ["all"]);
    // It comes with the next run, when its source has it again.
    shelf.put_blob(b"own");
    assert_eq!(import(&registry, &shelf).await.images, 1);
}

#[tokio::test]
async fn bytes_that_do_not_match_are_not_taken() {
    let registry = TestRegistry::new().await;
    let (mut shelf, _, _) = shelf();
    shelf.blobs.insert(digest(b"own"), Bytes::from_static(b"0wn"));
    let imported = import(&registry, &shelf).await;
    assert_eq!(imported.left_out_total, 1, "{imported:?}");
    let refused = registry.domain.get_blob(&registry.admin, &name("mirror/team/app"), &digest(b"own")).await;
    assert!(refused.is_err());
}
