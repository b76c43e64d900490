//! Lifecycle policies of repositories: setting and reading them.

use berth_aws::ecr::lifecycle::LifecyclePolicy;
use berth_oci::name::RepositoryName;
use berth_store::lifecycle::{self, LifecyclePolicyRecord};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::repositories::existing;

impl Domain {
    /// Gives a repository its lifecycle policy, whose text is kept as it is (ECR `PutLifecyclePolicy`).
    /// [`EcrError::Invalid`] tells what is wrong with it.
    pub async fn put_lifecycle_policy(&self, caller: &Caller, name: &RepositoryName, text: &str) -> Result<(), Error> {
        self.allow(caller, Action::PutLifecyclePolicy, name).await?;
        LifecyclePolicy::parse(text)?;
        self.ensure_not_read_only()?;
        let (settings, name, text) = (self.settings.clone(), name.clone(), text.to_owned());
        self.database
            .write(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                Ok(lifecycle::put(txn, repository, &text)?)
            })
            .await
    }

    /// The lifecycle policy of a repository (ECR `GetLifecyclePolicy`). [`EcrError::LifecyclePolicyUnknown`].
    pub async fn get_lifecycle_policy(
        &self,
        caller: &Caller,
        name: &RepositoryName,
    ) -> Result<LifecyclePolicyRecord, Error> {
        self.allow(caller, Action::GetLifecyclePolicy, name).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.database
            .read(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                lifecycle::find(txn, repository)?.ok_or_else(|| unknown(&name))
            })
            .await
    }

    /// Takes it away; what it was (ECR `DeleteLifecyclePolicy`). [`EcrError::LifecyclePolicyUnknown`].
    pub async fn delete_lifecycle_policy(
        &self,
        caller: &Caller,
        name: &RepositoryName,
    ) -> Result<LifecyclePolicyRecord, Error> {
        self.allow(caller, Action::DeleteLifecyclePolicy, name).await?;
        self.ensure_not_read_only()?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.database
            .write(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                let found = lifecycle::find(txn, repository)?.ok_or_else(|| unknown(&name))?;
                lifecycle::delete(txn, repository)?;
                Ok(found)
            })
            .await
    }
}

fn unknown(name: &RepositoryName) -> Error {
    EcrError::LifecyclePolicyUnknown(name.clone()).into()
}
