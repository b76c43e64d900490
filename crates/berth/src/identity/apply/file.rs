//! The file: what it may hold, and what it means. Nobody is asked anything here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use berth_aws::policy::PolicyKind;
use serde::Deserialize;
use serde_json::Value;

use super::model::{Document, Owner};
use crate::identity::document;
use crate::identity::owner::Kind;

/// What a file wants, with policies still named as the file names them, by ARN or name.
#[derive(Debug, Clone, Default)]
pub struct File {
    pub policies: BTreeMap<String, Policy>,
    pub owners: BTreeMap<(Kind, String), Owner>,
    /// What its author may not have meant.
    pub warnings: Vec<String>,
}

/// A managed policy.
#[derive(Debug, Clone)]
pub struct Policy {
    pub path: Option<String>,
    pub document: Document,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    #[serde(default)]
    policies: BTreeMap<String, PolicyTable>,
    #[serde(default)]
    groups: BTreeMap<String, GroupTable>,
    #[serde(default)]
    users: BTreeMap<String, UserTable>,
    #[serde(default)]
    roles: BTreeMap<String, RoleTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyTable {
    path: Option<String>,
    document: Option<Value>,
    document_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InlineTable {
    document: Option<Value>,
    document_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupTable {
    path: Option<String>,
    #[serde(default)]
    policies: BTreeSet<String>,
    #[serde(default)]
    inline_policies: BTreeMap<String, InlineTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    path: Option<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default)]
    policies: BTreeSet<String>,
    #[serde(default)]
    inline_policies: BTreeMap<String, InlineTable>,
    boundary: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleTable {
    path: Option<String>,
    trust: Option<Value>,
    trust_file: Option<PathBuf>,
    #[serde(default)]
    policies: BTreeSet<String>,
    #[serde(default)]
    inline_policies: BTreeMap<String, InlineTable>,
    boundary: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    max_session: Option<u32>,
}

/// Reads a file's text. Files that it names are looked for in `folder`. Errors are all that is wrong, for people; what is no
/// TOML or unknown stands with its line and column.
pub fn parse(text: &str, folder: &Path) -> Result<File, Vec<String>> {
    let root: Root = toml_edit::de::from_str(text)
        .map_err(|error| vec![format!("{}: {}", position(text, error.span()), error.message().trim())])?;
    let mut reader = Reader { folder, problems: Vec::new(), file: File::default() };
    root.policies.into_iter().for_each(|(name, table)| reader.policy(name, table));
    root.groups.into_iter().for_each(|(name, table)| reader.group(name, table));
    root.users.into_iter().for_each(|(name, table)| reader.user(name, table));
    root.roles.into_iter().for_each(|(name, table)| reader.role(name, table));
    if reader.problems.is_empty() { Ok(reader.file) } else { Err(reader.problems) }
}

fn position(text: &str, span: Option<Range<usize>>) -> String {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    format!("line {line}, column {column}")
}

struct Reader<'f> {
    folder: &'f Path,
    problems: Vec<String>,
    file: File,
}

impl Reader<'_> {
    fn policy(&mut self, name: String, table: PolicyTable) {
        let place = format!("policies.{name}");
        let document = self.document(&place, "document", (table.document, table.document_file), PolicyKind::Identity);
        self.file.policies.extend(document.map(|document| (name, Policy { path: table.path, document })));
    }

    fn group(&mut self, name: String, table: GroupTable) {
        let inline = self.inline(&format!("groups.{name}"), table.inline_policies);
        let owner = Owner { path: table.path, policies: table.policies, inline, ..Owner::default() };
        self.file.owners.insert((Kind::Group, name), owner);
    }

    fn user(&mut self, name: String, table: UserTable) {
        let UserTable { path, groups, policies, inline_policies, boundary, tags } = table;
        let inline = self.inline(&format!("users.{name}"), inline_policies);
        let owner = Owner { path, policies, inline, boundary, tags, groups, ..Owner::default() };
        self.file.owners.insert((Kind::User, name), owner);
    }

    fn role(&mut self, name: String, table: RoleTable) {
        let RoleTable { path, trust, trust_file, policies, inline_policies, boundary, tags, max_session } = table;
        let place = format!("roles.{name}");
        let inline = self.inline(&place, inline_policies);
        let trust = self.document(&place, "trust", (trust, trust_file), PolicyKind::Trust);
        let groups = BTreeSet::new();
        let owner = Owner { path, policies, inline, boundary, tags, groups, trust, max_session };
        self.file.owners.insert((Kind::Role, name), owner);
    }

