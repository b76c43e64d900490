//! The reference pages name what the sources have, and nothing else: metrics, error codes, tables, operations of AWS.

use std::collections::BTreeSet;

use super::Finding;
use crate::house::House;
use crate::markdown;

/// One kind of name: where the sources have it, and the page that lists it.
struct Kind {
    name: &'static str,
    page: &'static str,
    /// Beginning and end of the paths of sources that define such names.
    sources: (&'static str, &'static str),
    /// The name that a line of source defines.
    defined: fn(&str) -> Option<&str>,
    /// Whether a code span of the page is such a name.
    listed: fn(&str) -> bool,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "metric",
        page: "docs/reference/metrics.md",
        sources: ("crates/", ".rs"),
        defined: |line| quoted(line).filter(|name| is_metric(name)),
        listed: is_metric,
    },
    Kind {
        name: "error code",
        page: "docs/reference/http-api.md",
        sources: ("crates/oci/src/error.rs", ""),
        defined: |line| line.split_once(" = ").and_then(|(_, rest)| quoted(rest)).filter(|name| is_code(name)),
        listed: is_code,
    },
    Kind {
        name: "table",
        page: "docs/reference/database-schema.md",
        sources: ("crates/store-sql/migrations/", ".sql"),
        defined: |line| line.strip_prefix("CREATE TABLE ").and_then(|rest| rest.split([' ', '(']).next()),
        listed: |_| false,
    },
    Kind {
        name: "operation",
        page: "docs/reference/identity.md",
        sources: ("crates/aws/src/iam/operations.txt", ""),
        defined: operation,
        listed: |_| false,
    },
    Kind {
        name: "operation",
        page: "docs/reference/identity.md",
        sources: ("crates/aws/src/sts/operations.txt", ""),
        defined: operation,
        listed: |_| false,
    },
    Kind {
        name: "operation",
        page: ECR_PAGE,
        sources: ("crates/aws/src/ecr/operations.txt", ""),
        defined: operation,
        listed: |_| false,
    },
    Kind {
        name: "operation",
        page: "docs/reference/audit.md",
        sources: ("crates/aws/src/cloudtrail/operations.txt", ""),
        defined: operation,
        listed: |_| false,
    },
    Kind {
        name: "operation of Berth's own",
        page: "docs/reference/identity.md",
        sources: ("crates/http/src/iam/mod.rs", ""),
        defined: |line| quoted(line).filter(|_| line.starts_with('"') && line.contains(" => berth::")),
        listed: |_| false,
    },
];

/// The page that says of each operation of ECR whether it works.
const ECR_PAGE: &str = "docs/reference/ecr.md";

pub fn check(house: &House) -> Vec<Finding> {
    KINDS.iter().flat_map(|kind| of_kind(house, kind)).chain(unserved(house)).collect()
}

/// The operations of ECR that the page says come later are those that the door refuses.
fn unserved(house: &House) -> Vec<Finding> {
    let text = |path| house.files.get(path).map_or("", String::as_str);
    let door = text("crates/http/src/ecr/mod.rs").lines().map(str::trim);
    let refused: BTreeSet<&str> = door.filter(|line| line.contains("=> unserved::")).filter_map(quoted).collect();
    let rows = text(ECR_PAGE).lines().filter(|line| line.contains("` | 501 |"));
    let told: BTreeSet<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let differing = refused.symmetric_difference(&told);
    differing.map(|name| Finding::new(ECR_PAGE, format!("is wrong about whether {name} works"))).collect()
}

