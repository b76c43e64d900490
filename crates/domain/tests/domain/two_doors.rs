//! One registry, two doors: whatever comes through the door of OCI and by the API of ECR, in any order, both tell the same of
//! it, which is what a simple model of a repository says.

use std::collections::{BTreeMap, BTreeSet};

use berth_domain::images::{ImageFailure, ImageId, ImageKey, TagStatus};
use berth_domain::{EcrError, Error};
use berth_oci::digest::Digest;
use berth_oci::reference::Reference;
use proptest::prelude::*;

use crate::registry::{TestRegistry, both, digest, image, index, name, reference, tagged, with_digest};

const TAGS: [&str; 5] = ["a", "b", "latest", "v1", "v2"];
/// These may move, where tags are immutable.
const FILTERS: &str = r#"["latest"]"#;
const IMAGES: usize = 4;

/// What may be done, to manifests and tags by their place.
#[derive(Debug, Clone)]
enum Step {
    Push { manifest: usize, tags: Vec<usize> },
    Put { manifest: usize, tag: Option<usize> },
    Delete { manifest: usize },
    Untag { tag: usize },
    Batch(Vec<Named>),
    Freeze(bool),
}

/// An image by its digest, a tag, or both.
#[derive(Debug, Clone)]
struct Named {
    manifest: Option<usize>,
    tag: Option<usize>,
}

fn named() -> impl Strategy<Value = Named> {
    (proptest::option::of(0..MANIFESTS), proptest::option::of(0..TAGS.len()))
        .prop_map(|(manifest, tag)| Named { manifest, tag })
}

fn step() -> impl Strategy<Value = Step> {
    let manifest = 0..MANIFESTS;
    prop_oneof![
        6 => (manifest.clone(), proptest::collection::vec(0..TAGS.len(), 0..3))
            .prop_map(|(manifest, tags)| Step::Push { manifest, tags }),
        6 => (manifest.clone(), proptest::option::of(0..TAGS.len())).prop_map(|(manifest, tag)| Step::Put { manifest, tag }),
        2 => manifest.prop_map(|manifest| Step::Delete { manifest }),
        2 => (0..TAGS.len()).prop_map(|tag| Step::Untag { tag }),
        4 => proptest::collection::vec(named(), 1..4).prop_map(Step::Batch),
        1 => any::<bool>().prop_map(Step::Freeze),
    ]
}

/// Images of one layer each, and two indexes over some of them.
const CHILDREN: [&[usize]; 2] = [&[0, 1], &[1, 2]];
const MANIFESTS: usize = IMAGES + CHILDREN.len();

struct Pool {
    manifests: Vec<Vec<u8>>,
    sizes: Vec<u64>,
}

impl Pool {
    async fn fill(registry: &TestRegistry) -> Self {
        let (mut manifests, mut sizes) = (Vec::new(), Vec::new());
        for number in 0..IMAGES {
            let layer = vec![b'x'; 10 * number + 1];
            registry.blob("r", b"config").await;
            registry.blob("r", &layer).await;
            manifests.push(image(b"config", &[&layer]));
            sizes.push(6 + layer.len() as u64);
        }
        for children in CHILDREN {
            let listed: Vec<&[u8]> = children.iter().map(|child| manifests[*child].as_slice()).collect();
            manifests.push(index(&listed));
            sizes.push(children.iter().map(|child| sizes[*child]).max().unwrap());
        }
        Self { manifests, sizes }
    }

    fn digest(&self, manifest: usize) -> Digest {
        digest(&self.manifests[manifest])
    }

    fn id(&self, named: &Named) -> ImageId {
        match (named.manifest, named.tag) {
            (Some(manifest), Some(tag)) => both(&self.manifests[manifest], TAGS[tag]),
            (Some(manifest), None) => with_digest(&self.manifests[manifest]),
            (None, Some(tag)) => tagged(TAGS[tag]),
            (None, None) => ImageId { digest: None, tag: None },
        }
    }
}

