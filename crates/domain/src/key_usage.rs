//! When access keys were used last. Noted in memory, once a minute for each key, and written from there together: no
//! request writes to the database for it. What was noted since the last writing is lost if the process dies.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use berth_aws::AccessKeyId;
use berth_store::Timestamp;
use berth_store::access_keys::{self, LastUsed};

use crate::Domain;
use crate::credential::Credential;
use crate::error::Error;

/// How exact it is.
const EVERY: Duration = Duration::from_mins(1);

/// What is not written yet.
#[derive(Default)]
pub(crate) struct KeyUsage(Mutex<HashMap<AccessKeyId, (String, Timestamp)>>);

impl KeyUsage {
    pub(crate) fn note(&self, credential: &Credential, service: &str, now: Timestamp) {
        let Some(identity) = credential.identity.as_ref().filter(|identity| identity.session.is_none()) else { return };
        let before = credential.noted_at.load(Ordering::Relaxed);
        if Timestamp::from_millis(before).after(EVERY) > now && before <= now.as_millis() {
            return;
        }
        credential.noted_at.store(now.as_millis(), Ordering::Relaxed);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &identity.origin {
            noted.insert(key.clone(), (service.to_owned(), now));
        }
    }

    fn take(&self) -> Vec<(AccessKeyId, (String, Timestamp))> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

impl Domain {
    /// Writes when keys were used last; how many were.
    pub async fn write_key_usage(&self) -> Result<usize, Error> {
        let noted = self.key_usage.take();
        if noted.is_empty() || self.settings.read_only {
            return Ok(0);
        }
        let (count, region) = (noted.len(), self.settings.registry.region.as_str().to_owned());
        let used: Vec<(AccessKeyId, LastUsed)> = noted
            .into_iter()
            .map(|(id, (service, at))| (id, LastUsed { at, service, region: region.clone() }))
            .collect();
        self.database
            .write(move |txn| {
                used.iter().try_for_each(|(id, used)| access_keys::note_used(txn, id, used)).map_err(Error::from)
            })
            .await?;
        Ok(count)
    }
}
