//! The storage folder of CNCF Distribution, the `registry:2` and `registry:3` images, as its filesystem driver lays it out.
//!
//! `repositories/NAME/_manifests/revisions/ALGORITHM/HEX/link` and `repositories/NAME/_manifests/tags/TAG/current/link` name
//! manifests, `repositories/NAME/_layers/ALGORITHM/HEX/link` blobs; the bytes of all are in `blobs/ALGORITHM/AB/HEX/data`.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use futures_util::{StreamExt as _, stream};

use super::tree::Tree;
use super::{blocking, link_file, manifest_at};
use crate::error::clip;
use crate::{ByteStream, Entry, Listing, Root, Source, SourceError, SourceManifest};

const INNER: &[&str] = &["docker", "registry", "v2"];
const REPOSITORIES: &str = "repositories";
const MANIFESTS: &str = "_manifests";

/// A storage folder as a source.
pub struct DistributionSource(Arc<Store>);

/// The folder; everything here waits for the disk.
struct Store {
    tree: Tree,
    /// What leads from the folder to `repositories` and `blobs`.
    inner: &'static [&'static str],
}

impl DistributionSource {
    /// Opens the folder that the registry was given as its root directory, or `docker/registry/v2` in it.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let folder = path.display();
        let tree = Tree::open(path)
            .map_err(|error| SourceError::NotASource(format!("{folder} cannot be opened as a folder: {error}")))?;
        let candidates: [&'static [&'static str]; 2] = [INNER, &[]];
        let found = candidates.into_iter().find(|inner| {
            let inside = |name| tree.has_folder(&[inner, &[name][..]].concat());
            inside(REPOSITORIES) || inside("blobs")
        });
        match found {
            Some(inner) => Ok(Self(Arc::new(Store { tree, inner }))),
            None => Err(SourceError::NotASource(format!(
                "{folder} is no storage folder of CNCF Distribution: there is no docker/registry/v2 in it. Name the folder that its configuration calls storage.filesystem.rootdirectory, /var/lib/registry in its image"
            ))),
        }
    }
}

impl Store {
    fn path<'a>(&self, parts: &[&'a str]) -> Vec<&'a str> {
        [self.inner, parts].concat()
    }

    fn in_repository<'a>(&self, repository: &'a str, parts: &[&'a str]) -> Vec<&'a str> {
        let name: Vec<&str> = repository.split('/').collect();
        self.path(&[&[REPOSITORIES][..], &name, parts].concat())
    }

    fn link(&self, repository: &str, parts: &[&str]) -> Result<Digest, SourceError> {
        let path = self.in_repository(repository, parts);
        let bytes = self.tree.small(&path, link_file::MAX_BYTES)?;
        link_file::parse(&bytes)
            .ok_or_else(|| SourceError::Unusable(format!("{} holds no digest", clip(&path.join("/")))))
    }

    /// Fails where the repository has no link to what it should hold.
    fn ensure_linked(&self, repository: &str, kind: &[&str], digest: &Digest) -> Result<(), SourceError> {
        let hex = digest.hex();
        let linked = self.link(repository, &[kind, &[digest.algorithm().as_str(), &hex, "link"]].concat())?;
        if linked == *digest {
            return Ok(());
        }
        Err(SourceError::Unusable(format!("the link to {digest} leads to {linked}")))
    }

    fn data(digest: &Digest) -> [String; 5] {
        let hex = digest.hex();
        let shard = hex.get(..2).unwrap_or_default().to_owned();
        ["blobs".to_owned(), digest.algorithm().as_str().to_owned(), shard, hex, "data".to_owned()]
    }

    fn manifest(&self, repository: &str, reference: &Reference) -> Result<SourceManifest, SourceError> {
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(tag) => self.tagged(repository, tag.as_str())?,
        };
        self.ensure_linked(repository, &[MANIFESTS, "revisions"], &digest)?;
        manifest_at(&self.tree, &self.path(&Self::data(&digest).each_ref().map(String::as_str)), &digest)
    }

    fn blob(&self, repository: &str, digest: &Digest, offset: u64) -> Result<ByteStream, SourceError> {
        self.ensure_linked(repository, &["_layers"], digest)?;
        self.tree.bytes(&self.path(&Self::data(digest).each_ref().map(String::as_str)), offset)
    }

    fn tagged(&self, repository: &str, tag: &str) -> Result<Digest, SourceError> {
        self.link(repository, &[MANIFESTS, "tags", tag, "current", "link"])
    }

    /// The names of a folder in the repository; none where there is no such folder.
    fn names(&self, repository: &str, parts: &[&str]) -> Result<Vec<String>, SourceError> {
        match self.tree.names(&self.in_repository(repository, parts)) {
            Err(SourceError::Missing(_)) => Ok(Vec::new()),
            names => names,
        }
    }

    fn pending(&self, repository: &str) -> Result<VecDeque<Pending>, SourceError> {
        let mut pending = VecDeque::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let revisions = self.names(repository, &[MANIFESTS, "revisions", algorithm.as_str()])?;
            pending.extend(revisions.into_iter().map(|hex| Pending::Revision(algorithm, hex)));
        }
        let tags = self.names(repository, &[MANIFESTS, "tags"])?;
        pending.extend(tags.into_iter().map(Pending::Tag));
        Ok(pending)
    }

    fn root(&self, repository: &str, pending: &Pending) -> Result<Option<Entry<Root>>, SourceError> {
        let unusable = |name: &str, reason: String| Ok(Some(Entry::Unusable { name: clip(name), reason }));
        match pending {
            Pending::Revision(algorithm, hex) => match Digest::parse(&format!("{}:{hex}", algorithm.as_str())) {
                Err(error) => unusable(hex, error.to_string()),
                Ok(digest) => match self.ensure_linked(repository, &[MANIFESTS, "revisions"], &digest) {
                    Ok(()) => Ok(Some(Entry::Is(Root::Digest(digest)))),
                    // A deleted manifest leaves its folder behind, without the link.
                    Err(SourceError::Missing(_)) => Ok(None),
                    Err(error) => unusable(&digest.to_string(), error.to_string()),
                },
            },
            Pending::Tag(text) => match Tag::parse(text) {
                Err(error) => unusable(text, error.to_string()),
                Ok(tag) => match self.tagged(repository, tag.as_str()) {
                    Ok(digest) => Ok(Some(Entry::Is(Root::Tag(tag, Some(digest))))),
                    Err(error) => unusable(text, error.to_string()),
                },
            },
        }
    }

    /// Takes the next folder of a walk; the repository that it is, and the folders in it that may hold others.
    fn visit(&self, folder: &str) -> Result<(Option<Entry<RepositoryName>>, Vec<String>), SourceError> {
        let parts = if folder.is_empty() { self.path(&[REPOSITORIES]) } else { self.in_repository(folder, &[]) };
        let names = match self.tree.names(&parts) {
            Ok(names) => names,
            Err(SourceError::Missing(_)) if folder.is_empty() => return Ok((None, Vec::new())),
            // A stray file is no repository, but a link may have been meant as one.
            Err(SourceError::Io { reason, .. }) if reason.kind() == std::io::ErrorKind::NotADirectory => {
                return Ok((None, Vec::new()));
            }
            Err(error) if folder.is_empty() => return Err(error),
            Err(error) => {
                return Ok((Some(Entry::Unusable { name: clip(folder), reason: error.to_string() }), Vec::new()));
            }
        };
        let own = names.iter().any(|name| name == MANIFESTS).then(|| match RepositoryName::parse(folder) {
            Ok(name) => Entry::Is(name),
            Err(error) => Entry::Unusable { name: clip(folder), reason: error.to_string() },
        });
        let below = names.iter().filter(|name| !name.starts_with('_'));
        let below = below.map(|name| if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") });
        // Deeper than any name may be is not looked at.
        let below = below.filter(|path| path.len() <= berth_oci::name::MAX_LENGTH).rev().collect();
        Ok((own, below))
    }
}

