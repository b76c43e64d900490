//! `PutImage`: a push by ECR's rules.

use berth_oci::digest::{Algorithm, Digest};
use berth_oci::manifest::Manifest;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use bytes::Bytes;

use super::push::{Door, Incoming, Pushed};
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;

/// An image to be put (ECR `PutImage`).
#[derive(Debug, Clone)]
pub struct PutImage {
    /// The bytes of its manifest, kept as they are.
    pub manifest: Bytes,
    /// What the client says it is; the manifest's own `mediaType` where it does not say.
    pub media_type: Option<String>,
    /// The digest that it must have.
    pub digest: Option<Digest>,
    /// The tag for it.
    pub tag: Option<Tag>,
}

impl Domain {
    /// Stores an image in a repository that there is, and points its tag to it, all or nothing. Beside what a push is refused
    /// for: [`EcrError::ImageDigestMismatch`], and [`EcrError::ImageExists`] where nothing would change.
    pub async fn put_image(&self, caller: &Caller, name: &RepositoryName, put: PutImage) -> Result<Pushed, Error> {
        self.allow(caller, Action::PutImage, name).await?;
        self.ensure_writable().await?;
        let manifest = Manifest::parse(&put.manifest, put.media_type.as_deref())?;
        let algorithm = put.digest.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = Digest::of(algorithm, &put.manifest);
        if let Some(given) = put.digest.filter(|given| *given != digest) {
            return Err(EcrError::ImageDigestMismatch { given: given.to_string(), actual: digest }.into());
        }
        let tags = put.tag.into_iter().collect();
        self.receive_manifest(caller, Incoming { name, bytes: &put.manifest, manifest, digest, tags, door: Door::Ecr })
            .await
    }
}
