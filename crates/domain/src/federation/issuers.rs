//! The keys of issuers: fetched when they are needed, kept, and used for a while where the issuer is away.
//!
//! An issuer is asked by whoever needs its keys, one at a time, and never more than once in [`PAUSE`], whatever tokens arrive:
//! a flood of unknown key ids costs it two requests in half a minute from each node. Keys that are younger than [`FRESH`] are not
//! asked for again unless a token names one that is not among them, so that a new key counts within a minute, and one that was
//! taken away is forgotten in a few. The last good set is also kept in the database, for a node that begins while the issuer is
//! away. Where keys are in a file (`federation.key_files`), nobody is asked.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_federation::oidc::{Issuer, KeySet, LARGEST_DOCUMENT, Token, jwks_uri};
use berth_store::{Timestamp, properties};
use berth_transfer::outbound::{Closed, Fetch};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::FederationError;
use crate::Domain;
use crate::error::Error;

/// The least time between two questions to an issuer.
const PAUSE: Duration = Duration::from_secs(30);
/// As long keys are not asked for again.
const FRESH: Duration = Duration::from_mins(5);
/// Issuers whose keys are kept in memory: only those that somebody has made a provider for.
const ISSUERS: usize = 10_000;

/// The row of an issuer's keys, whose address is given without `https://`.
pub(super) fn property(url: &str) -> String {
    format!("oidc_keys {url}")
}

/// What the row holds.
#[derive(Serialize, Deserialize)]
struct Saved {
    at: Timestamp,
    document: String,
}

/// A key set, and when it was fetched.
#[derive(Clone)]
struct Kept {
    keys: Arc<KeySet>,
    at: Timestamp,
}

/// What tells one state of a file from another.
type FileMark = (Option<SystemTime>, u64);

#[derive(Default)]
struct Known {
    kept: Option<Kept>,
    asked_at: Option<Timestamp>,
    file: Option<FileMark>,
}

/// One issuer.
#[derive(Default)]
struct Slot {
    /// Held while it is asked.
    asking: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

impl Slot {
    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The kept keys, if they are younger than `age`.
    fn kept(&self, now: Timestamp, age: Duration) -> Option<Arc<KeySet>> {
        self.with(|known| {
            known.kept.as_ref().filter(|kept| is_within(kept.at, now, age)).map(|kept| Arc::clone(&kept.keys))
        })
    }

    /// The same, if one of them may have signed the token.
    fn kept_for(&self, token: &Token<'_>, now: Timestamp, age: Duration) -> Option<Arc<KeySet>> {
        self.kept(now, age).filter(|keys| token.has_key_in(keys))
    }

    /// Keeps keys.
    fn keep(&self, keys: KeySet, at: Timestamp) {
        self.with(|known| known.kept = Some(Kept { keys: Arc::new(keys), at }));
    }

    /// Keeps keys that somebody else fetched, where they are younger than those that are there.
    fn keep_if_younger(&self, keys: KeySet, at: Timestamp) {
        if self.with(|known| known.kept.as_ref().is_none_or(|kept| kept.at < at)) {
            self.keep(keys, at);
        }
    }

    /// Notes that the issuer is asked now, unless it was a moment ago.
    fn may_ask(&self, now: Timestamp) -> bool {
        self.with(|known| {
            let may = known.asked_at.is_none_or(|asked| !is_within(asked, now, PAUSE));
            known.asked_at = if may { Some(now) } else { known.asked_at };
            may
        })
    }
}

/// Whether `at` is less than `span` away: what a clock that was set back left in the future is no younger than that.
fn is_within(at: Timestamp, now: Timestamp, span: Duration) -> bool {
    now < at.after(span) && at < now.after(span)
}

/// The keys of all issuers, and who asks for them.
pub(crate) struct Issuers {
    slots: Cache<String, Arc<Slot>>,
    outbound: OnceLock<Arc<dyn Fetch>>,
}

impl Default for Issuers {
    fn default() -> Self {
        Self { slots: Cache::new(ISSUERS), outbound: OnceLock::new() }
    }
}

impl Issuers {
    /// Who asks servers at addresses that people gave; nobody, where none was set.
    pub(super) fn outbound(&self) -> &dyn Fetch {
        self.outbound.get().map_or(&Closed, |outbound| outbound.as_ref())
    }

    fn slot(&self, issuer: &Issuer) -> Arc<Slot> {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
        match self.slots.get_or_insert_with(issuer.as_str(), fresh) {
            Ok(slot) => slot,
            Err(never) => match never {},
        }
    }
}

impl Domain {
    /// Says by whom servers are asked at addresses that people gave: once, when the server starts. Until then nobody is.
    pub fn reach_by(&self, outbound: Arc<dyn Fetch>) {
        let _ = self.issuers.outbound.set(outbound);
    }

