//! The bytes of an upload on their way into the blob store, and what becomes of an upload when they fail.

use std::sync::atomic::Ordering;

use berth_store::BlobStoreError;
use berth_store::uploads::UploadRecord;

use super::claim::Claim;
use super::session::Held;
use super::writer::{Place, UploadWriter};
use crate::Domain;
use crate::body::Body;
use crate::error::Error;

impl Domain {
    /// Takes a body. What is to be committed at once, as `is_last` says, need not be kept for another request first.
    pub(super) async fn receive(
        &self,
        held: &mut Held,
        expected_start: Option<u64>,
        body: &mut dyn Body,
        is_last: bool,
    ) -> Result<u64, Error> {
        let offset = held.writer.as_ref().ok_or(Error::UploadUnknown)?.offset();
        if expected_start.is_some_and(|start| start != offset) {
            let unchanged = held.record.checkpoint.clone();
            self.note(held, unchanged).await?;
            return Err(Error::UploadRange { offset });
        }
        let writer = held.writer.as_mut().ok_or(Error::UploadUnknown)?;
        let place = self.place(&held.record);
        let broke_off = match self.pump(writer, place, body, held.claim.as_ref()).await {
            Ok(()) if is_last => return Ok(writer.offset()),
            Ok(()) => None,
            Err(Error::Body(failed)) => Some(failed),
            Err(error) => return self.fail(held, error).await,
        };
        let offset = writer.offset();
        match writer.flush(place).await {
            Ok(checkpoint) => self.note(held, checkpoint).await?,
            Err(error) => return self.fail(held, error.into()).await,
        }
        held.session.offset.store(offset, Ordering::Release);
        broke_off.map_or(Ok(offset), |failed| Err(Error::Body(failed)))
    }

    /// A failed write is never taken up again as if it had worked: the upload ends here, or goes on from its checkpoint.
    async fn fail(&self, held: &mut Held, error: Error) -> Result<u64, Error> {
        let was_begun = held.writer.take().is_none_or(|writer| writer.is_begun());
        let may_go_on =
            matches!(error, Error::BlobStore(BlobStoreError::Unavailable { .. }) | Error::UploadBusy { .. });
        if held.claim.is_some() && may_go_on {
            self.give_back(held.record.clone(), None).await?;
        } else if may_go_on && !was_begun {
            // The store could not even begin, so nothing is unknown: the client may send the same again.
            *held.writer = Some(UploadWriter::fresh(self.settings.inline_blob_bytes));
        } else {
            let is_full = matches!(error, Error::OutOfSpace);
            self.end(&held.record, held.claim.is_some(), is_full).await?;
        }
        Err(lost_or(error))
    }

    /// Ends an upload that failed. Where the disk is full its bytes go first: they may be all that keeps the database from
    /// taking the lease away, and a lease without bytes begins anew.
    pub(super) async fn end(&self, record: &UploadRecord, is_claimed: bool, is_full: bool) -> Result<(), Error> {
        if is_full && !is_claimed {
            self.forget_key(Some(record.key.clone())).await;
        }
        self.discard(record, is_claimed).await
    }

    async fn pump(
        &self,
        writer: &mut UploadWriter,
        place: Place<'_>,
        body: &mut dyn Body,
        claim: Option<&Claim>,
    ) -> Result<(), Error> {
        let limit = self.settings.layer_bytes;
        let declared = body.declared_length().unwrap_or(0);
        if writer.offset().saturating_add(declared) > limit {
            return Err(Error::LayerTooLarge { limit });
        }
        while let Some(bytes) = body.chunk().await? {
            if writer.offset().saturating_add(bytes.len() as u64) > limit {
                return Err(Error::LayerTooLarge { limit });
            }
            claim.map_or(Ok(()), Claim::ensure_held)?;
            writer.append(place, bytes).await?;
        }
        Ok(())
    }
}

/// An upload of which the store lost something cannot go on: its client has to begin again, and is told so.
pub(super) fn lost_or(error: Error) -> Error {
    if matches!(error, Error::BlobStore(BlobStoreError::NotFound(_))) { Error::UploadUnknown } else { error }
}
