//! Patterns in which `*` stands for any characters, also none. Nothing else is special in them.

use crate::policy::glob::{Glob, Symbol};

/// A pattern that a whole text must match. Matching takes time in proportion to the text and the pattern.
#[derive(Debug, Clone)]
pub struct Wildcard {
    text: Box<str>,
    glob: Glob,
}

impl Wildcard {
    /// Reads a pattern; any text is one.
    pub fn new(text: &str) -> Self {
        let symbol = |byte| if byte == b'*' { Symbol::Star } else { Symbol::Byte(byte) };
        let symbols: Vec<Symbol> = text.bytes().map(symbol).collect();
        Self { text: text.into(), glob: Glob::new(&symbols) }
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `text` matches. Upper and lower case differ.
    pub fn matches(&self, text: &str) -> bool {
        self.glob.matches(text)
    }

    /// How many `*` it has.
    pub(super) fn stars(&self) -> usize {
        self.text.bytes().filter(|byte| *byte == b'*').count()
    }
}

impl PartialEq for Wildcard {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Wildcard {}

/// The filter of a scanning rule: like a [`Wildcard`], but without `*` it matches any name that contains it.
///
/// Follows "Filters to choose which repositories are scanned" of ECR's user guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanFilter(Wildcard);

impl ScanFilter {
    /// Reads a filter; any text is one.
    pub fn new(text: &str) -> Self {
        Self(Wildcard::new(text))
    }

    /// The filter as it was given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it selects the repository of this name.
    pub fn matches(&self, repository: &str) -> bool {
        if self.0.stars() == 0 { repository.contains(self.as_str()) } else { self.0.matches(repository) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_and_nothing_else_is_special() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("v*", "v", true),
            ("v*", "v1.2", true),
            ("v*", "V1", false),
            ("v1.2", "v1x2", false),
            ("v?", "v1", false),
            ("v?", "v?", true),
            ("v?*", "v1", false),
            ("*-rc*", "1.0-rc1", true),
            ("*test*1*2*3", "test1423", true),
            ("*test*1*2*3", "test1324", false),
            ("*ab", "ab-aab", true),
            ("[a]*", "a", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(Wildcard::new(pattern).matches(text), expected, "{pattern} on {text}");
            assert_eq!(Wildcard::new(pattern).as_str(), pattern);
        }
    }

    #[test]
    fn a_scan_filter_without_a_star_looks_anywhere() {
        let table = [
            ("prod", "prod", true),
            ("prod", "team/production", true),
            ("prod", "dev", false),
            ("prod*", "team/prod", false),
            ("prod*", "production", true),
            ("*prod", "team/prod", true),
            ("*", "anything", true),
            ("team/*/app", "team/a/b/app", true),
        ];
        for (filter, repository, expected) in table {
            assert_eq!(ScanFilter::new(filter).matches(repository), expected, "{filter} on {repository}");
        }
    }
}