/// Something that was listed by name and not yet looked at.
#[derive(Clone)]
enum Pending {
    Revision(Algorithm, String),
    Tag(String),
}

#[async_trait]
impl Source for DistributionSource {
    fn repositories(&self) -> Listing<'_, RepositoryName> {
        let start = (Arc::clone(&self.0), vec![String::new()]);
        let walk = stream::try_unfold(start, |(store, mut folders)| async move {
            let Some(folder) = folders.pop() else { return Ok(None) };
            let worker = Arc::clone(&store);
            let (own, below) = blocking(move || worker.visit(&folder)).await?;
            folders.extend(below);
            Ok(Some((own, (store, folders))))
        });
        walk.filter_map(|found| async { found.transpose() }).boxed()
    }

    fn roots<'a>(&'a self, repository: &'a RepositoryName) -> Listing<'a, Root> {
        let start = (Arc::clone(&self.0), repository.to_string(), None::<VecDeque<Pending>>);
        let roots = stream::try_unfold(start, |(store, repository, pending)| async move {
            let (worker, name) = (Arc::clone(&store), repository.clone());
            let read = blocking(move || {
                let mut pending = match pending {
                    Some(pending) => pending,
                    None => worker.pending(&name)?,
                };
                let Some(next) = pending.pop_front() else { return Ok(None) };
                Ok(Some((worker.root(&name, &next)?, pending)))
            });
            Ok(read.await?.map(|(root, pending)| (root, (store, repository, Some(pending)))))
        });
        roots.filter_map(|found| async { found.transpose() }).boxed()
    }

    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, SourceError> {
        let (store, repository, tag) = (Arc::clone(&self.0), repository.clone(), tag.clone());
        blocking(move || store.tagged(repository.as_str(), tag.as_str()).map(Some)).await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<SourceManifest, SourceError> {
        let (store, repository, reference) = (Arc::clone(&self.0), repository.clone(), reference.clone());
        blocking(move || store.manifest(repository.as_str(), &reference)).await
    }

    /// The listing has every manifest.
    async fn referrers(&self, _: &RepositoryName, _: &Digest) -> Result<Vec<Digest>, SourceError> {
        Ok(Vec::new())
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest, offset: u64) -> Result<ByteStream, SourceError> {
        let (store, repository, digest) = (Arc::clone(&self.0), repository.clone(), digest.clone());
        blocking(move || store.blob(repository.as_str(), &digest, offset)).await
    }
}
