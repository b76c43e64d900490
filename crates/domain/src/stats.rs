//! Sizes of repositories and images, for `berth stats`.

use berth_oci::name::RepositoryName;
use berth_store::stats::{self, ImageSizes, RepositorySizes};

use crate::Domain;
use crate::access::{Question, Surroundings};
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::existing;

impl Domain {
    /// The sizes of up to `limit` repositories behind the name `after`.
    pub async fn repository_sizes(
        &self,
        caller: &Caller,
        after: &str,
        limit: u64,
    ) -> Result<Vec<RepositorySizes>, Error> {
        let question = Question::new(Action::DescribeRepositories.as_str(), "*", &self.settings.registry.account);
        self.judge(caller, &question, Surroundings::default())?;
        let (registry, after) = (self.settings.registry.clone(), after.to_owned());
        self.database.read(move |txn| stats::repositories(txn, &registry, &after, limit).map_err(Error::from)).await
    }

    /// The sizes of up to `limit` manifests of a repository behind row number `after`.
    pub async fn image_sizes(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        after: i64,
        limit: u64,
    ) -> Result<Vec<ImageSizes>, Error> {
        self.allow(caller, Action::ListImages, name).await?;
        let (settings, name) = (self.settings.clone(), name.clone());
        self.database
            .read(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                Ok(stats::images(txn, &settings.registry, repository, after, limit)?)
            })
            .await
    }

    /// How many blobs the registry holds, and their bytes.
    pub async fn blob_totals(&self) -> Result<(u64, u64), Error> {
        self.database.read(|txn| berth_store::blobs::totals(txn).map_err(Error::from)).await
    }

    /// How many repositories the registry has.
    pub async fn repository_count(&self) -> Result<u64, Error> {
        let registry = self.settings.registry.clone();
        self.database.read(move |txn| stats::repository_count(txn, &registry).map_err(Error::from)).await
    }

    /// Bytes that can still be written, where the blob store knows.
    pub async fn free_space(&self) -> Result<Option<u64>, Error> {
        Ok(self.blobs.free_space().await?)
    }
}
