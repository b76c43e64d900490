//! What of a repository can be set later.

use berth_aws::ecr::mutability::TagMutability;
use berth_oci::name::RepositoryName;
use berth_store::repositories;

use super::existing;
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;

impl Domain {
    /// Sets which tags of a repository may move (ECR `PutImageTagMutability`).
    pub async fn put_tag_mutability(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        mutability: TagMutability,
    ) -> Result<(), Error> {
        self.allow(caller, Action::PutImageTagMutability, name).await?;
        self.ensure_not_read_only()?;
        let (settings, name, (mode, filters)) = (self.settings.clone(), name.clone(), mutability.stored());
        self.database
            .write(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                Ok(repositories::set_mutability(txn, repository, mode, &filters)?)
            })
            .await
    }

    /// Sets whether a push to a repository begins a scan (ECR `PutImageScanningConfiguration`).
    pub async fn put_scan_on_push(&self, caller: &Caller, name: &RepositoryName, scan: bool) -> Result<(), Error> {
        self.allow(caller, Action::PutImageScanningConfiguration, name).await?;
        self.ensure_not_read_only()?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.database
            .write(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                Ok(repositories::set_scan_on_push(txn, repository, scan)?)
            })
            .await
    }
}