/// What a repository holds.
#[derive(Debug, Default)]
struct Model {
    held: BTreeSet<usize>,
    tags: BTreeMap<usize, usize>,
    is_frozen: bool,
}

#[derive(Debug, PartialEq)]
enum Refusal {
    Exists,
    ChildrenMissing,
    Immutable,
}

impl Model {
    fn tags_of(&self, manifest: usize) -> Vec<usize> {
        self.tags.iter().filter(|(_, to)| **to == manifest).map(|(tag, _)| *tag).collect()
    }

    fn used_by(&self, manifest: usize) -> Option<usize> {
        (IMAGES..MANIFESTS).find(|index| self.held.contains(index) && CHILDREN[index - IMAGES].contains(&manifest))
    }

    fn push(&mut self, manifest: usize, tags: &[usize]) -> Result<(), Refusal> {
        let children = manifest.checked_sub(IMAGES).map_or(&[][..], |index| CHILDREN[index]);
        if children.iter().any(|child| !self.held.contains(child)) {
            return Err(Refusal::ChildrenMissing);
        }
        let moves = |tag: &&usize| self.tags.get(tag).is_some_and(|to| *to != manifest);
        if self.is_frozen && tags.iter().filter(moves).any(|tag| TAGS[*tag] != "latest") {
            return Err(Refusal::Immutable);
        }
        self.held.insert(manifest);
        self.tags.extend(tags.iter().map(|tag| (*tag, manifest)));
        Ok(())
    }

    fn put(&mut self, manifest: usize, tag: Option<usize>) -> Result<(), Refusal> {
        let changes_nothing = tag.is_none_or(|tag| self.tags.get(&tag) == Some(&manifest));
        if self.held.contains(&manifest) && changes_nothing {
            return Err(Refusal::Exists);
        }
        self.push(manifest, tag.as_slice())
    }

    fn remove(&mut self, manifest: usize) {
        self.held.remove(&manifest);
        self.tags.retain(|_, to| *to != manifest);
    }

    fn find(&self, named: &Named) -> Result<usize, ImageFailure> {
        match (named.manifest, named.tag) {
            (manifest, Some(tag)) => {
                let found = *self.tags.get(&tag).ok_or(ImageFailure::NotFound)?;
                let is_meant = manifest.is_none_or(|manifest| manifest == found);
                if is_meant { Ok(found) } else { Err(ImageFailure::TagDoesNotMatchDigest) }
            }
            (Some(manifest), None) if self.held.contains(&manifest) => Ok(manifest),
            _ => Err(ImageFailure::NotFound),
        }
    }

    fn batch_delete(&mut self, pool: &Pool, named: &Named) -> Result<Vec<ImageId>, ImageFailure> {
        let found = self.find(named)?;
        let digest = Some(pool.digest(found));
        let id = |tag: Option<usize>| ImageId {
            digest: digest.clone(),
            ..tag.map_or(with_digest(b""), |tag| tagged(TAGS[tag]))
        };
        if let Some(tag) = named.tag {
            self.tags.remove(&tag);
            if self.tags_of(found).is_empty() && self.used_by(found).is_none() {
                self.remove(found);
            }
            return Ok(vec![id(Some(tag))]);
        }
        if let Some(index) = self.used_by(found) {
            return Err(ImageFailure::ReferencedByIndex(pool.digest(index)));
        }
        let tags = self.tags_of(found);
        self.remove(found);
        Ok(if tags.is_empty() { vec![id(None)] } else { tags.into_iter().map(|tag| id(Some(tag))).collect() })
    }

