//! What stands between two stars of a pattern, and where a text has it.

use super::Symbol;

/// Comparisons that are made one by one before 64 are made at once.
const PATIENCE: usize = 1024;

/// Bytes and `?`.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    symbols: Box<[Symbol]>,
    /// How many characters it matches; the symbols are bytes.
    chars: usize,
}

impl Chunk {
    pub(super) fn new(symbols: &[Symbol]) -> Self {
        let begins = |symbol: &&Symbol| !matches!(symbol, Symbol::Byte(byte) if !begins_char(*byte));
        Self { symbols: symbols.into(), chars: symbols.iter().filter(begins).count() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    pub(super) fn text(&self) -> String {
        let byte = |symbol: &Symbol| match symbol {
            Symbol::Byte(byte) => *byte,
            Symbol::AnyChar => b'?',
            Symbol::Star => b'*',
        };
        String::from_utf8_lossy(&self.symbols.iter().map(byte).collect::<Vec<_>>()).into_owned()
    }

    /// Whether the chunk is all of a text from `from` on.
    pub(super) fn ends(&self, text: &[u8], from: usize) -> bool {
        let start = chars_from_the_end(text, self.chars);
        start.is_some_and(|start| start >= from && self.match_at(text, start) == Ok(text.len()))
    }

    /// Where the chunk ends if it begins at `at`, or after how many comparisons it turned out not to.
    pub(super) fn match_at(&self, text: &[u8], at: usize) -> Result<usize, usize> {
        let mut position = at;
        for (count, symbol) in self.symbols.iter().enumerate() {
            super::count_step();
            let byte = *text.get(position).ok_or(count)?;
            position += 1;
            match *symbol {
                Symbol::Byte(wanted) if wanted == byte => {}
                Symbol::Byte(_) => return Err(count),
                Symbol::AnyChar | Symbol::Star => position = next_char(text, position),
            }
        }
        Ok(position)
    }

    /// Where the first occurrence at or behind `from` ends.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let last_start = text.len().checked_sub(self.symbols.len())?;
        let mut patience = PATIENCE;
        for start in from..=last_start {
            if text.get(start).is_some_and(|byte| !begins_char(*byte)) {
                continue;
            }
            match self.match_at(text, start) {
                Ok(end) => return Some(end),
                Err(steps) if steps < patience => patience -= steps,
                Err(_) => return self.find_by_words(text, start),
            }
        }
        None
    }

    /// The same, 64 symbols at a time: bit i of a word tells whether symbols 0 to i match what ends here (Baeza-Yates and
    /// Gonnet's "shift-and"). What the last bit of a word tells goes into the first bit of the next word, one byte later.
    fn find_by_words(&self, text: &[u8], from: usize) -> Option<usize> {
        let text_here = text.get(from..)?;
        // Whether what is before this word's symbols ends just before each byte: at first nothing is, and it always does.
        let mut carry = vec![true; text_here.len() + 1];
        let mut words = self.symbols.chunks(64).peekable();
        while let Some(symbols) = words.next() {
            let word = Word::new(symbols);
            if words.peek().is_none() {
                let end = word.run(text_here, &carry).position(|matched| matched)?;
                return Some(next_char(text, from + end + 1));
            }
            // After a `?` the rest of its character may follow.
            let ends: Vec<bool> = word.run(text_here, &carry).collect();
            carry = std::iter::once(false).chain(ends).collect();
        }
        Some(from)
    }
}

/// Up to 64 symbols as bits.
struct Word {
    /// Which symbols a byte matches.
    matching: [u64; 256],
    /// The symbols that are `?`, which a byte within a character leaves as they are.
    any: u64,
    last: u64,
}

impl Word {
    fn new(symbols: &[Symbol]) -> Self {
        let mut word = Self { matching: [0; 256], any: 0, last: 0 };
        for (bit, symbol) in symbols.iter().enumerate() {
            word.last = 1 << bit;
            match symbol {
                Symbol::Byte(byte) => word.matching[usize::from(*byte)] |= word.last,
                Symbol::AnyChar | Symbol::Star => word.any |= word.last,
            }
        }
        word
    }

    /// For each byte, whether all symbols match what ends with it.
    fn run<'a>(&'a self, text: &'a [u8], carry: &'a [bool]) -> impl Iterator<Item = bool> + 'a {
        let mut state = 0_u64;
        text.iter().zip(carry).map(move |(byte, begins)| {
            super::count_step();
            let moved = (state << 1) | u64::from(*begins);
            let matching = self.matching[usize::from(*byte)];
            let wild = if begins_char(*byte) { moved & self.any } else { state & self.any };
            state = (moved & matching) | wild;
            state & self.last != 0
        })
    }
}

/// Where the last `count` characters of a text begin.
fn chars_from_the_end(text: &[u8], count: usize) -> Option<usize> {
    let mut start = text.len();
    for _ in 0..count {
        start = text.get(..start)?.iter().rposition(|byte| begins_char(*byte))?;
    }
    Some(start)
}

/// Where the next character begins, at or behind a place.
fn next_char(text: &[u8], mut position: usize) -> usize {
    while text.get(position).is_some_and(|byte| !begins_char(*byte)) {
        position += 1;
    }
    position
}

fn begins_char(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::symbols;
    use super::*;

    proptest! {
        #[test]
        fn words_find_what_comparing_one_by_one_finds(
            pattern in "[aä?]{1,3}", times in 1..70_usize, text in "[aaaaaaäb]{0,200}", from in 0..3_usize
        ) {
            let chunk = Chunk::new(&symbols(&pattern.repeat(times)));
            let text = text.as_bytes();
            let from = next_char(text, from.min(text.len()));
            let slow = (from..=text.len())
                .filter(|start| text.get(*start).is_none_or(|byte| begins_char(*byte)))
                .find_map(|start| chunk.match_at(text, start).ok());
            prop_assert_eq!(chunk.find_by_words(text, from), slow);
            prop_assert_eq!(chunk.find(text, from), slow);
        }
    }
}
