//! Rebuilding: what a blob store holds that the database does not know, because it was lost or restored to an earlier
//! moment.
//!
//! A blob's name, its repositories and tags are facts of the database alone, and so are small manifests. What can be won
//! back is bytes under their digests, and manifests large enough to lie in the blob store. They come into a repository
//! of their own, from where any other one can mount them: images that are pushed or imported again send no layer twice.

use std::time::Duration;

use berth_oci::digest::{Algorithm, Digest, Hasher};
use berth_oci::manifest::{MAX_MANIFEST_BYTES, Manifest};
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_store::blob_store::chunks;
use berth_store::blobs::{self, Location};
use berth_store::repositories;
use berth_store::{BlobKey, BlobStoreError, StoredKey};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::images::Push;
use crate::verify::Pace;

/// Keys looked at between two questions to the database.
const BATCH: usize = 200;
/// How long what was found stays although no manifest names it.
const STAY: Duration = Duration::from_hours(30 * 24);

/// What a rebuild found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Blobs that are in the repository now.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys with bytes that the database knew at another key; garbage collection takes them.
    pub copies: u64,
    /// Manifests among the blobs that are whole and can be pulled by digest.
    pub manifests: Vec<Digest>,
    /// Manifests that need content which was not found, and what the registry says of them.
    pub incomplete: Vec<Incomplete>,
}

/// A manifest that cannot be pulled.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Incomplete {
    /// Its digest.
    pub manifest: Digest,
    /// What is wrong.
    pub reason: String,
}

/// Content found at a key.
struct Found {
    key: BlobKey,
    digest: Digest,
    size: u64,
    manifest: Option<(Manifest, Bytes)>,
}

impl Domain {
    /// Finds what lies at keys that no row owns, and links it to the repository `into`. `pace` hears of the bytes.
    pub async fn rebuild(&self, caller: &Caller, into: &RepositoryName, pace: &mut dyn Pace) -> Result<Rebuilt, Error> {
        self.allow_administration(caller, "berth:Rebuild")?;
        self.ensure_not_read_only()?;
        let mut rebuilt = Rebuilt::default();
        let mut manifests = Vec::new();
        let mut after: Option<BlobKey> = None;
        loop {
            let stored: Vec<StoredKey> = self.blobs.list(after.as_ref(), BATCH).await?;
            let Some(end) = stored.last() else { break };
            after = Some(end.key.clone());
            for key in self.unowned(&stored).await? {
                let Some(mut found) = self.identify(key, pace).await? else { continue };
                manifests
                    .extend(found.manifest.take().map(|(manifest, bytes)| (found.digest.clone(), manifest, bytes)));
                self.take_in(caller, into, found, &mut rebuilt).await?;
            }
        }
        self.push_found(caller, into, manifests, &mut rebuilt).await?;
        Ok(rebuilt)
    }

    async fn unowned(&self, stored: &[StoredKey]) -> Result<Vec<BlobKey>, Error> {
        let keys: Vec<BlobKey> = stored.iter().map(|stored| stored.key.clone()).collect();
        let asked = keys.clone();
        let owned = self.database.read(move |txn| blobs::owned_keys(txn, &asked).map_err(Error::from)).await?;
        Ok(keys.into_iter().filter(|key| !owned.contains(key)).collect())
    }

    /// Hashes what lies at a key; `None` where nothing does any more.
    async fn identify(&self, key: BlobKey, pace: &mut dyn Pace) -> Result<Option<Found>, Error> {
        let read = match self.blobs.read(&key, 0, u64::MAX).await {
            Ok(read) => read,
            Err(BlobStoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (mut hasher, mut size, mut start) = (Hasher::new(Algorithm::Sha256), 0, BytesMut::new());
        let mut frames = chunks(read);
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|source| BlobStoreError::Io { action: format!("reading {key}"), source })?;
            hasher.update(&frame);
            size += frame.len() as u64;
            if start.len() <= MAX_MANIFEST_BYTES {
                start.extend_from_slice(&frame);
            }
            pace.hashed(frame.len() as u64).await;
        }
        let start = start.freeze();
        let manifest = Manifest::parse(&start, None).ok().map(|manifest| (manifest, start));
        Ok((size > 0).then(|| Found { key, digest: hasher.finish(), size, manifest }))
    }

    async fn take_in(
        &self,
        caller: &Caller,
        into: &RepositoryName,
        found: Found,
        rebuilt: &mut Rebuilt,
    ) -> Result<(), Error> {
        let (registry, into, by) = (self.settings.registry.clone(), into.clone(), caller.principal().to_owned());
        let (size, now) = (found.size, self.clock.now());
        let taken = self.database.write(move |txn| {
            let repository = repositories::find_or_create(txn, &registry, &into, &by, now)?;
            let location = Location::Key(found.key.clone());
            let (id, unneeded) = blobs::record(txn, &found.digest, &location, found.size, now)?;
            blobs::link(txn, repository, &found.digest, id, found.size, now.after(STAY))?;
            Ok::<_, Error>(unneeded.as_ref() != Some(&found.key))
        });
        if taken.await? {
            rebuilt.blobs += 1;
            rebuilt.bytes += size;
        } else {
            rebuilt.copies += 1;
        }
        Ok(())
    }

    /// Pushes manifests, those first that others list: until a round brings none.
    async fn push_found(
        &self,
        caller: &Caller,
        into: &RepositoryName,
        mut manifests: Vec<(Digest, Manifest, Bytes)>,
        rebuilt: &mut Rebuilt,
    ) -> Result<(), Error> {
        loop {
            let (before, mut left) = (manifests.len(), Vec::new());
            rebuilt.incomplete.clear();
            for (digest, manifest, bytes) in manifests {
                self.link_known(into, &manifest).await?;
                let (reference, content_type) = (Reference::Digest(digest.clone()), None);
                let push = Push { reference, tags: Vec::new(), content_type, bytes: bytes.clone() };
                match self.bring_back_manifest(caller, into, push).await {
                    Ok(_) => rebuilt.manifests.push(digest),
                    Err(error @ (Error::Database(_) | Error::BlobStore(_) | Error::OutOfSpace)) => return Err(error),
                    Err(error) => {
                        rebuilt.incomplete.push(Incomplete { manifest: digest.clone(), reason: error.to_string() });
                        left.push((digest, manifest, bytes));
                    }
                }
            }
            if left.is_empty() || left.len() == before {
                return Ok(());
            }
            manifests = left;
        }
    }

    /// Links the blobs of a manifest that other repositories hold.
    async fn link_known(&self, into: &RepositoryName, manifest: &Manifest) -> Result<(), Error> {
        let wanted: Vec<Digest> = manifest.blob_references().map(|blob| blob.digest.clone()).collect();
        let (settings, into, now) = (self.settings.clone(), into.clone(), self.clock.now());
        let link = self.database.write(move |txn| {
            let repository = crate::repositories::existing(txn, &settings, &into)?;
            for digest in &wanted {
                if let Some(known) = blobs::find(txn, digest)? {
                    blobs::link(txn, repository, digest, known.id, known.size, now)?;
                }
            }
            Ok::<_, Error>(())
        });
        link.await
    }
}
