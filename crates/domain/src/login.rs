//! From an access key to a caller, at little cost per request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use berth_aws::{AccessKeyId, AccountId, SecretAccessKey};
use berth_store::Timestamp;
use berth_store::access_keys::{self, AccessKeyRecord};

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::seal::ServerKey;

/// A key that was replaced elsewhere is refused after at most this long.
const FRESH_FOR: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct KnownKey {
    account: AccountId,
    principal: String,
    pub(crate) secret: SecretAccessKey,
    read_at: Timestamp,
}

impl KnownKey {
    pub(crate) fn into_caller(self) -> Caller {
        Caller::Administrator { account: self.account, principal: self.principal }
    }
}

/// Keys whose secrets were opened lately; only keys that exist get in, so that guessing does not fill it.
#[derive(Default)]
pub(crate) struct KnownKeys(Mutex<HashMap<AccessKeyId, KnownKey>>);

impl KnownKeys {
    fn get(&self, id: &AccessKeyId, now: Timestamp) -> Option<KnownKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).filter(|known| now < known.read_at.after(FRESH_FOR) && now >= known.read_at).cloned()
    }

    fn put(&self, id: &AccessKeyId, known: Option<&KnownKey>) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(known) => keys.insert(id.clone(), known.clone()),
            None => keys.remove(id),
        };
    }
}

impl Domain {
    /// Who holds this access key and knows its secret. Unknown ids and wrong secrets get the same answer.
    pub async fn authenticate(&self, id: &str, secret: &[u8]) -> Result<Caller, Error> {
        let known = match AccessKeyId::parse(id) {
            Ok(id) => self.known_key(&id).await?,
            Err(_) => None,
        };
        let Some(known) = known else {
            // Something is compared all the same, so that the time does not tell whether the id exists.
            let _ = SecretAccessKey::from_random([0; 40]).matches(secret);
            return Err(Error::WrongCredentials);
        };
        if !known.secret.matches(secret) {
            return Err(Error::WrongCredentials);
        }
        Ok(known.into_caller())
    }

    pub(crate) async fn known_key(&self, id: &AccessKeyId) -> Result<Option<KnownKey>, Error> {
        let now = self.clock.now();
        if let Some(known) = self.known_keys.get(id, now) {
            return Ok(Some(known));
        }
        let wanted = id.clone();
        let record = self.database.read(move |txn| access_keys::find(txn, &wanted).map_err(Error::from)).await?;
        let known = record.and_then(|record| open(record, &self.server_key, now));
        self.known_keys.put(id, known.as_ref());
        Ok(known)
    }
}

fn open(record: AccessKeyRecord, key: &ServerKey, now: Timestamp) -> Option<KnownKey> {
    let opened = key.open(record.id.as_str(), &record.secret_sealed)?;
    let secret = SecretAccessKey::parse(std::str::from_utf8(&opened).ok()?).ok()?;
    Some(KnownKey { account: record.account, principal: record.principal, secret, read_at: now })
}
