//! Wildcard patterns: `*` stands for any characters, `?` for exactly one.
//!
//! A pattern is cut at its stars into chunks, and each chunk is looked for from where the one before it ended; the first
//! place found is as good as any later one, so nothing is ever tried twice. A chunk is compared byte by byte, and where
//! that takes long 64 bytes at a time. All in all that is at most a step for each byte of the text, and one more for each
//! 64 bytes of the pattern, besides about a thousand steps for each chunk: linear in the pattern, whatever the text.

mod chunk;

use std::fmt;

use chunk::Chunk;

/// One position of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// One byte of a character that stands for itself.
    Byte(u8),
    /// `?`
    AnyChar,
    /// `*`
    Star,
}

/// A compiled pattern. The shapes that nearly every policy has are told apart once, here.
#[derive(Debug, Clone)]
pub(crate) enum Glob {
    /// Matches everything.
    Any,
    /// No wildcard.
    Exact(Box<str>),
    /// One star, at the end.
    Prefix(Box<str>),
    /// `?` but no star.
    Fixed(Chunk),
    /// At least one star.
    Stars { first: Chunk, middle: Box<[Chunk]>, last: Chunk },
}

impl Glob {
    pub(crate) fn new(symbols: &[Symbol]) -> Self {
        if !symbols.is_empty() && symbols.iter().all(|symbol| *symbol == Symbol::Star) {
            return Self::Any;
        }
        if let Some(text) = literal(symbols) {
            return Self::Exact(text);
        }
        if let Some((Symbol::Star, head)) = symbols.split_last()
            && let Some(text) = literal(head)
        {
            return Self::Prefix(text);
        }
        let mut chunks = symbols.split(|symbol| *symbol == Symbol::Star).map(Chunk::new);
        let first = chunks.next().unwrap_or_else(|| Chunk::new(&[]));
        let mut rest: Vec<Chunk> = chunks.collect();
        match rest.pop() {
            None => Self::Fixed(first),
            Some(last) => {
                rest.retain(|chunk| !chunk.is_empty());
                Self::Stars { first, middle: rest.into(), last }
            }
        }
    }

    /// Reads `*` and `?` in a text.
    pub(super) fn parse(text: &str) -> Self {
        Self::new(&symbols(text))
    }

    /// Whether some text that begins like this matches, as far as the pattern's beginning tells.
    pub(super) fn may_begin_with(&self, head: &str) -> bool {
        let own = self.to_string();
        let own = own.split(['*', '?']).next().unwrap_or_default();
        own.starts_with(head) || (own.len() < head.len() && !matches!(self, Self::Exact(_)) && head.starts_with(own))
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(literal) => **literal == *text,
            Self::Prefix(literal) => text.starts_with(&**literal),
            Self::Fixed(chunk) => chunk.match_at(text.as_bytes(), 0) == Ok(text.len()),
            Self::Stars { first, middle, last } => stars(first, middle, last, text.as_bytes()),
        }
    }
}

/// The symbols of a text in which `*` and `?` are wildcards.
pub(super) fn symbols(text: &str) -> Vec<Symbol> {
    let symbol = |byte| match byte {
        b'*' => Symbol::Star,
        b'?' => Symbol::AnyChar,
        byte => Symbol::Byte(byte),
    };
    text.bytes().map(symbol).collect()
}

fn literal(symbols: &[Symbol]) -> Option<Box<str>> {
    let byte = |symbol: &Symbol| match symbol {
        Symbol::Byte(byte) => Some(*byte),
        Symbol::AnyChar | Symbol::Star => None,
    };
    let bytes: Option<Vec<u8>> = symbols.iter().map(byte).collect();
    String::from_utf8(bytes?).ok().map(String::into_boxed_str)
}

fn stars(first: &Chunk, middle: &[Chunk], last: &Chunk, text: &[u8]) -> bool {
    let Ok(mut at) = first.match_at(text, 0) else { return false };
    for chunk in middle {
        match chunk.find(text, at) {
            Some(end) => at = end,
            None => return false,
        }
    }
    last.ends(text, at)
}

/// The pattern again; a `*` that stands for itself looks like any other.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(text) => f.write_str(text),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::Fixed(chunk) => f.write_str(&chunk.text()),
            Self::Stars { first, middle, last } => {
                f.write_str(&first.text())?;
                middle.iter().try_for_each(|chunk| write!(f, "*{}", chunk.text()))?;
                write!(f, "*{}", last.text())
            }
        }
    }
}

/// Tests count the steps of matching; nobody else does.
#[inline]
fn count_step() {
    #[cfg(test)]
    tests::STEPS.with(|steps| steps.set(steps.get() + 1));
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    thread_local! {
        /// Steps that this thread made.
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::parse(pattern).matches(text)
    }

    /// What the words say, and exponentially slow.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => naive(rest, text),
            (Some(('*', rest)), Some((_, tail))) => naive(rest, text) || naive(pattern, tail),
            (Some(('?', rest)), Some((_, tail))) => naive(rest, tail),
            (Some((a, rest)), Some((b, tail))) => a == b && naive(rest, tail),
            _ => false,
        }
    }

    #[test]
    fn wildcards() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
            ("?", "", false),
            ("?", "ä", true),
            ("??", "ä", false),
            ("a*", "a", true),
            ("a*b", "ab", true),
            ("a*b", "a", false),
            ("ab*ba", "aba", false),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("a?c*", "abcd", true),
            ("*?", "ä", true),
            ("*ä?", "xäöü", false),
            ("*ä?", "xäö", true),
            ("A", "a", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn steps_are_bounded_whatever_the_pattern() {
        let text = "a".repeat(8000);
        let hostile = [
            "*?".repeat(10_000),
            "*a".repeat(9000),
            "a*".repeat(5000) + "b",
            format!("*{}b*", "a?".repeat(2000)),
            format!("*{}b*", "a".repeat(4000)),
            format!("*{}b*", "?a".repeat(31)),
            format!("*{}b*", "?a".repeat(31)).repeat(100),
            format!("*{}*", "a?aaa".repeat(12)).repeat(100) + "b",
        ];
        for pattern in hostile {
            STEPS.set(0);
            let chunks = pattern.split('*').count();
            let _ = matches(&pattern, &text);
            // A chunk may give up on comparing after twice its patience, if it is as long.
            let bound = 2 * (text.len() * (pattern.len() / 64 + 1)) + chunks * 1024 + pattern.len();
            assert!(STEPS.get() <= bound, "{} of {bound} steps: {pattern}", STEPS.get());
        }
    }

    #[test]
    fn a_pattern_is_shown_as_it_was_read() {
        for pattern in ["", "*", "a", "a*", "a?", "*a", "a*b?*c", "?*"] {
            assert_eq!(Glob::parse(pattern).to_string(), pattern);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_what_the_words_say(pattern in "[ab*?ä]{0,8}", text in "[abä]{0,10}") {
            let slow = naive(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            prop_assert_eq!(matches(&pattern, &text), slow);
        }
    }
}
