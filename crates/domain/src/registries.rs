//! The registries of one server: every account has one in each region that is served.
//!
//! They share a database, a blob store and everything that is kept in memory ([`Shared`]); what tells one from another is the
//! registry in a handle's settings, which every operation looks at. Content with the same digest is stored once for all of them,
//! and opens in a registry only by the links of that registry's repositories.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use berth_aws::policy::Named;
use berth_aws::{AccountId, Region};
use berth_store::repositories::Registry;
use berth_store::{BlobStore, Clock, Random};
use quick_cache::sync::Cache;

use crate::error::Error;
use crate::settings::Settings;
use crate::{
    Domain, access, audit, contents, failed_logins, federation, images, key_usage, pulls, seal, throttle, uploads,
};

/// Registries whose settings are kept ready.
const KEPT: usize = 1_000;

/// What all registries of a server have in common.
pub struct Shared {
    pub(crate) database: audit::ledger::Ledger,
    pub(crate) audit: audit::Queue,
    pub(crate) audit_key: audit::SigningKey,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) server_key: seal::ServerKey,
    pub(crate) sessions: uploads::Sessions,
    pub(crate) node: String,
    pub(crate) facts: access::facts::Facts,
    pub(crate) key_usage: key_usage::KeyUsage,
    pub(crate) contents: contents::Contents,
    pub(crate) pulls: pulls::Pulls,
    pub(crate) room: Arc<images::Room>,
    /// The server's own registry. Whoever administers its account administers the server.
    pub(crate) home: Registry,
    pub(crate) handles: Handles,
    pub(crate) throttles: throttle::Throttles,
    pub(crate) failed_logins: failed_logins::FailedLogins,
    pub(crate) issuers: federation::issuers::Issuers,
}

/// What handles of other registries are made of.
pub(crate) struct Handles(Cache<Registry, (Arc<Settings>, Arc<[Named]>)>);

impl Default for Handles {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

impl Deref for Domain {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Domain {
    /// The registry of an account in a region, each that of this registry where none is named; [`Error::RegistryUnknown`]
    /// where there is no such account, or the region is not served.
    pub async fn registry_of(
        &self,
        account: Option<&AccountId>,
        region: Option<&Region>,
    ) -> Result<Cow<'_, Self>, Error> {
        let here = &self.settings.registry;
        let (account, region) = (account.unwrap_or(&here.account), region.unwrap_or(&here.region));
        if *account == here.account && *region == here.region {
            return Ok(Cow::Borrowed(self));
        }
        let is_there = *account == self.home.account || self.account_exists(account).await?;
        if !is_there || !self.regions().any(|served| served == region) {
            return Err(Error::RegistryUnknown(format!("{account} in {region}")));
        }
        self.in_registry(&Registry { account: account.clone(), region: region.clone() })
    }

    /// The handle of a registry, whether its account exists or not: one without an account is empty, and stays so, because
    /// nobody may do anything in it that is not open to everybody.
    pub fn in_registry(&self, registry: &Registry) -> Result<Cow<'_, Self>, Error> {
        if *registry == self.settings.registry {
            return Ok(Cow::Borrowed(self));
        }
        if let Some((settings, anonymous)) = self.handles.0.get(registry) {
            return Ok(Cow::Owned(Self { shared: Arc::clone(&self.shared), settings, anonymous }));
        }
        let settings = Settings { registry: registry.clone(), ..Settings::clone(&self.settings) };
        let anonymous: Arc<[Named]> = access::anonymous_policies(&settings)?.into();
        let settings = Arc::new(settings);
        self.handles.0.insert(registry.clone(), (Arc::clone(&settings), Arc::clone(&anonymous)));
        Ok(Cow::Owned(Self { shared: Arc::clone(&self.shared), settings, anonymous }))
    }

    /// The regions in which every account has a registry; that of the server's own comes first.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        std::iter::once(&self.home.region)
            .chain(self.settings.regions.iter().filter(|other| **other != self.home.region))
    }
}
