//! A lint that is switched off says why: by `reason = "..."`, or in a comment on the line above.
//!
//! What every test may do needs no reason: `#![cfg_attr(test, allow(...))]` at the root of a crate, and in `tests` folders
//! and the test kit the lints that guard a server (panics, printing, the ambient clock).

use super::Finding;
use crate::house::House;

const MESSAGE: &str = "switches a lint off without a reason; add `reason = \"...\"` or a comment above";

const MISPLACED: &str = "allows unsafe code; that is for crates/platform alone";

const FREE_IN_TESTS: &[&str] = &[
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::missing_panics_doc",
    "clippy::print_stdout",
    "clippy::print_stderr",
    "clippy::disallowed_methods",
    "clippy::disallowed_types",
    "missing_docs",
];

pub fn check(house: &House) -> Vec<Finding> {
    house.ending(&[".rs"]).flat_map(|(path, text)| of_file(path, text)).collect()
}

fn of_file(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let unsafe_here = |index: &usize| {
        lines[*index].contains("(unsafe_code") && path.starts_with("crates/") && !path.starts_with("crates/platform/")
    };
    let misplaced: Vec<Finding> =
        (0..lines.len()).filter(unsafe_here).map(|index| Finding::at(path, index + 1, MISPLACED)).collect();
    let unexplained = |index: &usize| {
        let attribute = attribute(&lines[*index..]);
        let explained = attribute.contains("reason = \"") || (*index > 0 && is_comment(lines[*index - 1]));
        switches_off(lines[*index]) && !explained && !(is_test(path) && is_free_in_tests(&attribute))
    };
    let unexplained = (0..lines.len()).filter(unexplained).map(|index| Finding::at(path, index + 1, MESSAGE));
    misplaced.into_iter().chain(unexplained).collect()
}

fn switches_off(line: &str) -> bool {
    ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|attribute| line.starts_with(attribute))
}

/// The attribute that begins at the first line, up to its end.
fn attribute(lines: &[&str]) -> String {
    let end = lines.iter().position(|line| line.ends_with(']')).unwrap_or(lines.len() - 1);
    lines[..=end].concat()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.starts_with("crates/testkit/")
}

/// Whether an attribute names nothing but lints that every test may break.
fn is_free_in_tests(attribute: &str) -> bool {
    let inside = attribute.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches([')', ']']));
    let names = inside.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.into_iter().all(|name| FREE_IN_TESTS.contains(&name))
}

/// Documentation describes the item, not the exception.
fn is_comment(line: &str) -> bool {
    line.starts_with("// ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_wanted() {
        let cases = [
            ("#[allow(dead_code)]\nfn a() {}", 1),
            ("#[expect(dead_code)]", 1),
            ("#[allow(dead_code, reason = \"x\")]", 0),
            ("#![allow(\n    dead_code,\n    reason = \"x\"\n)]", 0),
            ("#[allow(\n    dead_code\n)]\nlet reason = \"x\";", 1),
            ("// The last caller went away.\n#[allow(dead_code)]", 0),
            ("/// An item.\n#[allow(dead_code)]", 1),
            ("#![cfg_attr(test, allow(clippy::unwrap_used))]", 0),
        ];
        for (text, findings) in cases {
            assert_eq!(check(&House::of(&[("a.rs", text)])).len(), findings, "{text}");
        }
    }

    #[test]
    fn tests_may_panic() {
        let cases = [
            ("crates/a/tests/b.rs", "#![allow(clippy::unwrap_used, clippy::panic)]", 0),
            ("crates/a/tests/b.rs", "#![allow(\n    clippy::unwrap_used,\n    clippy::panic\n)]", 0),
            ("crates/a/tests/b.rs", "#![allow(clippy::unwrap_used, dead_code)]", 1),
            ("crates/a/src/b.rs", "#![allow(clippy::unwrap_used)]", 1),
            ("crates/a/src/b.rs", "#[expect(unsafe_code, reason = \"C\")]", 1),
            ("crates/platform/src/b.rs", "#[expect(unsafe_code, reason = \"C\")]", 0),
        ];
        for (path, text, findings) in cases {
            assert_eq!(check(&House::of(&[(path, text)])).len(), findings, "{path}: {text}");
        }
    }
}