    /// The keys of an issuer for a token: those that are kept where they have the token's and are not old, else what the issuer
    /// says now, if it may be asked; else what it said within `federation.stale_keys`.
    pub(super) async fn keys_of(&self, issuer: &Issuer, token: &Token<'_>) -> Result<Arc<KeySet>, Error> {
        let slot = self.issuers.slot(issuer);
        if let Some(path) = self.settings.federation.key_file(issuer.as_str()) {
            return keys_of_file(&slot, issuer, path, self.clock.now()).await;
        }
        if let Some(fresh) = slot.kept_for(token, self.clock.now(), FRESH) {
            return Ok(fresh);
        }
        let stale = self.settings.federation.stale_keys;
        let asking = match slot.kept_for(token, self.clock.now(), stale) {
            // Somebody else is asking: what is there will do meanwhile.
            Some(kept) => match slot.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(kept),
            },
            None => slot.asking.lock().await,
        };
        self.refresh(&slot, issuer, token).await?;
        drop(asking);
        slot.kept(self.clock.now(), stale).ok_or_else(|| away(issuer))
    }

    /// Brings the keys up to date, by whoever holds the right to ask.
    async fn refresh(&self, slot: &Slot, issuer: &Issuer, token: &Token<'_>) -> Result<(), Error> {
        let now = self.clock.now();
        if slot.with(|known| known.kept.is_none()) {
            self.read_saved(slot, issuer).await?;
        }
        if slot.kept_for(token, now, FRESH).is_some() || !slot.may_ask(now) {
            return Ok(());
        }
        match self.fetch(issuer).await {
            Ok((keys, document)) => {
                slot.keep(keys, now);
                self.save(issuer, Saved { at: now, document }).await
            }
            Err(reason) => {
                tracing::warn!(%issuer, reason, "the keys of an issuer cannot be fetched");
                // Another node may have had more luck.
                self.read_saved(slot, issuer).await
            }
        }
    }

    /// The keys as the issuer has them, and their text; in words why not.
    async fn fetch(&self, issuer: &Issuer) -> Result<(KeySet, String), String> {
        let outbound = self.issuers.outbound();
        let get = async |url: &str| outbound.get(url, LARGEST_DOCUMENT).await.map_err(|error| error.to_string());
        let discovered = get(&issuer.discovery_address()).await?;
        let address = jwks_uri(issuer, &discovered).map_err(|error| error.to_string())?;
        let document = get(&address).await?;
        let keys = KeySet::parse(&document).map_err(|error| error.to_string())?;
        Ok((keys, STANDARD.encode(document)))
    }

    async fn read_saved(&self, slot: &Slot, issuer: &Issuer) -> Result<(), Error> {
        let name = property(issuer.without_scheme());
        let saved = self.database.read(move |txn| properties::get(txn, &name).map_err(Error::from)).await?;
        let Some(saved) = saved.and_then(|saved| serde_json::from_slice::<Saved>(&saved).ok()) else { return Ok(()) };
        if let Some(keys) = STANDARD.decode(saved.document).ok().and_then(|document| KeySet::parse(&document).ok()) {
            slot.keep_if_younger(keys, saved.at);
        }
        Ok(())
    }

    /// Keeps keys for nodes that begin while the issuer is away.
    async fn save(&self, issuer: &Issuer, saved: Saved) -> Result<(), Error> {
        if self.settings.read_only {
            return Ok(());
        }
        let (name, url) = (property(issuer.without_scheme()), issuer.without_scheme().to_owned());
        let Ok(text) = serde_json::to_vec(&saved) else { return Ok(()) };
        let saved = self.database.write(move |txn| {
            // Not for one whose last provider is gone meanwhile.
            if berth_store::federation::is_oidc_used(txn, &url)? {
                properties::set(txn, &name, &text)?;
            }
            Ok::<_, Error>(())
        });
        if let Err(error) = saved.await {
            tracing::warn!(%issuer, %error, "the keys of an issuer cannot be kept");
        }
        Ok(())
    }
}

/// The keys in a file, which is read again when it changed. One that cannot be read leaves what it held before.
async fn keys_of_file(slot: &Slot, issuer: &Issuer, path: &Path, now: Timestamp) -> Result<Arc<KeySet>, Error> {
    let mark = tokio::fs::metadata(path).await.map(|file| (file.modified().ok(), file.len()));
    if let Ok(mark) = &mark
        && let Some(kept) = slot.with(|known| known.kept.clone().filter(|_| known.file.as_ref() == Some(mark)))
    {
        return Ok(kept.keys);
    }
    let read = async {
        let mark = mark.map_err(|error| error.to_string())?;
        if mark.1 > LARGEST_DOCUMENT as u64 {
            return Err("it is too large".to_owned());
        }
        let text = tokio::fs::read(path).await.map_err(|error| error.to_string())?;
        Ok((KeySet::parse(&text).map_err(|error| error.to_string())?, mark))
    };
    match read.await {
        Ok((keys, mark)) => {
            slot.keep(keys, now);
            slot.with(|known| known.file = Some(mark));
        }
        Err(reason) => {
            tracing::warn!(%issuer, file = %path.display(), reason, "the file with an issuer's keys cannot be used");
        }
    }
    slot.with(|known| known.kept.clone()).map(|kept| kept.keys).ok_or_else(|| away(issuer))
}

/// Without the reason: it is the operator's to know, and in the log.
fn away(issuer: &Issuer) -> Error {
    let message = format!("The keys of {issuer} cannot be retrieved at the moment");
    FederationError::Communication(message).into()
}
