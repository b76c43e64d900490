//! A record as a line of JSON, written straight into bytes: this is done for every call.

use std::io::Write as _;

use berth_store::Timestamp;

/// The longest text of a client's that a record holds, in bytes; what is longer is cut.
pub(super) const LONGEST_TEXT: usize = 1024;

/// A line of JSON that is being written.
pub(super) struct Line {
    bytes: Vec<u8>,
    /// Whether the next value or member is the first where it stands.
    is_first: bool,
}

impl Line {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, is_first: true }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn separate(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.bytes.push(b',');
        }
    }

    fn around(&mut self, open: u8, close: u8, inside: impl FnOnce(&mut Self)) {
        self.bytes.push(open);
        self.is_first = true;
        inside(self);
        self.bytes.push(close);
        self.is_first = false;
    }

    /// An object, where a value is due.
    pub(super) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.around(b'{', b'}', members);
    }

    /// A list of values, where a value is due. Each begins with [`next`](Self::next).
    pub(super) fn list(&mut self, values: impl FnOnce(&mut Self)) {
        self.around(b'[', b']', values);
    }

    /// Goes on to the next value of a list.
    pub(super) fn next(&mut self) {
        self.separate();
    }

    /// The name of a member, which needs no escapes.
    pub(super) fn key(&mut self, name: &'static str) {
        self.separate();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    /// A member whose value is a text.
    pub(super) fn member(&mut self, name: &'static str, text: &str) {
        self.key(name);
        self.text(text);
    }

    /// A member whose value is a text, cut where it is too long.
    pub(super) fn cut_member(&mut self, name: &'static str, text: &str) {
        self.member(name, cut(text, LONGEST_TEXT));
    }

    /// A member whose value is JSON already.
    pub(super) fn json_member(&mut self, name: &'static str, json: &str) {
        self.key(name);
        self.bytes.extend_from_slice(json.as_bytes());
    }

    /// A text, where a value is due.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes.push(b'"');
        if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.bytes.extend_from_slice(text.as_bytes());
        } else {
            escape(text, &mut self.bytes);
        }
        self.bytes.push(b'"');
    }

    /// A moment, to the second, as CloudTrail writes it.
    pub(super) fn time(&mut self, at: Timestamp) {
        let seconds = at.as_millis().div_euclid(1000);
        self.bytes.push(b'"');
        match civil(seconds) {
            Some([year, month, day, hour, minute, second]) => {
                self.bytes.extend(digits(year / 100));
                for (pair, after) in [year, month, day, hour, minute, second].into_iter().zip(*b"--T::Z") {
                    self.bytes.extend(digits(pair));
                    self.bytes.push(after);
                }
            }
            None => {
                // A `Vec` takes every write.
                let _ = write!(self.bytes, "{seconds}");
            }
        }
        self.bytes.push(b'"');
    }
}

/// The last two digits of a number.
fn digits(number: i64) -> [u8; 2] {
    let digit = |value: i64| b'0' + value.rem_euclid(10).to_le_bytes()[0];
    [digit(number / 10), digit(number)]
}

/// Year, month, day, hour, minute, second of a moment between the years 0 and 9999 (the algorithm `civil_from_days` of
/// H. Hinnant's "chrono-Compatible Low-Level Date Algorithms").
fn civil(seconds: i64) -> Option<[i64; 6]> {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (0..=9999).contains(&year).then_some([year, month, day, rest / 3600, rest / 60 % 60, rest % 60])
}

fn escape(text: &str, into: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => into.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let _ = write!(into, "\\u{byte:04x}");
            }
            _ => into.push(byte),
        }
    }
}

/// The beginning of a text that fits into so many bytes.
pub(super) fn cut(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn objects_and_lists_are_json() {
        let mut line = Line::new(Vec::new());
        line.object(|line| {
            line.member("a", "x");
            line.key("b");
            line.list(|line| {
                for text in ["1", "2"] {
                    line.next();
                    line.object(|line| line.member("c", text));
                }
            });
            line.json_member("d", "null");
            line.key("e");
            line.object(|_| ());
        });
        let text = String::from_utf8(line.finish()).unwrap();
        assert_eq!(text, r#"{"a":"x","b":[{"c":"1"},{"c":"2"}],"d":null,"e":{}}"#);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("ab\u{e9}", 3), "ab");
        assert_eq!(cut("\u{1f600}", 3), "");
    }

    proptest! {
        #[test]
        fn a_text_reads_as_it_was(text in any::<String>()) {
            let mut line = Line::new(Vec::new());
            line.text(&text);
            prop_assert_eq!(serde_json::from_slice::<String>(&line.finish()).unwrap(), text);
        }

        #[test]
        fn a_moment_is_the_same_as_others_write_it(seconds in 0..253_402_300_799_i64) {
            let mut line = Line::new(Vec::new());
            line.time(Timestamp::from_millis(seconds * 1000 + 999));
            let written: String = serde_json::from_slice(&line.finish()).unwrap();
            prop_assert_eq!(written, Timestamp::from_millis(seconds * 1000).to_string());
        }
    }
}
