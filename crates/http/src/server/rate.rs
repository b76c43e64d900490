//! The minimum rate as a function of waiting and bytes.

use std::time::Duration;

/// Judges a peer by what it moved while we waited for it; time in which *we* were busy is not held against it.
#[derive(Debug, Clone)]
pub(crate) struct RateMeter {
    window: Duration,
    minimum: u64,
    waited: Duration,
    bytes: u64,
}

/// The peer moved fewer bytes than the minimum rate asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl RateMeter {
    /// `minimum` in bytes per second, averaged over windows of this length; 0 accepts everything.
    pub(crate) fn new(minimum: u64, window: Duration) -> Self {
        Self { window, minimum, waited: Duration::ZERO, bytes: 0 }
    }

    /// Records bytes that moved after we had waited so long for them.
    pub(crate) fn record(&mut self, waited: Duration, bytes: usize) -> Result<(), TooSlow> {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.waited < self.window {
            return Ok(());
        }
        let enough = u128::from(self.minimum) * self.waited.as_millis() / 1000;
        let moved = u128::from(self.bytes);
        self.waited = Duration::ZERO;
        self.bytes = 0;
        if moved < enough { Err(TooSlow) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn meter() -> RateMeter {
        RateMeter::new(1000, Duration::from_secs(3))
    }

    #[test]
    fn a_slow_peer_is_found_when_the_window_is_over() {
        let mut meter = meter();
        assert_eq!(meter.record(SECOND, 10), Ok(()));
        assert_eq!(meter.record(SECOND, 10), Ok(()));
        assert_eq!(meter.record(SECOND, 10), Err(TooSlow));
    }

    #[test]
    fn the_rate_is_an_average_and_each_window_counts_anew() {
        let mut meter = meter();
        assert_eq!(meter.record(SECOND, 3000), Ok(()));
        assert_eq!(meter.record(2 * SECOND, 0), Ok(()));
        assert_eq!(meter.record(3 * SECOND, 2999), Err(TooSlow));
    }

    #[test]
    fn bytes_that_came_without_waiting_are_never_too_slow() {
        let mut meter = meter();
        for _ in 0..10_000 {
            assert_eq!(meter.record(Duration::ZERO, 1), Ok(()));
        }
    }

    #[test]
    fn zero_switches_the_rule_off() {
        let mut meter = RateMeter::new(0, SECOND);
        assert_eq!(meter.record(100 * SECOND, 0), Ok(()));
    }
}
