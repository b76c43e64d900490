//! Mounts: a repository links a blob that another one has, without an upload.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::blobs;

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::quota;
use crate::repositories::for_push;

/// How many repositories are looked at for a mount that names no source.
const MOUNT_CANDIDATES: u64 = 100;

/// What a mount came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// The repository links the blob now.
    Mounted,
    /// There is nothing that the caller may mount: upload it.
    NotFound,
}

impl Domain {
    /// Links a blob of another repository, or of any that the caller may pull from, without an upload.
    pub async fn mount_blob(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<Mount, Error> {
        self.allow(caller, Action::InitiateLayerUpload, name).await?;
        self.ensure_not_read_only()?;
        if !self.blob_mounting_enabled().await? {
            return Ok(Mount::NotFound);
        }
        for source in self.mount_sources(digest, from).await? {
            if self.may(caller, Action::GetDownloadUrlForLayer, &source).await?
                && self.link_from(caller, name, digest, &source).await?
            {
                return Ok(Mount::Mounted);
            }
        }
        Ok(Mount::NotFound)
    }

    async fn mount_sources(
        &self,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<Vec<RepositoryName>, Error> {
        if let Some(from) = from {
            return Ok(vec![from.clone()]);
        }
        let (registry, digest) = (self.settings.registry.clone(), digest.clone());
        let names = self
            .database
            .read(move |txn| {
                blobs::repositories_linking(txn, &registry, &digest, MOUNT_CANDIDATES).map_err(Error::from)
            })
            .await?;
        Ok(names.iter().filter_map(|name| RepositoryName::parse(name).ok()).collect())
    }

    async fn link_from(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        digest: &Digest,
        source: &RepositoryName,
    ) -> Result<bool, Error> {
        let pusher = self.pusher(caller, name).await?;
        let (settings, now) = (self.settings.clone(), self.clock.now());
        let (name, digest, source) = (name.clone(), digest.clone(), source.clone());
        self.database
            .write(move |txn| {
                let Some(source) = berth_store::repositories::find(txn, &settings.registry, &source)? else {
                    return Ok(false);
                };
                let Some(blob) = blobs::find_linked(txn, source, &digest)?.filter(|blob| !blob.quarantined) else {
                    return Ok(false);
                };
                let target = for_push(txn, &settings, &name, &pusher, now)?;
                blobs::link(txn, target, &digest, blob.id, blob.size, now)?;
                quota::ensure_within(txn, target, &settings)?;
                Ok(true)
            })
            .await
    }
}
