//! Quotas of calls: so many of an operation per second, for an account and for a principal.
//!
//! Every door asks [`Domain::throttle`] once a call, behind the question who asks and before the operation. An account's bucket is
//! shared fairly by its principals ([`fair`]); several nodes share a quota by what they are asked for ([`nodes`]). What is
//! counted is in memory, and that is bounded: see [`ACCOUNTS`] and [`OTHERS`].

pub mod bucket;
pub mod fair;
mod nodes;
pub mod rules;
pub mod share;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_store::Timestamp;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::Domain;
use crate::address::Block;
use crate::caller::{Caller, Standing};
use crate::error::Error;
use crate::principal::IdentityKind;
use bucket::{Bucket, Limit};
use fair::Fair;
pub use rules::{Profile, RateRule, Rules, Scope};

/// Buckets of accounts that are kept, about 3 KiB each where many principals share one. Nobody but an administrator makes
/// accounts, so that nobody else can push one out.
const ACCOUNTS: usize = 10_000;
/// Buckets of principals and of addresses that are kept, some 300 bytes each. One that is pushed out begins anew.
const OTHERS: usize = 50_000;
/// Buckets whose use is remembered until the nodes tell each other: more of them are shared evenly.
const MOST_TOUCHED: usize = 20_000;
/// The longest that a client is told to wait.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The state of all quotas at this node.
pub(crate) struct Throttles {
    accounts: Cache<Key, Arc<Entry>>,
    others: Cache<Key, Arc<Entry>>,
    /// What was asked for since the nodes told each other last.
    touched: Mutex<Vec<Arc<Entry>>>,
    /// How many nodes there are, as far as is known.
    nodes: AtomicU32,
    /// How often the nodes told each other.
    rounds: AtomicU64,
    told: Mutex<nodes::Told>,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            accounts: Cache::new(ACCOUNTS),
            others: Cache::new(OTHERS),
            touched: Mutex::default(),
            nodes: AtomicU32::new(1),
            rounds: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }
}

/// Whose bucket of which operation: `ecr:PutImage` of `account 000000000000`.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    who: Box<str>,
    service: Box<str>,
    operation: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Account,
    Principal,
    Address,
}

/// The same, borrowed; it hashes as [`Key`] does, field by field.
#[derive(Clone, Copy, Hash)]
struct At<'a> {
    kind: Kind,
    who: &'a str,
    service: &'a str,
    operation: &'a str,
}

impl Equivalent<Key> for At<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.kind == key.kind
            && self.who == &*key.who
            && self.service == &*key.service
            && self.operation == &*key.operation
    }
}

impl At<'_> {
    fn key(self) -> Key {
        let Self { kind, who, service, operation } = self;
        Key { kind, who: who.into(), service: service.into(), operation: operation.into() }
    }

    /// What the nodes call it among themselves.
    fn name(self) -> String {
        let kind = match self.kind {
            Kind::Account => "account",
            Kind::Principal => "principal",
            Kind::Address => "address",
        };
        format!("{kind} {} {}:{}", self.who, self.service, self.operation)
    }
}

/// One bucket, and what this node has of its quota.
struct Entry {
    name: String,
    limit: Limit,
    state: Mutex<State>,
}

struct State {
    tokens: Tokens,
    /// Calls since the nodes told each other last.
    asked: u64,
    /// Calls per second, the last seconds together.
    demand: u64,
    /// When that was reckoned last.
    demand_round: u64,
    /// This node's part of the quota, in parts of a million, and since when.
    share: Option<(u32, u64)>,
}

enum Tokens {
    One(Bucket),
    Fair(Fair),
}

impl Entry {
    fn new(at: At<'_>, limit: Limit, share: u32, now: Timestamp) -> Self {
        let flow = limit.flow(share);
        let tokens = match at.kind {
            Kind::Account => Tokens::Fair(Fair::full(flow, now)),
            Kind::Principal | Kind::Address => Tokens::One(Bucket::full(flow, now)),
        };
        let state = State { tokens, asked: 0, demand: 0, demand_round: 0, share: None };
        Self { name: at.name(), limit, state: Mutex::new(state) }
    }
}

