//! One blob on its way into the bucket.
//!
//! Bytes gather in a buffer whose memory comes from the process's budget. A full buffer goes out as a part while the next
//! one fills. At a flush the rest, too small for a part, is kept as an object of its own under a fresh key, the *tail*; a
//! blob that has no parts by then needs nothing more: the tail is the blob. So several nodes can go on with an upload one
//! after the other, each from the checkpoint of the one before, and no object is ever written twice.

use std::sync::Arc;

use async_trait::async_trait;
use berth_oci::digest::{Algorithm, Digest, Hasher};
use berth_store::{BlobKey, BlobStoreError, BlobWriter, Checkpoint, Stored, Unfinished};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::task::JoinSet;

use super::Shared;
use super::budget::Share;
use super::checkpoint::{Multipart, Part, State};
use super::client::Client;

/// Parts of one blob that are on their way at the same time.
const IN_FLIGHT: usize = 4;

/// Memory that a blob begins with; small ones need no more.
const FIRST: usize = 1 << 20;

/// S3 refuses a smaller part, unless it is the last.
const LEAST_PART: usize = 5 << 20;

/// From so many parts on they are twice as large, so that 10,000 of them hold the largest layer.
const MANY_PARTS: usize = 5000;

type SentPart = Result<(usize, Part), BlobStoreError>;

/// Bytes that wait to be sent, and the memory they may take.
#[derive(Default)]
struct Buffer {
    frames: Vec<Bytes>,
    bytes: usize,
    share: Option<Share>,
}

impl Buffer {
    fn room(&self) -> usize {
        self.share.as_ref().map_or(0, Share::bytes).saturating_sub(self.bytes)
    }

    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        // Small frames are copied together: each would keep alive the larger block that it was read into.
        if frame.len() >= 16 * 1024 {
            self.frames.push(frame);
        } else {
            self.frames.push(Bytes::copy_from_slice(&frame));
        }
    }

    fn take(&mut self) -> (Vec<Bytes>, usize, Option<Share>) {
        let taken = std::mem::take(self);
        (taken.frames, taken.bytes, taken.share)
    }
}

/// The writer of one blob.
pub(super) struct S3Writer {
    shared: Arc<Shared>,
    key: BlobKey,
    hasher: Hasher,
    offset: u64,
    buffer: Buffer,
    multipart: Option<Multipart>,
    // Whether the multipart upload is named by a checkpoint: then it is not this writer's to give up.
    is_noted: bool,
    sending: JoinSet<SentPart>,
    sent: Vec<(usize, Part)>,
    begun_parts: usize,
    tail: Option<(BlobKey, u64)>,
    noted_tail: Option<BlobKey>,
    contested: bool,
    broken: bool,
}

impl S3Writer {
    /// The writer of a blob that has no bytes yet.
    pub(super) fn new(shared: Arc<Shared>, key: BlobKey, algorithm: Algorithm) -> Self {
        Self {
            shared,
            key,
            hasher: Hasher::new(algorithm),
            offset: 0,
            buffer: Buffer::default(),
            multipart: None,
            is_noted: false,
            sending: JoinSet::new(),
            sent: Vec::new(),
            begun_parts: 0,
            tail: None,
            noted_tail: None,
            contested: false,
            broken: false,
        }
    }

    /// The writer behind a checkpoint.
    pub(super) fn resume(
        shared: Arc<Shared>,
        unfinished: Unfinished<'_>,
        algorithm: Algorithm,
    ) -> Result<Self, BlobStoreError> {
        let mut writer = Self::new(shared, unfinished.key.clone(), algorithm);
        let Some(checkpoint) = unfinished.checkpoint else { return Ok(writer) };
        let state = State::read(checkpoint);
        let Some((state, hasher)) = state.and_then(|state| state.hasher().map(|hasher| (state, hasher))) else {
            let source = std::io::Error::other("what was noted of the upload cannot be read");
            return Err(BlobStoreError::Io { action: format!("resuming {}", unfinished.key), source });
        };
        if state.is_elsewhere(&writer.shared.place) {
            return Err(BlobStoreError::NotFound(unfinished.key.clone()));
        }
        writer.hasher = hasher;
        writer.offset = checkpoint.offset;
        writer.begun_parts = state.multipart.as_ref().map_or(0, |multipart| multipart.parts.len());
        writer.is_noted = state.multipart.is_some();
        writer.multipart = state.multipart;
        writer.tail = checkpoint.tail.clone().map(|key| (key, state.tail_bytes));
        writer.noted_tail.clone_from(&checkpoint.tail);
        writer.contested = unfinished.contested;
        Ok(writer)
    }

