//! The walk over links, blobs, keys and parts, a batch at a time.

use berth_store::blob_store::StoredKey;
use berth_store::garbage::{self, MetBlob, MetLink};
use berth_store::repositories::RepositoryId;
use berth_store::{Begun, BlobKey, BlobStoreError, Timestamp, Transaction, uploads};
use futures_util::stream::TryChunksError;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Collected, Collector, Garbage};
use crate::Domain;
use crate::error::Error;

/// Rows that are looked at in one batch, and taken in one transaction: few, as pushes wait for it.
const BATCH: u64 = 50;

/// Multipart uploads that are given up in one walk; there are few, and the next one finds the rest.
const MULTIPARTS: usize = 1000;

/// Where a walk is: before the first batch of a kind, or behind the last one that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Links { repository: i64, digest: String },
    Blobs { id: i64 },
    Keys { key: Option<String> },
    Multiparts,
}

impl Place {
    pub(super) const START: Self = Self::Links { repository: 0, digest: String::new() };
}

/// What a walk met in one batch and may take, none of it looked at again yet.
pub(super) enum Batch {
    Links(Vec<MetLink>),
    Blobs(Vec<MetBlob>),
    Keys(Vec<StoredKey>),
    Multiparts(Vec<Begun>),
}

/// One collection under way.
pub(super) struct Walk<'r> {
    pub(super) domain: &'r Domain,
    pub(super) collector: &'r mut dyn Collector,
    pub(super) dry: bool,
    pub(super) collected: Collected,
}