impl Domain {
    /// Counts a call of an operation such as `ecr:PutImage`; [`Error::Throttled`] where the caller's account, or the caller, has
    /// made too many. Costs next to nothing where there are no quotas. Nobody in particular is counted by address.
    pub fn throttle(&self, caller: &Caller, operation: &str) -> Result<(), Error> {
        let (service, operation) = operation.split_once(':').unwrap_or(("ecr", operation));
        self.throttle_call(caller, service, operation)
    }

    /// The same, for whoever has the service (`ecr`) and the operation (`PutImage`) apart. Operations are names that are known,
    /// never words of a client: they become labels of a figure.
    pub fn throttle_call(&self, caller: &Caller, service: &str, operation: &str) -> Result<(), Error> {
        let rules = &self.settings.throttle;
        if rules.is_off() {
            return Ok(());
        }
        self.count(rules, caller, service, operation).map_err(|wait| {
            metrics::counter!("berth_throttled_total", "operation" => format!("{service}:{operation}")).increment(1);
            Error::throttled(wait)
        })
    }

    fn count(&self, rules: &Rules, caller: &Caller, service: &str, operation: &str) -> Result<(), Duration> {
        let limit = |scope| rules.limit(scope, service, operation);
        let at = |kind, who| At { kind, who, service, operation };
        match &caller.standing {
            // Who holds the data folder is asked nothing.
            Standing::Operator { .. } => Ok(()),
            Standing::Anonymous => {
                let Some(limit) = limit(Scope::Account) else { return Ok(()) };
                let address = Block::of(caller.circumstances.source_ip).to_string();
                self.take(at(Kind::Address, &address), limit, 0)
            }
            Standing::Known(identity) => {
                let principal = principal_of(&identity.user_id, &identity.kind);
                if let Some(limit) = limit(Scope::Principal) {
                    self.take(at(Kind::Principal, principal), limit, 0)?;
                }
                let Some(limit) = limit(Scope::Account) else { return Ok(()) };
                self.take(at(Kind::Account, identity.account.as_str()), limit, hash(principal))
            }
        }
    }

    fn take(&self, at: At<'_>, limit: Limit, who: u64) -> Result<(), Duration> {
        let now = self.clock.now();
        let entry = self.throttles.entry(at, limit, now);
        let mut state = entry.state.lock().unwrap_or_else(PoisonError::into_inner);
        let flow = limit.flow(self.throttles.share_of(&state));
        let taken = match &mut state.tokens {
            Tokens::One(bucket) => bucket.take(flow, now),
            Tokens::Fair(fair) => fair.take(who, flow, now),
        };
        state.asked += 1;
        let is_first = state.asked == 1;
        drop(state);
        if is_first {
            self.throttles.touch(&entry);
        }
        taken.map_err(|wait| wait.min(LONGEST_WAIT))
    }
}

impl Throttles {
    fn entry(&self, at: At<'_>, limit: Limit, now: Timestamp) -> Arc<Entry> {
        let cache = if at.kind == Kind::Account { &self.accounts } else { &self.others };
        if let Some(entry) = cache.get(&at) {
            return entry;
        }
        let share = share::even(self.nodes.load(Ordering::Relaxed));
        let fresh = Arc::new(Entry::new(at, limit, share, now));
        let made = cache.get_or_insert_with(&at.key(), || Ok::<_, std::convert::Infallible>(Arc::clone(&fresh)));
        made.unwrap_or(fresh)
    }

    /// This node's part of a quota: what was reckoned lately, else an even one. While the nodes cannot tell each other, no
    /// round ends, and what was reckoned last stays.
    fn share_of(&self, state: &State) -> u32 {
        let round = self.rounds.load(Ordering::Relaxed);
        let known = state.share.filter(|(_, at)| round.saturating_sub(*at) <= nodes::SHARES_LAST);
        known.map_or_else(|| share::even(self.nodes.load(Ordering::Relaxed)), |(share, _)| share)
    }

    fn touch(&self, entry: &Arc<Entry>) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.len() < MOST_TOUCHED {
            touched.push(Arc::clone(entry));
        }
    }
}

/// All sessions of a role are one principal: their names are chosen by whoever assumes it.
fn principal_of<'a>(user_id: &'a str, kind: &IdentityKind) -> &'a str {
    match kind {
        IdentityKind::User { .. } => user_id,
        IdentityKind::Session { .. } => user_id.split(':').next().unwrap_or(user_id),
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
