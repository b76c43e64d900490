//! No file too long to be one idea.

use super::Finding;
use crate::house::House;

/// Lines that a source file may have.
const LIMIT: usize = 600;
/// The exceptions: `PATH REASON` a line.
const EXCEPTIONS: &str = "xtask/long-files.txt";
/// How a file begins that nobody reads from end to end.
const GENERATED: &str = "// @generated";
const SOURCES: &[&str] = &[".rs", ".py", ".sh", ".sql", "/test"];

pub fn check(house: &House) -> Vec<Finding> {
    let exceptions = exceptions(house.files.get(EXCEPTIONS).map_or("", String::as_str));
    let long: Vec<(&str, usize)> = house
        .ending(SOURCES)
        .filter(|(_, text)| !text.starts_with(GENERATED))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LIMIT)
        .collect();
    let crowded = long.iter().filter(|(path, _)| !exceptions.iter().any(|(excepted, _)| excepted == path)).map(
        |(path, lines)| Finding::new(path, format!("has {lines} lines; split it, or give the reason in {EXCEPTIONS}")),
    );
    let stale = exceptions.iter().filter_map(|(path, reason)| {
        let message = if reason.is_empty() {
            "gives no reason"
        } else if long.iter().any(|(found, _)| found == path) {
            return None;
        } else {
            "is no longer needed"
        };
        Some(Finding::new(EXCEPTIONS, format!("the exception for {path} {message}")))
    });
    crowded.chain(stale).collect()
}

fn exceptions(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: usize, exceptions: &str) -> usize {
        let text = "x\n".repeat(lines);
        check(&House::of(&[("crates/a/src/long.rs", &text), ("notes.md", &text), (EXCEPTIONS, exceptions)])).len()
    }

    #[test]
    fn long_files_need_a_reason() {
        let cases = [
            (600, "", 0),
            (601, "", 1),
            (601, "crates/a/src/long.rs one table", 0),
            (601, "crates/a/src/long.rs", 1),
            (600, "crates/a/src/long.rs one table", 1),
            (601, "# crates/a/src/long.rs one table", 1),
        ];
        for (lines, exceptions, findings) in cases {
            assert_eq!(found(lines, exceptions), findings, "{lines} lines, {exceptions:?}");
        }
    }

    #[test]
    fn generated_files_may_be_long() {
        let text = format!("{GENERATED} by a test\n{}", "x\n".repeat(700));
        assert!(check(&House::of(&[("crates/a/src/long.rs", &text)])).is_empty());
    }
}
