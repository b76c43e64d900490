//! Which images of the registry are signed when they are pushed.

use berth_aws::ecr::shapes::SigningConfiguration;
use berth_aws::ecr::signing;
use berth_store::registry_settings::{self, Kind};

use crate::Domain;
use crate::caller::Caller;
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::registry_documents::read;

impl Domain {
    /// Sets the signing configuration (ECR `PutSigningConfiguration`). [`EcrError::Invalid`] for a profile of another region.
    pub async fn put_signing(
        &self,
        caller: &Caller,
        configuration: SigningConfiguration,
    ) -> Result<SigningConfiguration, Error> {
        self.allow_on_registry(caller, "ecr:PutSigningConfiguration").await?;
        signing::check(&configuration, self.settings.registry.region.as_str())?;
        self.put_only_document(Kind::Signing, &configuration).await?;
        Ok(configuration)
    }

    /// The signing configuration (ECR `GetSigningConfiguration`). [`EcrError::SigningConfigurationUnknown`].
    pub async fn get_signing(&self, caller: &Caller) -> Result<SigningConfiguration, Error> {
        self.allow_on_registry(caller, "ecr:GetSigningConfiguration").await?;
        let found = self.only_document(Kind::Signing).await?;
        found.ok_or_else(|| EcrError::SigningConfigurationUnknown.into())
    }

    /// Takes it away; what it was (ECR `DeleteSigningConfiguration`). [`EcrError::SigningConfigurationUnknown`].
    pub async fn delete_signing(&self, caller: &Caller) -> Result<SigningConfiguration, Error> {
        self.allow_on_registry(caller, "ecr:DeleteSigningConfiguration").await?;
        self.ensure_not_read_only()?;
        let registry = self.settings.registry.clone();
        self.database
            .write(move |txn| {
                let found = registry_settings::find(txn, &registry, Kind::Signing, "")?;
                let found = found.ok_or(EcrError::SigningConfigurationUnknown)?;
                registry_settings::delete(txn, &registry, Kind::Signing, "")?;
                read(&found)
            })
            .await
    }
}
