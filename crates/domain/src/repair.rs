//! Repair: what a verification found damaged or missing is brought back from backups or from another registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_store::blobs::{self, Location};
use berth_store::manifests::{self, ManifestReference, ReferenceKind};
use berth_store::repositories::RepositoryId;
use berth_store::{Archive, BlobKey, Content};
use berth_transfer::{BlobReader, Retry, Source};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::Domain;
use crate::backup::{self, BackupError};
use crate::caller::Caller;
use crate::images::{INLINE_BYTES, Push};
use crate::repositories::existing;
use crate::verify::Finding;

/// Repositories of a source that are asked for one blob.
const ASKED: u64 = 10;

/// Where sound bytes may be.
pub enum Spare<'s> {
    /// An archive of backups, of any registry.
    Backups(&'s dyn Archive),
    /// A registry that has the same repositories.
    Registry(&'s dyn Source),
}

/// What came of a repair.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Repaired {
    /// What is as it should be again.
    pub repaired: Vec<Finding>,
    /// What is not.
    pub left: Vec<Left>,
}

/// A finding that could not be repaired.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Left {
    /// What was found.
    pub finding: Finding,
    /// Why it is still so.
    pub reason: String,
}

/// Why one thing was not repaired; or why nothing can be.
enum Failed {
    This(String),
    All(BackupError),
}

impl<E: Into<BackupError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::All(error.into())
    }
}

impl Domain {
    /// Brings back what `findings` name, as far as `spare` has it. `scratch` is an empty file for the tables of backups.
    pub async fn repair(
        &self,
        caller: &Caller,
        findings: Vec<Finding>,
        spare: &Spare<'_>,
        scratch: &File,
    ) -> Result<Repaired, BackupError> {
        self.allow_administration(caller, "berth:Repair")?;
        self.ensure_writable().await?;
        let in_tables = match spare {
            Spare::Backups(archive) => backup::find_in_tables(*archive, &named(&findings), scratch).await?,
            Spare::Registry(_) => BTreeMap::new(),
        };
        let run = Run { domain: self, caller, spare, in_tables: &in_tables };
        let mut repaired = Repaired::default();
        for finding in findings {
            match run.finding(&finding).await {
                Ok(()) => repaired.repaired.push(finding),
                Err(Failed::This(reason)) => repaired.left.push(Left { finding, reason }),
                Err(Failed::All(error)) => return Err(error),
            }
        }
        Ok(repaired)
    }
}

fn named(findings: &[Finding]) -> BTreeSet<Digest> {
    let digest = |finding: &Finding| match finding {
        Finding::DamagedBlob { digest } | Finding::DanglingReference { missing: digest, .. } => digest.clone(),
    };
    findings.iter().map(digest).collect()
}

#[derive(Clone, Copy)]
struct Run<'r> {
    domain: &'r Domain,
    caller: &'r Caller,
    spare: &'r Spare<'r>,
    in_tables: &'r BTreeMap<Digest, Vec<u8>>,
}

