//! Sizes in bytes.

use serde_json::Value;

use crate::config::setting::Kind;

/// A number of bytes, at most 2^63 - 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// The largest first of each family; the binary ones are preferred for printing.
const UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

fn within(bytes: u64) -> Option<Size> {
    i64::try_from(bytes).is_ok().then_some(Size(bytes))
}

impl Kind for Size {
    fn expected() -> String {
        "a size such as 512MiB, 1GB or 65536".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let unit = unit.trim_start();
        let (_, factor) =
            UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(if unit.is_empty() { "B" } else { unit }))?;
        within(number.parse::<u64>().ok()?.checked_mul(*factor)?)
    }

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            other => within(other.as_u64()?),
        }
    }

    fn show(&self) -> Value {
        let exact = |unit: &&(&str, u64)| self.0 >= unit.1 && self.0.is_multiple_of(unit.1) && unit.1 > 1;
        match UNITS.iter().find(exact) {
            Some((name, factor)) => Value::from(format!("{}{name}", self.0 / factor)),
            None => Value::from(self.0),
        }
    }

    fn magnitude(&self) -> u64 {
        self.0
    }
}
