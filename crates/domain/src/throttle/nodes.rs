//! How several nodes share the quotas: each says once a second what it is asked for, and takes the part that goes with it.
//!
//! A bucket begins with an even share at each node. One that is asked for little at a node stays there: the shares of the others
//! leave room for that ([`share::floor`](super::share::floor)). One that is asked for more is *hot*: the node writes how often
//! it was asked, all its hot buckets in one transaction, reads what the others wrote, and takes its part. Nothing is written
//! where a node is alone or nothing is hot, but once in a few seconds that the node runs. While the database is away, every node
//! goes on with the shares that it had.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use berth_store::{Timestamp, throttling};

use super::{Entry, Throttles, share};
use crate::Domain;
use crate::error::Error;

/// For how many rounds a share is good that is not renewed.
pub(super) const SHARES_LAST: u64 = 3;
/// How often a node says that it runs.
const SAYS_ALIVE: Duration = Duration::from_secs(5);
/// A node that did not say so for so long counts no more.
const ALIVE_FOR: Duration = Duration::from_secs(15);
/// What a node said longer ago counts no more: it says it each second. Clocks of nodes may differ by less.
const USE_COUNTS: Duration = Duration::from_secs(10);
/// Rows of nodes that were not heard of for so long go.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// The most buckets that a node says something of.
const MOST_HOT: usize = 500;

/// What was said last.
#[derive(Default)]
pub(crate) struct Told {
    at: Option<Timestamp>,
    alive_at: Option<Timestamp>,
    hot: Vec<String>,
    rounds: u64,
}

/// A bucket that is asked for more than the others leave room for.
struct Hot {
    entry: Arc<Entry>,
    demand: u64,
}

/// What a round is to write.
#[derive(Clone, Default)]
struct Words {
    says_alive: bool,
    hot: Vec<(String, u64)>,
    cooled: Vec<String>,
}

impl Words {
    fn is_empty(&self) -> bool {
        !self.says_alive && self.hot.is_empty() && self.cooled.is_empty()
    }
}

impl Domain {
    /// One round: says what this node is asked for, hears it of the others, and takes its parts of the quotas. Nothing happens
    /// where there are no quotas, or the registry takes no writes. Asked about once a second.
    pub async fn share_quotas(&self) -> Result<(), Error> {
        if self.settings.throttle.is_off() || self.settings.read_only {
            return Ok(());
        }
        let (now, throttles) = (self.clock.now(), &self.throttles);
        let hot = throttles.reckon(now);
        let words = throttles.words(&hot, now);
        let node = self.node.clone();
        if !words.is_empty() {
            let (node, said) = (node.clone(), words.clone());
            self.database.write(move |txn| said.write(txn, &node, now).map_err(Error::from)).await?;
            throttles.said(&words, now);
        }
        let wants_use = !hot.is_empty();
        let heard = self.database.read(move |txn| {
            let nodes = throttling::others_alive(txn, &node, now.before(ALIVE_FOR))?;
            let asked = if wants_use && nodes > 0 {
                throttling::use_of_others(txn, &node, now.before(USE_COUNTS))?
            } else {
                HashMap::new()
            };
            Ok::<_, Error>((nodes, asked))
        });
        let (others, asked) = heard.await?;
        throttles.take_shares(&hot, u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1), &asked);
        Ok(())
    }
}

impl Words {
    fn write(
        &self,
        txn: &mut dyn berth_store::Transaction,
        node: &str,
        now: Timestamp,
    ) -> Result<(), berth_store::StoreError> {
        if self.says_alive {
            throttling::say_alive(txn, node, now)?;
            throttling::clear(txn, now.before(KEPT_FOR))?;
        }
        self.cooled.iter().try_for_each(|bucket| throttling::forget_use(txn, bucket, node))?;
        self.hot.iter().try_for_each(|(bucket, asked)| throttling::note_use(txn, bucket, node, *asked, now))
    }
}

impl Throttles {
    /// Reckons what every bucket is asked for in a second, and gives those that are asked for much.
    fn reckon(&self, now: Timestamp) -> Vec<Hot> {
        let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        let (elapsed, round) = self.next_round(now);
        let floor = share::floor(self.nodes.load(Ordering::Relaxed));
        let mut hot: Vec<Hot> = touched.into_iter().filter_map(|entry| Hot::of(entry, elapsed, round, floor)).collect();
        hot.sort_unstable_by_key(|hot| std::cmp::Reverse(hot.demand));
        hot.truncate(MOST_HOT);
        hot
    }

    /// Milliseconds since the last round, and the number of this one.
    fn next_round(&self, now: Timestamp) -> (u64, u64) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.at.replace(now).unwrap_or_else(|| now.before(Duration::from_secs(1)));
        told.rounds += 1;
        let elapsed = u64::try_from(now.as_millis().saturating_sub(last.as_millis())).unwrap_or(0);
        (elapsed.max(1), told.rounds)
    }

    /// What there is to say. A node that is alone has nobody to tell what it is asked for.
    fn words(&self, hot: &[Hot], now: Timestamp) -> Words {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |at: Timestamp| now >= at.after(SAYS_ALIVE) || now < at;
        let says_alive = told.alive_at.is_none_or(is_due);
        let is_alone = self.nodes.load(Ordering::Relaxed) <= 1;
        let heard = if is_alone { &[] } else { hot };
        let hot: Vec<(String, u64)> = heard.iter().map(|hot| (hot.entry.name.clone(), hot.demand)).collect();
        let is_hot = |name: &&String| hot.iter().any(|(hot, _)| hot == *name);
        let cooled = told.hot.iter().filter(|name| !is_hot(name)).cloned().collect();
        Words { says_alive, hot, cooled }
    }

    /// Remembers what was said.
    fn said(&self, words: &Words, now: Timestamp) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if words.says_alive {
            told.alive_at = Some(now);
        }
        told.hot = words.hot.iter().map(|(name, _)| name.clone()).collect();
    }

    /// Takes this node's parts. What is not hot has an even share again a few rounds later.
    fn take_shares(&self, hot: &[Hot], nodes: u32, asked: &HashMap<String, u64>) {
        self.nodes.store(nodes, Ordering::Relaxed);
        let round = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        for Hot { entry, demand } in hot {
            let others = asked.get(&entry.name).copied().unwrap_or(0);
            let share = share::by_demand(*demand, demand.saturating_add(others), nodes);
            entry.state.lock().unwrap_or_else(PoisonError::into_inner).share = Some((share, round));
        }
    }
}

impl Hot {
    /// A bucket, if it is asked for more per second than the floor of its quota. Half of what it was asked for before counts,
    /// so that what comes in gusts does not make shares jump.
    fn of(entry: Arc<Entry>, elapsed: u64, round: u64, floor: u32) -> Option<Self> {
        let mut state = entry.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = std::mem::take(&mut state.asked).saturating_mul(1000) / elapsed;
        let is_recent = state.demand_round + 1 == round;
        let demand = if is_recent { now.midpoint(state.demand) } else { now };
        (state.demand, state.demand_round) = (demand, round);
        drop(state);
        let is_hot = demand.saturating_mul(1000) > entry.limit.flow(floor).rate;
        is_hot.then_some(Self { entry, demand })
    }
}
