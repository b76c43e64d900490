//! What a registry is to hold, and what it is to refuse: the rules of both doors in the shortest form, apart from the server's code.

use std::collections::{BTreeMap, BTreeSet};

use crate::pool::Pool;

/// Modes of tags' mutability with their filters.
pub const MODES: [(&str, &[&str]); 6] = [
    ("MUTABLE", &[]),
    ("IMMUTABLE", &[]),
    ("IMMUTABLE_WITH_EXCLUSION", &["latest"]),
    ("IMMUTABLE_WITH_EXCLUSION", &["v*", "*b"]),
    ("MUTABLE_WITH_EXCLUSION", &["v*"]),
    ("MUTABLE_WITH_EXCLUSION", &["latest", "*-rc"]),
];

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    NoRepository,
    RepositoryExists,
    RepositoryNotEmpty,
    NoManifest,
    ManifestExists,
    ManifestInUse,
    TagStays,
    OtherDigest,
    BlobsMissing,
    ChildrenMissing,
    NoBlob,
    BlobExists,
    BlobInUse,
    BlobUnused,
}

/// Done, or refused for one of these reasons: where several hold, which is told is the server's choice.
pub type Verdict<T = ()> = Result<T, Vec<Reason>>;

fn verdict(reasons: Vec<Reason>) -> Verdict {
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// An image by its digest, a tag, or both.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    pub manifest: Option<usize>,
    pub tag: Option<&'static str>,
}

/// Why an image of a batch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    NotFound,
    TagOfOther,
    NoName,
    /// Some of these is told.
    ListedBy(Vec<usize>),
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Of [`MODES`].
    pub mode: usize,
    pub blobs: BTreeSet<usize>,
    pub held: BTreeSet<usize>,
    pub tags: BTreeMap<&'static str, usize>,
    /// When an image was pushed, as it was first told.
    pub pushed_at: BTreeMap<usize, String>,
}

impl Repository {
    pub fn tags_of(&self, manifest: usize) -> Vec<&'static str> {
        self.tags.iter().filter(|(_, to)| **to == manifest).map(|(tag, _)| *tag).collect()
    }

    /// The indexes that list a manifest.
    pub fn listed_by(&self, pool: &Pool, manifest: usize) -> Vec<usize> {
        self.held.iter().copied().filter(|index| pool.manifests[*index].children.contains(&manifest)).collect()
    }

    /// Whether an image has this blob.
    pub fn uses(&self, pool: &Pool, blob: usize) -> bool {
        self.held.iter().any(|manifest| pool.manifests[*manifest].blobs.contains(&blob))
    }

    /// The image behind a name.
    pub fn find(&self, named: Named) -> Result<usize, Failure> {
        match (named.manifest, named.tag.map(|tag| self.tags.get(tag).copied())) {
            (None, None) => Err(Failure::NoName),
            (_, Some(None)) => Err(Failure::NotFound),
            (None, Some(Some(found))) => Ok(found),
            (Some(manifest), Some(Some(found))) if manifest != found => Err(Failure::TagOfOther),
            (Some(manifest), _) if self.held.contains(&manifest) => Ok(manifest),
            (Some(_), _) => Err(Failure::NotFound),
        }
    }

    fn stays(&self, tag: &str) -> bool {
        let (mode, filters) = MODES[self.mode];
        mode.starts_with("IMMUTABLE") != filters.iter().any(|filter| is_like(filter, tag))
    }

    /// Why a manifest cannot be stored under these tags.
    fn against(&self, pool: &Pool, manifest: usize, tags: &[&'static str]) -> Vec<Reason> {
        let entry = &pool.manifests[manifest];
        let moves = |tag: &&&'static str| self.tags.get(**tag).is_some_and(|to| *to != manifest);
        let rules = [
            (entry.blobs.iter().any(|blob| !self.blobs.contains(blob)), Reason::BlobsMissing),
            (entry.children.iter().any(|child| !self.held.contains(child)), Reason::ChildrenMissing),
            (tags.iter().filter(moves).any(|tag| self.stays(tag)), Reason::TagStays),
        ];
        rules.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
    }

    fn store(&mut self, manifest: usize, tags: &[&'static str]) {
        self.held.insert(manifest);
        self.tags.extend(tags.iter().map(|tag| (*tag, manifest)));
    }

    fn remove(&mut self, manifest: usize) {
        self.held.remove(&manifest);
        self.pushed_at.remove(&manifest);
        self.tags.retain(|_, to| *to != manifest);
    }

    /// Takes one away as `BatchDeleteImage` does: what went, by digest and tag.
    pub fn batch_delete(&mut self, pool: &Pool, named: Named) -> Result<Vec<Named>, Failure> {
        let found = self.find(named)?;
        let gone = |tag| Named { manifest: Some(found), tag };
        let listed_by = self.listed_by(pool, found);
        if let Some(tag) = named.tag {
            self.tags.remove(tag);
            if self.tags_of(found).is_empty() && listed_by.is_empty() {
                self.remove(found);
            }
            return Ok(vec![gone(Some(tag))]);
        }
        if !listed_by.is_empty() {
            return Err(Failure::ListedBy(listed_by));
        }
        let tags = self.tags_of(found);
        self.remove(found);
        Ok(if tags.is_empty() { vec![gone(None)] } else { tags.into_iter().map(|tag| gone(Some(tag))).collect() })
    }
}

/// A registry.
pub struct Model<'a> {
    pub pool: &'a Pool,
    pub repositories: BTreeMap<&'static str, Repository>,
}

