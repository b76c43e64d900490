//! Deleting repositories.

use berth_oci::name::RepositoryName;
use berth_store::clearing::clear;
use berth_store::clock::sixteen;
use berth_store::identity::revision;
use berth_store::manifests;
use berth_store::repositories::{self, RepositoryRecord};
use berth_store::uploads::UploadRecord;

use super::RepositoryDescription;
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;

/// Rows that go in one transaction: other writers wait for no longer than that.
const BATCH: u64 = 500;

/// What one transaction came to.
struct Step {
    uploads: Vec<UploadRecord>,
    is_gone: bool,
}

impl Domain {
    /// Deletes a repository with its policies and tags, and where `force` is given with all that it holds (ECR
    /// `DeleteRepository`); what it was. [`EcrError::RepositoryNotEmpty`] where it holds images and `force` is not given.
    ///
    /// A small one goes in one transaction. Of a large one whole images go first, so many at a time that others can write
    /// between; where that breaks off, the rest is a repository as good as any, to be deleted again. An image that is pushed
    /// meanwhile goes with it. Once it is gone, a push makes it anew or is told that it does not exist, and an upload that
    /// was open is unknown. Blobs stay for the grace time of the garbage collection, and as long as others link them.
    pub async fn delete_repository(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        force: bool,
    ) -> Result<RepositoryDescription, Error> {
        self.allow(caller, Action::DeleteRepository, name).await?;
        self.ensure_not_read_only()?;
        let found = self.records_of(std::slice::from_ref(name)).await?.into_iter().next().flatten();
        let record = found.ok_or_else(|| Error::RepositoryUnknown(name.clone()))?;
        loop {
            let step = self.delete_some(&record, force).await?;
            for upload in &step.uploads {
                self.forget_upload(upload).await;
            }
            if step.is_gone {
                return RepositoryDescription::of(record);
            }
        }
    }

    async fn delete_some(&self, record: &RepositoryRecord, force: bool) -> Result<Step, Error> {
        let (settings, record) = (self.settings.clone(), record.clone());
        let (now, fresh) = (self.clock.now(), sixteen(self.random.as_ref()));
        let deleted = self.database.write(move |txn| {
            let found = repositories::describe(txn, &settings.registry, &record.name)?;
            // Its row number may be another one's already.
            if found.is_none_or(|found| (found.id, found.created_at) != (record.id, record.created_at)) {
                return Ok(Step { uploads: Vec::new(), is_gone: true });
            }
            if !force && !manifests::any_of(txn, record.id, 1)?.is_empty() {
                let (name, account) = (record.name.clone(), settings.registry.account.to_string());
                return Err(Error::from(EcrError::RepositoryNotEmpty { name, account }));
            }
            let cleared = clear(txn, record.id, BATCH, now)?;
            if cleared.is_empty {
                repositories::delete(txn, record.id)?;
                revision::renew(txn, fresh)?;
            }
            Ok(Step { uploads: cleared.uploads, is_gone: cleared.is_empty })
        });
        let deleted = deleted.await;
        self.facts.changed();
        deleted
    }
}