fn operation(line: &str) -> Option<&str> {
    Some(line).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn of_kind(house: &House, kind: &Kind) -> Vec<Finding> {
    let page = house.files.get(kind.page).map_or("", String::as_str);
    let spans: BTreeSet<&str> =
        markdown::prose(page).into_iter().flat_map(|(_, line)| markdown::code_spans(line)).collect();
    let defined = defined(house, kind);
    let unlisted = defined
        .iter()
        .filter(|name| !spans.contains(**name))
        .map(|name| format!("does not list the {} {name}", kind.name));
    let unknown = spans.iter().filter(|span| (kind.listed)(span) && !defined.contains(**span));
    let unknown = unknown.map(|name| format!("lists the {} {name}, which the sources do not have", kind.name));
    unlisted.chain(unknown).map(|message| Finding::new(kind.page, message)).collect()
}

fn defined<'a>(house: &'a House, kind: &Kind) -> BTreeSet<&'a str> {
    let (beginning, ending) = kind.sources;
    let is_source = |path: &str| path.starts_with(beginning) && path.ends_with(ending) && !path.contains("/tests");
    let sources = house.files.iter().filter(|(path, _)| is_source(path));
    sources.flat_map(|(_, text)| text.lines().filter_map(|line| (kind.defined)(line.trim()))).collect()
}

fn quoted(line: &str) -> Option<&str> {
    line.split('"').nth(1)
}

/// Figures of ours, by their units. (`berth_oci` and other crates are no figures.)
fn is_metric(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
    let kinds =
        ["_total", "_seconds", "_bytes", "_connections", "_blobs", "_info", "_uploads", "_repositories", "_ratio"];
    name.starts_with("berth_") && name.bytes().all(plain) && kinds.iter().any(|kind| name.ends_with(kind))
}

fn is_code(name: &str) -> bool {
    name.len() > 4 && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && !NOT_CODES.contains(&name)
}

/// Words in capitals on the page of the HTTP API that are no error codes.
const NOT_CODES: &[&str] = &["DIGEST", "DELETE", "PATCH", "OTHER"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str, text: &str, source: &str, code: &str) -> Vec<String> {
        let findings = check(&House::of(&[(page, text), (source, code)]));
        findings.iter().map(ToString::to_string).filter(|finding| finding.starts_with(page)).collect()
    }

    #[test]
    fn names_are_compared_both_ways() {
        let metric = "metrics::counter!(\"berth_things_total\")";
        let cases = [
            ("docs/reference/metrics.md", "`berth_things_total`", "crates/a/src/b.rs", metric, 0),
            ("docs/reference/metrics.md", "", "crates/a/src/b.rs", metric, 1),
            ("docs/reference/metrics.md", "`berth_things_total`", "crates/a/src/b.rs", "", 1),
            (
                "docs/reference/http-api.md",
                "`NAME_UNKNOWN` `PATCH`",
                "crates/oci/src/error.rs",
                "A = \"NAME_UNKNOWN\",",
                0,
            ),
            ("docs/reference/http-api.md", "`NAME_KNOWN`", "crates/oci/src/error.rs", "A = \"NAME_UNKNOWN\",", 2),
            (
                "docs/reference/database-schema.md",
                "`tags`",
                "crates/store-sql/migrations/1.sql",
                "CREATE TABLE tags (",
                0,
            ),
            ("docs/reference/database-schema.md", "", "crates/store-sql/migrations/1.sql", "CREATE TABLE tags (", 1),
            ("docs/reference/identity.md", "`GetUser`", "crates/aws/src/iam/operations.txt", "# Those\nGetUser", 0),
            ("docs/reference/identity.md", "", "crates/aws/src/iam/operations.txt", "# Those\nGetUser", 1),
            ("docs/reference/audit.md", "", "crates/aws/src/cloudtrail/operations.txt", "LookupEvents", 1),
            (
                "docs/reference/audit.md",
                "`LookupEvents`",
                "crates/aws/src/cloudtrail/operations.txt",
                "LookupEvents",
                0,
            ),
            ("docs/reference/identity.md", "", "crates/http/src/iam/mod.rs", "\"GetIt\" => berth::get_it,", 1),
            ("docs/reference/identity.md", "", "crates/http/src/iam/mod.rs", "\"GetUser\" => users::get,", 0),
        ];
        for (page, text, source, code, findings) in cases {
            assert_eq!(found(page, text, source, code).len(), findings, "{page}: {text} against {code}");
        }
    }
}
