//! Points in time as people write them.

use std::time::Duration;

use berth_store::Timestamp;

use crate::config::Kind as _;

/// Reads a day (`2026-11-29`, its first moment in UTC), a time with its zone as ISO 8601 has it (`2026-11-29T08:00:00Z`), seconds
/// since 1970, or how long ago it was (`90m`, `7d`). The error says what would do.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let found = ago(text, now).or_else(|| day(text)).or_else(|| iso(text));
    found.ok_or_else(|| {
        format!("{text:?} is no time: write 2026-11-29, 2026-11-29T08:00:00Z, or how long ago it was: 90m, 24h, 7d")
    })
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let span = Duration::parse(text)?;
    Some(now.before(span))
}

fn day(text: &str) -> Option<Timestamp> {
    (text.len() == 10).then(|| iso(&format!("{text}T00:00:00Z"))).flatten()
}

fn iso(text: &str) -> Option<Timestamp> {
    let time = berth_aws::protocol::Timestamp::parse(text)?;
    time.to_iso8601().map(|_| Timestamp::from_millis(time.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("1h", 1_699_996_400_000),
            ("1h30m", 1_699_994_600_000),
            ("0s", 1_700_000_000_000),
            ("7d", 1_699_395_200_000),
            ("2023-11-14", 1_699_920_000_000),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
            ("2023-11-14T22:13:20.5Z", 1_700_000_000_500),
            ("1700000000", 1_700_000_000_000),
            ("0", 0),
            ("-1", -1000),
        ] {
            assert_eq!(parse(text, NOW).map(Timestamp::as_millis), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_would_do() {
        for text in [
            "",
            "now",
            "yesterday",
            "h",
            "1w",
            "2023-13-01",
            "2023-11-14T22:13:20",
            "2023-1-1",
            "9e9",
            "99999999999999",
        ] {
            assert!(parse(text, NOW).unwrap_err().contains("2026-11-29T08:00:00Z"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_brings_it_down(text in "\\PC{0,40}") {
            let _ = parse(&text, NOW);
        }

        #[test]
        fn what_is_nearly_a_time_neither(text in "[0-9TZdhms:.+-]{0,30}") {
            let _ = parse(&text, NOW);
        }

        #[test]
        fn every_second_is_read_back(seconds in -62_000_000_000_i64..250_000_000_000) {
            let text = berth_aws::protocol::Timestamp(seconds * 1000).to_iso8601().unwrap();
            prop_assert_eq!(parse(&text, NOW).map(Timestamp::as_millis), Ok(seconds * 1000));
        }
    }
}