    fn part_bytes(&self) -> usize {
        if self.begun_parts < MANY_PARTS { self.shared.part_bytes } else { self.shared.part_bytes * 2 }
    }

    /// Sees to it that the buffer takes at least one more byte.
    async fn make_room(&mut self) -> Result<(), BlobStoreError> {
        let part = self.part_bytes();
        if self.buffer.bytes >= part {
            self.send_part().await?;
        }
        if self.buffer.room() > 0 && self.tail.is_none() {
            return Ok(());
        }
        if let Some(share) = &mut self.buffer.share {
            if self.shared.budget.grow(share, part) {
                return Ok(());
            }
            // Nobody waits for memory while holding some: what is here goes out first.
            self.write_tail().await?;
        }
        let wanted = if self.begun_parts == 0 && self.tail.is_none() { FIRST.min(part) } else { part };
        self.buffer.share = Some(self.shared.budget.take(wanted).await?);
        self.load_tail().await
    }

    /// Sends the buffer off as the next part.
    async fn send_part(&mut self) -> Result<(), BlobStoreError> {
        let multipart = self.multipart_id().await?;
        while self.sending.len() >= IN_FLIGHT {
            self.await_part().await?;
        }
        let (frames, bytes, share) = self.buffer.take();
        let (shared, key, nth) = (Arc::clone(&self.shared), self.key.clone(), self.begun_parts);
        self.begun_parts += 1;
        self.sending.spawn(async move {
            let id = shared.client.put_part(&key, &multipart, nth, frames).await?;
            drop(share);
            Ok((nth, Part { id, bytes: bytes as u64 }))
        });
        Ok(())
    }

    async fn multipart_id(&mut self) -> Result<String, BlobStoreError> {
        if let Some(multipart) = &self.multipart {
            return Ok(multipart.id.clone());
        }
        let id = self.shared.client.begin(&self.key).await?;
        self.multipart = Some(Multipart { id: id.clone(), parts: Vec::new() });
        Ok(id)
    }

    async fn await_part(&mut self) -> Result<(), BlobStoreError> {
        match self.sending.join_next().await {
            Some(Ok(sent)) => self.sent.push(sent?),
            Some(Err(error)) => {
                let action = format!("writing a part of {}", self.key);
                return Err(BlobStoreError::Io { action, source: std::io::Error::other(error) });
            }
            None => {}
        }
        Ok(())
    }

    /// Waits for the parts that are on their way and puts them into their order.
    async fn settle_parts(&mut self) -> Result<(), BlobStoreError> {
        while !self.sending.is_empty() {
            self.await_part().await?;
        }
        self.sent.sort_by_key(|(nth, _)| *nth);
        if let Some(multipart) = &mut self.multipart {
            multipart.parts.extend(self.sent.drain(..).map(|(_, part)| part));
        }
        Ok(())
    }

    /// Puts the buffer into an object of its own.
    async fn write_tail(&mut self) -> Result<(), BlobStoreError> {
        if self.buffer.bytes == 0 {
            self.buffer.take();
            return Ok(());
        }
        let key = BlobKey::fresh(self.shared.random.as_ref());
        let (frames, bytes, _share) = self.buffer.take();
        self.shared.client.put(&key, frames).await?;
        self.tail = Some((key, bytes as u64));
        Ok(())
    }

