//! Shares of a whole.

use serde_json::Value;

use crate::config::Kind;

/// A share, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u32);

const WHOLE: u32 = 1_000_000;

impl Kind for Share {
    fn expected() -> String {
        "a share from 0 to 1 with at most six digits, such as 0.1, or off".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = match text {
            "off" => ("0", ""),
            _ => text.split_once('.').unwrap_or((text, "")),
        };
        let is_right = fraction.len() <= 6 && fraction.bytes().all(|byte| byte.is_ascii_digit());
        let millionths = format!("{fraction:0<6}").parse::<u32>().ok().filter(|_| is_right)?;
        match whole {
            "0" => Some(Self(millionths)),
            "1" if millionths == 0 => Some(Self(WHOLE)),
            _ => None,
        }
    }

    fn show(&self) -> Value {
        let text = format!("{}.{:06}", self.0 / WHOLE, self.0 % WHOLE);
        Value::from(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_shown() {
        for (text, millionths, shown) in [
            ("1", WHOLE, "1"),
            ("0", 0, "0"),
            ("off", 0, "0"),
            ("0.1", 100_000, "0.1"),
            ("0.000001", 1, "0.000001"),
            ("1.0", WHOLE, "1"),
        ] {
            let share = Share::parse(text);
            assert_eq!(share, Some(Share(millionths)), "{text}");
            assert_eq!(share.map(|share| share.show()), Some(Value::from(shown)));
        }
        for bad in ["", "2", "1.1", "-0.1", "0.+1", "0.1234567", ".5", "00", "on", "0,1", "0.1.2"] {
            assert_eq!(Share::parse(bad), None, "{bad}");
        }
    }
}
