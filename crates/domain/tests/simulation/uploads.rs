//! Uploads: in parts, broken off, taken up again, given up.

use std::time::Duration;

use async_trait::async_trait;
use berth_domain::{Body, BodyFailed, EcrError, Error};
use berth_oci::digest::{Algorithm, Digest};
use bytes::Bytes;

use crate::clients::{Client, grace, half_grace, short};
use crate::model::Outcome;
use crate::world::{OpenUpload, UPLOAD_TTL};

/// A body that gives its bytes in two pieces, and may break off between them.
struct Pieces {
    pieces: Vec<Bytes>,
    breaks: bool,
}

#[async_trait]
impl Body for Pieces {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailed> {
        if self.breaks && self.pieces.len() == 1 {
            return Err(BodyFailed("simulated: the client went away".to_owned()));
        }
        Ok(if self.pieces.is_empty() { None } else { Some(self.pieces.remove(0)) })
    }
}

/// When something was sent.
#[derive(Clone, Copy)]
struct Sent {
    at: i64,
    power_losses: u64,
}

impl Client {
    fn body(&self, bytes: &Bytes, may_break: bool) -> Pieces {
        let half = bytes.len() / 2;
        let breaks = may_break && self.world.chaos.chance(1, 8);
        Pieces { pieces: vec![bytes.slice(..half), bytes.slice(half..)], breaks }
    }

    /// Uploads a blob from its first byte; says whether that was acknowledged.
    pub async fn upload(&self, repository: usize, blob: &Digest) -> bool {
        let result = self.domain.begin_upload(&self.caller, self.name(repository), Algorithm::Sha256).await;
        self.heard("POST upload", repository, &result);
        let Ok(id) = result else { return false };
        let upload = OpenUpload { node: self.node, repository, blob: blob.clone(), id };
        if self.world.chaos.chance(1, 2) {
            self.world.uploads.borrow_mut().push(upload.clone());
        }
        if self.world.chaos.chance(1, 10) {
            return false;
        }
        self.go_on(&upload, 0).await
    }

    /// Goes on with an upload that somebody left, or gives it up.
    pub async fn take_up_upload(&self, repository: usize) {
        let ours = |upload: &&OpenUpload| upload.node == self.node && upload.repository == repository;
        let open: Vec<OpenUpload> = self.world.uploads.borrow().iter().filter(ours).cloned().collect();
        if open.is_empty() {
            return;
        }
        let upload = self.world.chaos.pick(&open);
        if self.world.chaos.chance(1, 4) {
            let result = self.domain.cancel_upload(&self.caller, self.name(repository), &upload.id).await;
            self.heard("cancel", repository, &result);
        } else if let Some(offset) = self.status(upload).await {
            self.go_on(upload, offset).await;
        }
    }

    async fn status(&self, upload: &OpenUpload) -> Option<u64> {
        let result = self.domain.upload_status(&self.caller, self.name(upload.repository), &upload.id).await;
        self.heard(&format!("status {result:?}"), upload.repository, &result);
        result.ok()
    }

    /// Sends what is missing in parts, then finishes.
    async fn go_on(&self, upload: &OpenUpload, mut offset: u64) -> bool {
        let bytes = self.world.pool.blob(&upload.blob).bytes.clone();
        while self.world.chaos.chance(1, 2) {
            match self.append(upload, &bytes, offset).await {
                Some(now) => offset = now,
                None => return false,
            }
        }
        self.finish(upload, &bytes, offset).await
    }