    /// Takes the tail back into the buffer. The object goes, unless a checkpoint names it.
    async fn load_tail(&mut self) -> Result<(), BlobStoreError> {
        let Some((key, size)) = self.tail.take() else { return Ok(()) };
        for frame in self.shared.client.get_all(&key, size).await? {
            self.buffer.push(frame);
        }
        if self.noted_tail.as_ref() != Some(&key) {
            self.shared.client.delete(&key).await?;
        }
        Ok(())
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<(), BlobStoreError> {
        while !bytes.is_empty() {
            self.make_room().await?;
            let fitting = bytes.split_to(bytes.len().min(self.buffer.room()));
            self.hasher.update(&fitting);
            self.offset += fitting.len() as u64;
            self.buffer.push(fitting);
        }
        Ok(())
    }

    async fn note(&mut self) -> Result<Checkpoint, BlobStoreError> {
        let is_part = self.buffer.bytes >= LEAST_PART && self.begun_parts < MANY_PARTS;
        if is_part && self.multipart.is_some() {
            self.send_part().await?;
        } else if self.buffer.share.is_some() {
            self.write_tail().await?;
        }
        self.settle_parts().await?;
        let tail_bytes = self.tail.as_ref().map_or(0, |(_, bytes)| *bytes);
        let state = State::new(&self.shared.place, &self.hasher, self.multipart.as_ref(), tail_bytes);
        let tail = self.tail.as_ref().map(|(key, _)| key.clone());
        let checkpoint = state.checkpoint(self.offset, tail.clone())?;
        self.is_noted = self.multipart.is_some();
        self.noted_tail = tail;
        Ok(checkpoint)
    }

    /// Makes one object of everything, and tells where it is.
    async fn complete(&mut self) -> Result<BlobKey, BlobStoreError> {
        if self.multipart.is_none() {
            if self.tail.is_some() && self.tail.as_ref().map(|(key, _)| key) == self.noted_tail.as_ref() {
                return self.adopt_tail().await;
            }
            if self.tail.is_some() {
                self.buffer.share = Some(self.shared.budget.take(self.part_bytes()).await?);
                self.load_tail().await?;
            }
            let (frames, _, _share) = self.buffer.take();
            self.shared.client.put(&self.key, frames).await?;
            return Ok(self.key.clone());
        }
        if self.tail.is_some() {
            self.buffer.share = Some(self.shared.budget.take(self.part_bytes()).await?);
            self.load_tail().await?;
        }
        if self.buffer.bytes > 0 {
            self.send_part().await?;
        }
        self.settle_parts().await?;
        self.complete_multipart().await?;
        Ok(self.key.clone())
    }

    /// Makes the tail the blob. A checkpoint names it, so nobody takes it away any more, unless that was done before: by a
    /// collection, while this process stood still for long between writing and noting it.
    async fn adopt_tail(&mut self) -> Result<BlobKey, BlobStoreError> {
        let Some((key, bytes)) = self.tail.take() else { return Err(BlobStoreError::NotFound(self.key.clone())) };
        match self.shared.client.size(&key).await? {
            size if size == bytes => Ok(key),
            size => {
                let reason = format!("it has {size} bytes instead of {bytes}");
                Err(BlobStoreError::Io { action: format!("finishing {key}"), source: std::io::Error::other(reason) })
            }
        }
    }

    /// The blob, where its parts were made one by an earlier attempt that did not live to tell. What that attempt sent is not
    /// known here, so it is read again.
    async fn completed_before(&mut self) -> Result<BlobKey, BlobStoreError> {
        match self.multipart.take() {
            Some(_) if self.shared.client.size(&self.key).await? == self.offset => {
                self.contested = true;
                Ok(self.key.clone())
            }
            _ => Err(BlobStoreError::NotFound(self.key.clone())),
        }
    }

    async fn complete_multipart(&mut self) -> Result<(), BlobStoreError> {
        let Some(multipart) = self.multipart.clone() else { return Ok(()) };
        let parts = multipart.parts.into_iter().map(|part| part.id);
        let completed = self.shared.client.complete(&self.key, &multipart.id, parts).await;
        // An answer may have been lost and the request repeated: what counts is whether the object is there, whole.
        match (completed, self.shared.client.size(&self.key).await) {
            (_, Ok(size)) if size == self.offset => {
                self.multipart = None;
                Ok(())
            }
            (Err(error), _) | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok(size)) => {
                let reason = format!("it has {size} bytes instead of {}", self.offset);
                Err(BlobStoreError::Unavailable { action: format!("completing {}", self.key), reason })
            }
        }
    }