impl Walk<'_> {
    /// Idle is what was last promised before this moment.
    fn before(&self) -> Timestamp {
        self.domain.clock.now().before(self.domain.settings.gc_grace)
    }

    /// What is idle behind a place, and the place behind it; `None` at the end.
    pub(super) async fn look(&mut self, place: &Place) -> Result<(Batch, Option<Place>), Error> {
        match place {
            Place::Links { repository, digest } => self.look_at_links(RepositoryId(*repository), digest.clone()).await,
            Place::Blobs { id } => self.look_at_blobs(*id).await,
            Place::Keys { key } => self.look_at_keys(key.as_deref()).await,
            Place::Multiparts => Ok((Batch::Multiparts(self.abandoned().await?), None)),
        }
    }

    /// Takes what is still idle.
    pub(super) async fn take(&mut self, batch: Batch) -> Result<(), Error> {
        match batch {
            Batch::Links(idle) => {
                for link in self.unlink(idle).await? {
                    self.note(&Garbage::Link { repository: link.name, digest: link.digest, size: link.size });
                }
            }
            Batch::Blobs(idle) => {
                for blob in self.forget(idle).await? {
                    self.delete(blob.key).await;
                    self.note(&Garbage::Blob { digest: blob.digest, size: blob.size });
                }
            }
            Batch::Keys(unowned) => {
                for stored in unowned {
                    let key = stored.key.as_str().to_owned();
                    self.delete(Some(stored.key)).await;
                    self.note(&Garbage::Key { key, size: stored.size });
                }
            }
            Batch::Multiparts(abandoned) => {
                for begun in abandoned {
                    self.give_up(&begun).await;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, garbage: &Garbage) {
        self.collected.count(garbage);
        self.collector.garbage(garbage);
    }

    async fn delete(&mut self, key: Option<BlobKey>) {
        if !self.dry {
            self.domain.forget_key(key).await;
        }
    }

    async fn look_at_links(&mut self, behind: RepositoryId, digest: String) -> Result<(Batch, Option<Place>), Error> {
        let before = self.before();
        let read =
            move |txn: &mut dyn Transaction| garbage::links(txn, (behind, &digest), before, BATCH).map_err(Error::from);
        let met = self.domain.database.read(read).await?;
        let next = met.last().map_or(Place::Blobs { id: 0 }, |last| Place::Links {
            repository: last.repository.0,
            digest: last.digest.to_string(),
        });
        Ok((Batch::Links(met.into_iter().filter(|link| link.idle).collect()), Some(next)))
    }

    async fn unlink(&mut self, idle: Vec<MetLink>) -> Result<Vec<MetLink>, Error> {
        if self.dry || idle.is_empty() {
            return Ok(idle);
        }
        let before = self.before();
        let gone = self.domain.database.write(move |txn| {
            let mut gone = Vec::new();
            for link in &idle {
                if garbage::unlink(txn, link.repository, &link.digest, before)? {
                    gone.push(link.clone());
                }
            }
            Ok::<_, Error>(gone)
        });
        gone.await
    }

    async fn look_at_blobs(&mut self, after: i64) -> Result<(Batch, Option<Place>), Error> {
        let before = self.before();
        let read = move |txn: &mut dyn Transaction| garbage::blobs(txn, after, before, BATCH).map_err(Error::from);
        let met = self.domain.database.read(read).await?;
        let next = met.last().map_or(Place::Keys { key: None }, |last| Place::Blobs { id: last.id });
        Ok((Batch::Blobs(met.into_iter().filter(|blob| blob.idle).collect()), Some(next)))
    }

    async fn forget(&mut self, idle: Vec<MetBlob>) -> Result<Vec<MetBlob>, Error> {
        if self.dry || idle.is_empty() {
            return Ok(idle);
        }
        let (before, now) = (self.before(), self.domain.clock.now());
        let gone = self.domain.database.write(move |txn| {
            let mut gone = Vec::new();
            for blob in &idle {
                if garbage::forget(txn, blob, before, now)? {
                    gone.push(blob.clone());
                }
            }
            Ok::<_, Error>(gone)
        });
        gone.await
    }

    /// Keys without a row. A key gets its row soon after its last byte or never, so an old one stays without.
    async fn look_at_keys(&mut self, behind: Option<&str>) -> Result<(Batch, Option<Place>), Error> {
        if self.domain.are_keys_kept().await? {
            return Ok((Batch::Keys(Vec::new()), None));
        }
        let behind = behind.and_then(BlobKey::parse);
        let met = self.domain.blobs.list(behind.as_ref(), 200).await?;
        let last = met.last().map(|last| last.key.as_str().to_owned());
        let next = last.map_or(Place::Multiparts, |last| Place::Keys { key: Some(last) });
        let keys: Vec<BlobKey> = met.iter().map(|stored| stored.key.clone()).collect();
        let owned = move |txn: &mut dyn Transaction| Ok::<_, Error>(berth_store::blobs::owned_keys(txn, &keys)?);
        let owned = self.domain.database.read(owned).await?;
        let before = self.before();
        let unowned = met.into_iter().filter(|stored| stored.modified < before && !owned.contains(&stored.key));
        Ok((Batch::Keys(unowned.collect()), Some(next)))
    }

    /// Parts that a node left when it was killed. A server that does not tell what was begun is no reason to fail.
    async fn abandoned(&self) -> Result<Vec<Begun>, Error> {
        let mut pages = self.domain.blobs.begun().try_chunks(200);
        let mut found = Vec::new();
        while let Some(page) = pages.next().await
            && found.len() < MULTIPARTS
        {
            match page {
                Ok(page) => found.extend(self.abandoned_of(page).await?),
                Err(TryChunksError(_, error)) => {
                    tracing::warn!(%error, "abandoned multipart uploads cannot be looked for");
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Those that are old and at the key of no open upload, which owns what was begun there, however old. Rows are asked
    /// for behind the listing: an upload has its row before it begins anything. Whoever writes without one, moving or
    /// repairing blobs, is done within the grace time or begins again.
    async fn abandoned_of(&self, page: Vec<Begun>) -> Result<Vec<Begun>, Error> {
        let before = self.before();
        let old: Vec<Begun> = page.into_iter().filter(|begun| begun.at < before).collect();
        let keys: Vec<BlobKey> = old.iter().map(|begun| begun.key.clone()).collect();
        let open = move |txn: &mut dyn Transaction| Ok::<_, Error>(uploads::begun_at(txn, &keys)?);
        let open = self.domain.database.read(open).await?;
        Ok(old.into_iter().filter(|begun| !open.contains(&begun.key)).collect())
    }

    async fn give_up(&mut self, begun: &Begun) {
        let gone: Result<(), BlobStoreError> = if self.dry { Ok(()) } else { self.domain.blobs.abandon(begun).await };
        match gone {
            Ok(()) => self.note(&Garbage::Multipart { key: begun.key.as_str().to_owned() }),
            Err(error) => tracing::warn!(key = %begun.key, %error, "a multipart upload could not be given up"),
        }
    }
}
