//! Rounds: the collections in the background, which all nodes walk together.
//!
//! Where the round is stands in the database. A node looks at the batch behind that place, moves the place behind it, and only
//! then takes what the batch held: of two nodes that look at one batch, one moves the place. There is no holder and no lock, so
//! a node may stop at any moment; the others go on behind it, a restart goes on where the round was, and what a dead or slow
//! node did not take in time waits for the next round.

use std::fmt;
use std::time::Duration;

use berth_store::{Timestamp, properties};

use super::walk::{Place, Walk};
use super::{Collected, Collector};
use crate::error::Error;
use crate::{Domain, backup};

/// The property that holds the [`Round`].
const ROUND: &str = "collection_round";

/// The latest round, in the database as words with a space between.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Round {
    /// When it began, in milliseconds since 1970.
    began: i64,
    /// Where it is; `None` when it is over.
    place: Option<Place>,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A batch was looked at, or another node was quicker.
    Went(Collected),
    /// As before, and it was the last batch of the round.
    Ended(Collected),
    /// No round is due for so long.
    Wait(Duration),
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.began)?;
        match &self.place {
            None => write!(f, "over"),
            Some(Place::Links { repository, digest }) => write!(f, "links {repository} {digest}"),
            Some(Place::Blobs { id }) => write!(f, "blobs {id}"),
            Some(Place::Multiparts) => write!(f, "multiparts"),
            Some(Place::Keys { key }) => write!(f, "keys {}", key.as_deref().unwrap_or_default()),
        }
    }
}

impl Round {
    /// `None` for what another version wrote.
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let (began, place) = words.split_first()?;
        let place = match *place {
            ["over"] => None,
            ["links", repository, digest] => {
                Some(Place::Links { repository: repository.parse().ok()?, digest: digest.to_owned() })
            }
            ["blobs", id] => Some(Place::Blobs { id: id.parse().ok()? }),
            ["keys", ""] => Some(Place::Keys { key: None }),
            ["multiparts"] => Some(Place::Multiparts),
            ["keys", key] => Some(Place::Keys { key: Some(key.to_owned()) }),
            _ => return None,
        };
        Some(Self { began: began.parse().ok()?, place })
    }

    /// How long until the next round begins; `None` where it may begin now.
    fn wait(&self, now: Timestamp, interval: Duration) -> Option<Duration> {
        let began = Timestamp::from_millis(self.began);
        // A clock that went back must not end collections for good.
        let is_future = began > now.after(interval);
        let over = began.after(interval).as_millis() - now.as_millis();
        (!is_future && over > 0).then(|| Duration::from_millis(over.unsigned_abs()))
    }

    /// The round that a step belongs to: this one while it lasts, else the next one where it is due.
    fn current(known: Option<Self>, now: Timestamp, interval: Duration) -> Result<(Self, Place), Duration> {
        let next = Self { began: now.as_millis(), place: None };
        match known {
            None => Ok((next, Place::START)),
            Some(Self { began, place: Some(place) }) => Ok((Self { began, place: None }, place)),
            Some(over) => over.wait(now, interval).map_or(Ok((next, Place::START)), Err),
        }
    }
}

impl Domain {
    /// Goes a step in the round of collections that all nodes share, where one is due: `interval` after the last one began.
    ///
    /// # Errors
    /// Of the stores. The batch then waits for the next round; a read-only registry collects nothing.
    pub async fn collect_step(&self, interval: Duration, collector: &mut dyn Collector) -> Result<Step, Error> {
        self.ensure_not_read_only()?;
        // A restore begun beside this process has written some of the rows, and not yet those that need them.
        backup::ensure_restored(self.database.unrecorded()).await?;
        let known = self.database.read(|txn| properties::get(txn, ROUND).map_err(Error::from)).await?;
        let round = known.as_deref().and_then(|text| Round::parse(&String::from_utf8_lossy(text)));
        let (mut round, place) = match Round::current(round, self.clock.now(), interval) {
            Ok(current) => current,
            Err(wait) => return Ok(Step::Wait(wait)),
        };
        let mut walk = Walk { domain: self, collector, dry: false, collected: Collected::default() };
        let (batch, next) = walk.look(&place).await?;
        round.place = next;
        let moved = self.move_round(known, &round).await?;
        if moved {
            walk.take(batch).await?;
        }
        walk.collector.rest().await;
        let ended = moved && round.place.is_none();
        Ok(if ended { Step::Ended(walk.collected) } else { Step::Went(walk.collected) })
    }

    /// Whether the round was still where it was known to be.
    async fn move_round(&self, known: Option<Vec<u8>>, to: &Round) -> Result<bool, Error> {
        let to = to.to_string().into_bytes();
        let write =
            self.database.write(move |txn| properties::replace(txn, ROUND, known.as_deref(), &to).map_err(Error::from));
        write.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const MINUTE_MILLIS: i64 = 60_000;

    #[test]
    fn a_round_begins_when_it_is_due_and_goes_on_where_it_was() {
        let now = Timestamp::from_millis(100 * 60 * MINUTE_MILLIS);
        let began = |minutes: i64| now.as_millis() - minutes * MINUTE_MILLIS;
        let over = |minutes| Some(Round { began: began(minutes), place: None });
        let fresh = || Ok((Round { began: began(0), place: None }, Place::START));
        let at = Place::Blobs { id: 7 };
        let cases = [
            (None, fresh()),
            (over(59), Err(Duration::from_mins(1))),
            (over(60), fresh()),
            (over(600), fresh()),
            // Clocks differ a little, or one went back a long way.
            (over(-5), Err(Duration::from_mins(65))),
            (over(-61), fresh()),
            (
                Some(Round { began: began(600), place: Some(at.clone()) }),
                Ok((Round { began: began(600), place: None }, at)),
            ),
        ];
        for (known, expected) in cases {
            assert_eq!(Round::current(known.clone(), now, HOUR), expected, "{known:?}");
        }
    }

    #[test]
    fn a_round_is_read_as_it_was_written() {
        let places = [
            None,
            Some(Place::Links { repository: 3, digest: "sha256:ab".to_owned() }),
            Some(Place::Blobs { id: 9 }),
            Some(Place::Keys { key: None }),
            Some(Place::Keys { key: Some("ab/cd".to_owned()) }),
            Some(Place::Multiparts),
        ];
        for place in places {
            let round = Round { began: 5, place };
            assert_eq!(Round::parse(&round.to_string()), Some(round));
        }
        for other in ["", "5", "x over", "5 links 3", "5 links x sha256:ab", "5 blobs", "5 else", "5 over more"] {
            assert_eq!(Round::parse(other), None, "{other:?}");
        }
    }
}
