//! Dates in conditions: a W3C profile of ISO 8601, or seconds since 1970.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// Reads a date. A day begins at midnight UTC, and so does a month; digits alone are seconds.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    if text.contains(['T', 't']) {
        return text.parse().ok().or_else(|| utc(text.parse().ok()?));
    }
    let day = if text.len() == 7 { format!("{text}-01") } else { text.to_owned() };
    utc(day.parse::<Date>().ok()?.to_datetime(civil::Time::midnight()))
}

fn utc(date_time: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(date_time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_dates() {
        let table = [
            ("2020-04-01T00:00:00Z", 1_585_699_200),
            ("2020-04-01T02:00:00+02:00", 1_585_699_200),
            ("2020-04-01T00:00Z", 1_585_699_200),
            ("2020-04-01T00:00:00", 1_585_699_200),
            ("2020-04-01", 1_585_699_200),
            ("2020-04", 1_585_699_200),
            ("1585699200", 1_585_699_200),
            ("0", 0),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text).map(Timestamp::as_second), Some(seconds), "{text}");
        }
        let half = parse("2020-04-01T00:00:00.5Z").unwrap();
        assert_eq!(half.subsec_millisecond(), 500);
    }

    #[test]
    fn what_is_no_date() {
        for bad in
            ["", "x", "2020-13-01", "2020-04-31", "99999999999999999999", "2020-04-01T25:00:00Z", "tomorrow", "T"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
