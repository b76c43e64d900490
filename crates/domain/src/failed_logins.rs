//! Log-ins that fail are slowed, always, and nobody is locked out by somebody else.
//!
//! Failures are counted by what was tried and the client's address together, and by the address alone. Once a pair has had its
//! allowance, its attempts are refused before anything is compared, until some of it comes back; from every other address the same
//! credentials work. Once an address has had its allowance, its failures are answered with the same refusal, but who shares the
//! address and brings the right credentials passes. What there is and what is not is counted alike, so that the refusal tells
//! nothing. Each node counts for itself, in bounded memory.
//!
//! Passes (authorization tokens, bearer tokens) are sealed: there is nothing to guess. Wrong authorization tokens count for their
//! address alone, because everybody shows them under the same name.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use berth_aws::sigv4::SigV4Error;
use berth_store::Timestamp;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::Domain;
use crate::address::Block;
use crate::error::Error;
use crate::federation::FederationError;
use crate::throttle::bucket::{Bucket, Limit, WHOLE};

/// Pairs that are remembered, some 300 bytes each. What is tried again and again is not what is forgotten.
const PAIRS: usize = 50_000;
/// Addresses that are remembered.
const ADDRESSES: usize = 50_000;
/// One more failure every half minute for a pair, and every three seconds for an address, in thousandths per second.
const PAIR_RATE: u64 = 33;
const ADDRESS_RATE: u64 = 333;
/// How much of a name counts: access key ids have at most 128 characters, ARNs of roles a few more.
const MOST_NAME: usize = 256;

/// How many log-ins may fail at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Of one access key id or user from one address. One comes back every half minute.
    pub of_pair: u32,
    /// From one address, whoever was tried. One comes back every three seconds.
    pub of_address: u32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { of_pair: 10, of_address: 100 }
    }
}

/// Who was tried from where.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Pair {
    who: Box<str>,
    from: Block,
}

/// The same, borrowed; it hashes as [`Pair`] does, field by field.
#[derive(Clone, Copy, Hash)]
struct Attempt<'a> {
    who: &'a str,
    from: Block,
}

impl Equivalent<Pair> for Attempt<'_> {
    fn equivalent(&self, pair: &Pair) -> bool {
        self.from == pair.from && self.who == &*pair.who
    }
}

type Kept = Arc<Mutex<Bucket>>;

/// What failed lately.
pub(crate) struct FailedLogins {
    pairs: Cache<Pair, Kept>,
    addresses: Cache<Block, Kept>,
    of_pair: Limit,
    of_address: Limit,
}

impl FailedLogins {
    pub(crate) fn new(allowance: Allowance) -> Self {
        let limit = |rate, allowed: u32| Limit { rate, burst: u64::from(allowed.max(1)) };
        let (of_pair, of_address) = (limit(PAIR_RATE, allowance.of_pair), limit(ADDRESS_RATE, allowance.of_address));
        Self { pairs: Cache::new(PAIRS), addresses: Cache::new(ADDRESSES), of_pair, of_address }
    }

    /// Goes on where the pair may fail once more.
    fn ensure_allowed(&self, attempt: Attempt<'_>, now: Timestamp) -> Result<(), Error> {
        let Some(kept) = self.pairs.get(&attempt) else { return Ok(()) };
        let mut bucket = kept.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.wait(self.of_pair.flow(WHOLE), now).map_or(Ok(()), |wait| Err(Error::throttled(wait)))
    }

    /// Counts a failure; gives what to answer instead where there were too many.
    fn count(&self, attempt: Option<Attempt<'_>>, from: Block, now: Timestamp) -> Result<(), Error> {
        let of_pair = attempt.map(|attempt| {
            let pair = Pair { who: attempt.who.into(), from };
            take(&self.pairs, &pair, self.of_pair, now)
        });
        let of_address = take(&self.addresses, &from, self.of_address, now);
        of_pair.unwrap_or(Ok(())).and(of_address)
    }
}

/// Takes one from a bucket, which is made where it is missing.
fn take<K>(cache: &Cache<K, Kept>, key: &K, limit: Limit, now: Timestamp) -> Result<(), Error>
where
    K: Clone + Eq + std::hash::Hash,
{
    let flow = limit.flow(WHOLE);
    let fresh = || Arc::new(Mutex::new(Bucket::full(flow, now)));
    let kept = cache.get_or_insert_with(key, || Ok::<_, std::convert::Infallible>(fresh())).unwrap_or_else(|_| fresh());
    let mut bucket = kept.lock().unwrap_or_else(PoisonError::into_inner);
    bucket.take(flow, now).map_err(Error::throttled)
}

