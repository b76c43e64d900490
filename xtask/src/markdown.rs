//! The little of Markdown that the checks need: prose lines, links, code spans and the anchors of headings.

use std::path::Path;

/// Whether a path is a page's: a name and `.md`.
pub fn is_page(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "md")
}

/// A page without its fenced blocks: each line of prose with its number, counted from 1.
pub fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mark = fence_mark(line);
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if mark.starts_with(open) => fence = None,
            (Some(_), _) => {}
            (None, None) => lines.push((index + 1, line)),
        }
    }
    lines
}

/// The run of marks that begins or ends a fenced block.
fn fence_mark(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let kind = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == kind).count();
    (length >= 3).then(|| &line[..length])
}

/// The targets of the links in a line: `[text](target)` and `[label]: target`.
pub fn links(line: &str) -> Vec<&str> {
    let bare = without_code(line);
    let mut targets: Vec<&str> = bare
        .iter()
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| rest.split([')', ' ']).next())
        .collect();
    if let Some((label, target)) = line.split_once("]: ")
        && label.starts_with('[')
        && !label.contains("](")
    {
        targets.extend(target.split_whitespace().next());
    }
    targets
}

/// The code spans of a line.
pub fn code_spans(line: &str) -> Vec<&str> {
    let parts: Vec<&str> = line.split('`').collect();
    // An odd mark at the end of a line opens nothing.
    let last = if parts.len().is_multiple_of(2) { parts.len() - 1 } else { parts.len() };
    parts[..last].iter().skip(1).step_by(2).copied().collect()
}

fn without_code(line: &str) -> Vec<&str> {
    // `[`name`](target)` is a link whose text is code, so that only a target inside a span is dropped.
    if code_spans(line).iter().any(|span| span.contains("](")) {
        line.split('`').step_by(2).collect()
    } else {
        vec![line]
    }
}

/// The anchors that a page's headings make, as the forges form them.
pub fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let Some(heading) = heading(line) else { continue };
        let slug = slug(heading);
        let repeats = found.iter().filter(|known| without_number(known) == slug).count();
        found.push(if repeats == 0 { slug } else { format!("{slug}-{repeats}") });
    }
    found
}

fn without_number(anchor: &str) -> &str {
    match anchor.rsplit_once('-') {
        Some((start, number)) if number.bytes().all(|b| b.is_ascii_digit()) => start,
        _ => anchor,
    }
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let depth = line.len() - text.len();
    (1..=6).contains(&depth).then(|| text.strip_prefix(' ')).flatten()
}

fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_no_prose() {
        let text = "a\n```sh\n[x](y)\n```\nb\n~~~\n```\n~~~\nc\n";
        let lines: Vec<&str> = prose(text).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["a", "b", "c"]);
        assert_eq!(prose(text)[1].0, 5);
    }

    #[test]
    fn links_of_a_line() {
        let cases: [(&str, &[&str]); 6] = [
            ("see [a](b.md) and [c](d.md#e)", &["b.md", "d.md#e"]),
            ("[`code`](b.md)", &["b.md"]),
            ("`[a](b)` is a link", &[]),
            ("[label]: https://example.org", &["https://example.org"]),
            ("a [b]: c", &[]),
            ("[a](b.md \"title\")", &["b.md"]),
        ];
        for (line, targets) in cases {
            assert_eq!(links(line), targets, "{line}");
        }
    }

    #[test]
    fn spans_of_a_line() {
        assert_eq!(code_spans("run `a b` or `c`"), ["a b", "c"]);
        assert_eq!(code_spans("an odd ` mark"), Vec::<&str>::new());
    }

    #[test]
    fn headings_make_anchors() {
        let text = "# One two\n## `berth serve`: what\n## One two\n#no\n```\n# not this\n```\n";
        assert_eq!(anchors(text), ["one-two", "berth-serve-what", "one-two-1"]);
    }
}
