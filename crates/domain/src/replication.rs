//! Where images of the registry are copied to.

use berth_aws::ecr::replication;
use berth_aws::ecr::shapes::ReplicationConfiguration;
use berth_store::registry_settings::Kind;

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;

impl Domain {
    /// Sets the replication configuration; one without rules ends replication (ECR `PutReplicationConfiguration`).
    /// [`crate::EcrError::Invalid`] for destinations that are none and for too many rules.
    pub async fn put_replication(
        &self,
        caller: &Caller,
        configuration: ReplicationConfiguration,
    ) -> Result<ReplicationConfiguration, Error> {
        self.allow_on_registry(caller, "ecr:PutReplicationConfiguration").await?;
        replication::check(&configuration, &self.own_registry(), replication::Limits::default())?;
        self.put_only_document(Kind::Replication, &configuration).await?;
        Ok(configuration)
    }

    /// The replication configuration, without rules where none was set (ECR `DescribeRegistry`).
    pub async fn describe_registry(&self, caller: &Caller) -> Result<ReplicationConfiguration, Error> {
        self.allow_on_registry(caller, "ecr:DescribeRegistry").await?;
        Ok(self.only_document(Kind::Replication).await?.unwrap_or_default())
    }

    /// The registry, for rules that tell it from others.
    pub(crate) fn own_registry(&self) -> replication::Registry<'_> {
        let registry = &self.settings.registry;
        replication::Registry { account: registry.account.as_str(), region: registry.region.as_str() }
    }
}
