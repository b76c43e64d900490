//! An account's bucket, shared by its principals.
//!
//! What flows in is dealt out evenly to the principals that asked lately. What one has no room for goes into a pool that all take
//! from, so nothing is withheld as long as anybody wants it; what one has, nobody else can take. An eighth is a reserve for
//! whoever was not refused lately: a principal that comes while another empties the pool finds something at its first call.

use std::time::Duration;

use berth_store::Timestamp;

use super::bucket::{CALL, Flow};

/// Principals that are told apart; more share places with others.
pub const MOST_PRINCIPALS: usize = 64;
/// Who did not ask for so long is forgotten, and what it had goes to the others.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);
/// Who was refused has nothing of the reserve for so long.
const HUNGRY_FOR: Duration = Duration::from_secs(2);
/// Which part of burst and rate the reserve is filled up to, and with.
const RESERVE: u64 = 8;

/// A bucket of tokens that principals share.
#[derive(Debug)]
pub struct Fair {
    at: Timestamp,
    pool: u64,
    reserve: u64,
    places: Vec<Place>,
}

/// What one principal has.
#[derive(Debug)]
struct Place {
    who: u64,
    level: u64,
    asked_at: Timestamp,
    refused_at: Option<Timestamp>,
}

impl Fair {
    /// A bucket from which all may be taken at once.
    pub fn full(flow: Flow, now: Timestamp) -> Self {
        Self { at: now, pool: flow.burst, reserve: 0, places: Vec::new() }
    }

    /// Takes one call for a principal, which a hash names; where it may have none, how long until its share has one, as long as
    /// nobody else comes.
    pub fn take(&mut self, who: u64, flow: Flow, now: Timestamp) -> Result<(), Duration> {
        if now != self.at {
            self.pass(flow, now);
        }
        let nth = self.find(who);
        let Self { pool, reserve, places, .. } = self;
        let Some(place) = places.get_mut(nth) else { return Ok(()) };
        place.asked_at = now;
        let is_hungry = place.refused_at.is_some_and(|at| now < at.after(HUNGRY_FOR));
        let mut nothing = 0;
        let reserve = if is_hungry { &mut nothing } else { reserve };
        let sources = [&mut place.level, pool, reserve];
        // Together, because each may have less than a call where a burst has few.
        if sources.iter().fold(0_u64, |sum, source| sum.saturating_add(**source)) >= CALL {
            let mut missing = CALL;
            for source in sources {
                let taken = missing.min(*source);
                *source -= taken;
                missing -= taken;
            }
            return Ok(());
        }
        place.refused_at = Some(now);
        let level = place.level;
        Err(self.time_until_served(level, flow))
    }

    /// How long until a principal that has so much, and was just refused, has a call: its share of what flows in, of which a part
    /// goes to the reserve until that is full. Who is alone may count on the pool and the reserve as well, once it is not hungry.
    fn time_until_served(&self, level: u64, flow: Flow) -> Duration {
        let count = self.places.len().max(1) as u64;
        let dealt = CALL.saturating_sub(level).saturating_mul(count);
        let room = reserve_of(flow).saturating_sub(self.reserve);
        let beside = dealt.div_ceil(RESERVE - 1).min(room);
        let by_share = flow.time_for(dealt.saturating_add(beside));
        if count > 1 {
            return by_share;
        }
        let held = level.saturating_add(self.pool).saturating_add(self.reserve);
        by_share.min(flow.time_for(CALL.saturating_sub(held)).max(HUNGRY_FOR))
    }

    /// The place of a principal: its own, a new one, or one that it shares.
    fn find(&mut self, who: u64) -> usize {
        if let Some(found) = self.places.iter().position(|place| place.who == who) {
            return found;
        }
        if self.places.len() < MOST_PRINCIPALS {
            self.places.push(Place { who, level: 0, asked_at: self.at, refused_at: None });
            return self.places.len() - 1;
        }
        usize::try_from(who % MOST_PRINCIPALS as u64).unwrap_or(0)
    }

    /// The most that one principal has: an even part of the burst without the reserve, but at least one call.
    fn most_of_one(&self, flow: Flow) -> u64 {
        let count = self.places.len().max(1) as u64;
        ((flow.burst - reserve_of(flow)) / count).max(CALL)
    }

    /// Lets time pass: who is idle is forgotten, and what flowed in is dealt out.
    fn pass(&mut self, flow: Flow, now: Timestamp) {
        let gained = flow.between(self.at, now);
        self.at = now;
        let left_behind = self.forget(now);
        let left_over = self.fill_reserve(flow, gained);
        let left_over = self.deal(flow, left_over);
        let held = self.places.iter().fold(self.reserve, |sum, place| sum.saturating_add(place.level));
        let pool = self.pool.saturating_add(left_behind).saturating_add(left_over);
        self.pool = pool.min(flow.burst.saturating_sub(held));
    }

