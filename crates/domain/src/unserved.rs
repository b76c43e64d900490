//! Operations of ECR whose engines are not there yet: whoever may use them is told so, and nobody else.

use berth_oci::name::RepositoryName;

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;

impl Domain {
    /// Refuses an operation on a repository.
    pub async fn unserved_on_repository<T>(
        &self,
        caller: &Caller,
        action: Action,
        name: &RepositoryName,
    ) -> Result<T, Error> {
        self.allow(caller, action, name).await?;
        Err(EcrError::NotServed(action.as_str()).into())
    }

    /// Refuses an operation on the registry; `action` is one of ECR's, `ecr:...`.
    pub async fn unserved_on_registry<T>(&self, caller: &Caller, action: &'static str) -> Result<T, Error> {
        self.allow_on_registry(caller, action).await?;
        Err(EcrError::NotServed(action).into())
    }
}
