//! `ListImages`: digests and tags, in pages.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store::images::{self, TagStatus};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::{Page, existing};

/// A place in the listing of images: a digest, and a tag or nothing. Empty ones stand before all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageKey(
    /// The digest.
    pub String,
    /// The tag.
    pub String,
);

impl Domain {
    /// Up to `limit` images behind a place, in the order of digests and tags: one entry for each tag, and one without a tag for
    /// an image that has none.
    pub async fn list_images(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        status: TagStatus,
        after: &ImageKey,
        limit: u64,
    ) -> Result<Page<(Digest, Option<Tag>)>, Error> {
        self.allow(caller, Action::ListImages, name).await?;
        let (settings, name, after) = (self.settings.clone(), name.clone(), after.clone());
        let listed = self.database.read(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            let after = (after.0.as_str(), after.1.as_str());
            Ok::<_, Error>(images::pairs(txn, repository, status, after, limit.saturating_add(1))?)
        });
        Ok(Page::cut(listed.await?, limit))
    }
}
