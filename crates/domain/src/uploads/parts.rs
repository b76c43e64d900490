//! Uploads by the API of ECR: the same ones, in parts that say where they begin and end.

use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::UploadId;
use berth_oci::name::RepositoryName;
use berth_store::blobs::Location;
use berth_store::{BlobStoreError, uploads};
use bytes::Bytes;

use super::session::Held;
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::repositories::existing;
use crate::target::IfMissing;

/// The least that every part but the last must have, in bytes (ECR, "service quotas").
pub const MIN_PART: u64 = 5 * 1024 * 1024;

impl Domain {
    /// Begins an upload of a layer to a repository that there is (ECR `InitiateLayerUpload`).
    pub async fn begin_layer_upload(&self, caller: &Caller, name: &RepositoryName) -> Result<UploadId, Error> {
        self.allow(caller, Action::InitiateLayerUpload, name).await?;
        self.begin(caller, (name, IfMissing::Refuse), Algorithm::Sha256).await
    }

    /// Appends a part of the bytes `first` to `last` of the layer, counted from zero, and gives back the last byte that the
    /// upload holds (ECR `UploadLayerPart`). [`EcrError::InvalidLayerPart`] where it does not continue the upload.
    pub async fn upload_layer_part(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        id: &UploadId,
        first: u64,
        last: u64,
        bytes: Bytes,
    ) -> Result<u64, Error> {
        self.allow(caller, Action::UploadLayerPart, name).await?;
        self.ensure_writable().await?;
        let mut held = self.hold_in_repository(caller, name, id).await?;
        let offset = held.writer.as_ref().ok_or(Error::UploadUnknown)?.offset();
        if let Err(error) = self.check_part(&held, offset, (first, last), bytes.len() as u64) {
            self.leave(&mut held).await?;
            return Err(error);
        }
        self.extend_lease(&held.record).await?;
        let is_short = (bytes.len() as u64) < MIN_PART;
        let received = self.receive(&mut held, Some(first), &mut Some(bytes), false).await;
        if self.sessions.is_crowded() {
            self.sessions.forget(&held.record.id);
        }
        let end = received?;
        self.count_part(held.record.id.clone(), is_short.then_some(end)).await?;
        Ok(end.saturating_sub(1))
    }

    /// An upload; where there is none because there is not even the repository, that is told.
    async fn hold_in_repository(&self, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Result<Held, Error> {
        match self.hold(caller, name, id).await {
            Err(Error::UploadUnknown) => {
                let (settings, name) = (self.settings.clone(), name.clone());
                self.database.read(move |txn| existing(txn, &settings, &name).map(|_| ())).await?;
                Err(Error::UploadUnknown)
            }
            held => held,
        }
    }

    fn check_part(&self, held: &Held, offset: u64, (first, last): (u64, u64), length: u64) -> Result<(), Error> {
        let last_valid = i64::try_from(offset).unwrap_or(i64::MAX) - 1;
        let invalid = |reason| Err(EcrError::InvalidLayerPart { reason, last_valid }.into());
        if first != offset {
            return invalid(format!(
                "The part begins at byte {first}, but the upload holds {offset} bytes: go on from there"
            ));
        }
        if last.checked_sub(first).and_then(|span| span.checked_add(1)) != Some(length) {
            return invalid(format!("The part has {length} bytes, which does not go from byte {first} to byte {last}"));
        }
        let limit = self.settings.upload_parts;
        if limit > 0 && held.record.parts >= limit {
            return Err(EcrError::LimitExceeded { what: "parts of a layer", limit, setting: "upload_parts" }.into());
        }
        Ok(())
    }

    async fn count_part(&self, id: String, short_end: Option<u64>) -> Result<(), Error> {
        let write = self.database.write(move |txn| uploads::count_part(txn, &id, short_end).map_err(Error::from));
        if write.await? { Ok(()) } else { Err(Error::UploadUnknown) }
    }

    /// Lets go of an upload that nothing was done to.
    async fn leave(&self, held: &mut Held) -> Result<(), Error> {
        let unchanged = held.record.checkpoint.clone();
        self.note(held, unchanged).await
    }

    /// Makes an upload a layer of the repository (ECR `CompleteLayerUpload`). All `digests` must be that of its bytes.
    /// [`EcrError::LayerExists`] where the repository has it already: the upload is given up then.
    pub async fn complete_layer_upload(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        id: &UploadId,
        digests: &[Digest],
    ) -> Result<Digest, Error> {
        self.allow(caller, Action::CompleteLayerUpload, name).await?;
        self.ensure_writable().await?;
        let Some(expected) = digests.first() else {
            return Err(EcrError::InvalidParameter("layerDigests must hold a digest".to_owned()).into());
        };
        let mut held = self.hold_in_repository(caller, name, id).await?;
        if let Err(error) = ensure_complete(&held) {
            self.leave(&mut held).await?;
            return Err(error);
        }
        match self.has_layer(name, expected).await {
            Ok(false) => {}
            Ok(true) => {
                held.writer.take();
                self.discard(&held.record, held.claim.is_some()).await?;
                return Err(EcrError::LayerExists(expected.clone()).into());
            }
            Err(error) => {
                self.leave(&mut held).await?;
                return Err(error);
            }
        }
        if let Some(other) = digests.iter().find(|digest| *digest != expected) {
            return Err(self.refuse_digests(&mut held, expected, other).await?);
        }
        match self.settle(&mut held, expected).await {
            Err(Error::DigestMismatch { expected, actual }) => {
                Err(EcrError::InvalidLayer { expected: expected.to_string(), actual }.into())
            }
            settled => settled.map(|()| expected.clone()),
        }
    }

    /// Whether the repository links a sound blob of this digest, which is promised to stay then.
    async fn has_layer(&self, name: &RepositoryName, digest: &Digest) -> Result<bool, Error> {
        match self.find_blob(name, digest).await {
            Ok((_, promised)) => self.promise(name, digest, promised).await,
            Err(Error::BlobUnknown(_) | Error::Damaged(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends an upload whose bytes cannot have all the digests that were given, and tells one that they do not have.
    async fn refuse_digests(&self, held: &mut Held, expected: &Digest, other: &Digest) -> Result<Error, Error> {
        let writer = held.writer.take().ok_or(Error::UploadUnknown)?;
        let (wrong, actual) = match writer.commit(self.place(&held.record), expected).await {
            Ok(finished) => {
                if let Location::Key(key) = finished.location {
                    self.discard(&held.record, held.claim.is_some()).await?;
                    self.forget_key(Some(key)).await;
                }
                (other, expected.clone())
            }
            Err(BlobStoreError::DigestMismatch { actual, .. }) => (expected, actual),
            Err(error) => {
                self.end(&held.record, held.claim.is_some(), false).await?;
                return Err(super::lost_or(error.into()));
            }
        };
        self.end(&held.record, held.claim.is_some(), false).await?;
        Ok(EcrError::InvalidLayer { expected: wrong.to_string(), actual }.into())
    }
}

/// Only the last part of a layer may be short, and there must be one.
fn ensure_complete(held: &Held) -> Result<(), Error> {
    let offset = held.writer.as_ref().ok_or(Error::UploadUnknown)?.offset();
    if offset == 0 {
        return Err(EcrError::EmptyUpload.into());
    }
    match held.record.short_part_end {
        Some(end) if end < offset => Err(EcrError::LayerPartTooSmall { end, minimum: MIN_PART }.into()),
        _ => Ok(()),
    }
}