impl<'a> Model<'a> {
    pub fn new(pool: &'a Pool) -> Self {
        Self { pool, repositories: BTreeMap::new() }
    }

    pub fn repository(&mut self, name: &str) -> Verdict<&mut Repository> {
        self.repositories.get_mut(name).ok_or_else(|| vec![Reason::NoRepository])
    }

    pub fn create(&mut self, name: &'static str, mode: usize) -> Verdict {
        if self.repositories.contains_key(name) {
            return Err(vec![Reason::RepositoryExists]);
        }
        self.repositories.insert(name, Repository { mode, ..Repository::default() });
        Ok(())
    }

    pub fn delete_repository(&mut self, name: &str, force: bool) -> Verdict {
        if !self.repository(name)?.held.is_empty() && !force {
            return Err(vec![Reason::RepositoryNotEmpty]);
        }
        self.repositories.remove(name);
        Ok(())
    }

    /// An upload at the door of OCI makes its repository; `is_right` says whether the digest is that of the bytes.
    pub fn upload(&mut self, name: &'static str, blob: usize, is_right: bool) -> Verdict {
        let repository = self.repositories.entry(name).or_default();
        if !is_right {
            return Err(vec![Reason::OtherDigest]);
        }
        repository.blobs.insert(blob);
        Ok(())
    }

    pub fn upload_layer(&mut self, name: &str, blob: usize) -> Verdict {
        if self.repository(name)?.blobs.insert(blob) { Ok(()) } else { Err(vec![Reason::BlobExists]) }
    }

    /// Whether a blob is mounted; else an upload begins. Both make the repository.
    pub fn mount(&mut self, name: &'static str, blob: usize, from: Option<&str>) -> bool {
        let mut sources = self.repositories.iter().filter(|(source, _)| from.is_none_or(|from| from == **source));
        let is_there = sources.any(|(_, source)| source.blobs.contains(&blob));
        let repository = self.repositories.entry(name).or_default();
        if is_there {
            repository.blobs.insert(blob);
        }
        is_there
    }

    pub fn delete_blob(&mut self, name: &str, blob: usize) -> Verdict {
        let pool = self.pool;
        let repository = self.repository(name)?;
        if !repository.blobs.contains(&blob) {
            return Err(vec![Reason::NoBlob]);
        }
        if repository.uses(pool, blob) {
            return Err(vec![Reason::BlobInUse]);
        }
        repository.blobs.remove(&blob);
        Ok(())
    }

    /// A push at the door of OCI, which makes its repository where it is not refused.
    pub fn push(&mut self, name: &'static str, manifest: usize, tags: &[&'static str], is_right: bool) -> Verdict {
        let missing = Repository::default();
        let mut reasons = self.repositories.get(name).unwrap_or(&missing).against(self.pool, manifest, tags);
        reasons.extend((!is_right).then_some(Reason::OtherDigest));
        verdict(reasons)?;
        self.repositories.entry(name).or_default().store(manifest, tags);
        Ok(())
    }

    /// `PutImage`.
    pub fn put(&mut self, name: &str, manifest: usize, tag: Option<&'static str>, is_right: bool) -> Verdict {
        let pool = self.pool;
        let wrong = (!is_right).then_some(Reason::OtherDigest);
        let Some(repository) = self.repositories.get_mut(name) else {
            return Err([Reason::NoRepository].into_iter().chain(wrong).collect());
        };
        let mut reasons = repository.against(pool, manifest, tag.as_slice());
        let changes_nothing = tag.is_none_or(|tag| repository.tags.get(tag) == Some(&manifest));
        if repository.held.contains(&manifest) && changes_nothing {
            reasons.push(Reason::ManifestExists);
        }
        reasons.extend(wrong);
        verdict(reasons)?;
        repository.store(manifest, tag.as_slice());
        Ok(())
    }

    /// A tag goes alone at the door of OCI.
    pub fn untag(&mut self, name: &str, tag: &str) -> Verdict {
        self.repository(name)?.tags.remove(tag).map(drop).ok_or_else(|| vec![Reason::NoManifest])
    }

    /// A digest takes its tags along.
    pub fn delete(&mut self, name: &str, manifest: usize) -> Verdict {
        let pool = self.pool;
        let repository = self.repository(name)?;
        if !repository.held.contains(&manifest) {
            return Err(vec![Reason::NoManifest]);
        }
        if !repository.listed_by(pool, manifest).is_empty() {
            return Err(vec![Reason::ManifestInUse]);
        }
        repository.remove(manifest);
        Ok(())
    }
}

/// Whether a text is like a pattern, in which `*` stands for any letters.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((begin, rest)) => text
            .strip_prefix(begin)
            .is_some_and(|text| (0..=text.len()).any(|from| text.get(from..).is_some_and(|end| is_like(rest, end)))),
    }
}
