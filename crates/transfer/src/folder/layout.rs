//! OCI image layouts (image spec, "OCI Image Layout Specification").

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use berth_oci::digest::Digest;
use berth_oci::manifest::{Descriptor, MAX_MANIFEST_BYTES, Manifest};
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use futures_util::{StreamExt as _, stream};

use super::tree::Tree;
use super::{blocking, manifest_at};
use crate::error::clip;
use crate::{ByteStream, Entry, Listing, Root, Source, SourceError, SourceManifest};

const TAG: &str = "org.opencontainers.image.ref.name";
const MARK: &str = "oci-layout";
const MARK_BYTES: usize = 4096;

/// A layout as a source of one repository.
pub struct LayoutSource {
    tree: Arc<Tree>,
    name: RepositoryName,
    roots: Vec<Entry<Root>>,
}

#[derive(serde::Deserialize)]
struct Mark {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

impl LayoutSource {
    /// Opens the layout in a folder; its images will be those of the repository `name`.
    pub fn open(path: &Path, name: RepositoryName) -> Result<Self, SourceError> {
        let folder = path.display();
        let not = |why: String| SourceError::NotASource(format!("{folder} is no OCI image layout: {why}"));
        let tree = Tree::open(path).map_err(|error| not(format!("it cannot be opened as a folder: {error}")))?;
        let mark = tree.small(&[MARK], MARK_BYTES).map_err(|error| not(error.to_string()))?;
        let mark: Mark =
            serde_json::from_slice(&mark).map_err(|error| not(format!("{MARK} cannot be read: {error}")))?;
        if !mark.version.starts_with("1.") {
            return Err(not(format!("version {} is unknown, only 1 can be read", clip(&mark.version))));
        }
        let index = tree.small(&["index.json"], MAX_MANIFEST_BYTES).map_err(|error| not(error.to_string()))?;
        let index = Manifest::parse(&index, None).map_err(|error| not(format!("index.json: {error}")))?;
        let roots = index.manifests.iter().flat_map(roots).collect();
        Ok(Self { tree: Arc::new(tree), name, roots })
    }

    fn ensure_ours(&self, repository: &RepositoryName) -> Result<(), SourceError> {
        if *repository == self.name { Ok(()) } else { Err(SourceError::Missing(repository.to_string())) }
    }
}

/// The image of one descriptor, and what is wrong with its tag.
fn roots(descriptor: &Descriptor) -> Vec<Entry<Root>> {
    let digest = &descriptor.digest;
    let Some(text) = descriptor.annotations.get(TAG) else { return vec![Entry::Is(Root::Digest(digest.clone()))] };
    match tag(text) {
        Some(tag) => vec![Entry::Is(Root::Tag(tag, Some(digest.clone())))],
        None => vec![
            Entry::Is(Root::Digest(digest.clone())),
            Entry::Unusable { name: clip(text), reason: format!("this name of {digest} is no tag") },
        ],
    }
}

/// The tag that a reference name is, or that it ends with where it is a whole image name such as `team/app:1`.
fn tag(text: &str) -> Option<Tag> {
    let last = text.rsplit('/').next().unwrap_or(text);
    let behind = last.split_once(':').map_or(text, |(_, tag)| tag);
    Tag::parse(behind).ok()
}

fn path(digest: &Digest) -> [String; 3] {
    ["blobs".to_owned(), digest.algorithm().as_str().to_owned(), digest.hex()]
}

#[async_trait]
impl Source for LayoutSource {
    fn repositories(&self) -> Listing<'_, RepositoryName> {
        stream::iter([Ok(Entry::Is(self.name.clone()))]).boxed()
    }

    fn roots<'a>(&'a self, _: &'a RepositoryName) -> Listing<'a, Root> {
        stream::iter(self.roots.iter().cloned().map(Ok)).boxed()
    }

    async fn resolve(&self, _: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, SourceError> {
        Ok(self.roots.iter().find_map(|root| match root {
            Entry::Is(Root::Tag(own, digest)) if own == tag => digest.clone(),
            _ => None,
        }))
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<SourceManifest, SourceError> {
        self.ensure_ours(repository)?;
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(tag) => {
                self.resolve(repository, tag).await?.ok_or_else(|| SourceError::Missing(format!("tag {tag}")))?
            }
        };
        let tree = Arc::clone(&self.tree);
        blocking(move || manifest_at(&tree, &path(&digest).each_ref().map(String::as_str), &digest)).await
    }

    /// A layout lists them all in its index.
    async fn referrers(&self, _: &RepositoryName, _: &Digest) -> Result<Vec<Digest>, SourceError> {
        Ok(Vec::new())
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest, offset: u64) -> Result<ByteStream, SourceError> {
        self.ensure_ours(repository)?;
        let (tree, path) = (Arc::clone(&self.tree), path(digest));
        blocking(move || tree.bytes(&path.each_ref().map(String::as_str), offset)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reference_name_is_a_tag_or_ends_with_one() {
        let table = [
            ("1", Some("1")),
            ("v1.2-rc_3", Some("v1.2-rc_3")),
            ("team/app:1", Some("1")),
            ("registry.example.com:5000/team/app:1", Some("1")),
            ("app:1", Some("1")),
            ("registry.example.com:5000/team/app", None),
            ("", None),
            (":", None),
            ("-1", None),
            ("app:1:2", None),
        ];
        for (text, expected) in table {
            assert_eq!(tag(text).as_ref().map(Tag::as_str), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_tag_is_always_the_end_of_its_name(text in "[a-z0-9:/._-]{0,20}") {
            if let Some(tag) = tag(&text) {
                prop_assert!(text.ends_with(tag.as_str()));
            }
        }
    }
}
