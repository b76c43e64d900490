//! Settings of the account in a region.

use berth_aws::ecr::account_setting::Setting;
use berth_store::registry_settings::{self, Kind};

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;

impl Domain {
    /// The value of a setting, or what holds where it was never set (ECR `GetAccountSetting`). [`crate::EcrError::Invalid`]
    /// for a name that is none.
    pub async fn get_account_setting(&self, caller: &Caller, name: &str) -> Result<String, Error> {
        self.allow_on_registry(caller, "ecr:GetAccountSetting").await?;
        self.account_setting(Setting::parse(name)?).await
    }

    /// Sets one (ECR `PutAccountSetting`). [`crate::EcrError::Invalid`] for a name or value that is none.
    pub async fn put_account_setting(&self, caller: &Caller, name: &str, value: &str) -> Result<(), Error> {
        self.allow_on_registry(caller, "ecr:PutAccountSetting").await?;
        let setting = Setting::parse(name)?;
        let value = setting.check(value)?;
        self.ensure_not_read_only()?;
        let (registry, now) = (self.settings.registry.clone(), self.clock.now());
        self.database
            .write(move |txn| {
                registry_settings::put(txn, &registry, Kind::AccountSetting, setting.name(), value, now)
                    .map_err(Error::from)
            })
            .await
    }

    /// Whether layers may be mounted from other repositories (`BLOB_MOUNTING`).
    pub(crate) async fn blob_mounting_enabled(&self) -> Result<bool, Error> {
        Ok(self.account_setting(Setting::BlobMounting).await? != "DISABLED")
    }

    async fn account_setting(&self, setting: Setting) -> Result<String, Error> {
        let registry = self.settings.registry.clone();
        let set = self.database.read(move |txn| {
            registry_settings::find(txn, &registry, Kind::AccountSetting, setting.name()).map_err(Error::from)
        });
        Ok(set.await?.map_or_else(|| setting.default_value().to_owned(), |set| set.document))
    }
}
