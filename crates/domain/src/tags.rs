//! Tags: listing them and their history.

use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store::tags::{self, TagMove};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::{Page, existing};

impl Domain {
    /// Up to `limit` tags behind `last`, in byte order.
    pub async fn list_tags(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        last: &str,
        limit: u64,
    ) -> Result<Page<Tag>, Error> {
        self.allow(caller, Action::ListImages, name).await?;
        let (settings, name, last) = (self.settings.clone(), name.clone(), last.to_owned());
        let tags = self
            .database
            .read(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                Ok::<_, Error>(tags::list(txn, repository, &last, limit.saturating_add(1))?)
            })
            .await?;
        Ok(Page::cut(tags, limit))
    }

    /// Up to `limit` moves of a tag, oldest first.
    pub async fn tag_history(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        tag: &Tag,
        limit: u64,
    ) -> Result<Vec<TagMove>, Error> {
        self.allow(caller, Action::ListImages, name).await?;
        let (settings, name, tag) = (self.settings.clone(), name.clone(), tag.clone());
        self.database
            .read(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                Ok(tags::history(txn, repository, &tag, limit)?)
            })
            .await
    }
}