    /// Forgets who did not ask for long; gives what they had. A clock that went back makes a new beginning.
    fn forget(&mut self, now: Timestamp) -> u64 {
        let mut had = 0_u64;
        self.places.retain(|place| {
            let stays = place.asked_at <= now && now < place.asked_at.after(FORGOTTEN_AFTER);
            had = had.saturating_add(if stays { 0 } else { place.level });
            stays
        });
        had
    }

    /// Fills the reserve with its part of what flowed in; gives the rest.
    fn fill_reserve(&mut self, flow: Flow, gained: u64) -> u64 {
        let most = reserve_of(flow);
        self.reserve = self.reserve.min(most);
        let taken = (gained / RESERVE).min(most - self.reserve);
        self.reserve += taken;
        gained - taken
    }

    /// Gives each principal its share, as far as it has room; gives the rest.
    fn deal(&mut self, flow: Flow, gained: u64) -> u64 {
        let most = self.most_of_one(flow);
        let each = gained.checked_div(self.places.len() as u64).unwrap_or(0);
        let mut left = gained;
        for place in &mut self.places {
            // Where there are more to share, or the node's part of the quota became smaller, what is too much goes to the pool.
            left = left.saturating_add(place.level.saturating_sub(most));
            place.level = place.level.min(most);
            let given = each.min(most - place.level);
            place.level += given;
            left = left.saturating_sub(given);
        }
        left
    }
}

