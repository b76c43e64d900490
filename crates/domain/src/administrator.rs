//! The administrator's access key: made at first start, given by the environment, or reset.

use berth_aws::{AccessKeyId, SecretAccessKey, arn};
use berth_store::access_keys::{self, AccessKeyRecord};
use berth_store::clock::sixteen;

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;

const NAME: &str = "administrator";

/// An access key, both halves.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: SecretAccessKey,
}

impl Domain {
    /// The administrator as a caller, for commands of an operator who holds the data folder.
    pub fn administrator(&self) -> Caller {
        let account = self.settings.registry.account.clone();
        Caller::Administrator { principal: arn::user(&account, NAME), account }
    }

    /// Makes the administrator's key where there is none; returned once, for showing it.
    pub async fn ensure_administrator_key(&self) -> Result<Option<AccessKey>, Error> {
        let key = self.random_key();
        let record = self.sealed(&key)?;
        let made = self
            .database
            .write(move |txn| {
                let exists = access_keys::principal_has_key(txn, &record.principal)?;
                if !exists {
                    access_keys::replace_for_principal(txn, &record)?;
                }
                Ok::<_, Error>(!exists)
            })
            .await?;
        Ok(made.then_some(key))
    }

    /// Makes `key` the administrator's only key; does nothing where it is already.
    pub async fn set_administrator_key(&self, key: AccessKey) -> Result<(), Error> {
        if self.authenticate(key.id.as_str(), key.secret.reveal().as_bytes()).await.is_ok() {
            return Ok(());
        }
        let record = self.sealed(&key)?;
        self.database.write(move |txn| access_keys::replace_for_principal(txn, &record).map_err(Error::from)).await
    }

    /// Replaces the administrator's key by a new one; the old one is refused within seconds, on all nodes.
    pub async fn reset_administrator_key(&self) -> Result<AccessKey, Error> {
        let key = self.random_key();
        let record = self.sealed(&key)?;
        self.database.write(move |txn| access_keys::replace_for_principal(txn, &record).map_err(Error::from)).await?;
        Ok(key)
    }

    fn random_key(&self) -> AccessKey {
        let mut secret = [0; 40];
        self.random.fill(&mut secret);
        AccessKey {
            id: AccessKeyId::from_random(sixteen(self.random.as_ref())),
            secret: SecretAccessKey::from_random(secret),
        }
    }

    fn sealed(&self, key: &AccessKey) -> Result<AccessKeyRecord, Error> {
        let owner = key.id.as_str();
        let sealed = self.server_key.seal(owner, key.secret.reveal().as_bytes(), self.random.as_ref());
        let account = self.settings.registry.account.clone();
        Ok(AccessKeyRecord {
            id: key.id.clone(),
            principal: arn::user(&account, NAME),
            account,
            secret_sealed: sealed.ok_or(Error::WrongServerKey)?,
            created_at: self.clock.now(),
        })
    }
}
