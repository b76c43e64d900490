//! Policies of repositories and of the registry: who of other accounts, or of nobody's, may do what.

use berth_aws::arn;
use berth_aws::ecr::{Exception, Invalid};
use berth_aws::policy::{Policy, PolicyKind};
use berth_oci::name::RepositoryName;
use berth_store::identity::resource_policies;

use crate::Domain;
use crate::access::{Question, Surroundings, compile_resource_policy};
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::repositories::existing;

/// The longest policy of a repository or registry, in bytes ("Amazon ECR endpoints and quotas").
const LIMIT: usize = 10_240;

impl Domain {
    /// Gives a repository its policy (ECR `SetRepositoryPolicy`). A policy that would keep its writer from writing the next
    /// one is refused, unless `force` is given, and so is one that is none: [`EcrError::Invalid`].
    pub async fn set_repository_policy(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        text: &str,
        force: bool,
    ) -> Result<(), Error> {
        self.allow(caller, Action::SetRepositoryPolicy, name).await?;
        parse("PolicyText", "repository", text)?;
        if !force {
            self.ensure_no_lockout(caller, name, text)?;
        }
        let (settings, name, text) = (self.settings.clone(), name.clone(), text.to_owned());
        self.change_access(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            resource_policies::set_of_repository(txn, repository, Some(&text))?;
            Ok(())
        })
        .await
    }

    fn ensure_no_lockout(&self, caller: &Caller, name: &RepositoryName, text: &str) -> Result<(), Error> {
        let registry = &self.settings.registry;
        let resource = arn::repository(&registry.region, &registry.account, name.as_str());
        let policy = compile_resource_policy(text)?;
        let question = Question::new(Action::SetRepositoryPolicy.as_str(), &resource, &registry.account);
        let around = Surroundings { resource: Some(&policy), registry: None };
        let refusal = "The policy would not let you change it again: name yourself in it, or use force";
        self.judge(caller, &question, around).map_err(|_| invalid("PolicyText", refusal).into())
    }

    /// The policy of a repository (ECR `GetRepositoryPolicy`). [`EcrError::RepositoryPolicyUnknown`] where it has none.
    pub async fn get_repository_policy(&self, caller: &Caller, name: &RepositoryName) -> Result<String, Error> {
        self.allow(caller, Action::GetRepositoryPolicy, name).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.database
            .read(move |txn| {
                existing(txn, &settings, &name)?;
                let policy = resource_policies::of_repository(txn, &settings.registry, &name)?.policy;
                policy.ok_or_else(|| EcrError::RepositoryPolicyUnknown(name.clone()).into())
            })
            .await
    }

    /// Takes the policy from a repository; what it was (ECR `DeleteRepositoryPolicy`).
    /// [`EcrError::RepositoryPolicyUnknown`] where it has none.
    pub async fn delete_repository_policy(&self, caller: &Caller, name: &RepositoryName) -> Result<String, Error> {
        self.allow(caller, Action::DeleteRepositoryPolicy, name).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.change_access(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            let policy = resource_policies::of_repository(txn, &settings.registry, &name)?.policy;
            let policy = policy.ok_or_else(|| EcrError::RepositoryPolicyUnknown(name.clone()))?;
            resource_policies::set_of_repository(txn, repository, None)?;
            Ok(policy)
        })
        .await
    }

    /// Goes on where the caller may manage the policy of the registry, which itself has no say in that.
    fn allow_on_registry_policy(&self, caller: &Caller, action: &'static str) -> Result<(), Error> {
        self.judge(caller, &Question::new(action, "*", &self.settings.registry.account), Surroundings::default())
    }

    /// Gives the registry its policy (ECR `PutRegistryPolicy`). [`EcrError::Invalid`] for one that is none.
    pub async fn set_registry_policy(&self, caller: &Caller, text: String) -> Result<(), Error> {
        self.allow_on_registry_policy(caller, "ecr:PutRegistryPolicy")?;
        parse("PolicyText", "registry", &text)?;
        let registry = self.settings.registry.clone();
        self.change_access(move |txn| Ok(resource_policies::set_of_registry(txn, &registry, Some(&text)).map(drop)?))
            .await
    }

    /// Takes the policy from the registry; what it was (ECR `DeleteRegistryPolicy`). [`EcrError::RegistryPolicyUnknown`]
    /// where it has none.
    pub async fn delete_registry_policy(&self, caller: &Caller) -> Result<String, Error> {
        self.allow_on_registry_policy(caller, "ecr:DeleteRegistryPolicy")?;
        let registry = self.settings.registry.clone();
        self.change_access(move |txn| {
            let policy = resource_policies::of_registry(txn, &registry)?;
            let policy = policy.ok_or_else(|| EcrError::RegistryPolicyUnknown(registry.account.to_string()))?;
            resource_policies::set_of_registry(txn, &registry, None)?;
            Ok(policy)
        })
        .await
    }

    /// The policy of the registry (ECR `GetRegistryPolicy`). [`EcrError::RegistryPolicyUnknown`] where it has none.
    pub async fn get_registry_policy(&self, caller: &Caller) -> Result<String, Error> {
        self.allow_on_registry_policy(caller, "ecr:GetRegistryPolicy")?;
        let registry = self.settings.registry.clone();
        self.database
            .read(move |txn| {
                let policy = resource_policies::of_registry(txn, &registry)?;
                policy.ok_or_else(|| EcrError::RegistryPolicyUnknown(registry.account.to_string()).into())
            })
            .await
    }
}

/// Refuses what is no policy of a `repository` or `registry`; `member` is where the request has it.
pub(crate) fn parse(member: &str, of: &str, text: &str) -> Result<(), EcrError> {
    Policy::parse(text, PolicyKind::Resource, LIMIT)
        .map(drop)
        .map_err(|error| invalid(member, &format!("Invalid {of} policy provided: {error}")))
}

fn invalid(member: &str, constraint: &str) -> EcrError {
    let message = format!("Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'");
    Invalid { exception: Exception::InvalidParameter, message }.into()
}
