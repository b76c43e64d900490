//! Making repositories.

use berth_aws::ecr::encryption;
use berth_aws::ecr::mutability::TagMutability;
use berth_aws::ecr::shapes::EncryptionConfiguration;
use berth_oci::name::RepositoryName;
use berth_store::clock::sixteen;
use berth_store::identity::{resource_policies, revision};
use berth_store::repositories::{self, RepositoryId};
use berth_store::{Timestamp, Transaction};

use super::RepositoryDescription;
use crate::Domain;
use crate::access::Extras;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::resource_tags::check_tags;
use crate::settings::Settings;

/// A repository to be made.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Its name.
    pub name: RepositoryName,
    /// Which tags may move.
    pub mutability: TagMutability,
    /// Whether a push begins a scan.
    pub scan_on_push: bool,
    /// How its content is encrypted; `None` for `AES256`.
    pub encryption: Option<EncryptionConfiguration>,
    /// Its tags: keys and values.
    pub tags: Vec<(String, String)>,
}

impl NewRepository {
    fn check(&self) -> Result<repositories::NewRepository, Error> {
        self.encryption.as_ref().map_or(Ok(()), encryption::check)?;
        check_tags(&self.tags, &[])?;
        let (mode, mutability_filters) = self.mutability.stored();
        let usual = repositories::NewRepository::default();
        let encryption = self.encryption.as_ref().map_or(usual.encryption, |given| given.encryption_type.clone());
        let mutability = mode.to_owned();
        Ok(repositories::NewRepository { mutability, mutability_filters, scan_on_push: self.scan_on_push, encryption })
    }
}

impl Domain {
    /// Makes a repository (ECR `CreateRepository`). Whoever gives it tags needs `ecr:TagResource`, too.
    ///
    /// [`EcrError::RepositoryExists`], [`EcrError::LimitExceeded`], and [`EcrError::Invalid`] for an encryption that is not
    /// there or tags that are none.
    pub async fn create_repository(&self, caller: &Caller, new: NewRepository) -> Result<RepositoryDescription, Error> {
        let extras = Extras { tags: &new.tags, more: &[] };
        self.allow_with(caller, Action::CreateRepository, &new.name, extras).await?;
        if !new.tags.is_empty() {
            self.allow_with(caller, Action::TagResource, &new.name, extras).await?;
        }
        let decided = new.check()?;
        self.ensure_writable().await?;
        let description = RepositoryDescription {
            name: new.name.clone(),
            created_at: self.clock.now(),
            mutability: new.mutability.clone(),
            scan_on_push: new.scan_on_push,
            encryption: decided.encryption.clone(),
        };
        self.record_repository(new, decided, caller.principal().to_owned(), description.created_at).await?;
        Ok(description)
    }

    async fn record_repository(
        &self,
        new: NewRepository,
        decided: repositories::NewRepository,
        by: String,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (settings, fresh) = (self.settings.clone(), sixteen(self.random.as_ref()));
        let recorded = self.database.write(move |txn| {
            let NewRepository { name, tags, .. } = &new;
            let Some(id) = insert(txn, &settings, name, &decided, &by, now)? else {
                let account = settings.registry.account.to_string();
                return Err(EcrError::RepositoryExists { name: name.clone(), account }.into());
            };
            if !tags.is_empty() {
                resource_policies::put_tags(txn, id, tags)?;
                revision::renew(txn, fresh)?;
            }
            Ok(())
        });
        let recorded = recorded.await;
        self.facts.changed();
        recorded
    }
}

/// Makes a repository, as far as there may be one more; `None` where there is one of this name.
pub(super) fn insert(
    txn: &mut dyn Transaction,
    settings: &Settings,
    name: &RepositoryName,
    new: &repositories::NewRepository,
    by: &str,
    now: Timestamp,
) -> Result<Option<RepositoryId>, Error> {
    let (registry, limit) = (&settings.registry, settings.repositories_limit);
    if repositories::find(txn, registry, name)?.is_some() {
        return Ok(None);
    }
    if limit > 0 && repositories::count(txn, registry, limit)? >= limit {
        return Err(EcrError::LimitExceeded { what: "repositories", limit, setting: "repositories" }.into());
    }
    Ok(repositories::insert(txn, registry, name, new, by, now)?)
}
