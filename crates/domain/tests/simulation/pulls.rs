//! Pulls: whatever must be there comes back as it was pushed.

use berth_domain::Error;
use berth_domain::blobs::Content;
use berth_oci::digest::Digest;
use berth_oci::reference::Reference;
use berth_store::blob_store::chunks;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::clients::{Client, reference, short};
use crate::content::Manifest;
use crate::model::Outcome;

impl Client {
    /// GET of a manifest by its digest; says whether it came.
    pub async fn pull_manifest(&self, repository: usize, manifest: &Manifest) -> bool {
        let begun = self.world.tick();
        let reference = Reference::Digest(manifest.digest.clone());
        let result = self.domain.get_manifest(&self.caller, self.name(repository), &reference).await;
        let outcome = self.heard(&format!("GET {}", short(&manifest.digest)), repository, &result);
        let span = (begun, self.world.tick());
        let mut model = self.world.model.borrow_mut();
        match &result {
            Ok((_, bytes)) if *bytes != manifest.bytes => model.violated("a manifest has other bytes".to_owned()),
            Ok(_) if model.must_lack_manifest(repository, &manifest.digest, span) => {
                model.violated(format!("GET finds manifest {}, which was deleted", short(&manifest.digest)));
            }
            Err(error)
                if outcome == Outcome::Refused && model.must_have_manifest(repository, &manifest.digest, span) =>
            {
                model.violated(format!("GET misses manifest {}: {error:?}", short(&manifest.digest)));
            }
            _ => {}
        }
        result.is_ok()
    }

    /// Pulls an image as clients do: by its tag, then its blobs.
    pub async fn pull_by_tag(&self, repository: usize, tag: &'static str) {
        let begun = self.world.tick();
        let result = self.domain.get_manifest(&self.caller, self.name(repository), &reference(tag)).await;
        let outcome = self.heard(&format!("GET {tag}"), repository, &result);
        if outcome == Outcome::Unknown {
            return;
        }
        let found = result.ok().map(|(found, _)| found.digest);
        let span = (begun, self.world.tick());
        let possible = self.world.model.borrow_mut().tag_may_be(repository, tag, span);
        if !possible.contains(&found) {
            self.world.violated(|| format!("tag {tag} is {found:?}, but may only be one of {possible:?}"));
        }
        if let Some(manifest) = found.and_then(|digest| self.world.pool.manifest(&digest)) {
            self.pull_blobs(repository, manifest).await;
        }
    }

    pub async fn pull_blobs(&self, repository: usize, manifest: &Manifest) {
        for blob in &manifest.blobs {
            self.pull_blob(repository, blob).await;
        }
    }

    pub async fn pull_blob(&self, repository: usize, blob: &Digest) {
        let begun = self.world.tick();
        let result = self.read(repository, blob).await;
        let outcome = self.heard(&format!("GET blob {}", short(blob)), repository, &result);
        match result {
            Ok(bytes) if bytes != self.world.pool.blob(blob).bytes => {
                self.world.violated(|| format!("blob {} has other bytes", short(blob)));
            }
            Err(_) if outcome == Outcome::Refused => self.must_not_be_missing("GET", repository, blob, begun),
            _ => {}
        }
    }

    async fn read(&self, repository: usize, blob: &Digest) -> Result<Bytes, Error> {
        let handle = self.domain.get_blob(&self.caller, self.name(repository), blob).await?;
        let stored = match self.domain.read_blob(&handle, 0, handle.size()).await? {
            Content::Bytes(bytes) => return Ok(bytes),
            Content::Stored(stored) => stored,
        };
        let (mut whole, mut chunks) = (BytesMut::new(), chunks(stored));
        while let Some(chunk) = chunks.next().await {
            whole.extend_from_slice(&chunk.unwrap());
        }
        Ok(whole.freeze())
    }
}
