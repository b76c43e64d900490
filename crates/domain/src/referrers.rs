//! Referrers: the manifests that are about another one.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::manifests::{self, ReferrerRecord};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::Page;

/// The most referrers on one page.
const PAGE: usize = 500;
/// A page is full when its annotations have so many bytes: answers stay below the 4 MiB of a manifest.
const PAGE_BYTES: usize = 3 * 1024 * 1024;
/// Referrers that are read at once: each may have as many annotations as fit into a manifest.
const BATCH: u64 = 4;

impl Domain {
    /// The manifests whose subject is `subject`, behind digest `last`. A repository or subject that is not there has
    /// none (distribution spec, "Listing Referrers": never 404).
    pub async fn referrers(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: &str,
    ) -> Result<Page<ReferrerRecord>, Error> {
        caller.allow(Action::BatchGetImage, name, &self.settings)?;
        let mut found: Vec<ReferrerRecord> = Vec::new();
        let mut last = last.to_owned();
        let mut bytes = 0;
        loop {
            let batch = self.referrers_behind(name, subject, artifact_type, &last).await?;
            let Some(end) = batch.last() else { return Ok(Page { items: found, more: false }) };
            last = end.digest.to_string();
            for referrer in batch {
                bytes += annotation_bytes(&referrer);
                if !found.is_empty() && (bytes > PAGE_BYTES || found.len() >= PAGE) {
                    return Ok(Page { items: found, more: true });
                }
                found.push(referrer);
            }
        }
    }

    async fn referrers_behind(
        &self,
        name: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: &str,
    ) -> Result<Vec<ReferrerRecord>, Error> {
        let (registry, name, subject) = (self.settings.registry.clone(), name.clone(), subject.clone());
        let (artifact_type, last) = (artifact_type.map(str::to_owned), last.to_owned());
        self.database
            .read(move |txn| {
                let Some(repository) = berth_store::repositories::find(txn, &registry, &name)? else {
                    return Ok(Vec::new());
                };
                let kind = artifact_type.as_deref();
                manifests::referrers(txn, repository, &subject, kind, &last, BATCH).map_err(Error::from)
            })
            .await
    }
}

fn annotation_bytes(referrer: &ReferrerRecord) -> usize {
    referrer.annotations.iter().map(|(key, value)| key.len() + value.len() + 6).sum()
}