    /// What each image is told to be: digest, tags, size; in the order of digests.
    fn described(&self, pool: &Pool, status: TagStatus) -> Vec<(Digest, Vec<&'static str>, u64)> {
        let mut told: Vec<_> = self
            .held
            .iter()
            .map(|manifest| {
                let tags: Vec<&str> = self.tags_of(*manifest).into_iter().map(|tag| TAGS[tag]).collect();
                (pool.digest(*manifest), tags, pool.sizes[*manifest])
            })
            .filter(|(_, tags, _)| match status {
                TagStatus::Any => true,
                TagStatus::Tagged => !tags.is_empty(),
                TagStatus::Untagged => tags.is_empty(),
            })
            .collect();
        told.sort_by_key(|(digest, ..)| digest.to_string());
        told
    }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> Result<(), Refusal> {
    match answer {
        Ok(_) => Ok(()),
        Err(Error::Ecr(EcrError::ImageExists { .. })) => Err(Refusal::Exists),
        Err(Error::Ecr(EcrError::ChildrenMissing(_))) => Err(Refusal::ChildrenMissing),
        Err(Error::Ecr(EcrError::TagImmutable { .. })) => Err(Refusal::Immutable),
        other => panic!("{other:?}"),
    }
}

/// Does a step on both sides, and compares the answers.
async fn take(registry: &TestRegistry, pool: &Pool, model: &mut Model, step: &Step) {
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("r"));
    match step {
        Step::Push { manifest, tags } => {
            let names: Vec<&str> = tags.iter().map(|tag| TAGS[*tag]).collect();
            let at = pool.digest(*manifest).to_string();
            let answer = registry.push("r", &at, &pool.manifests[*manifest], &names).await;
            assert_eq!(refusal(answer), model.push(*manifest, tags));
        }
        Step::Put { manifest, tag } => {
            let answer = registry.put("r", &pool.manifests[*manifest], tag.map(|tag| TAGS[tag])).await;
            assert_eq!(refusal(answer), model.put(*manifest, *tag));
        }
        Step::Delete { manifest } => {
            let wanted = Reference::Digest(pool.digest(*manifest));
            match domain.delete_manifest(admin, &repository, &wanted).await {
                Ok(()) => assert!(model.held.contains(manifest) && model.used_by(*manifest).is_none()),
                Err(Error::ManifestUnknown(_)) => assert!(!model.held.contains(manifest)),
                Err(Error::ManifestInUse { .. }) => return assert!(model.used_by(*manifest).is_some()),
                other => panic!("{other:?}"),
            }
            model.remove(*manifest);
        }
        Step::Untag { tag } => {
            let answer = domain.delete_manifest(admin, &repository, &reference(TAGS[*tag])).await;
            assert_eq!(answer.is_ok(), model.tags.remove(tag).is_some(), "{answer:?}");
        }
        Step::Batch(batch) => {
            let ids: Vec<ImageId> = batch.iter().map(|named| pool.id(named)).collect();
            let expected: Vec<_> = batch.iter().map(|named| model.batch_delete(pool, named)).collect();
            assert_same_removals(domain.delete_images(admin, &repository, &ids).await.unwrap(), expected);
        }
        Step::Freeze(is_frozen) => {
            model.is_frozen = *is_frozen;
            let (mode, filters) = if *is_frozen { ("IMMUTABLE_WITH_EXCLUSION", FILTERS) } else { ("MUTABLE", "[]") };
            registry.set_mutability("r", mode, filters).await;
        }
    }
}

/// Where several indexes list a manifest, either may be told.
fn assert_same_removals(
    found: Vec<Result<Vec<ImageId>, ImageFailure>>,
    expected: Vec<Result<Vec<ImageId>, ImageFailure>>,
) {
    assert_eq!(found.len(), expected.len());
    for pair in found.into_iter().zip(expected) {
        if !matches!(pair, (Err(ImageFailure::ReferencedByIndex(_)), Err(ImageFailure::ReferencedByIndex(_)))) {
            assert_eq!(pair.0, pair.1);
        }
    }
}