    fn inline(&mut self, place: &str, tables: BTreeMap<String, InlineTable>) -> BTreeMap<String, Document> {
        let read = tables.into_iter().filter_map(|(name, table)| {
            let place = format!("{place}.inline_policies.{name}");
            let given = (table.document, table.document_file);
            self.document(&place, "document", given, PolicyKind::Identity).map(|document| (name, document))
        });
        read.collect()
    }

    /// A document that is a table or in a file of its own, checked.
    fn document(
        &mut self,
        place: &str,
        key: &str,
        given: (Option<Value>, Option<PathBuf>),
        kind: PolicyKind,
    ) -> Option<Document> {
        let (what, found) = match given {
            (Some(value), None) => (format!("{place}.{key}"), Ok(Document::of(value))),
            (None, Some(path)) => {
                let path = self.folder.join(path);
                (format!("{place} ({})", path.display()), text_of(&path).map(Document::new))
            }
            (Some(_), Some(_)) => (place.to_owned(), Err(format!("give {key} or {key}_file, not both"))),
            (None, None) => (place.to_owned(), Err(format!("{key} or {key}_file is missing"))),
        };
        let checked = found.map_err(|why| format!("{what}: {why}")).and_then(|document| {
            let warnings = document::check(&what, document.text(), kind)?;
            self.file.warnings.extend(warnings);
            Ok(document)
        });
        checked.map_err(|problem| self.problems.push(problem)).ok()
    }
}

/// Standard input holds the one file, so `-` is a name here.
fn text_of(path: &Path) -> Result<String, String> {
    document::text_of_path(path).map_err(|error| format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        parse(text, Path::new("/nowhere")).unwrap_err()
    }

    #[test]
    fn a_file_is_read_whole() {
        let folder = tempfile::TempDir::new().unwrap();
        let policy =
            r#"{ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "ecr:Fly", "Resource": "*" } }"#;
        std::fs::write(folder.path().join("p.json"), policy).unwrap();
        let text = r#"
            [policies.push]
            document_file = "p.json"
            [groups.devs]
            policies = ["push"]
            [users.alice]
            groups = ["devs"]
            boundary = "push"
            tags = { team = "a" }
            [users.alice.inline_policies.own.document]
            Version = "2012-10-17"
            Statement = [{ Effect = "Allow", Action = ["ecr:PutImage"], Resource = "*" }]
            [roles.ci]
            max_session = 7200
            [roles.ci.trust]
            Version = "2012-10-17"
            [[roles.ci.trust.Statement]]
            Effect = "Allow"
            Principal = { AWS = "000000000000" }
            Action = "sts:AssumeRole"
        "#;
        let file = parse(text, folder.path()).unwrap();
        assert_eq!(file.policies["push"].document.text(), policy, "as it was written");
        assert!(file.warnings.iter().any(|warning| warning.contains("ecr:fly")), "{:?}", file.warnings);
        let alice = &file.owners[&(Kind::User, "alice".to_owned())];
        assert!(alice.groups.contains("devs") && alice.tags["team"] == "a" && alice.inline.contains_key("own"));
        let ci = &file.owners[&(Kind::Role, "ci".to_owned())];
        assert!(ci.trust.is_some() && ci.max_session == Some(7200));
        assert_eq!(file.owners.len(), 3);
        assert!(parse("", folder.path()).unwrap().owners.is_empty());
    }

    #[test]
    fn what_is_unknown_has_its_position() {
        for (text, expected) in [
            ("[users.alice]\ngroup = []\n", "line 2, column 1: unknown field `group`"),
            ("[user.alice]\n", "line 1, column 2: unknown field `user`"),
            ("[users.alice]\n\n  keys = 1\n", "line 3, column 3: unknown field `keys`"),
            ("[users.alice]\npath = 1\n", "line 2, column 8: invalid type"),
            ("[users.alice\n", "line 1, column 13: "),
            ("[groups.a]\ntags = {}\n", "line 2, column 1: unknown field `tags`"),
        ] {
            let found = problems(text);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let found = problems(
            "[policies.a]\n[policies.b]\ndocument_file = 'b.json'\n[policies.c]\ndocument = {}\ndocument_file = 'c'\n\
             [policies.d]\ndocument = { Version = '2012-10-17', Statement = [] }\n[roles.r]\n",
        );
        let begins = [
            "policies.a: document or document_file is missing",
            "policies.b (/nowhere/b.json): cannot be read",
            "policies.c: give document or document_file, not both",
            "policies.d.document is no policy: ",
            "roles.r: trust or trust_file is missing",
        ];
        assert_eq!(found.len(), begins.len(), "{found:?}");
        for (problem, begin) in found.iter().zip(begins) {
            assert!(problem.starts_with(begin), "{problem}");
        }
    }
}
