//! When to ask again.

use std::time::Duration;

/// Nobody is waited for longer than this at once.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How often to ask again, and after what pauses.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// How often to ask in all, at least once.
    pub tries: u32,
    /// The pause before the second try; each later one is twice as long.
    pub first_pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { tries: 6, first_pause: Duration::from_millis(500) }
    }
}

impl Retry {
    /// The pause behind try number `tried`, counted from 1; a `Retry-After` of the source makes it longer. `None` where
    /// no try is left.
    pub(crate) fn pause(self, tried: u32, asked: Option<Duration>) -> Option<Duration> {
        if tried >= self.tries {
            return None;
        }
        let doubled = self.first_pause.saturating_mul(2u32.saturating_pow(tried.saturating_sub(1)));
        Some(doubled.max(asked.unwrap_or_default()).min(LONGEST_PAUSE))
    }
}

/// A `Retry-After` in seconds (RFC 9110 section 10.2.3). One that is a date counts as none.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    let digits = value.trim();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_end() {
        let retry = Retry { tries: 4, first_pause: Duration::from_secs(20) };
        let seconds =
            |tried, asked: Option<u64>| retry.pause(tried, asked.map(Duration::from_secs)).map(|p| p.as_secs());
        assert_eq!(seconds(1, None), Some(20));
        assert_eq!(seconds(2, None), Some(40));
        assert_eq!(seconds(3, None), Some(60));
        assert_eq!(seconds(4, None), None);
        assert_eq!(seconds(1, Some(30)), Some(30));
        assert_eq!(seconds(1, Some(1)), Some(20));
        assert_eq!(seconds(1, Some(u64::MAX)), Some(60));
        assert_eq!(Retry { tries: u32::MAX, ..retry }.pause(u32::MAX - 1, None), Some(LONGEST_PAUSE));
    }

    #[test]
    fn a_retry_after_is_read_in_seconds() {
        let table =
            [("0", Some(0)), (" 7 ", Some(7)), ("99999999999999999999", Some(u64::MAX)), ("", None), ("-1", None)];
        for (value, expected) in table {
            assert_eq!(retry_after(value), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
