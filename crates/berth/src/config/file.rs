//! The TOML file.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use toml_edit::{Document, Item, TableLike};

use super::problem::printable;
use super::setting::{self, Setting};
use super::suggest::hint;
use super::{LISTENER_SETTINGS, SECTIONS, SETTINGS, listeners};

/// The section that those of listeners are below.
const LISTENER: &str = "listener";

/// Messages that quote the file end here, in characters.
const LONGEST_MESSAGE: usize = 300;

/// A value that the file gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The setting.
    pub setting: &'static Setting,
    /// The listener that it is about, if it is one of a listener with a name.
    pub listener: Option<Arc<str>>,
    /// Its value; not yet checked against the setting's type.
    pub value: Value,
    /// Its line, counted from 1.
    pub line: usize,
}

/// Something in the file that is no setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    /// Its line, counted from 1.
    pub line: usize,
    /// The setting, and its listener, whose value has a type that no setting has; `message` is that value then.
    pub setting: Option<(&'static Setting, Option<Arc<str>>)>,
    /// What is wrong.
    pub message: String,
}

/// Reads a configuration file's text. Never panics, whatever the text.
pub fn parse(text: &str) -> (Vec<Read>, Vec<Unread>) {
    let mut reader = Reader { text, read: Vec::new(), unread: Vec::new() };
    match Document::parse(text) {
        Ok(document) => reader.sections(document.as_table()),
        Err(error) => {
            let line = reader.line(error.span());
            reader.unread(line, &format!("not TOML: {}", error.message().replace('\n', ", ")));
        }
    }
    (reader.read, reader.unread)
}

struct Reader<'t> {
    text: &'t str,
    read: Vec<Read>,
    unread: Vec<Unread>,
}

impl Reader<'_> {
    fn unread(&mut self, line: usize, message: &str) {
        self.unread.push(Unread { line, setting: None, message: printable(message, LONGEST_MESSAGE) });
    }

    fn line(&self, span: Option<Range<usize>>) -> usize {
        let before = span.and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    fn line_of(&self, table: &dyn TableLike, name: &str) -> usize {
        self.line(table.key(name).and_then(toml_edit::Key::span))
    }

    fn sections(&mut self, root: &dyn TableLike) {
        for (name, item) in root.iter() {
            let line = self.line_of(root, name);
            if name == LISTENER {
                self.listeners(line, item);
                continue;
            }
            match (SECTIONS.iter().any(|(section, _)| *section == name), item.as_table_like()) {
                (true, Some(section)) => self.section(name, section),
                (true, None) => {
                    self.unread(line, &format!("{name} is a section: write [{name}] and its settings below"));
                }
                (false, Some(_)) => self.unknown_section(line, name),
                (false, None) => self.homeless(line, name),
            }
        }
    }

    /// Sections of listeners: `[listener.NAME]`.
    fn listeners(&mut self, line: usize, item: &Item) {
        let meant = "write [listener.NAME] and its settings below";
        let Some(all) = item.as_table_like() else {
            return self.unread(line, &format!("{LISTENER} is no section: {meant}"));
        };
        for (name, item) in all.iter() {
            let line = self.line_of(all, name);
            match item.as_table_like() {
                None => self.unread(line, &format!("{LISTENER}.{name} is no section: {meant}")),
                Some(_) if !listeners::is_name(name) => {
                    let message = "a listener's name has lower-case letters, digits and -, at most 63 of them";
                    self.unread(line, &format!("[{LISTENER}.{name}]: {message}"));
                }
                Some(own) if own.is_empty() => {
                    self.unread(line, &format!("[{LISTENER}.{name}] is empty; name an address with listen"));
                }
                Some(own) => self.listener(name, own),
            }
        }
    }

    fn listener(&mut self, listener: &str, own: &dyn TableLike) {
        for (name, item) in own.iter() {
            let line = self.line_of(own, name);
            match listeners::find(name) {
                Some(setting) => self.setting(setting, Some(listener.into()), item, line),
                None => {
                    let key = listeners::key(listener, name);
                    let names: Vec<String> =
                        LISTENER_SETTINGS.iter().map(|setting| listeners::key(listener, setting.name)).collect();
                    let hint = hint(&key, names.iter().map(String::as_str));
                    self.unread(line, &format!("{key} is not a setting{hint}"));
                }
            }
        }
    }

    fn unknown_section(&mut self, line: usize, name: &str) {
        let hint = hint(name, SECTIONS.iter().map(|(section, _)| *section).chain(["listener.NAME", LISTENER]));
        self.unread(line, &format!("[{name}] is not a section{hint}"));
    }

    /// A setting above the first section.
    fn homeless(&mut self, line: usize, name: &str) {
        let meant = SETTINGS.iter().find(|setting| setting.name == name);
        let hint = meant.map_or_else(String::new, |setting| format!("; did you mean {}?", setting.key));
        self.unread(line, &format!("{name} is not a setting{hint}"));
    }

    fn section(&mut self, section: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let line = self.line_of(table, name);
            let key = format!("{section}.{name}");
            match setting::find(&key) {
                Some(setting) => self.setting(setting, None, item, line),
                None => self.unread(line, &format!("{key} is not a setting{}", hint(&key, keys()))),
            }
        }
    }

    fn setting(&mut self, setting: &'static Setting, listener: Option<Arc<str>>, item: &Item, line: usize) {
        let Some(value) = item.as_value().and_then(to_json) else {
            let given = item.span().and_then(|span| self.text.get(span)).unwrap_or(item.type_name());
            return self.unread.push(Unread { line, setting: Some((setting, listener)), message: given.to_owned() });
        };
        self.read.push(Read { setting, listener, value, line });
    }
}

fn keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.key)
}

/// The value as JSON; `None` for tables and dates, which no setting has.
fn to_json(value: &toml_edit::Value) -> Option<Value> {
    match value {
        toml_edit::Value::String(text) => Some(Value::from(text.value().as_str())),
        toml_edit::Value::Integer(number) => Some(Value::from(*number.value())),
        toml_edit::Value::Float(number) => Some(Value::from(*number.value())),
        toml_edit::Value::Boolean(switch) => Some(Value::from(*switch.value())),
        toml_edit::Value::Array(items) => items.iter().map(to_json).collect(),
        toml_edit::Value::Datetime(_) | toml_edit::Value::InlineTable(_) => None,
    }
}