impl Domain {
    /// Finds out who somebody is, unless what they try (`who`: an access key id, the ARN of a role) failed too often from their
    /// address. Without a `who`, failures count for the address alone.
    pub(crate) async fn slowed<T>(
        &self,
        who: Option<&str>,
        from: Option<IpAddr>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let from = Block::of(from);
        let attempt = who.map(|who| Attempt { who: beginning(who), from });
        let ensure_allowed = || {
            let allowed = |attempt| self.failed_logins.ensure_allowed(attempt, self.clock.now());
            attempt.map_or(Ok(()), allowed).inspect_err(|_| refused())
        };
        ensure_allowed()?;
        match work.await {
            // Attempts that were made beside this one may have had what was left.
            Ok(found) => ensure_allowed().map(|()| found),
            Err(error) if is_failed_login(&error) => {
                self.failed_logins.count(attempt, from, self.clock.now()).inspect_err(|_| refused())?;
                Err(error)
            }
            Err(other) => Err(other),
        }
    }
}

/// Whether an error says that credentials are wrong. Those that ended, or were made for something else, are no guesses.
fn is_failed_login(error: &Error) -> bool {
    matches!(
        error,
        Error::WrongCredentials
            | Error::InvalidClientToken
            | Error::Signature(SigV4Error::SignatureMismatch)
            | Error::Federation(FederationError::InvalidToken(_) | FederationError::NotAuthorized(_))
    )
}

fn refused() {
    metrics::counter!("berth_throttled_total", "operation" => "login").increment(1);
}

fn beginning(who: &str) -> &str {
    who.get(..who.floor_char_boundary(MOST_NAME)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn block(address: &str) -> Block {
        Block::of(Some(address.parse().unwrap()))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn failed(logins: &FailedLogins, who: &str, from: &str, now: i64) -> Result<(), Error> {
        let from = block(from);
        logins.count(Some(Attempt { who, from }), from, at(now))
    }

    fn allowed(logins: &FailedLogins, who: &str, from: &str, now: i64) -> bool {
        logins.ensure_allowed(Attempt { who, from: block(from) }, at(now)).is_ok()
    }

    #[test]
    fn a_pair_that_failed_too_often_waits_and_nobody_else() {
        let logins = FailedLogins::new(Allowance { of_pair: 3, of_address: 100 });
        for _ in 0..3 {
            assert!(allowed(&logins, "alice", "192.0.2.1", 0));
            assert!(failed(&logins, "alice", "192.0.2.1", 0).is_ok());
        }
        assert!(!allowed(&logins, "alice", "192.0.2.1", 0));
        assert!(matches!(
            failed(&logins, "alice", "192.0.2.1", 0),
            Err(Error::Throttled { retry_after }) if retry_after == Duration::from_secs(31)
        ));
        for (who, from) in [("alice", "192.0.2.2"), ("bob", "192.0.2.1"), ("alice", "2001:db8::1")] {
            assert!(allowed(&logins, who, from, 0), "{who} {from}");
        }
        assert!(!allowed(&logins, "alice", "192.0.2.1", 30) && allowed(&logins, "alice", "192.0.2.1", 31));
        // After one more it waits again.
        assert!(failed(&logins, "alice", "192.0.2.1", 31).is_ok() && !allowed(&logins, "alice", "192.0.2.1", 31));
    }

    #[test]
    fn all_of_an_ipv6_network_is_one_address() {
        let logins = FailedLogins::new(Allowance { of_pair: 2, of_address: 100 });
        for from in ["2001:db8::1", "2001:db8::2:1"] {
            assert!(failed(&logins, "alice", from, 0).is_ok());
        }
        assert!(!allowed(&logins, "alice", "2001:db8::3", 0) && allowed(&logins, "alice", "2001:db8:0:1::1", 0));
    }

    #[test]
    fn an_address_has_an_allowance_of_its_own() {
        let logins = FailedLogins::new(Allowance { of_pair: 3, of_address: 5 });
        let told = |who: &str| failed(&logins, who, "192.0.2.1", 0).is_ok();
        assert!(["a", "b", "c", "d", "e"].into_iter().all(told));
        assert!(!told("f") && !told("a"), "failures are not told apart any more");
        // Whoever has the right credentials is not asked.
        assert!(allowed(&logins, "f", "192.0.2.1", 0) && allowed(&logins, "g", "192.0.2.1", 0));
        // But nobody is tried more often than a pair may be.
        assert!(!told("f") && !told("f") && !allowed(&logins, "f", "192.0.2.1", 0));
    }

    #[test]
    fn many_names_do_not_push_out_the_one_that_is_tried() {
        let logins = FailedLogins::new(Allowance { of_pair: 3, of_address: u32::MAX });
        for _ in 0..3 {
            let _ = failed(&logins, "alice", "192.0.2.1", 0);
        }
        for number in 0..3 * PAIRS {
            let _ = failed(&logins, &format!("nobody {number}"), "192.0.2.1", 0);
            assert!(number % 1000 > 0 || !allowed(&logins, "alice", "192.0.2.1", 0), "after {number}");
        }
        assert!(logins.pairs.len() <= PAIRS);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(beginning("alice"), "alice");
        assert_eq!(beginning(&"ä".repeat(1_000)).len(), 256);
        assert_eq!(beginning(&format!("x{}", "ä".repeat(1_000))).len(), 255);
    }
}
