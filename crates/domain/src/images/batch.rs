//! `BatchGetImage`: many manifests at once.

use std::collections::BTreeMap;

use berth_oci::digest::Digest;
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store::Transaction;
use berth_store::images::{self, PullableRecord};
use bytes::Bytes;

use super::describe::find;
use super::ids::{ImageFailure, ImageId};
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::settings::Settings;

/// Bytes of manifests in one answer.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// An image that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledImage {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The tag that it was asked for by.
    pub tag: Option<Tag>,
    /// The media type of its manifest.
    pub media_type: MediaType,
    /// The manifest, checked against its digest.
    pub bytes: Bytes,
}

type Answers<T> = Vec<Result<T, ImageFailure>>;

impl Domain {
    /// The manifests of these images, each in its place, or why not. Where media types are `accepted`, none of another.
    /// [`EcrError::LimitExceeded`] where they have more than 32 MiB together.
    pub async fn get_images(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        ids: &[ImageId],
        accepted: &[String],
    ) -> Result<Answers<PulledImage>, Error> {
        self.allow(caller, Action::BatchGetImage, name).await?;
        let (settings, wanted) = (self.settings.clone(), (name.clone(), ids.to_vec(), accepted.to_vec()));
        let read = self.database.read(move |txn| pullable(txn, &settings, &wanted.0, &wanted.1, &wanted.2));
        let found = read.await?;
        let bytes: u64 = found.iter().flatten().map(|record| record.size).sum();
        if bytes > MOST_BYTES {
            let what = "bytes of manifests in one answer";
            return Err(EcrError::LimitExceeded { what, limit: MOST_BYTES, setting: "" }.into());
        }
        let mut answers = Vec::with_capacity(ids.len());
        for (id, found) in ids.iter().zip(found) {
            answers.push(match found {
                Ok(record) => self.pull(caller, record, id.tag.clone()).await?,
                Err(failure) => Err(failure),
            });
        }
        Ok(answers)
    }

    async fn pull(
        &self,
        caller: &Caller,
        record: PullableRecord,
        tag: Option<Tag>,
    ) -> Result<Result<PulledImage, ImageFailure>, Error> {
        let Some(blob) = &record.blob else { return Ok(Err(ImageFailure::Damaged)) };
        match self.content(blob).await {
            Ok(bytes) => {
                self.note_pull(caller, record.id);
                Ok(Ok(PulledImage { digest: record.digest, tag, media_type: record.media_type, bytes }))
            }
            Err(Error::Damaged(_)) => Ok(Err(ImageFailure::Damaged)),
            Err(Error::BlobUnknown(_)) => Ok(Err(ImageFailure::NotFound)),
            Err(error) => Err(error),
        }
    }
}

fn pullable(
    txn: &mut dyn Transaction,
    settings: &Settings,
    name: &RepositoryName,
    ids: &[ImageId],
    accepted: &[String],
) -> Result<Answers<PullableRecord>, Error> {
    let found = find(txn, settings, name, ids)?;
    let digests: Vec<&Digest> = found.iter().flatten().map(|record| &record.digest).collect();
    let repository = found.iter().flatten().map(|record| record.repository).next();
    let pullable = match repository {
        Some(repository) => images::pullable(txn, repository, &digests)?,
        None => Vec::new(),
    };
    let pullable: BTreeMap<&Digest, &PullableRecord> = pullable.iter().map(|found| (&found.digest, found)).collect();
    let is_accepted =
        |record: &PullableRecord| accepted.is_empty() || accepted.iter().any(|kind| kind == record.media_type.as_str());
    let with_bytes = |found: &Result<_, ImageFailure>| {
        let record: &images::ImageRecord = found.as_ref().map_err(Clone::clone)?;
        let record = *pullable.get(&record.digest).ok_or(ImageFailure::NotFound)?;
        if is_accepted(record) { Ok(record.clone()) } else { Err(ImageFailure::NotAccepted) }
    };
    Ok(found.iter().map(with_bytes).collect())
}
