//! Policies of repositories and of the registry: who of other accounts, or of nobody's, may do what.

use berth_aws::arn;
use berth_aws::policy::{Policy, PolicyKind};
use berth_oci::name::RepositoryName;
use berth_store::identity::resource_policies;

use crate::Domain;
use crate::access::{Question, Surroundings, compile_resource_policy};
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::identity::IdentityError;
use crate::repositories::existing;

/// The longest policy of a repository or registry, in bytes ("Amazon ECR endpoints and quotas").
const LIMIT: usize = 10_240;

impl Domain {
    /// Gives a repository its policy (ECR `SetRepositoryPolicy`). A policy that would keep its writer from writing the next
    /// one is refused, unless `force` is given.
    pub async fn set_repository_policy(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        text: &str,
        force: bool,
    ) -> Result<(), Error> {
        self.allow(caller, Action::SetRepositoryPolicy, name).await?;
        parse(text)?;
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
        self.judge(caller, &question, around).map_err(|_| {
            let message = "The policy would not let you change it again: name yourself in it, or use force";
            IdentityError::Invalid(message.to_owned()).into()
        })
    }

    /// The policy of a repository; `None` where it has none (ECR `GetRepositoryPolicy`).
    pub async fn get_repository_policy(&self, caller: &Caller, name: &RepositoryName) -> Result<Option<String>, Error> {
        self.allow(caller, Action::GetRepositoryPolicy, name).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.database
            .read(move |txn| {
                existing(txn, &settings, &name)?;
                Ok(resource_policies::of_repository(txn, &settings.registry, &name)?.policy)
            })
            .await
    }

    /// Takes the policy from a repository; whether it had one (ECR `DeleteRepositoryPolicy`).
    pub async fn delete_repository_policy(&self, caller: &Caller, name: &RepositoryName) -> Result<bool, Error> {
        self.allow(caller, Action::DeleteRepositoryPolicy, name).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.change_access(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            Ok(resource_policies::set_of_repository(txn, repository, None)?)
        })
        .await
    }

    /// Names facts about a repository, which conditions can ask for (ECR `TagResource`).
    pub async fn tag_repository(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        tags: Vec<(String, String)>,
    ) -> Result<(), Error> {
        self.allow(caller, Action::TagResource, name).await?;
        crate::identity::tags::check_tags(&tags)?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.change_access(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            Ok(resource_policies::put_tags(txn, repository, &tags)?)
        })
        .await
    }

    /// Gives the registry its policy, or none; whether it had one (ECR `PutRegistryPolicy`, `DeleteRegistryPolicy`).
    pub async fn set_registry_policy(&self, caller: &Caller, text: Option<String>) -> Result<bool, Error> {
        let account = &self.settings.registry.account;
        let action = if text.is_some() { "ecr:PutRegistryPolicy" } else { "ecr:DeleteRegistryPolicy" };
        self.judge(caller, &Question::new(action, "*", account), Surroundings::default())?;
        text.as_deref().map_or(Ok(()), parse)?;
        let registry = self.settings.registry.clone();
        self.change_access(move |txn| Ok(resource_policies::set_of_registry(txn, &registry, text.as_deref())?)).await
    }

    /// The policy of the registry; `None` where it has none (ECR `GetRegistryPolicy`).
    pub async fn get_registry_policy(&self, caller: &Caller) -> Result<Option<String>, Error> {
        let account = &self.settings.registry.account;
        self.judge(caller, &Question::new("ecr:GetRegistryPolicy", "*", account), Surroundings::default())?;
        let registry = self.settings.registry.clone();
        self.database.read(move |txn| Ok(resource_policies::of_registry(txn, &registry)?)).await
    }
}

fn parse(text: &str) -> Result<(), Error> {
    Policy::parse(text, PolicyKind::Resource, LIMIT)
        .map_err(|error| IdentityError::MalformedPolicy(error.to_string()))?;
    Ok(())
}
