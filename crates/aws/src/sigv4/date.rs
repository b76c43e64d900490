//! The two ways in which a request writes its moment: ISO 8601 basic, and RFC 1123.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 86_400;
/// The first second of year 0 and the last of year 9999: what four digits can say.
const EARLIEST: i64 = -62_167_219_200;
const LATEST: i64 = 253_402_300_799;

/// Reads `YYYYMMDDTHHMMSSZ` as seconds since 1970. No leap seconds.
pub(super) fn parse_iso(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if time.len() != 6 {
        return None;
    }
    let (year, month, day) = parse_day(date)?;
    seconds(year, month, day, [number(time.get(..2)?)?, number(time.get(2..4)?)?, number(time.get(4..)?)?])
}

/// Whether a text is a day, `YYYYMMDD`.
pub(super) fn is_day(text: &str) -> bool {
    parse_day(text).is_some_and(|(year, month, day)| seconds(year, month, day, [0; 3]).is_some())
}

/// Reads `Sun, 30 Aug 2015 12:36:00 GMT` as seconds since 1970 (RFC 1123, section 5.2.14). The day of the week must be
/// right; the zone is `GMT`, `UTC`, `+0000` or `-0000`.
pub(super) fn parse_rfc1123(text: &str) -> Option<i64> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    let (weekday, day, month, year, time, zone) = (word()?, word()?, word()?, word()?, word()?, word()?);
    if word().is_some() || !matches!(zone, "GMT" | "UTC" | "+0000" | "-0000") || year.len() != 4 || day.len() > 2 {
        return None;
    }
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    let mut clock = time.split(':').map(|part| if part.len() == 2 { number(part) } else { None });
    let clock = [clock.next()??, clock.next()??, clock.next()??, clock.next().map_or(0, |_| 60)];
    let [hour, minute, second, 0] = clock else { return None };
    let moment = seconds(number(year)?, month, number(day)?, [hour, minute, second])?;
    (weekday.strip_suffix(',')? == weekday_of(moment)).then_some(moment)
}

/// Writes seconds since 1970 as `YYYYMMDDTHHMMSSZ`; what is before year 0 or after 9999 as the edge.
pub(super) fn iso(moment: i64) -> String {
    let moment = moment.clamp(EARLIEST, LATEST);
    let (second, minute, hour) =
        (moment.rem_euclid(60), moment.div_euclid(60).rem_euclid(60), moment.rem_euclid(DAY) / 3600);
    format!("{}T{hour:02}{minute:02}{second:02}Z", day(moment))
}

/// The day of a moment, `YYYYMMDD`.
pub(super) fn day(moment: i64) -> String {
    let days = moment.clamp(EARLIEST, LATEST).div_euclid(DAY) + days_before_year(1970);
    // The mean length of a year puts the guess at the year or beside it.
    let guess = (days * 400).div_euclid(146_097) + 1;
    let year = (guess - 1..=guess + 1).rev().find(|year| days_before_year(*year) <= days).unwrap_or(guess);
    let mut rest = days - days_before_year(year);
    let mut month = 1;
    while month < 12 && rest >= days_in_month(year, month) {
        rest -= days_in_month(year, month);
        month += 1;
    }
    format!("{year:04}{month:02}{:02}", rest + 1)
}

fn parse_day(text: &str) -> Option<(i64, i64, i64)> {
    if text.len() != 8 {
        return None;
    }
    Some((number(text.get(..4)?)?, number(text.get(4..6)?)?, number(text.get(6..)?)?))
}

/// Digits and nothing else.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn seconds(year: i64, month: i64, day: i64, [hour, minute, second]: [i64; 3]) -> Option<i64> {
    let clock = hour < 24 && minute < 60 && second < 60;
    if !clock || !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let in_year: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    let days = days_before_year(year) - days_before_year(1970) + in_year + day - 1;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January of year 1 (Gregorian, proleptic) to that of `year`.
fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

fn weekday_of(moment: i64) -> &'static str {
    match moment.div_euclid(DAY).rem_euclid(7) {
        0 => "Thu",
        1 => "Fri",
        2 => "Sat",
        3 => "Sun",
        4 => "Mon",
        5 => "Tue",
        _ => "Wed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_written() {
        let cases = [
            ("19700101T000000Z", 0),
            ("19691231T235959Z", -1),
            ("20150830T123600Z", 1_440_938_160),
            ("20000229T000000Z", 951_782_400),
            ("20240229T235959Z", 1_709_251_199),
            ("21000228T235959Z", 4_107_542_399),
            ("21000301T000000Z", 4_107_542_400),
            ("00000101T000000Z", EARLIEST),
            ("99991231T235959Z", LATEST),
        ];
        for (text, moment) in cases {
            assert_eq!(parse_iso(text), Some(moment), "{text}");
            assert_eq!(iso(moment), text);
        }
        assert_eq!(iso(i64::MAX), "99991231T235959Z");
        assert_eq!(iso(i64::MIN), "00000101T000000Z");
    }

    #[test]
    fn each_day_of_eight_centuries_comes_back() {
        let mut moment = -12_219_292_800; // 15 October 1582
        while moment < 13_000_000_000 {
            assert_eq!(parse_iso(&iso(moment)), Some(moment));
            moment += DAY + 1;
        }
    }

    #[test]
    fn http_dates_are_read() {
        for zone in ["GMT", "UTC", "+0000", "-0000"] {
            assert_eq!(parse_rfc1123(&format!("Sun, 30 Aug 2015 12:36:00 {zone}")), Some(1_440_938_160));
        }
        assert_eq!(parse_rfc1123("Thu, 1 Jan 1970 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn other_texts_are_no_moments() {
        let bad = [
            "",
            "Z",
            "T",
            "TZ",
            "20150830T123600",
            "20150830123600Z",
            "2015-08-30T12:36:00Z",
            "20150830t123600z",
            "20150229T000000Z",
            "20151301T000000Z",
            "20150001T000000Z",
            "20150100T000000Z",
            "20150830T240000Z",
            "20150830T126000Z",
            "20150830T123660Z",
            "+0150830T123600Z",
            "20150830T1236 0Z",
            "2015083éT12360Z",
            "20150830T123600Z ",
            "120150830T123600Z",
            "20150830T1236000Z",
        ];
        for text in bad {
            assert_eq!(parse_iso(text), None, "{text}");
        }
        let bad = [
            "",
            "Mon, 30 Aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:00",
            "Sun, 30 Aug 2015 12:36:00 CET",
            "Sun, 30 aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 15 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36 GMT",
            "Sun, 30 Aug 2015 12:36:00:00 GMT",
            "Sun, 31 Feb 2015 12:36:00 GMT",
            "Sun 30 Aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:00 GMT x",
            "Sunday, 30-Aug-15 12:36:00 GMT",
            "Sun, 030 Aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 1:36:00 GMT",
            "Sun,  30 Aug 2015 12:36:00 GMT",
        ];
        for text in bad {
            assert_eq!(parse_rfc1123(text), None, "{text}");
        }
        assert!(is_day("20150830") && is_day("20160229"));
        assert!(!is_day("20150229") && !is_day("2015083") && !is_day("201508300") && !is_day("2015083x"));
    }
}
