//! Durations.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::config::setting::Kind;

/// The largest first; milliseconds each.
const UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A hundred years: longer ones would overflow the clock somewhere.
const LONGEST: u64 = 36_500 * 86_400_000;

/// Takes one `12h` from the front of `text`: its milliseconds, and the rest.
fn part(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (unit, rest) = rest.split_at_checked(letters)?;
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some((number.parse::<u64>().ok()?.checked_mul(*factor)?, rest))
}

impl Kind for Duration {
    fn expected() -> String {
        "a duration such as 30s, 24h or 1h30m".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (mut total, mut rest) = part(text)?;
        while !rest.is_empty() {
            let (more, behind) = part(rest)?;
            total = total.checked_add(more)?;
            rest = behind;
        }
        (total <= LONGEST).then(|| Self::from_millis(total))
    }

    fn show(&self) -> Value {
        let mut left = u64::try_from(self.as_millis()).unwrap_or(LONGEST);
        let mut text = String::new();
        let whole_days = left % 86_400_000 == 0;
        for (name, factor) in UNITS.iter().skip_while(|(name, _)| *name == "d" && !whole_days) {
            if left >= *factor {
                let _ = write!(text, "{}{name}", left / factor);
                left %= factor;
            }
        }
        Value::from(if text.is_empty() { "0s".to_owned() } else { text })
    }

    fn magnitude(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}
