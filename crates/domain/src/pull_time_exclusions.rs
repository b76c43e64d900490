//! Principals whose pulls do not count as the last pull of an image.

use berth_aws::ecr::exclusion;
use berth_store::Timestamp;
use berth_store::registry_settings::{self, Kind};

use crate::Domain;
use crate::caller::Caller;
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::registry_documents::Most;
use crate::repositories::Page;

const KIND: Kind = Kind::PullTimeExclusion;

impl Domain {
    /// Excludes a role or user by its ARN; since when (ECR `RegisterPullTimeUpdateExclusion`).
    /// [`EcrError::ExclusionExists`], [`EcrError::LimitExceeded`], and [`EcrError::Invalid`] for what is no such ARN.
    pub async fn register_exclusion(&self, caller: &Caller, arn: &str) -> Result<Timestamp, Error> {
        self.allow_on_registry(caller, "ecr:RegisterPullTimeUpdateExclusion").await?;
        // How many there are is asked below, where nobody adds one meanwhile.
        let arn = exclusion::check(arn, 0, usize::MAX)?;
        self.ensure_not_read_only()?;
        let (settings, now) = (self.settings.clone(), self.clock.now());
        self.database
            .write(move |txn| {
                let (registry, arn) = (&settings.registry, arn.as_str());
                if registry_settings::find(txn, registry, KIND, arn)?.is_some() {
                    return Err(EcrError::ExclusionExists(arn.to_owned()).into());
                }
                let limit = settings.pull_time_exclusions;
                let (what, setting) = ("pull time update exclusions", "pull_time_exclusions");
                Most { kind: KIND, what, setting, limit }.ensure_room(txn, registry)?;
                registry_settings::put(txn, registry, KIND, arn, "", now)?;
                Ok(now)
            })
            .await
    }

    /// Excludes it no more (ECR `DeregisterPullTimeUpdateExclusion`). [`EcrError::ExclusionUnknown`].
    pub async fn deregister_exclusion(&self, caller: &Caller, arn: &str) -> Result<(), Error> {
        self.allow_on_registry(caller, "ecr:DeregisterPullTimeUpdateExclusion").await?;
        self.ensure_not_read_only()?;
        let (registry, arn) = (self.settings.registry.clone(), arn.to_owned());
        self.database
            .write(move |txn| {
                if registry_settings::delete(txn, &registry, KIND, &arn)? {
                    return Ok(());
                }
                Err(EcrError::ExclusionUnknown(arn.clone()).into())
            })
            .await
    }

    /// Up to `limit` excluded principals behind the ARN `last`, in byte order (ECR `ListPullTimeUpdateExclusions`).
    pub async fn list_exclusions(&self, caller: &Caller, last: &str, limit: u64) -> Result<Page<String>, Error> {
        self.allow_on_registry(caller, "ecr:ListPullTimeUpdateExclusions").await?;
        let Page { items, more } = self.documents_behind(KIND, last, limit).await?;
        Ok(Page { items: items.into_iter().map(|setting| setting.name).collect(), more })
    }
}
