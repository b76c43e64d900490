//! Repositories that a push makes ("Amazon ECR repository creation on push").

use berth_aws::ecr::shapes::RepositoryCreationTemplate;
use berth_oci::name::RepositoryName;
use berth_store::clock::sixteen;
use berth_store::identity::{resource_policies, revision};
use berth_store::repositories::{self, RepositoryId};
use berth_store::{Timestamp, Transaction, lifecycle};

use super::create::insert;
use super::existing;
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::settings::{CreateOnPush, Settings};
use crate::templates;

/// Who pushes.
#[derive(Debug, Clone)]
pub(crate) struct Pusher {
    /// The ARN.
    pub(crate) by: String,
    /// Why no template may make a repository for the push, where none may.
    refused: Option<Refusal>,
    /// The next revision of what decides about access, if the push changes that.
    fresh: [u8; 16],
}

#[derive(Debug, Clone)]
enum Refusal {
    Unauthenticated,
    OutOfScope,
    Denied { resource: String, because: String },
}

impl Refusal {
    fn of(error: Error) -> Result<Self, Error> {
        match error {
            Error::Unauthenticated => Ok(Self::Unauthenticated),
            Error::OutOfScope => Ok(Self::OutOfScope),
            Error::Denied { resource, because, .. } => Ok(Self::Denied { resource, because }),
            other => Err(other),
        }
    }

    fn told_to(self, principal: &str) -> Error {
        let (principal, action) = (principal.to_owned(), Action::CreateRepository.as_str());
        match self {
            Self::Unauthenticated => Error::Unauthenticated,
            Self::OutOfScope => Error::OutOfScope,
            Self::Denied { resource, because } => Error::Denied { principal, action, resource, because },
        }
    }
}

impl Domain {
    /// Who pushes to a repository. A template makes one only for whoever has the right to `ecr:CreateRepository`, which is
    /// judged here because no transaction can; pushes are asked for it in no other case.
    pub(crate) async fn pusher(&self, caller: &Caller, name: &RepositoryName) -> Result<Pusher, Error> {
        let judged = match self.settings.create_on_push {
            CreateOnPush::Always | CreateOnPush::Never => Ok(()),
            CreateOnPush::ByTemplate => {
                self.allow_with(caller, Action::CreateRepository, name, crate::access::Extras::default()).await
            }
        };
        let refused = judged.err().map(Refusal::of).transpose()?;
        Ok(Pusher { by: caller.principal().to_owned(), refused, fresh: sixteen(self.random.as_ref()) })
    }
}

/// The repository of a name for a push: made where it is missing and the operator allows that. The longest template that
/// fits says how.
pub(crate) fn for_push(
    txn: &mut dyn Transaction,
    settings: &Settings,
    name: &RepositoryName,
    pusher: &Pusher,
    now: Timestamp,
) -> Result<RepositoryId, Error> {
    if let Some(known) = repositories::find(txn, &settings.registry, name)? {
        return Ok(known);
    }
    let unknown = || Err(Error::RepositoryUnknown(name.clone()));
    let template = match settings.create_on_push {
        CreateOnPush::Never => return unknown(),
        CreateOnPush::Always | CreateOnPush::ByTemplate => templates::for_push(txn, &settings.registry, name)?,
    };
    match (settings.create_on_push, &template, &pusher.refused) {
        (CreateOnPush::ByTemplate, None, _) => return unknown(),
        (CreateOnPush::ByTemplate, Some(_), Some(refusal)) => return Err(refusal.clone().told_to(&pusher.by)),
        _ => {}
    }
    make(txn, settings, name, &template.unwrap_or_default(), pusher, now)
}

fn make(
    txn: &mut dyn Transaction,
    settings: &Settings,
    name: &RepositoryName,
    template: &RepositoryCreationTemplate,
    pusher: &Pusher,
    now: Timestamp,
) -> Result<RepositoryId, Error> {
    let Some(id) = insert(txn, settings, name, &templates::decided(template)?, &pusher.by, now)? else {
        return existing(txn, settings, name);
    };
    let tags = template.resource_tags.iter().flatten().map(|tag| (tag.key.clone(), tag.value.clone()));
    let tags: Vec<_> = tags.collect();
    resource_policies::put_tags(txn, id, &tags)?;
    if let Some(policy) = &template.repository_policy {
        resource_policies::set_of_repository(txn, id, Some(policy))?;
    }
    if let Some(policy) = &template.lifecycle_policy {
        lifecycle::put(txn, id, policy)?;
    }
    // Nodes that kept the rules of a repository that did not exist hear of it within a second.
    if !tags.is_empty() || template.repository_policy.is_some() {
        revision::renew(txn, pusher.fresh)?;
    }
    Ok(id)
}