    /// The digest of what the server has, read back.
    async fn digest_of_stored(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Digest, BlobStoreError> {
        let mut hasher = Hasher::new(algorithm);
        if self.offset > 0 {
            let mut chunks = self.shared.client.get(key, 0..self.offset).await?;
            let broken = |error: object_store::Error| BlobStoreError::Unavailable {
                action: format!("reading {key} again"),
                reason: error.to_string(),
            };
            while let Some(chunk) = chunks.try_next().await.map_err(broken)? {
                hasher.update(&chunk);
            }
        }
        Ok(hasher.finish())
    }

    async fn finish(&mut self, expected: &Digest) -> Result<Stored, BlobStoreError> {
        let known = (expected.algorithm() == self.hasher.algorithm()).then(|| self.hasher.clone().finish());
        refuse_other(known.as_ref(), expected)?;
        let key = match self.complete().await {
            Err(BlobStoreError::NotFound(_)) => self.completed_before().await?,
            completed => completed?,
        };
        // A part that a writer which was thought dead sent late may have taken the place of ours.
        let must_read = known.is_none() || (self.contested && self.begun_parts > 0);
        if must_read {
            let read = self.digest_of_stored(&key, expected.algorithm()).await;
            let checked = read.and_then(|actual| refuse_other(Some(&actual), expected));
            if let Err(error) = checked {
                self.shared.client.delete(&key).await?;
                return Err(error);
            }
        }
        Ok(Stored { key, size: self.offset })
    }

    fn refuse_if_broken(&self) -> Result<(), BlobStoreError> {
        if !self.broken {
            return Ok(());
        }
        let source = std::io::Error::other("what is stored is unknown");
        Err(BlobStoreError::Io { action: format!("writing {} on after an earlier failure", self.key), source })
    }
}

fn refuse_other(actual: Option<&Digest>, expected: &Digest) -> Result<(), BlobStoreError> {
    match actual {
        Some(actual) if actual != expected => {
            Err(BlobStoreError::DigestMismatch { expected: expected.clone(), actual: actual.clone() })
        }
        _ => Ok(()),
    }
}

impl Drop for S3Writer {
    /// What no checkpoint names is of no use to anybody.
    fn drop(&mut self) {
        let multipart = self.multipart.take().filter(|_| !self.is_noted);
        let tail = self.tail.take().map(|(key, _)| key).filter(|key| self.noted_tail.as_ref() != Some(key));
        if multipart.is_none() && tail.is_none() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (shared, key) = (Arc::clone(&self.shared), self.key.clone());
        runtime.spawn(async move {
            let (multipart, tail) = (multipart.as_ref(), tail.as_ref());
            if let Err(error) = remove(&shared.client, &key, multipart, tail).await {
                tracing::warn!(%key, %error, "what was left of an upload could not be removed");
            }
        });
    }
}

async fn remove(
    client: &Client,
    key: &BlobKey,
    multipart: Option<&Multipart>,
    tail: Option<&BlobKey>,
) -> Result<(), BlobStoreError> {
    if let Some(multipart) = multipart {
        client.abort(key, &multipart.id).await?;
    }
    if let Some(tail) = tail {
        client.delete(tail).await?;
    }
    Ok(())
}

/// Deletes what was kept of an unfinished blob. It may be finished all the same, by a writer that lost its claim later.
pub(super) async fn give_up(client: &Client, unfinished: Unfinished<'_>) -> Result<(), BlobStoreError> {
    let multipart = unfinished.checkpoint.and_then(State::read).and_then(|state| state.multipart);
    let tail = unfinished.checkpoint.and_then(|checkpoint| checkpoint.tail.as_ref());
    remove(client, unfinished.key, multipart.as_ref(), tail).await?;
    client.delete(unfinished.key).await
}

#[async_trait]
impl BlobWriter for S3Writer {
    fn offset(&self) -> u64 {
        self.offset
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), BlobStoreError> {
        self.refuse_if_broken()?;
        // Until it is known to have worked; a caller that goes away in between leaves it so.
        self.broken = true;
        self.take(bytes).await?;
        self.broken = false;
        Ok(())
    }

    async fn flush(&mut self) -> Result<Option<Checkpoint>, BlobStoreError> {
        self.refuse_if_broken()?;
        self.broken = true;
        let checkpoint = self.note().await?;
        self.broken = false;
        Ok(Some(checkpoint))
    }

    async fn commit(mut self: Box<Self>, expected: &Digest) -> Result<Stored, BlobStoreError> {
        self.refuse_if_broken()?;
        self.finish(expected).await
    }
}
