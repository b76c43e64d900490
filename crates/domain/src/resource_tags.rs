//! Tags of repositories, which conditions of policies can ask for.

use berth_aws::ecr::{resource_tags, shapes as s};
use berth_oci::name::RepositoryName;
use berth_store::identity::resource_policies;

use crate::Domain;
use crate::access::Extras;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::repositories::existing;

impl Domain {
    /// Sets tags of a repository, keys and values (ECR `TagResource`). [`crate::EcrError::Invalid`] where one is none, or
    /// where there would be too many.
    pub async fn tag_repository(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        tags: Vec<(String, String)>,
    ) -> Result<(), Error> {
        self.allow_with(caller, Action::TagResource, name, Extras { tags: &tags, more: &[] }).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.change_access(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            let before = resource_policies::of_repository(txn, &settings.registry, &name)?.tags;
            check_tags(&tags, &before)?;
            Ok(resource_policies::put_tags(txn, repository, &tags)?)
        })
        .await
    }

    /// Takes tags of these keys from a repository; those that it does not have make no difference (ECR `UntagResource`).
    pub async fn untag_repository(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        keys: Vec<String>,
    ) -> Result<(), Error> {
        let extras = Extras { more: &[("aws:tagkeys", keys.clone())], ..Extras::default() };
        self.allow_with(caller, Action::UntagResource, name, extras).await?;
        resource_tags::check_keys(&keys).map_err(EcrError::from)?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.change_access(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            Ok(resource_policies::remove_tags(txn, repository, &keys)?)
        })
        .await
    }

    /// The tags of a repository, in the order of their keys (ECR `ListTagsForResource`).
    pub async fn tags_of_repository(
        &self,
        caller: &Caller,
        name: &RepositoryName,
    ) -> Result<Vec<(String, String)>, Error> {
        self.allow(caller, Action::ListTagsForResource, name).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.database
            .read(move |txn| {
                existing(txn, &settings, &name)?;
                Ok(resource_policies::of_repository(txn, &settings.registry, &name)?.tags)
            })
            .await
    }
}

/// Refuses tags that are none, and too many of them beside those that were there `before`.
pub(crate) fn check_tags(tags: &[(String, String)], before: &[(String, String)]) -> Result<(), Error> {
    let tags: Vec<s::Tag> = tags.iter().map(|(key, value)| s::Tag { key: key.clone(), value: value.clone() }).collect();
    Ok(resource_tags::check(&tags, before.iter().map(|(key, _)| key.as_str()))?)
}
