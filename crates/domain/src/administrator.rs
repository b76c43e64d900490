//! The administrator of the registry's own account: made at first start, its key given by the environment, or reset.

use berth_aws::arn;
use berth_store::access_keys;
use berth_store::identity::attachments;

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::accounts::{ADMINISTRATOR, ensure_administrator};
use crate::identity::keys::key_record;
use crate::identity::{IdentityError, managed};

pub use crate::identity::keys::AccessKey;

impl Domain {
    /// Whoever holds the data folder, for operators' commands. Known by the administrator's name.
    pub fn administrator(&self) -> Caller {
        self.operator_of(&self.home.account)
    }

    /// The same for another account.
    pub fn operator_of(&self, account: &berth_aws::AccountId) -> Caller {
        Caller::operator(account.clone(), arn::user(account, ADMINISTRATOR))
    }

    /// Makes the administrator's key where there is none; returned once, for showing it.
    pub async fn ensure_administrator_key(&self) -> Result<Option<AccessKey>, Error> {
        let key = self.random_key();
        let made = self.write_administrator_key(&key, false).await?;
        Ok(made.then_some(key))
    }

    /// Makes `key` the administrator's only key; does nothing where it is already.
    pub async fn set_administrator_key(&self, key: AccessKey) -> Result<(), Error> {
        if self.authenticate_key(key.id.as_str(), key.secret.reveal().as_bytes()).await.is_ok() {
            return Ok(());
        }
        self.write_administrator_key(&key, true).await.map(|_| ())
    }

    /// Replaces the administrator's key by a new one; the old one is refused within seconds, on all nodes.
    pub async fn reset_administrator_key(&self) -> Result<AccessKey, Error> {
        let key = self.random_key();
        self.write_administrator_key(&key, true).await?;
        Ok(key)
    }

    /// Makes the administrator where there is none, and gives it the key: always, or only if it has none. Whether it was
    /// given.
    async fn write_administrator_key(&self, key: &AccessKey, always: bool) -> Result<bool, Error> {
        let (account, now, fresh) = (self.home.account.clone(), self.clock.now(), self.new_user_id());
        let (id, sealed) = (key.id.clone(), self.sealed_administrator_secret(key)?);
        self.change_access_anyway(move |txn| {
            let user = ensure_administrator(txn, &account, &fresh, now)?;
            access_keys::adopt(txn, &user.arn(), &user.unique_id)?;
            if !always && !access_keys::of_owner(txn, &user.unique_id)?.is_empty() {
                return Ok(false);
            }
            // Whoever asks for this holds the server: rights that were taken from the administrator come back.
            attachments::attach(txn, &user.unique_id, managed::ADMINISTRATOR)?;
            let record = key_record(&id, &user, sealed.clone(), now);
            if access_keys::replace_for_owner(txn, &record)? {
                return Ok(true);
            }
            Err(IdentityError::Exists { kind: "Access key", name: id.as_str().to_owned() }.into())
        })
        .await
    }
}
