//! `xs:dateTime` in UTC, which is how SAML writes times (saml-core 1.3.3).

/// Seconds since 1970 of `2026-03-01T12:00:00.5Z`; a part of a second is dropped. `None` where it is no such time or has no zone.
pub fn seconds(text: &str) -> Option<i64> {
    let spelt = text.bytes().all(|byte| byte.is_ascii_digit() || b"-T:.Z+".contains(&byte));
    let whole = text.len() <= 40 && text.as_bytes().get(10) == Some(&b'T');
    (spelt && whole).then(|| text.parse::<jiff::Timestamp>().ok()).flatten().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_with_their_zone_only() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:01:00.999Z", Some(60)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01 00:00:00Z", None),
            ("1970-01-01T00:00:00[UTC]", None),
            ("1970-02-30T00:00:00Z", None),
            ("", None),
            ("never", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
