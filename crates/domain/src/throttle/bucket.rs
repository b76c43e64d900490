//! A token bucket in whole numbers: what flows in is never rounded, so that nothing is lost or won over time.

use std::time::Duration;

use berth_store::Timestamp;

/// One call, in the units that buckets count in. A thousandth of a call per second, for a millisecond, is one unit.
pub const CALL: u64 = 1_000_000;

/// All of a quota, in parts of a million.
pub const WHOLE: u32 = 1_000_000;

/// A quota: so many calls per second on and on, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Thousandths of a call per second.
    pub rate: u64,
    /// Calls at once.
    pub burst: u64,
}

impl Limit {
    /// So many calls per second, and one second's worth of them at once.
    pub const fn per_second(calls: u64) -> Self {
        Self { rate: calls * 1000, burst: calls }
    }

    /// What a share of the quota comes to, in parts of a million. One call at once is always among it: with less, none ever went
    /// through.
    pub(crate) fn flow(self, share: u32) -> Flow {
        let part = |of: u64| u64::try_from(u128::from(of) * u128::from(share) / u128::from(WHOLE)).unwrap_or(of);
        Flow { rate: part(self.rate).max(1), burst: part(self.burst.saturating_mul(CALL)).max(CALL) }
    }
}

/// A quota, or a share of one, as buckets count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Units per millisecond, which are thousandths of a call per second.
    pub(crate) rate: u64,
    /// The most that a bucket holds, in units.
    pub(crate) burst: u64,
}

impl Flow {
    /// What flows in between two moments: nothing where the clock went back.
    pub(crate) fn between(self, from: Timestamp, to: Timestamp) -> u64 {
        let elapsed = u64::try_from(to.as_millis().saturating_sub(from.as_millis())).unwrap_or(0);
        self.rate.saturating_mul(elapsed)
    }

    /// How long until so much has flowed in.
    pub(crate) fn time_for(self, units: u64) -> Duration {
        Duration::from_millis(units.div_ceil(self.rate.max(1)))
    }
}

/// A bucket of tokens for one caller.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    level: u64,
    at: Timestamp,
}

impl Bucket {
    /// A bucket from which all may be taken at once.
    pub fn full(flow: Flow, now: Timestamp) -> Self {
        Self { level: flow.burst, at: now }
    }

    /// How long until a call may be taken; nothing where one may be now. Takes none.
    pub fn wait(&mut self, flow: Flow, now: Timestamp) -> Option<Duration> {
        let gained = flow.between(self.at, now);
        self.level = self.level.saturating_add(gained).min(flow.burst);
        self.at = now;
        let missing = CALL.saturating_sub(self.level);
        (missing > 0).then(|| flow.time_for(missing))
    }

    /// Takes one call; where there is none, how long until there is one.
    pub fn take(&mut self, flow: Flow, now: Timestamp) -> Result<(), Duration> {
        if let Some(wait) = self.wait(flow, now) {
            return Err(wait);
        }
        self.level = self.level.saturating_sub(CALL);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_by_the_rate() {
        let flow = Limit { rate: 2_000, burst: 3 }.flow(WHOLE);
        let mut bucket = Bucket::full(flow, at(0));
        for (moment, expected) in [
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(500)),
            (499, Err(1)),
            (500, Ok(())),
            (500, Err(500)),
            // A clock that goes back gives nothing, and does not stop the bucket for long.
            (100, Err(500)),
            (600, Ok(())),
            (100_000, Ok(())),
            (100_000, Ok(())),
            (100_000, Ok(())),
            (100_000, Err(500)),
        ] {
            let expected = expected.map_err(Duration::from_millis);
            assert_eq!(bucket.take(flow, at(moment)), expected, "at {moment}");
        }
    }

    #[test]
    fn a_rate_that_divides_nothing_does_not_drift() {
        // Seven calls per second, asked for each millisecond of an hour: 7 times 3,600, and the burst.
        let flow = Limit { rate: 7_000, burst: 2 }.flow(WHOLE);
        let mut bucket = Bucket::full(flow, at(0));
        let taken = (0..=3_600_000).filter(|moment| bucket.take(flow, at(*moment)).is_ok()).count();
        assert_eq!(taken, 7 * 3_600 + 2);
    }

    #[test]
    fn a_share_is_never_less_than_a_call() {
        let limit = Limit { rate: 3, burst: 2 };
        assert_eq!(limit.flow(WHOLE), Flow { rate: 3, burst: 2 * CALL });
        assert_eq!(limit.flow(WHOLE / 4), Flow { rate: 1, burst: CALL });
        assert_eq!(Limit::per_second(10).flow(WHOLE / 4), Flow { rate: 2_500, burst: 2_500_000 });
        assert_eq!(Limit { rate: u64::MAX, burst: u64::MAX }.flow(WHOLE).burst, u64::MAX);
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(
            rate in 1_u64..200_000,
            burst in 1_u64..50,
            steps in prop::collection::vec((0_i64..3_000, 1_usize..60), 1..80),
        ) {
            let flow = Limit { rate, burst }.flow(WHOLE);
            let (mut bucket, mut now, mut taken) = (Bucket::full(flow, at(0)), 0, 0_u64);
            for (step, asked) in steps {
                now += step;
                taken += (0..asked).filter(|_| bucket.take(flow, at(now)).is_ok()).count() as u64;
                prop_assert!(taken * CALL <= burst * CALL + rate * now.unsigned_abs());
            }
        }

        #[test]
        fn who_asks_when_told_is_served(rate in 1_u64..50_000, burst in 1_u64..5, start in 0_i64..1_000_000) {
            let flow = Limit { rate, burst }.flow(WHOLE);
            let mut bucket = Bucket::full(flow, at(start));
            let refused = (0..=burst).find_map(|_| bucket.take(flow, at(start)).err());
            let wait = i64::try_from(refused.unwrap().as_millis()).unwrap();
            prop_assert!(bucket.take(flow, at(start + wait)).is_ok());
        }
    }
}
