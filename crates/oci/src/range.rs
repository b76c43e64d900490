//! Ranges: `Range` of a GET (RFC 9110, section 14) and `Content-Range` of an upload's chunk (distribution spec).

/// A single byte range of a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange;

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeOutcome {
    /// Everything: the header is none, or asks for what need not be done.
    Whole,
    /// A part; both ends are in it.
    Part {
        /// The first byte.
        start: u64,
        /// The last byte.
        end_inclusive: u64,
    },
    /// Nothing that is there.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads a `Range` header for content of `total` bytes. Several ranges are answered by the whole, as RFC 9110 allows.
    pub fn parse_header(header: &str, total: u64) -> RangeOutcome {
        let (unit, spec) = header.trim().split_once('=').unwrap_or_default();
        if !unit.eq_ignore_ascii_case("bytes") {
            return RangeOutcome::Whole;
        }
        let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else {
            return RangeOutcome::Whole;
        };
        match (number(first.trim()), number(last.trim())) {
            (Number::None, Number::Is(suffix)) => part(total.saturating_sub(suffix), total, total),
            (Number::Is(start), Number::None) => part(start, total, total),
            (Number::Is(start), Number::Is(end)) if start <= end => {
                part(start, end.saturating_add(1).min(total), total)
            }
            (Number::Is(_), Number::Is(_)) => RangeOutcome::Unsatisfiable,
            _ => RangeOutcome::Whole,
        }
    }
}

fn part(start: u64, end: u64, total: u64) -> RangeOutcome {
    if start >= end || start >= total {
        return RangeOutcome::Unsatisfiable;
    }
    RangeOutcome::Part { start, end_inclusive: end - 1 }
}

enum Number {
    None,
    Is(u64),
    Invalid,
}

fn number(text: &str) -> Number {
    if text.is_empty() {
        return Number::None;
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Number::Invalid;
    }
    // More digits than fit are a number beyond all content.
    Number::Is(text.parse().unwrap_or(u64::MAX))
}

/// Where a chunk of an upload belongs; both ends are in it, and neither is beyond 2^63-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte.
    pub start: u64,
    /// The last byte.
    pub end_inclusive: u64,
}

/// Why a text is no range of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk's range is START-END, both counted from 0 and END not before START, such as 0-1023")]
pub struct RangeError;

impl ContentRange {
    /// Reads `0-1023`, and also `bytes 0-1023/2048` as HTTP has it.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        let spec = text.strip_prefix("bytes ").or_else(|| text.strip_prefix("bytes=")).unwrap_or(text);
        let (spec, total) = spec.split_once('/').unwrap_or((spec, "*"));
        let (start, end) = spec.split_once('-').ok_or(RangeError)?;
        let (start, end_inclusive) = (position(start)?, position(end)?);
        let fits = total == "*" || position(total)? > end_inclusive;
        if start <= end_inclusive && fits { Ok(Self { start, end_inclusive }) } else { Err(RangeError) }
    }
}

fn position(digits: &str) -> Result<u64, RangeError> {
    match number(digits) {
        Number::Is(position) if i64::try_from(position).is_ok() => Ok(position),
        _ => Err(RangeError),
    }
}

#[cfg(test)]
mod tests {
    use super::RangeOutcome::{Part, Unsatisfiable, Whole};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_single_range_is_cut_to_the_content() {
        let table = [
            ("bytes=0-", 10, Part { start: 0, end_inclusive: 9 }),
            ("bytes=2-5", 10, Part { start: 2, end_inclusive: 5 }),
            ("bytes=2-99", 10, Part { start: 2, end_inclusive: 9 }),
            ("bytes=-3", 10, Part { start: 7, end_inclusive: 9 }),
            ("bytes=-99", 10, Part { start: 0, end_inclusive: 9 }),
            ("bytes=0-18446744073709551616", 10, Part { start: 0, end_inclusive: 9 }),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=5-2", 10, Unsatisfiable),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=18446744073709551616-", 10, Unsatisfiable),
            ("bytes=0-1,2-3", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=1--2", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes", 10, Whole),
            ("", 10, Whole),
            ("lines=0-1", 10, Whole),
            ("Bytes= 0-1", 10, Part { start: 0, end_inclusive: 1 }),
            ("bytes=500-0", 2048, Unsatisfiable),
        ];
        for (header, total, expected) in table {
            assert_eq!(ByteRange::parse_header(header, total), expected, "{header}");
        }
    }

    #[test]
    fn ten_thousand_parts_are_answered_by_the_whole() {
        let header = format!("bytes=0-0{}", ",0-".repeat(10_000));
        assert_eq!(ByteRange::parse_header(&header, 10), Whole);
    }

    #[test]
    fn a_chunk_range_has_two_ends_in_order() {
        let range = ContentRange { start: 0, end_inclusive: 1023 };
        for good in ["0-1023", "bytes 0-1023/*", "bytes 0-1023/2048"] {
            assert_eq!(ContentRange::parse(good), Ok(range), "{good}");
        }
        for bad in [
            "",
            "-",
            "1-",
            "-1",
            "5-4",
            "0-18446744073709551616",
            "+1-2",
            "a-b",
            "0--1",
            "0-1/1",
            "0-1/x",
            "0-1/",
            "0-9223372036854775808",
            "0-18446744073709551615",
        ] {
            assert_eq!(ContentRange::parse(bad), Err(RangeError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_content(header in "bytes=[0-9]{0,20}-[0-9]{0,20}", total: u64) {
            if let Part { start, end_inclusive } = ByteRange::parse_header(&header, total) {
                prop_assert!(start <= end_inclusive && end_inclusive < total);
            }
        }

        #[test]
        fn a_chunk_range_reads_back(text in prop_oneof![".{0,30}", "(bytes )?[0-9]{1,20}-[0-9]{1,20}(/[0-9*]{1,20})?"]) {
            if let Ok(range) = ContentRange::parse(&text) {
                prop_assert!(range.start <= range.end_inclusive);
                prop_assert_eq!(ContentRange::parse(&format!("{}-{}", range.start, range.end_inclusive)), Ok(range));
            }
        }
    }
}
