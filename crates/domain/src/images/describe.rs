//! `DescribeImages`: what there is to know of images.

use std::collections::BTreeMap;

use berth_oci::digest::Digest;
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store::images::{self, ImageRecord, TagStatus};
use berth_store::repositories::RepositoryId;
use berth_store::{Timestamp, Transaction};

use super::ids::{ImageFailure, ImageId};
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::repositories::{Page, existing};
use crate::settings::Settings;

/// Tags on one page: fewer images are on it where they have more.
const TAGS: usize = 20_000;

/// What is known of an image (ECR `ImageDetail`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDescription {
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its tags, in byte order.
    pub tags: Vec<Tag>,
    /// The bytes of its config and layers; those of the largest image of an index.
    pub size: u64,
    /// When it was pushed first.
    pub pushed_at: Timestamp,
    /// The media type of its manifest.
    pub media_type: MediaType,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// What it is about.
    pub subject: Option<Digest>,
    /// When it was pulled last, as far as that is written: to the hour or so.
    pub last_pulled_at: Option<Timestamp>,
}

impl ImageDescription {
    fn of(record: ImageRecord, tags: Vec<Tag>) -> Self {
        let ImageRecord { digest, size, pushed_at, media_type, artifact_type, subject, last_pulled_at, .. } = record;
        Self { digest, tags, size, pushed_at, media_type, artifact_type, subject, last_pulled_at }
    }
}

impl Domain {
    /// These images, each once. [`EcrError::ImageUnknown`] where one is not there, or its tag and digest do not go together.
    pub async fn describe_images(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        ids: &[ImageId],
    ) -> Result<Vec<ImageDescription>, Error> {
        self.allow(caller, Action::DescribeImages, name).await?;
        let (settings, name, ids) = (self.settings.clone(), name.clone(), ids.to_vec());
        let read = self.database.read(move |txn| {
            let mut records = Vec::<ImageRecord>::new();
            for (id, found) in ids.iter().zip(find(txn, &settings, &name, &ids)?) {
                let record = found.map_err(|_| unknown(id, &settings, &name))?;
                if records.iter().all(|known| known.id != record.id) {
                    records.push(record);
                }
            }
            with_tags(txn, records)
        });
        read.await
    }

    /// Up to `limit` images behind the digest `after`, in the order of digests; fewer where they have many tags.
    pub async fn describe_images_behind(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        status: TagStatus,
        after: &str,
        limit: u64,
    ) -> Result<Page<ImageDescription>, Error> {
        self.allow(caller, Action::DescribeImages, name).await?;
        let (settings, name, after) = (self.settings.clone(), name.clone(), after.to_owned());
        let read = self.database.read(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            let records = images::page(txn, repository, status, &after, limit.saturating_add(1))?;
            let page = Page::cut(records, limit);
            match status {
                TagStatus::Untagged => Ok(untagged_page(page)),
                TagStatus::Any | TagStatus::Tagged => tagged_page(txn, repository, &after, page),
            }
        });
        read.await
    }
}

fn unknown(id: &ImageId, settings: &Settings, name: &RepositoryName) -> Error {
    let account = settings.registry.account.to_string();
    EcrError::ImageUnknown { image: id.to_string(), name: name.clone(), account }.into()
}

/// The images of these ids, each in its place.
pub(super) fn find(
    txn: &mut dyn Transaction,
    settings: &Settings,
    name: &RepositoryName,
    ids: &[ImageId],
) -> Result<Vec<Result<ImageRecord, ImageFailure>>, Error> {
    let tags: Vec<&Tag> = ids.iter().filter_map(|id| id.tag.as_ref()).collect();
    let alone = |id: &&ImageId| id.tag.is_none();
    let digests: Vec<&Digest> = ids.iter().filter(alone).filter_map(|id| id.digest.as_ref()).collect();
    let by_tag = images::of_tags(txn, &settings.registry, name, &tags)?;
    let by_tag: BTreeMap<&str, &ImageRecord> = by_tag.iter().map(|(tag, record)| (tag.as_str(), record)).collect();
    let by_digest = images::of_digests(txn, &settings.registry, name, &digests)?;
    let by_digest: BTreeMap<&Digest, &ImageRecord> = by_digest.iter().map(|record| (&record.digest, record)).collect();
    if by_tag.is_empty() && by_digest.is_empty() {
        existing(txn, settings, name)?;
    }
    let found = |id: &ImageId| match (&id.digest, &id.tag) {
        (digest, Some(tag)) => {
            let record = by_tag.get(tag.as_str()).ok_or(ImageFailure::NotFound)?;
            let is_meant = digest.as_ref().is_none_or(|digest| *digest == record.digest);
            if is_meant { Ok((*record).clone()) } else { Err(ImageFailure::TagDoesNotMatchDigest) }
        }
        (Some(digest), None) => by_digest.get(digest).map(|record| (*record).clone()).ok_or(ImageFailure::NotFound),
        (None, None) => Err(ImageFailure::NotFound),
    };
    Ok(ids.iter().map(found).collect())
}

fn with_tags(txn: &mut dyn Transaction, records: Vec<ImageRecord>) -> Result<Vec<ImageDescription>, Error> {
    let Some(repository) = records.first().map(|record| record.repository) else { return Ok(Vec::new()) };
    let rows: Vec<i64> = records.iter().map(|record| record.id).collect();
    let mut tags = images::tags_of(txn, repository, &rows)?;
    let described = |record: ImageRecord| {
        let tags = tags.remove(&record.id).unwrap_or_default();
        ImageDescription::of(record, tags)
    };
    Ok(records.into_iter().map(described).collect())
}

fn untagged_page(page: Page<ImageRecord>) -> Page<ImageDescription> {
    let described = |record| ImageDescription::of(record, Vec::new());
    Page { items: page.items.into_iter().map(described).collect(), more: page.more }
}

/// The images of a page with their tags, none of which is left out between them; it ends before an image whose tags would be too many.
fn tagged_page(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    after: &str,
    page: Page<ImageRecord>,
) -> Result<Page<ImageDescription>, Error> {
    let Page { items: mut records, mut more } = page;
    let Some(last) = records.last().map(|record| record.digest.clone()) else {
        return Ok(Page { items: Vec::new(), more });
    };
    let mut tags = images::tags_between(txn, repository, after, &last, TAGS as u64 + 1)?;
    if let Some((cut, _)) = tags.get(TAGS) {
        let fitting = records.iter().position(|record| record.id == *cut).unwrap_or(0);
        more |= fitting.max(1) < records.len();
        records.truncate(fitting.max(1));
        if fitting == 0 {
            return Ok(Page { items: with_tags(txn, records)?, more });
        }
        tags.truncate(TAGS);
    }
    let mut tags = tags.into_iter().peekable();
    let mut items = Vec::with_capacity(records.len());
    for record in records {
        let mut own = Vec::new();
        while let Some((_, tag)) = tags.next_if(|(id, _)| *id == record.id) {
            own.push(tag);
        }
        items.push(ImageDescription::of(record, own));
    }
    Ok(Page { items, more })
}
