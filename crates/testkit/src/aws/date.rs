//! Points in time as signatures write them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970 by this machine's clock: the server that checks the signatures is a process of its own and goes by it.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// `YYYYMMDD` of a moment in seconds since 1970.
pub fn day_of(moment: i64) -> String {
    let mut days = moment.div_euclid(86_400);
    let mut year = 1970;
    while days >= days_of(year).iter().sum() {
        days -= days_of(year).iter().sum::<i64>();
        year += 1;
    }
    let mut month = 0;
    while days >= days_of(year)[month] {
        days -= days_of(year)[month];
        month += 1;
    }
    format!("{year:04}{:02}{:02}", month + 1, days + 1)
}

/// `YYYYMMDDTHHMMSSZ` of a moment in seconds since 1970.
pub fn iso_of(moment: i64) -> String {
    let second = moment.rem_euclid(86_400);
    format!("{}T{:02}{:02}{:02}Z", day_of(moment), second / 3600, second / 60 % 60, second % 60)
}

/// The days of each month.
fn days_of(year: i64) -> [i64; 12] {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    [31, 28 + i64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}