impl Run<'_> {
    async fn finding(&self, finding: &Finding) -> Result<(), Failed> {
        match finding {
            Finding::DamagedBlob { digest } => self.damaged(digest).await,
            Finding::DanglingReference { registry, repository, missing, .. } => {
                let name = RepositoryName::parse(repository).map_err(|error| Failed::This(error.to_string()))?;
                let domain = self.domain.in_registry(registry)?;
                // Whoever may repair the server pushes in another account as its operator would.
                let operator = domain.operator_of(&registry.account);
                let is_at_home = self.domain.settings.registry.account == registry.account;
                let caller = if is_at_home { self.caller } else { &operator };
                Run { domain: &domain, caller, ..*self }.dangling(&name, missing).await
            }
        }
    }

    async fn dangling(&self, name: &RepositoryName, missing: &Digest) -> Result<(), Failed> {
        match self.referred(name, missing).await? {
            Some((id, ManifestReference { kind: ReferenceKind::Blob, size, .. })) => {
                self.missing_blob(name, id, missing, size).await
            }
            Some(_) => self.missing_child(name, missing).await,
            // What referred to it went meanwhile.
            None => Ok(()),
        }
    }

    async fn referred(
        &self,
        name: &RepositoryName,
        missing: &Digest,
    ) -> Result<Option<(RepositoryId, ManifestReference)>, BackupError> {
        let (settings, name, missing) = (self.domain.settings.clone(), name.clone(), missing.clone());
        let read = self.domain.database.read(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            Ok::<_, BackupError>(manifests::referred(txn, repository, &missing)?.map(|found| (repository, found)))
        });
        read.await
    }

    async fn damaged(&self, digest: &Digest) -> Result<(), Failed> {
        let (wanted, registry) = (digest.clone(), self.domain.settings.registry.clone());
        let read = self.domain.database.read(move |txn| {
            let mut names = manifests::repositories_holding(txn, &registry, &wanted, ASKED)?;
            names.extend(blobs::repositories_linking(txn, &registry, &wanted, ASKED)?);
            Ok::<_, BackupError>((blobs::find(txn, &wanted)?, names))
        });
        let (Some(blob), names) = read.await? else { return Ok(()) };
        let names: Vec<RepositoryName> = names.iter().filter_map(|name| RepositoryName::parse(name).ok()).collect();
        let location = self.bring(digest, blob.size, &names).await?;
        self.record(digest, location, blob.size, None).await
    }

    async fn missing_blob(
        &self,
        name: &RepositoryName,
        id: RepositoryId,
        digest: &Digest,
        size: u64,
    ) -> Result<(), Failed> {
        let wanted = digest.clone();
        let known = self.domain.database.read(move |txn| blobs::find(txn, &wanted).map_err(BackupError::from)).await?;
        let location = match known {
            Some(known) if !known.quarantined => known.location,
            _ => self.bring(digest, size, std::slice::from_ref(name)).await?,
        };
        self.record(digest, location, size, Some(id)).await
    }

    /// A manifest of an index comes as a push does, so that what it needs is looked for too.
    async fn missing_child(&self, name: &RepositoryName, digest: &Digest) -> Result<(), Failed> {
        let (bytes, content_type) = match self.spare {
            Spare::Registry(source) => {
                let read = source.manifest(name, &Reference::Digest(digest.clone())).await;
                let read = read.map_err(|error| Failed::This(error.to_string()))?;
                (read.bytes, read.media_type)
            }
            Spare::Backups(_) => (self.bytes_of(digest, u64::MAX).await?, None),
        };
        let push = Push { reference: Reference::Digest(digest.clone()), tags: Vec::new(), content_type, bytes };
        match self.domain.bring_back_manifest(self.caller, name, push).await {
            Ok(_) => Ok(()),
            Err(error @ (crate::Error::Database(_) | crate::Error::BlobStore(_) | crate::Error::OutOfSpace)) => {
                Err(error.into())
            }
            Err(error) => Err(Failed::This(error.to_string())),
        }
    }

    async fn bytes_of(&self, digest: &Digest, size: u64) -> Result<Bytes, Failed> {
        let content = self.content(digest, size, &[]).await?;
        let frames: Vec<Bytes> = content.try_collect().await.map_err(|error| Failed::This(error.to_string()))?;
        Ok(frames.concat().into())
    }

    /// Sound bytes of a blob, where they are to stay.
    async fn bring(&self, digest: &Digest, size: u64, names: &[RepositoryName]) -> Result<Location, Failed> {
        let content = self.content(digest, size, names).await?;
        if usize::try_from(size).is_ok_and(|size| size <= INLINE_BYTES) && self.in_tables.contains_key(digest) {
            let frames: Vec<Bytes> = content.try_collect().await.map_err(|error| Failed::This(error.to_string()))?;
            return Ok(Location::Inline(frames.concat()));
        }
        self.write(digest, content).await.map(Location::Key)
    }

    /// The bytes as the spare gives them, not yet checked.
    async fn content<'c>(
        &'c self,
        digest: &'c Digest,
        size: u64,
        names: &'c [RepositoryName],
    ) -> Result<Content<'c>, Failed> {
        let absent = || Failed::This("nothing there has it".to_owned());
        match self.spare {
            Spare::Backups(archive) => match self.in_tables.get(digest) {
                Some(bytes) => Ok(once(Bytes::copy_from_slice(bytes))),
                None => backup::find_blob(*archive, digest).await?.ok_or_else(absent),
            },
            Spare::Registry(source) => {
                let mut why = absent();
                for name in names {
                    match from_registry(*source, name, digest, size).await {
                        Ok(content) => return Ok(content),
                        Err(error) => why = error,
                    }
                }
                Err(why)
            }
        }
    }

    async fn write(&self, digest: &Digest, mut content: Content<'_>) -> Result<BlobKey, Failed> {
        let key = BlobKey::fresh(self.domain.random.as_ref());
        let mut writer = self.domain.blobs.create(&key, digest.algorithm()).await.map_err(crate::Error::from)?;
        let written = loop {
            match content.try_next().await {
                Ok(Some(frame)) => writer.append(frame).await.map_err(crate::Error::from)?,
                Ok(None) => break writer.commit(digest).await.map_err(crate::Error::from),
                Err(error) => {
                    self.domain.forget_key(Some(key)).await;
                    return Err(Failed::This(error.to_string()));
                }
            }
        };
        match written {
            Ok(stored) => Ok(stored.key),
            Err(error @ crate::Error::DigestMismatch { .. }) => {
                self.domain.forget_key(Some(key)).await;
                Err(Failed::This(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn record(
        &self,
        digest: &Digest,
        location: Location,
        size: u64,
        link: Option<RepositoryId>,
    ) -> Result<(), Failed> {
        let (digest, now) = (digest.clone(), self.domain.clock.now());
        let recorded = self.domain.database.write(move |txn| {
            let (id, unneeded) = blobs::record(txn, &digest, &location, size, now)?;
            if let Some(repository) = link {
                blobs::link(txn, repository, &digest, id, size, now)?;
            }
            Ok::<_, BackupError>(unneeded)
        });
        self.domain.forget_key(recorded.await?).await;
        Ok(())
    }
}

fn once(bytes: Bytes) -> Content<'static> {
    stream::once(std::future::ready(Ok(bytes))).boxed()
}

/// A manifest or blob of one repository.
async fn from_registry<'c>(
    source: &'c dyn Source,
    name: &'c RepositoryName,
    digest: &'c Digest,
    size: u64,
) -> Result<Content<'c>, Failed> {
    if let Ok(manifest) = source.manifest(name, &Reference::Digest(digest.clone())).await {
        return Ok(once(manifest.bytes));
    }
    let mut reader = BlobReader::new(source, name, digest, size, Retry::default());
    // Asked for here, so that the next repository has its turn where this one does not have it.
    let first = reader.chunk().await.map_err(|error| Failed::This(error.to_string()))?;
    let rest = stream::try_unfold(reader, |mut reader| async move {
        let frame = reader.chunk().await.map_err(std::io::Error::other)?;
        Ok(frame.map(|frame| (frame, reader)))
    });
    Ok(stream::iter(first.map(Ok)).chain(rest).boxed())
}
