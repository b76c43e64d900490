//! `BatchDeleteImage`: many images or tags at once. Unlike at the door of OCI an image goes with its last tag, unless an index
//! lists it.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store::Transaction;
use berth_store::images;
use berth_store::manifests::{self, ManifestRecord};
use berth_store::repositories::RepositoryId;
use berth_store::tags::{self, Change};

use super::delete::{remove, used_by};
use super::ids::{ImageFailure, ImageId};
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::existing;

type Removed = Result<Vec<ImageId>, ImageFailure>;

impl Domain {
    /// Takes images away one after the other, in one transaction: by a tag that tag, and the image where it was its last; by a
    /// digest the image with all its tags. Tells for each in its place what went, a pair for each tag, or why nothing did.
    pub async fn delete_images(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        ids: &[ImageId],
    ) -> Result<Vec<Removed>, Error> {
        self.allow(caller, Action::BatchDeleteImage, name).await?;
        self.ensure_not_read_only()?;
        let (settings, name, ids) = (self.settings.clone(), name.clone(), ids.to_vec());
        let change = self.change(caller);
        let write = self.database.write(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            ids.iter().map(|id| remove_one(txn, repository, id, &change)).collect::<Result<Vec<_>, Error>>()
        });
        write.await
    }
}

fn remove_one(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    id: &ImageId,
    change: &Change,
) -> Result<Removed, Error> {
    match (&id.digest, &id.tag) {
        (digest, Some(tag)) => remove_tag(txn, repository, digest.as_ref(), tag, change),
        (Some(digest), None) => remove_image(txn, repository, digest, change),
        (None, None) => Ok(Err(ImageFailure::NotFound)),
    }
}

fn remove_tag(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: Option<&Digest>,
    tag: &Tag,
    change: &Change,
) -> Result<Removed, Error> {
    let Some(image) = manifests::find_by_tag(txn, repository, tag.as_str())? else {
        return Ok(Err(ImageFailure::NotFound));
    };
    if digest.is_some_and(|digest| *digest != image.digest) {
        return Ok(Err(ImageFailure::TagDoesNotMatchDigest));
    }
    tags::remove(txn, repository, tag.as_str(), change)?;
    if images::count_tags(txn, image.id, 1)? == 0 && used_by(txn, repository, &image.digest)?.is_none() {
        remove(txn, repository, &image, change)?;
    }
    Ok(Ok(vec![ImageId { digest: Some(image.digest), tag: Some(tag.clone()) }]))
}

fn remove_image(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
    change: &Change,
) -> Result<Removed, Error> {
    let Some(image) = manifests::find(txn, repository, digest)? else { return Ok(Err(ImageFailure::NotFound)) };
    if let Some(index) = used_by(txn, repository, digest)? {
        return Ok(Err(ImageFailure::ReferencedByIndex(index)));
    }
    let removed = names(txn, repository, &image)?;
    remove(txn, repository, &image, change)?;
    Ok(Ok(removed))
}

/// An image by each of its tags, or by its digest alone where it has none.
fn names(txn: &mut dyn Transaction, repository: RepositoryId, image: &ManifestRecord) -> Result<Vec<ImageId>, Error> {
    let tags = images::tags_of(txn, repository, &[image.id])?.remove(&image.id).unwrap_or_default();
    let named = |tag| ImageId { digest: Some(image.digest.clone()), tag };
    if tags.is_empty() { Ok(vec![named(None)]) } else { Ok(tags.into_iter().map(|tag| named(Some(tag))).collect()) }
}