/// Everything that both doors tell is what the model says.
async fn compare(registry: &TestRegistry, pool: &Pool, model: &Model, page: u64) {
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("r"));
    for status in [TagStatus::Any, TagStatus::Tagged, TagStatus::Untagged] {
        let expected = model.described(pool, status);
        assert_eq!(described(registry, status, page).await, expected, "{status:?}");
        let pairs: Vec<_> = expected
            .iter()
            .flat_map(|(digest, tags, _)| {
                let untagged = tags.is_empty().then_some((digest.clone(), None));
                untagged.into_iter().chain(tags.iter().map(|tag| (digest.clone(), Some((*tag).to_owned()))))
            })
            .collect();
        assert_eq!(listed(registry, status, page).await, pairs, "{status:?}");
    }
    let mut by_tag: Vec<&str> = model.tags.keys().map(|tag| TAGS[*tag]).collect();
    by_tag.sort_unstable();
    assert_eq!(registry.tags("r").await, by_tag);
    for (tag, to) in &model.tags {
        let found = domain.resolve(admin, &repository, &reference(TAGS[*tag])).await.unwrap();
        assert_eq!(found.digest, pool.digest(*to));
    }
    let all: Vec<Named> = (0..MANIFESTS)
        .map(|manifest| Named { manifest: Some(manifest), tag: None })
        .chain((0..TAGS.len()).map(|tag| Named { manifest: (tag % 2 == 0).then_some(tag), tag: Some(tag) }))
        .collect();
    let ids: Vec<ImageId> = all.iter().map(|named| pool.id(named)).collect();
    let pulled = domain.get_images(admin, &repository, &ids, &[]).await.unwrap();
    for (named, pulled) in all.iter().zip(pulled) {
        let found = pulled.map(|pulled| pulled.bytes);
        assert_eq!(found, model.find(named).map(|manifest| pool.manifests[manifest].clone().into()), "{named:?}");
        let described = domain.describe_images(admin, &repository, &[pool.id(named)]).await;
        match model.find(named) {
            Ok(manifest) => assert_eq!(described.unwrap()[0].digest, pool.digest(manifest)),
            Err(_) => assert!(matches!(described, Err(Error::Ecr(EcrError::ImageUnknown { .. }))), "{described:?}"),
        }
    }
}

async fn described(registry: &TestRegistry, status: TagStatus, limit: u64) -> Vec<(Digest, Vec<&'static str>, u64)> {
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("r"));
    let (mut after, mut all) = (String::new(), Vec::new());
    loop {
        let page = domain.describe_images_behind(admin, &repository, status, &after, limit).await.unwrap();
        assert!(page.items.len() as u64 <= limit);
        all.extend(page.items.into_iter().map(|image| {
            let known = |tag: &berth_oci::tag::Tag| *TAGS.iter().find(|known| **known == tag.as_str()).unwrap();
            (image.digest, image.tags.iter().map(known).collect(), image.size)
        }));
        let Some((last, ..)) = all.last().filter(|_| page.more) else { return all };
        after = last.to_string();
    }
}

async fn listed(registry: &TestRegistry, status: TagStatus, limit: u64) -> Vec<(Digest, Option<String>)> {
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("r"));
    let (mut after, mut all) = (ImageKey::default(), Vec::new());
    loop {
        let page = domain.list_images(admin, &repository, status, &after, limit).await.unwrap();
        assert!(page.items.len() as u64 <= limit);
        all.extend(page.items.into_iter().map(|(digest, tag)| (digest, tag.map(|tag| tag.to_string()))));
        let Some((digest, tag)) = all.last().filter(|_| page.more) else { return all };
        after = ImageKey(digest.to_string(), tag.clone().unwrap_or_default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_doors_tell_what_the_model_says(
        steps in proptest::collection::vec(step(), 1..40),
        page in 1u64..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let registry = TestRegistry::new().await;
            let (pool, mut model) = (Pool::fill(&registry).await, Model::default());
            for step in &steps {
                take(&registry, &pool, &mut model, step).await;
                compare(&registry, &pool, &model, page).await;
            }
        });
    }
}
