//! `berth config`: every value, with where it came from.

use serde_json::{Map, Value, json};

use super::SECTIONS;
use super::effective::{Effective, Entry};

/// TOML that gives the same configuration back, each line with its origin.
pub fn toml(effective: &Effective) -> String {
    let named = effective.values.listeners().into_iter().map(|name| format!("listener.{name}"));
    let sections = SECTIONS.iter().map(|(section, _)| (*section).to_owned()).chain(named);
    sections.map(|section| section_text(&section, effective)).collect::<Vec<_>>().join("\n")
}

fn section_text(section: &str, effective: &Effective) -> String {
    let entries: Vec<&Entry> = effective.values.iter().filter(|entry| entry.section() == section).collect();
    let assignments: Vec<String> = entries.iter().map(|entry| assignment(entry.setting.name, &entry.value)).collect();
    let width = assignments.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let line = |(assignment, entry): (&String, &&Entry)| format!("{assignment:<width$}  # {}\n", comment(entry));
    let lines: String = assignments.iter().zip(&entries).map(line).collect();
    format!("[{section}]\n{lines}")
}

/// A path may hold what would end a comment.
fn comment(entry: &Entry) -> String {
    entry.origin.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `name = value`, in TOML.
pub(super) fn assignment(name: &str, value: &Value) -> String {
    format!("{name} = {}", toml_value(value))
}

/// JSON's strings, numbers and booleans are TOML's, but for one character.
pub(super) fn toml_value(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        other => other.to_string().replace('\u{7f}', "\\u007F"),
    }
}

/// The same for machines.
pub fn json(effective: &Effective) -> Value {
    let entry = |entry: &Entry| {
        let told = json!({ "value": entry.value, "origin": entry.origin.to_string() });
        (entry.key().into_owned(), told)
    };
    let settings: Map<String, Value> = effective.values.iter().map(entry).collect();
    json!({ "file": effective.file.as_deref(), "settings": settings })
}
