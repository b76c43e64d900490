//! What a command tells: in words and tables, or as JSON.

use berth_aws::protocol::{Kind, Shape, Timestamp};
use serde_json::{Value, json};

/// The end of a command that did what it was asked.
pub struct Answer {
    /// For people.
    pub text: String,
    /// For machines.
    pub json: Value,
    /// The exit code.
    pub code: u8,
}

impl Answer {
    /// An answer with exit code 0.
    pub const fn new(text: String, json: Value) -> Self {
        Self { text, json, code: 0 }
    }

    /// One sentence that tells what was done.
    pub fn done(text: String) -> Self {
        let json = json!({ "done": text });
        Self::new(text, json)
    }

    /// A table of some members of each of `rows`, and all members as JSON.
    pub fn table(columns: &[(&str, &str)], rows: Vec<Value>) -> Self {
        let headings: Vec<String> = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let cells = rows.iter().map(|row| columns.iter().map(|(_, member)| cell(&row[*member])).collect());
        let text = aligned(&std::iter::once(headings).chain(cells).collect::<Vec<_>>());
        Self::new(text, rows.into())
    }

    /// One thing: a line for each of its facts that is not empty.
    pub fn facts(facts: &[(&str, &Value)], json: Value) -> Self {
        let told = facts.iter().map(|(name, value)| vec![(*name).to_owned(), cell(value)]);
        Self::new(aligned(&told.filter(|row| row.iter().all(|text| !text.is_empty())).collect::<Vec<_>>()), json)
    }
}

/// A value in one line. Control characters could move a terminal's cursor, so they go.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(values) if values.contains_key("Key") && values.contains_key("Value") => {
            format!("{}={}", cell(&value["Key"]), cell(&value["Value"]))
        }
        other => other.to_string(),
    };
    text.chars().filter(|character| !character.is_control()).collect()
}

/// Lines with their columns below each other.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A tree whose times are texts as ISO 8601 has them, rather than numbers.
pub fn readable(shape: &Shape, tree: Value) -> Value {
    match (&shape.kind, tree) {
        (Kind::Timestamp, Value::Number(number)) => {
            number.as_i64().and_then(|time| Timestamp(time).to_iso8601()).map_or(Value::Number(number), Value::from)
        }
        (Kind::Structure { members, .. }, Value::Object(values)) => values
            .into_iter()
            .map(|(name, value)| match members.iter().find(|member| member.name == name) {
                Some(member) => (name, readable(member.shape, value)),
                None => (name, value),
            })
            .collect(),
        (Kind::List { member, .. }, Value::Array(values)) => {
            values.into_iter().map(|value| readable(member, value)).collect()
        }
        (_, tree) => tree,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_aws::iam::IAM;

    #[test]
    fn tables_have_their_columns_below_each_other() {
        let rows = vec![
            json!({ "UserName": "alice", "Path": "/", "Tags": [{ "Key": "a", "Value": "b\u{1b}[2J" }] }),
            json!({ "UserName": "bo", "Path": "/team/", "Tags": null }),
        ];
        let answer = Answer::table(&[("USER", "UserName"), ("PATH", "Path"), ("TAGS", "Tags")], rows.clone());
        assert_eq!(answer.text, "USER   PATH    TAGS\nalice  /       a=b[2J\nbo     /team/");
        assert_eq!((answer.json, answer.code), (rows.into(), 0));
    }

    #[test]
    fn facts_that_are_not_there_have_no_line() {
        let (name, nothing, groups) = (json!("alice"), json!(null), json!(["a", "b"]));
        let answer = Answer::facts(&[("user", &name), ("boundary", &nothing), ("groups", &groups)], json!({}));
        assert_eq!(answer.text, "user    alice\ngroups  a, b");
    }

    #[test]
    fn times_become_texts() {
        let shape = IAM.operation("ListUsers").unwrap().output.unwrap();
        let tree = json!({ "Users": [{ "UserName": "a", "CreateDate": 1_795_860_000_000_i64 }], "Other": 7 });
        let expected = json!({ "Users": [{ "UserName": "a", "CreateDate": "2026-11-28T10:00:00Z" }], "Other": 7 });
        assert_eq!(readable(shape, tree), expected);
    }
}
