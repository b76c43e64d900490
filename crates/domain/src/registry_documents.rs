//! Documents that are set for the registry as a whole, in the shapes of the API.

use berth_aws::protocol;
use berth_store::registry_settings::{self, Kind, RegistrySetting};
use berth_store::repositories::Registry;
use berth_store::{StoreError, Timestamp, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Domain;
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::repositories::Page;

impl Domain {
    /// The document of a kind of which there is one.
    pub(crate) async fn only_document<T>(&self, kind: Kind) -> Result<Option<T>, Error>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let registry = self.settings.registry.clone();
        self.database
            .read(move |txn| registry_settings::find(txn, &registry, kind, "")?.as_ref().map(read).transpose())
            .await
    }

    /// Sets it.
    pub(crate) async fn put_only_document<T: Serialize>(&self, kind: Kind, document: &T) -> Result<(), Error> {
        self.ensure_not_read_only()?;
        let (registry, text, now) = (self.settings.registry.clone(), text(document)?, self.clock.now());
        self.database
            .write(move |txn| Ok::<_, Error>(registry_settings::put(txn, &registry, kind, "", &text, now)?))
            .await
    }

    /// The documents of these names, in their order; `None` for each that there is not.
    pub(crate) async fn documents(&self, kind: Kind, names: &[String]) -> Result<Vec<Option<RegistrySetting>>, Error> {
        let (registry, names) = (self.settings.registry.clone(), names.to_vec());
        self.database
            .read(move |txn| {
                let found = names.iter().map(|name| registry_settings::find(txn, &registry, kind, stem(name)));
                Ok::<_, Error>(found.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Up to `limit` documents behind the name `last`, in byte order.
    pub(crate) async fn documents_behind(
        &self,
        kind: Kind,
        last: &str,
        limit: u64,
    ) -> Result<Page<RegistrySetting>, Error> {
        let (registry, last) = (self.settings.registry.clone(), last.to_owned());
        let listed = self.database.read(move |txn| {
            registry_settings::list(txn, &registry, kind, &last, limit.saturating_add(1)).map_err(Error::from)
        });
        Ok(Page::cut(listed.await?, limit))
    }
}

/// A prefix of repositories as it is kept and shown: without the slash at its end, which is implied.
pub(crate) fn stem(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

/// Reads a document.
pub(crate) fn read<T: DeserializeOwned>(setting: &RegistrySetting) -> Result<T, Error> {
    serde_json::from_str(&setting.document).map_err(|error| corrupt(&error))
}

/// Writes a document.
pub(crate) fn text<T: Serialize>(document: &T) -> Result<String, Error> {
    serde_json::to_string(document).map_err(|error| corrupt(&error))
}

fn corrupt(error: &serde_json::Error) -> Error {
    StoreError::Corrupt { entity: "registry_settings", reason: error.to_string() }.into()
}

/// A time as the shapes of the API have it.
pub(crate) fn moment(at: Timestamp) -> protocol::Timestamp {
    protocol::Timestamp(at.as_millis())
}

/// How many documents of a kind there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) kind: Kind,
    /// What they are, for people.
    pub(crate) what: &'static str,
    /// The setting that says how many, below `limits`.
    pub(crate) setting: &'static str,
    /// 0 for any number.
    pub(crate) limit: u64,
}

impl Most {
    /// Refuses one more than there may be.
    pub(crate) fn ensure_room(self, txn: &mut dyn Transaction, registry: &Registry) -> Result<(), Error> {
        let Self { kind, what, setting, limit } = self;
        if limit > 0 && registry_settings::count(txn, registry, kind)? >= limit {
            return Err(EcrError::LimitExceeded { what, limit, setting }.into());
        }
        Ok(())
    }
}
