//! Deleting at the door of OCI: a tag goes alone, a digest takes all its tags along.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_store::Transaction;
use berth_store::garbage;
use berth_store::manifests::{self, ManifestRecord, ReferenceKind};
use berth_store::repositories::RepositoryId;
use berth_store::tags::{self, Change};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::existing;

impl Domain {
    /// Takes a tag away, or a manifest with all its tags where a digest names it.
    pub async fn delete_manifest(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), Error> {
        self.allow(caller, Action::BatchDeleteImage, name).await?;
        self.ensure_not_read_only()?;
        let (settings, name, reference) = (self.settings.clone(), name.clone(), reference.clone());
        let change = self.change(caller);
        self.database
            .write(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                match &reference {
                    Reference::Tag(tag) => untag(txn, repository, tag, &change),
                    Reference::Digest(digest) => delete(txn, repository, digest, &change),
                }
            })
            .await
    }
}

fn untag(txn: &mut dyn Transaction, repository: RepositoryId, tag: &Tag, change: &Change) -> Result<(), Error> {
    if tags::remove(txn, repository, tag.as_str(), change)? {
        return Ok(());
    }
    Err(Error::ManifestUnknown(tag.to_string()))
}

fn delete(txn: &mut dyn Transaction, repository: RepositoryId, digest: &Digest, change: &Change) -> Result<(), Error> {
    let found = manifests::find(txn, repository, digest)?;
    let manifest = found.ok_or_else(|| Error::ManifestUnknown(digest.to_string()))?;
    if let Some(used_by) = used_by(txn, repository, digest)? {
        return Err(Error::ManifestInUse { digest: digest.clone(), used_by });
    }
    remove(txn, repository, &manifest, change)
}

/// An index that lists a manifest.
pub(super) fn used_by(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<Digest>, Error> {
    let used_by = manifests::referring(txn, repository, ReferenceKind::Child, digest)?;
    Ok(used_by.filter(|used_by| used_by != digest))
}

/// Takes a manifest away with all its tags; what it names is kept for a while.
pub(super) fn remove(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    manifest: &ManifestRecord,
    change: &Change,
) -> Result<(), Error> {
    tags::remove_all_of(txn, repository, manifest, change)?;
    garbage::begin_grace_of_manifest(txn, repository, manifest, change.at)?;
    Ok(manifests::delete(txn, manifest)?)
}
