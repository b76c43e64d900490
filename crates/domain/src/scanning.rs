//! Which repositories are scanned, and when.

use berth_aws::arn;
use berth_aws::ecr::{scanning, shapes as s};
use berth_oci::name::RepositoryName;
use berth_store::registry_settings::Kind;
use berth_store::repositories::{Registry, RepositoryRecord};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;

const BASIC: &str = "BASIC";
const ON_PUSH: &str = "SCAN_ON_PUSH";
const MANUAL: &str = "MANUAL";

impl Domain {
    /// Sets the scanning configuration of the registry, `BASIC` and without rules where these are left out (ECR
    /// `PutRegistryScanningConfiguration`). [`crate::EcrError::Invalid`] for rules that do not go with the scan type.
    pub async fn put_registry_scanning(
        &self,
        caller: &Caller,
        scan_type: Option<&str>,
        rules: Option<Vec<s::RegistryScanningRule>>,
    ) -> Result<s::RegistryScanningConfiguration, Error> {
        self.allow_on_registry(caller, "ecr:PutRegistryScanningConfiguration").await?;
        let (scan_type, rules) = (scan_type.unwrap_or(BASIC), rules.unwrap_or_default());
        scanning::check(scan_type, &rules)?;
        let configuration =
            s::RegistryScanningConfiguration { scan_type: Some(scan_type.to_owned()), rules: Some(rules) };
        self.put_only_document(Kind::Scanning, &configuration).await?;
        Ok(configuration)
    }

    /// The scanning configuration of the registry (ECR `GetRegistryScanningConfiguration`).
    pub async fn get_registry_scanning(&self, caller: &Caller) -> Result<s::RegistryScanningConfiguration, Error> {
        self.allow_on_registry(caller, "ecr:GetRegistryScanningConfiguration").await?;
        self.scanning_configuration().await
    }

    async fn scanning_configuration(&self) -> Result<s::RegistryScanningConfiguration, Error> {
        Ok(self.only_document(Kind::Scanning).await?.unwrap_or_else(|| s::RegistryScanningConfiguration {
            scan_type: Some(BASIC.to_owned()),
            rules: Some(Vec::new()),
        }))
    }

    /// How the repositories of these names are scanned, in their order; the name of each that there is not (ECR
    /// `BatchGetRepositoryScanningConfiguration`). Each must be open to the caller.
    pub async fn repository_scanning(
        &self,
        caller: &Caller,
        names: &[RepositoryName],
    ) -> Result<Vec<Result<s::RepositoryScanningConfiguration, RepositoryName>>, Error> {
        for name in names {
            self.allow(caller, Action::BatchGetRepositoryScanningConfiguration, name).await?;
        }
        let (configuration, found) = (self.scanning_configuration().await?, self.records_of(names).await?);
        let registry = &self.settings.registry;
        let of = |record: RepositoryRecord| of_repository(registry, &configuration, &record);
        Ok(names.iter().zip(found).map(|(name, found)| found.map(of).ok_or_else(|| name.clone())).collect())
    }
}

/// What the registry says holds; where it says nothing of basic scanning, the repository's own switch does.
fn of_repository(
    registry: &Registry,
    configuration: &s::RegistryScanningConfiguration,
    record: &RepositoryRecord,
) -> s::RepositoryScanningConfiguration {
    let scan_type = configuration.scan_type.as_deref().unwrap_or(BASIC);
    let rules = configuration.rules.as_deref().unwrap_or_default();
    let (frequency, filters) = scanning::frequency_of(scan_type, rules, record.name.as_str());
    let frequency = match frequency {
        Some(MANUAL) if scan_type == BASIC && record.decided.scan_on_push => Some(ON_PUSH),
        other => other,
    };
    s::RepositoryScanningConfiguration {
        repository_arn: Some(arn::repository(&registry.region, &registry.account, record.name.as_str())),
        repository_name: Some(record.name.as_str().to_owned()),
        scan_on_push: Some(frequency == Some(ON_PUSH)),
        scan_frequency: frequency.map(str::to_owned),
        applied_scan_filters: Some(filters),
    }
}