    /// Sends one part; gives the offset behind it where the upload goes on.
    async fn append(&self, upload: &OpenUpload, bytes: &Bytes, offset: u64) -> Option<u64> {
        let rest = bytes.slice(usize::try_from(offset).unwrap().min(bytes.len())..);
        let part = rest.slice(..self.world.chaos.below(rest.len() + 1));
        let (mut body, sent) = (self.body(&part, true), self.sent());
        let (name, at) = (self.name(upload.repository), Some(offset));
        let result = if !part.is_empty() && self.world.chaos.chance(1, 3) {
            let last = offset + part.len() as u64 - 1;
            let bytes = part.clone();
            let sent = self.domain.upload_layer_part(&self.caller, name, &upload.id, offset, last, bytes).await;
            sent.map(|last| last + 1)
        } else {
            self.domain.append_to_upload(&self.caller, name, &upload.id, at, &mut body).await
        };
        let outcome = self.heard(&format!("PATCH {} bytes at {offset}", part.len()), upload.repository, &result);
        match result {
            Ok(now) => {
                let ended = offset + part.len() as u64;
                if now != ended {
                    self.world.violated(|| format!("a PATCH to {ended} ended at {now}"));
                }
                self.keeps(upload, now, sent).await
            }
            Err(Error::Body(_)) => self.keeps(upload, offset, sent).await,
            Err(_) if outcome == Outcome::Unknown && self.world.chaos.chance(1, 2) => self.status(upload).await,
            Err(_) => None,
        }
    }

    fn sent(&self) -> Sent {
        Sent { at: self.world.now(), power_losses: *self.world.power_losses.borrow() }
    }

    /// What was acknowledged of an upload is kept as long as its lease, unless the power failed.
    async fn keeps(&self, upload: &OpenUpload, acknowledged: u64, sent: Sent) -> Option<u64> {
        if !self.world.chaos.chance(1, 3) {
            return Some(acknowledged).filter(|_| self.world.chaos.chance(9, 10));
        }
        let offset = self.status(upload).await?;
        let now = self.sent();
        let is_leased = Duration::from_millis(now.at.abs_diff(sent.at)) < UPLOAD_TTL / 2;
        if offset < acknowledged && is_leased && now.power_losses == sent.power_losses {
            self.world.violated(|| format!("an upload of {acknowledged} acknowledged bytes has {offset}"));
        }
        Some(offset)
    }

    /// Completes an upload by the API of ECR; `None` where that takes no upload of such parts.
    async fn complete(&self, upload: &OpenUpload) -> Option<bool> {
        let (begun, asked, digests) = (self.world.tick(), self.world.now(), [upload.blob.clone()]);
        let name = self.name(upload.repository);
        let result = self.domain.complete_layer_upload(&self.caller, name, &upload.id, &digests).await;
        self.heard(&format!("complete {}", short(&upload.blob)), upload.repository, &result);
        match result {
            Ok(_) => self.promised(upload.repository, &upload.blob, begun, asked + grace()),
            Err(Error::Ecr(EcrError::LayerExists(_))) => {
                self.promised(upload.repository, &upload.blob, begun, asked + half_grace());
            }
            Err(Error::Ecr(EcrError::LayerPartTooSmall { .. })) => return None,
            Err(error) => {
                let is_wrong = matches!(error, Error::Ecr(EcrError::InvalidLayer { .. } | EcrError::EmptyUpload));
                if is_wrong && *self.world.power_losses.borrow() == 0 {
                    self.world.violated(|| format!("an upload came to other bytes than were sent: {error:?}"));
                }
                return Some(false);
            }
        }
        Some(true)
    }

    async fn finish(&self, upload: &OpenUpload, bytes: &Bytes, offset: u64) -> bool {
        let is_whole = offset > 0 && offset == bytes.len() as u64;
        if is_whole
            && self.world.chaos.chance(1, 2)
            && let Some(done) = self.complete(upload).await
        {
            return done;
        }
        let rest = bytes.slice(usize::try_from(offset).unwrap().min(bytes.len())..);
        let (begun, asked, mut body) = (self.world.tick(), self.world.now(), self.body(&rest, true));
        let (name, at) = (self.name(upload.repository), Some(offset));
        let result = self.domain.finish_upload(&self.caller, name, &upload.id, at, &mut body, &upload.blob).await;
        self.heard(&format!("PUT blob {}", short(&upload.blob)), upload.repository, &result);
        if matches!(result, Err(Error::DigestMismatch { .. })) && *self.world.power_losses.borrow() == 0 {
            self.world.violated(|| format!("an upload came to other bytes than were sent: {result:?}"));
        }
        if result.is_ok() {
            self.promised(upload.repository, &upload.blob, begun, asked + grace());
        }
        result.is_ok()
    }
}
