//! Access keys of users.

use berth_aws::{AccessKeyId, AccountId, SecretAccessKey};
use berth_store::access_keys::{self, AccessKeyRecord, LastUsed};
use berth_store::clock::sixteen;
use berth_store::identity::{PrincipalRecord, principals};

use super::{IdentityError, Owner};
use crate::Domain;
use crate::access::Extras;
use crate::caller::Caller;
use crate::error::Error;

/// Keys of one user ("IAM and AWS STS quotas").
pub const MAX_KEYS: usize = 2;

/// An access key, both halves.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: SecretAccessKey,
}

impl Domain {
    /// Makes a key for a user (`CreateAccessKey`). The secret is shown this once.
    pub async fn create_access_key(&self, caller: &Caller, user: &str) -> Result<(AccessKey, AccessKeyRecord), Error> {
        let user = Owner::user(user);
        let account = self.allow_on(caller, "iam:CreateAccessKey", &user, Extras::default()).await?;
        let key = self.random_key();
        let sealed = self.sealed_secret(&key)?;
        let (id, now) = (key.id.clone(), self.clock.now());
        let record = self
            .change_access(move |txn| {
                let user = user.find(txn, &account)?;
                if access_keys::of_owner(txn, &user.unique_id)?.len() >= MAX_KEYS {
                    let message = format!("Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}");
                    return Err(IdentityError::Limit(message).into());
                }
                let record = key_record(&id, &user, sealed.clone(), now);
                if access_keys::add(txn, &record)? {
                    return Ok(record);
                }
                Err(IdentityError::Exists { kind: "Access key", name: id.as_str().to_owned() }.into())
            })
            .await?;
        Ok((key, record))
    }

    /// The keys of a user, oldest first (`ListAccessKeys`).
    pub async fn list_access_keys(&self, caller: &Caller, user: &str) -> Result<Vec<AccessKeyRecord>, Error> {
        let user = Owner::user(user);
        let account = self.allow_on(caller, "iam:ListAccessKeys", &user, Extras::default()).await?;
        self.database
            .read(move |txn| {
                let id = user.find(txn, &account)?.unique_id;
                Ok(access_keys::of_owner(txn, &id)?)
            })
            .await
    }

    /// Switches a key on or off (`UpdateAccessKey`).
    pub async fn set_access_key_active(
        &self,
        caller: &Caller,
        user: &str,
        id: &str,
        is_active: bool,
    ) -> Result<(), Error> {
        let user = Owner::user(user);
        let account = self.allow_on(caller, "iam:UpdateAccessKey", &user, Extras::default()).await?;
        let id = parse_id(id)?;
        self.change_access(move |txn| {
            let owner = user.find(txn, &account)?.unique_id;
            if access_keys::set_active(txn, &owner, &id, is_active)? { Ok(()) } else { Err(no_such(&id)) }
        })
        .await
    }

    /// Takes a key away (`DeleteAccessKey`).
    pub async fn delete_access_key(&self, caller: &Caller, user: &str, id: &str) -> Result<(), Error> {
        let user = Owner::user(user);
        let account = self.allow_on(caller, "iam:DeleteAccessKey", &user, Extras::default()).await?;
        let id = parse_id(id)?;
        self.change_access(move |txn| {
            let owner = user.find(txn, &account)?.unique_id;
            if access_keys::delete(txn, &owner, &id)? { Ok(()) } else { Err(no_such(&id)) }
        })
        .await
    }

    /// Whose a key is and when it was used last (`GetAccessKeyLastUsed`).
    pub async fn access_key_last_used(&self, caller: &Caller, id: &str) -> Result<(String, Option<LastUsed>), Error> {
        let ours = super::account_of(caller)?;
        // A key of nobody here is judged as one of a user that does not exist; a refusal tells no name of another account.
        let owner = self.owner_of_key(id).await?.filter(|user| user.account == ours);
        let user = Owner::user(owner.as_ref().map_or("", |user| user.name.as_str()));
        self.allow_on(caller, "iam:GetAccessKeyLastUsed", &user, Extras::default()).await?;
        let id = parse_id(id)?;
        let owner = owner.ok_or_else(|| no_such(&id))?;
        self.write_key_usage().await?;
        let last = self.database.read(move |txn| access_keys::last_used(txn, &id).map_err(Error::from)).await?;
        Ok((owner.name, last))
    }

    /// The account of a key (STS `GetAccessKeyInfo`).
    pub async fn account_of_key(&self, caller: &Caller, id: &str) -> Result<AccountId, Error> {
        let account = super::account_of(caller)?;
        let question = crate::access::Question::new("sts:GetAccessKeyInfo", "*", &account);
        self.judge(caller, &question, crate::access::Surroundings::default())?;
        let owner = self
            .owner_of_key(id)
            .await?
            .ok_or_else(|| Error::from(IdentityError::Validation(format!("Invalid access key id: {id}"))))?;
        Ok(owner.account)
    }

    async fn owner_of_key(&self, id: &str) -> Result<Option<PrincipalRecord>, Error> {
        let Ok(id) = AccessKeyId::parse(id) else { return Ok(None) };
        self.database
            .read(move |txn| {
                let owner = access_keys::find(txn, &id)?.and_then(|record| record.owner);
                owner.map_or(Ok(None), |owner| Ok(principals::find_by_id(txn, &owner)?))
            })
            .await
    }

    pub(crate) fn random_key(&self) -> AccessKey {
        let mut secret = [0; 40];
        self.random.fill(&mut secret);
        AccessKey {
            id: AccessKeyId::from_random(sixteen(self.random.as_ref())),
            secret: SecretAccessKey::from_random(secret),
        }
    }

    /// Seals the secret of a user's key.
    pub(crate) fn sealed_secret(&self, key: &AccessKey) -> Result<Vec<u8>, Error> {
        self.sealed_for(&user_seal(&key.id), key)
    }

    /// Seals the secret of a key of the registry's administrator, as nodes of the version before can open it.
    pub(crate) fn sealed_administrator_secret(&self, key: &AccessKey) -> Result<Vec<u8>, Error> {
        self.sealed_for(key.id.as_str(), key)
    }

    fn sealed_for(&self, seal: &str, key: &AccessKey) -> Result<Vec<u8>, Error> {
        let sealed = self.server_key.seal(seal, key.secret.reveal().as_bytes(), self.random.as_ref());
        sealed.ok_or(Error::WrongServerKey)
    }
}

/// What the secrets of users' keys are sealed for. Not for the id alone: nodes from before there were users take every key
/// that they can open for the administrator's, and work beside newer ones during an upgrade.
pub(crate) fn user_seal(id: &AccessKeyId) -> String {
    format!("user's key {id}")
}

/// The row of a new key.
pub(crate) fn key_record(
    id: &AccessKeyId,
    user: &PrincipalRecord,
    secret_sealed: Vec<u8>,
    created_at: berth_store::Timestamp,
) -> AccessKeyRecord {
    AccessKeyRecord {
        id: id.clone(),
        account: user.account.clone(),
        principal: user.arn(),
        secret_sealed,
        created_at,
        owner: Some(user.unique_id.clone()),
        is_active: true,
    }
}

fn parse_id(id: &str) -> Result<AccessKeyId, Error> {
    AccessKeyId::parse(id).map_err(|_| IdentityError::NoSuch { kind: "Access Key", name: id.to_owned() }.into())
}

fn no_such(id: &AccessKeyId) -> Error {
    IdentityError::NoSuch { kind: "Access Key", name: id.as_str().to_owned() }.into()
}
