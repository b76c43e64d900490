//! Layers by the API of ECR: whether they are there, and where to download them.

use std::collections::HashMap;

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::manifests::{self, ReferenceKind};
use berth_store::{Timestamp, garbage, layers};

use crate::Domain;
use crate::access::scopes;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::passes::{DOWNLOAD_LIFE, Holder, Pass, PassKind, PassText};
use crate::repositories::existing;

/// A layer that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerAvailable {
    /// Its bytes.
    pub size: u64,
    /// Its media type, where that is known: manifests name it, the registry does not keep it.
    pub media_type: Option<String>,
}

/// Where a client can download a layer.
#[derive(Debug, Clone)]
pub enum LayerAddress {
    /// From the blob store, at this address, which is good for a while.
    Store(String),
    /// From the registry, with this pass.
    Pass(PassText),
}

impl Domain {
    /// Which layers a repository has (ECR `BatchCheckLayerAvailability`), each in its place. One that is there is promised to
    /// stay until a manifest can name it; one that is damaged is not there, so that it is pushed again.
    pub async fn layer_availability(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        digests: &[Digest],
    ) -> Result<Vec<(Digest, Option<LayerAvailable>)>, Error> {
        self.allow(caller, Action::BatchCheckLayerAvailability, name).await?;
        let mut sizes = self.linked_sizes(name, digests).await?;
        let now = self.clock.now();
        let renewed_before = now.before(self.settings.gc_grace / 2);
        let due: Vec<Digest> = sizes
            .iter()
            .filter(|(_, (_, promised))| *promised <= renewed_before)
            .map(|(digest, _)| digest.clone())
            .collect();
        for gone in self.promise_all(name, due, now).await? {
            sizes.remove(&gone);
        }
        let available = |digest: &Digest| {
            let size = sizes.get(digest).map(|(size, _)| *size);
            (digest.clone(), size.map(|size| LayerAvailable { size, media_type: None }))
        };
        Ok(digests.iter().map(available).collect())
    }

    /// Of some blobs those that a repository links and that are sound: their sizes, and when each link was last promised.
    async fn linked_sizes(
        &self,
        name: &RepositoryName,
        digests: &[Digest],
    ) -> Result<HashMap<Digest, (u64, Timestamp)>, Error> {
        let (settings, name, digests) = (self.settings.clone(), name.clone(), digests.to_vec());
        let read = self.database.read(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            let linked = layers::linked(txn, repository, &digests.iter().collect::<Vec<_>>())?;
            let sound = linked.into_iter().filter(|(blob, _)| !blob.quarantined);
            Ok(sound.map(|(blob, promised)| (blob.digest, (blob.size, promised))).collect())
        });
        read.await
    }

    /// Promises links anew; gives back those that went away meanwhile.
    async fn promise_all(&self, name: &RepositoryName, due: Vec<Digest>, now: Timestamp) -> Result<Vec<Digest>, Error> {
        if due.is_empty() || self.settings.read_only {
            return Ok(Vec::new());
        }
        let (settings, name) = (self.settings.clone(), name.clone());
        let write = self.database.write(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            let mut gone = Vec::new();
            for digest in &due {
                if !garbage::promise(txn, repository, digest, now)? {
                    gone.push(digest.clone());
                }
            }
            Ok(gone)
        });
        write.await
    }

    /// Where a layer that an image names can be downloaded (ECR `GetDownloadUrlForLayer`): from the blob store where that gives
    /// addresses, else from the registry with a pass that opens this layer for an hour, and not for longer than the session.
    pub async fn layer_address(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<LayerAddress, Error> {
        self.allow(caller, Action::GetDownloadUrlForLayer, name).await?;
        // A pass is no way to another one.
        scopes::ensure_wide(caller)?;
        let (blob, _) = self.find_blob(name, digest).await.map_err(|error| match error {
            Error::BlobUnknown(digest) => EcrError::LayersUnknown(vec![digest]).into(),
            other => other,
        })?;
        self.ensure_named(name, digest).await?;
        match self.blob_address(&blob).await? {
            Some(address) => Ok(LayerAddress::Store(address)),
            None => self.download_pass(caller, name, digest).map(LayerAddress::Pass),
        }
    }

    async fn ensure_named(&self, name: &RepositoryName, digest: &Digest) -> Result<(), Error> {
        let (settings, name, digest) = (self.settings.clone(), name.clone(), digest.clone());
        let read = self.database.read(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            match manifests::referring(txn, repository, ReferenceKind::Blob, &digest)? {
                Some(_) => Ok(()),
                None => Err(EcrError::LayerInaccessible(digest.clone()).into()),
            }
        });
        read.await
    }

    fn download_pass(&self, caller: &Caller, name: &RepositoryName, digest: &Digest) -> Result<PassText, Error> {
        let holder = match caller.identity() {
            Some(identity) => identity.holder.clone().ok_or(Error::Unauthenticated)?,
            None if caller.is_anonymous() => Holder::Nobody,
            None => return Err(Error::Unauthenticated),
        };
        let ends = self.clock.now().after(DOWNLOAD_LIFE);
        let session = caller.identity().and_then(|identity| identity.session.as_ref());
        let expires_at = session.map_or(ends, |session| session.expires_at.min(ends));
        let scopes = Some(vec![scopes::layer(&self.settings.registry, name, digest)]);
        let pass = Pass { holder, expires_at, scopes, registry: self.if_not_home() };
        pass.seal(PassKind::Download, &self.server_key, self.random.as_ref())
    }
}
