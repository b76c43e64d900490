//! Links, anchors and paths in the documentation lead somewhere.
//!
//! In Markdown: every relative link, every anchor of a page, and every code span that looks like a path of this
//! repository. Elsewhere: every mention of a page below `docs/`.

use super::Finding;
use crate::house::House;
use crate::markdown;

/// Folders at the top whose paths are checked even when nothing is left in them.
const TOP: &[&str] = &["crates", "docs", "tests", "xtask", "fuzz", "deploy", ".ci", ".cargo"];

pub fn check(house: &House) -> Vec<Finding> {
    let pages = house.ending(&[".md"]).flat_map(|(path, text)| of_page(house, path, text));
    // This crate's own tests speak of pages that never were.
    let sources = house.ending(&[".rs", ".toml", ".sql", ".py", ".sh"]).filter(|(path, _)| !path.starts_with("xtask/"));
    pages.chain(sources.flat_map(|(path, text)| of_source(house, path, text))).collect()
}

fn of_page(house: &House, page: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in markdown::prose(text) {
        let links = markdown::links(line).into_iter().filter_map(|link| broken_link(house, page, link));
        let paths = markdown::code_spans(line).into_iter().filter_map(|span| broken_path(house, page, span));
        findings.extend(links.chain(paths).map(|message| Finding::at(page, number, message)));
    }
    findings
}

fn broken_link(house: &House, page: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { page.to_owned() } else { resolve(page, path) };
    if !house.exists(&target) {
        return Some(format!("links to {link}, which is not there"));
    }
    let known = |anchor: &str| {
        markdown::anchors(house.files.get(&target).map_or("", String::as_str)).contains(&anchor.to_owned())
    };
    let dangling = anchor.is_some_and(|anchor| markdown::is_page(&target) && !known(anchor));
    dangling.then(|| format!("links to {link}, where no such heading is"))
}

fn broken_path(house: &House, page: &str, span: &str) -> Option<String> {
    let path = path_in(span)?;
    let there = house.exists(path) || house.exists(&resolve(page, path));
    (!there).then(|| format!("names {path}, which is not there"))
}

/// The path of this repository that a code span is, without the line it may point at. Patterns, commands and paths with
/// a placeholder in capitals are none.
fn path_in(span: &str) -> Option<&str> {
    let span = span.split(':').next().unwrap_or(span).trim_end_matches('/');
    let plain = span.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
    let below_top = span.split_once('/').is_some_and(|(top, _)| TOP.contains(&top));
    let page = markdown::is_page(span);
    let placeholder = span.split('/').any(|part| part.bytes().all(|b| b.is_ascii_uppercase()));
    (plain && !placeholder && (below_top || page)).then_some(span)
}

fn of_source(house: &House, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let broken = mentions(line).into_iter().filter(|mention| !mention_exists(house, mention));
        findings
            .extend(broken.map(|mention| Finding::at(path, index + 1, format!("names {mention}, which is not there"))));
    }
    findings
}

/// The paths below `docs/adr`, `docs/explanation` and so on that a line of source speaks of.
fn mentions(line: &str) -> Vec<&str> {
    let folders = ["adr", "explanation", "how-to", "reference", "tutorial"];
    let starts =
        line.match_indices("docs/").filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '/'));
    let words = starts.map(|(at, _)| {
        let rest = &line[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-/".contains(c))).unwrap_or(rest.len());
        rest[..end].trim_end_matches(['.', '/'])
    });
    let below =
        |word: &&str| word.strip_prefix("docs/").is_some_and(|rest| folders.iter().any(|f| rest.starts_with(f)));
    words.filter(below).collect()
}

/// A decision may be named by its number alone.
fn mention_exists(house: &House, mention: &str) -> bool {
    house.exists(mention) || house.has_prefix(&format!("{mention}-"))
}

/// A relative path, seen from the folder of `page`.
pub fn resolve(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        let files = [
            (path, text),
            ("docs/README.md", "# Start here\n"),
            ("docs/adr/0004-http-below-axum.md", "# x\n"),
            ("crates/oci/src/lib.rs", ""),
        ];
        check(&House::of(&files)).len()
    }

    #[test]
    fn pages() {
        let cases = [
            ("[a](../README.md)", 0),
            ("[a](../README.md#start-here)", 0),
            ("[a](../README.md#elsewhere)", 1),
            ("[a](../missing.md)", 1),
            ("[a](../adr/)", 0),
            ("# Here\n[a](#here) [b](#there)", 1),
            ("[a](https://example.org/missing.md)", 0),
            ("`crates/oci/src/lib.rs:12`", 0),
            ("`crates/oci/`", 0),
            ("`crates/gone/src/lib.rs`", 1),
            ("`crates/*/src`", 0),
            ("`tests/soak/NAME`", 0),
            ("`docs/README.md`", 0),
            ("`fuzz/gone`", 1),
            ("`NOWHERE.md`", 1),
            ("`DATA/blobs/ab`", 0),
            ("```\n[a](missing.md)\n```", 0),
        ];
        for (text, findings) in cases {
            assert_eq!(found("docs/how-to/page.md", text), findings, "{text}");
        }
    }

    #[test]
    fn sources() {
        let cases = [
            ("// see docs/adr/0004", 0),
            ("// see docs/adr/0004.", 0),
            ("// see docs/adr/0009", 1),
            ("// see docs/adr/0004-http-below-axum.md", 0),
            ("// https://example.org/docs/adr/0009", 0),
            ("suite docs docs/", 0),
        ];
        for (text, findings) in cases {
            assert_eq!(found("crates/x/src/a.rs", text), findings, "{text}");
        }
    }
}
