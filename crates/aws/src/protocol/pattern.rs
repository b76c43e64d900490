//! The patterns of the service models, which are regular expressions of Java, in those of the `regex` crate.
//!
//! They differ in what `\w`, `\d` and `\s` hold (ASCII alone in Java), in `[` within a class, and in lookahead, of which
//! the models use one form.

use std::sync::OnceLock;

use regex::Regex;

/// A pattern that a whole text must match. It is compiled when it is first asked.
#[derive(Debug)]
pub struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    whole: Regex,
    /// A text that must not occur, which stands for a negative lookahead.
    without: Option<String>,
}

impl Pattern {
    /// A pattern as the model writes it.
    pub const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    /// The pattern as the model writes it.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Whether the whole text matches. A pattern that cannot be compiled matches nothing; a test sees to it that none
    /// of the models' is such.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled().is_some_and(|compiled| {
            compiled.without.as_deref().is_none_or(|banned| !text.contains(banned)) && compiled.whole.is_match(text)
        })
    }

    fn compiled(&self) -> Option<&Compiled> {
        self.compiled.get_or_init(|| compile(self.source)).as_ref()
    }

    #[cfg(test)]
    pub(crate) fn compiles(&self) -> bool {
        self.compiled().is_some()
    }
}

fn compile(source: &str) -> Option<Compiled> {
    let (source, without) = cut_lookahead(source);
    let whole = Regex::new(&format!(r"\A(?:{})\z", translate(&source))).ok()?;
    Some(Compiled { whole, without })
}

/// Takes `c(?!c)` apart, a character that is not followed by itself: the pattern without the lookahead, and the pair that
/// must not occur. That is the same where the pattern has the character nowhere else, as in the models.
fn cut_lookahead(source: &str) -> (String, Option<String>) {
    let cut = source.split_once("(?!").and_then(|(before, rest)| {
        let (ahead, after) = rest.split_once(')')?;
        let simple = ahead.chars().count() == 1 && before.ends_with(ahead);
        simple.then(|| (format!("{before}{after}"), ahead.repeat(2)))
    });
    cut.map_or_else(|| (source.to_owned(), None), |(pattern, pair)| (pattern, Some(pair)))
}

fn translate(source: &str) -> String {
    let mut translated = String::with_capacity(source.len());
    let mut in_class = false;
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let (piece, taken) = match c {
            '\\' => escape(rest),
            // Java takes a bracket within a class for a union; the models only ever mean the character.
            '[' if in_class => (r"\[".to_owned(), 1),
            _ => (c.to_string(), c.len_utf8()),
        };
        in_class = match c {
            '[' => true,
            ']' => false,
            _ => in_class,
        };
        translated.push_str(&piece);
        rest = rest.get(taken..).unwrap_or_default();
    }
    translated
}

/// What an escape that begins the text is, and how many bytes of the text it takes.
fn escape(text: &str) -> (String, usize) {
    let digits = |from: usize, count: usize| {
        text.get(from..from + count).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    match text.get(1..2) {
        Some("w") => ("[0-9A-Za-z_]".to_owned(), 2),
        Some("d") => ("[0-9]".to_owned(), 2),
        Some("s") => (r"[\t-\r ]".to_owned(), 2),
        Some("S") => (r"[^\t-\r ]".to_owned(), 2),
        Some("u") => beyond_four_digits(text)
            .unwrap_or_else(|| digits(2, 4).map_or_else(|| (r"\\u".to_owned(), 2), |hex| (format!(r"\x{{{hex}}}"), 6))),
        _ => {
            let taken = 1 + text.chars().nth(1).map_or(0, char::len_utf8);
            (text.get(..taken).unwrap_or_default().to_owned(), taken)
        }
    }
}

/// `\u10000` and `\u10FFFF`, which are no escapes of Java: the models mean all characters beyond the first plane.
fn beyond_four_digits(text: &str) -> Option<(String, usize)> {
    let mut known = ["10000", "10FFFF"].into_iter();
    let hex = known.find(|hex| text.get(2..).is_some_and(|rest| rest.starts_with(hex)))?;
    Some((format!(r"\x{{{hex}}}"), 2 + hex.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_text() {
        let cases: &[(&'static str, &[&str], &[&str])] = &[
            (r"[\w+=,.@-]+", &["a", "A_b+=,.@-9"], &["", "a b", "é", "a\n", "٣"]),
            (r"\d{12}", &["123456789012"], &["12345678901", "1234567890123", "٣23456789012"]),
            (r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", &["/", "/a/", "/a/b/", "/[]/"], &["", "a", "/a", "//a b/"]),
            (r"[\u0009\u000A\u000D\u0020-\u00FF]+", &["{\n\t\r}", "ÿ"], &["", "\0", "Ā"]),
            (
                r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+",
                &["a", "😀", "\u{10FFFF}"],
                &["\0", "\u{FFFE}"],
            ),
            (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", &["", "é 9٣", "a-b"], &["*", "a\n", "#"]),
            (
                r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$",
                &["abc", "a-b", "a-b-c"],
                &["a--b", "-ab", "ab-", "ab", "A-b"],
            ),
            (r"^\S+$", &["a", "é"], &["", "a b", "a\u{b}"]),
            (r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+", &["sha256:ab", "a-b:0"], &["a:g", "é:a"]),
        ];
        for (source, good, bad) in cases {
            let pattern = Pattern::new(source);
            assert!(pattern.compiles(), "{source}");
            good.iter().for_each(|text| assert!(pattern.matches(text), "{source} {text:?}"));
            bad.iter().for_each(|text| assert!(!pattern.matches(text), "{source} {text:?}"));
        }
    }

    #[test]
    fn what_cannot_be_compiled_matches_nothing() {
        for source in ["(", "a(?!b)", r"\uZZ[", "\\"] {
            assert!(!Pattern::new(source).matches("a"), "{source}");
        }
    }
}
