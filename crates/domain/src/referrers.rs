//! Referrers: the manifests that are about another one.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::manifests::{self, PageLimits, ReferrerRecord};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::Page;

/// Answers stay below the 4 MiB of a manifest.
const PAGE: PageLimits = PageLimits { items: 500, bytes: 3 * 1024 * 1024 };

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
        self.allow(caller, Action::BatchGetImage, name).await?;
        let (registry, name, subject) = (self.settings.registry.clone(), name.clone(), subject.clone());
        let (artifact_type, last) = (artifact_type.map(str::to_owned), last.to_owned());
        self.database
            .read(move |txn| {
                let Some(repository) = berth_store::repositories::find(txn, &registry, &name)? else {
                    return Ok(Page { items: Vec::new(), more: false });
                };
                let kind = artifact_type.as_deref();
                let (items, more) = manifests::referrers(txn, repository, &subject, kind, &last, PAGE)?;
                Ok(Page { items, more })
            })
            .await
    }
}