/// What is kept for whoever comes: nothing where a call would be too much to keep.
const fn reserve_of(flow: Flow) -> u64 {
    let part = flow.burst / RESERVE;
    if flow.burst < 2 * CALL {
        0
    } else if part < CALL {
        CALL
    } else {
        part
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bucket::{Limit, WHOLE};
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Principals that ask at even intervals for so many seconds: how many calls each was given in all.
    fn given(flow: Flow, intervals: &[i64], seconds: i64) -> Vec<usize> {
        let mut fair = Fair::full(flow, at(0));
        let mut given = vec![0; intervals.len()];
        for moment in 0..seconds * 1000 {
            for (who, _) in intervals.iter().enumerate().filter(|(_, interval)| moment % **interval == 0) {
                given[who] += usize::from(fair.take(who as u64, flow, at(moment)).is_ok());
            }
        }
        given
    }

    #[test]
    fn one_principal_alone_has_the_whole_quota() {
        let flow = Limit::per_second(10).flow(WHOLE);
        let mut fair = Fair::full(flow, at(0));
        let at_once = (0..50).filter(|_| fair.take(1, flow, at(0)).is_ok()).count();
        assert_eq!(at_once, 10);
        // Of the first seconds, a little stays in the reserve.
        let later = (1..=60_000).filter(|moment| fair.take(1, flow, at(*moment)).is_ok()).count();
        assert!((598..=600).contains(&later), "{later}");
    }

    #[test]
    fn who_wants_more_than_its_share_starves_nobody() {
        // Ten per second; shares of five. One asks 500 times per second, the other four times, or five.
        let flow = Limit::per_second(10).flow(WHOLE);
        for (interval, asked) in [(250, 240), (200, 300)] {
            let given = given(flow, &[2, interval], 60);
            // While the reserve fills for the first time, shares are a little smaller.
            assert!(given[1] + 2 >= asked, "{given:?}");
            assert!(given[0] >= 600 - asked - 5, "what is left over is used: {given:?}");
            assert!(given.iter().sum::<usize>() <= 610, "{given:?}");
        }
    }

    #[test]
    fn what_nobody_wants_goes_to_who_does() {
        // A hundred per second between one that wants 500, one that wants 20 and one that wants 1.
        let given = given(Limit::per_second(100).flow(WHOLE), &[2, 50, 1000], 60);
        assert_eq!((given[1], given[2]), (1200, 60), "{given:?}");
        assert!((4_700..=4_840).contains(&given[0]), "{given:?}");
    }

    #[test]
    fn two_that_want_too_much_have_the_same() {
        let given = given(Limit::per_second(50).flow(WHOLE), &[1, 3], 60);
        let (more, less) = (given[0].max(given[1]), given[0].min(given[1]));
        // The pool goes to whoever is quicker; there is little in it.
        assert!(less * 10 >= more * 9 && less + more >= 2_990, "{given:?}");
    }

    #[test]
    fn who_comes_late_finds_something_at_once() {
        let flow = Limit::per_second(10).flow(WHOLE);
        let mut fair = Fair::full(flow, at(0));
        for moment in 0..5_000 {
            let _ = fair.take(1, flow, at(moment));
        }
        assert!(fair.take(1, flow, at(5_000)).is_err(), "the greedy one");
        assert!(fair.take(2, flow, at(5_000)).is_ok(), "its neighbour's first call");
    }

    #[test]
    fn who_is_refused_is_told_when_its_share_has_a_call() {
        let flow = Limit::per_second(1).flow(WHOLE);
        let mut fair = Fair::full(flow, at(0));
        assert!(fair.take(1, flow, at(0)).is_ok());
        assert_eq!(fair.take(1, flow, at(0)), Err(Duration::from_secs(1)));
        assert_eq!(fair.take(2, flow, at(0)), Err(Duration::from_secs(2)), "half of the rate is another's");
        assert!(fair.take(1, flow, at(2_000)).is_ok() && fair.take(2, flow, at(2_000)).is_ok());
    }

    #[test]
    fn there_is_a_place_for_everybody_and_no_more_than_so_many() {
        let flow = Limit::per_second(1_000).flow(WHOLE);
        let mut fair = Fair::full(flow, at(0));
        for who in 0..100_000 {
            let _ = fair.take(who, flow, at(i64::try_from(who).unwrap() / 100));
        }
        assert!(fair.places.len() <= MOST_PRINCIPALS && fair.places.capacity() <= 2 * MOST_PRINCIPALS);
        // Idle ones are forgotten, and what they had is there again.
        assert!(fair.take(7, flow, at(60_000)).is_ok());
        assert_eq!(fair.places.len(), 1);
    }

    proptest! {
        #[test]
        fn a_burst_is_there_again_when_as_much_has_flowed_in(rate in 1_u64..100_000, burst in 1_u64..50) {
            let limit = Limit { rate, burst };
            let flow = limit.flow(WHOLE);
            let mut fair = Fair::full(flow, at(0));
            while fair.take(1, flow, at(0)).is_ok() {}
            let full_again = i64::try_from(flow.time_for(flow.burst).as_millis()).unwrap();
            let later = at(full_again.max(at(0).after(HUNGRY_FOR).as_millis()));
            let at_once = (0..=burst).filter(|_| fair.take(1, flow, later).is_ok()).count();
            prop_assert_eq!(at_once as u64, burst);
        }

        /// Clients that keep to `Retry-After` try once more, not twice.
        #[test]
        fn who_waits_as_long_as_it_is_told_is_served(
            rate in 1_u64..100_000,
            burst in 1_u64..50,
            principals in 1_u64..20,
            idle in 0_i64..20_000,
        ) {
            let flow = Limit { rate, burst }.flow(WHOLE);
            let mut fair = Fair::full(flow, at(0));
            let mut told = Duration::ZERO;
            for now in [0, idle] {
                for who in 0..principals {
                    while fair.take(who, flow, at(now)).is_ok() {}
                    told = fair.take(who, flow, at(now)).unwrap_err();
                }
            }
            let later = at(idle + i64::try_from(told.as_millis()).unwrap());
            prop_assert!(fair.take(principals - 1, flow, later).is_ok(), "{told:?}");
        }

        #[test]
        fn never_more_than_burst_and_rate(
            rate in 1_u64..100_000,
            burst in 1_u64..50,
            principals in 1_u64..80,
            steps in prop::collection::vec((0_i64..2_000, 0_u64..80, 1_usize..20), 1..120),
        ) {
            let flow = Limit { rate, burst }.flow(WHOLE);
            let (mut fair, mut now, mut taken) = (Fair::full(flow, at(0)), 0, 0_u64);
            // Many principals may keep a call each, even where the burst is smaller.
            let most = burst.max(1 + principals.min(MOST_PRINCIPALS as u64));
            for (step, who, asked) in steps {
                now += step;
                taken += (0..asked).filter(|_| fair.take(who % principals, flow, at(now)).is_ok()).count() as u64;
                prop_assert!(taken * CALL <= most * CALL + rate * now.unsigned_abs());
            }
        }

        #[test]
        fn a_share_is_there_whatever_others_do(
            rate in 4_u64..200,
            noise in prop::collection::vec((1_u64..6, 1_usize..400), 200),
        ) {
            // One principal asks for half of what its share of six is, the others for whatever they like.
            let flow = Limit::per_second(rate).flow(WHOLE);
            let mut fair = Fair::full(flow, at(0));
            let every = i64::try_from(12_000_u64.div_ceil(rate)).unwrap();
            let mut next = 0;
            for (nth, (who, times)) in (0_i64..).zip(noise) {
                let now = nth * 97;
                for _ in 0..times {
                    let _ = fair.take(who, flow, at(now));
                }
                if now >= next && next < 9_000 {
                    // Not before it is in: then its share is its own.
                    prop_assert!(next == 0 || fair.take(0, flow, at(now)).is_ok(), "at {now}");
                    if next == 0 { let _ = fair.take(0, flow, at(now)); }
                    next = now + every;
                }
            }
        }
    }
}
