//! Referrers: the manifests that are about another one.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::manifests::{self, PageLimits, ReferrerRecord};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::repositories::{Page, existing};

/// Answers stay below the 4 MiB of a manifest.
const PAGE: PageLimits = PageLimits { items: 500, bytes: 3 * 1024 * 1024 };
/// Artifact types of one question.
const MOST_TYPES: usize = 100;

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
        let types: Vec<String> = artifact_type.map(str::to_owned).into_iter().collect();
        match self.referrers_behind(name, subject, types, last, PAGE).await {
            Err(Error::RepositoryUnknown(_)) => Ok(Page { items: Vec::new(), more: false }),
            page => page,
        }
    }

    /// Up to `limit` manifests whose subject is `subject`, behind digest `after`, of these artifact types or, where none is
    /// given, of all (ECR `ListImageReferrers`). A subject that is not there has none. Fewer come at once where their
    /// annotations are large.
    pub async fn image_referrers(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        subject: &Digest,
        artifact_types: &[String],
        after: &str,
        limit: u64,
    ) -> Result<Page<ReferrerRecord>, Error> {
        self.allow(caller, Action::ListImageReferrers, name).await?;
        if artifact_types.len() > MOST_TYPES {
            return Err(
                EcrError::InvalidParameter(format!("At most {MOST_TYPES} artifact types can be asked for")).into()
            );
        }
        let items = usize::try_from(limit).unwrap_or(usize::MAX).min(PAGE.items);
        self.referrers_behind(name, subject, artifact_types.to_vec(), after, PageLimits { items, ..PAGE }).await
    }

    async fn referrers_behind(
        &self,
        name: &RepositoryName,
        subject: &Digest,
        types: Vec<String>,
        last: &str,
        limits: PageLimits,
    ) -> Result<Page<ReferrerRecord>, Error> {
        let (settings, name, subject, last) = (self.settings.clone(), name.clone(), subject.clone(), last.to_owned());
        self.database
            .read(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                let types: Vec<&str> = types.iter().map(String::as_str).collect();
                let (items, more) = manifests::referrers(txn, repository, &subject, &types, &last, limits)?;
                Ok(Page { items, more })
            })
            .await
    }
}
