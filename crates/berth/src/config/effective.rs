//! The effective configuration: each setting's value, and where it came from.

use std::sync::Arc;

use serde_json::Value;

use super::file::{self, Unread};
use super::kinds::parsed_default;
use super::origin::Origin;
use super::problem::Problem;
use super::setting::{Kind, Setting};
use super::{SETTINGS, Settings, checks};

/// A value that some source gave to a setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value as it was given.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// One setting's value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value, as it is printed.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Each setting's value, in the catalogue's order.
#[derive(Debug, Clone)]
pub struct Values(Vec<Entry>);

impl Values {
    fn defaults() -> Self {
        let entry =
            |setting: &'static Setting| Entry { setting, value: parsed_default(setting), origin: Origin::Default };
        Self(SETTINGS.iter().map(entry).collect())
    }

    /// The settings.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    fn set(&mut self, setting: &Setting, value: Value, origin: Origin) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.setting == setting) {
            (entry.value, entry.origin) = (value, origin);
        }
    }

    /// Where the value of `key` came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.0.iter().find(|entry| entry.setting.key == key).map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// The value of `key` as the type that the catalogue declares.
    pub(super) fn read<K: Kind>(&self, key: &'static str) -> Result<K, Problem> {
        let entry = self.0.iter().find(|entry| entry.setting.key == key);
        let entry = entry.ok_or_else(|| Problem::unfit(Origin::Default, key, "is not in the catalogue"))?;
        let refused = || Problem::refused(entry.origin.clone(), entry.setting, &entry.value.to_string());
        K::read(&entry.value).ok_or_else(refused)
    }
}

/// A TOML file that was read.
#[derive(Debug, Clone)]
pub struct FileText {
    /// Its path, as it is shown.
    pub path: Arc<str>,
    /// Its text.
    pub text: String,
}

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The file that was read, if any.
    pub file: Option<Arc<str>>,
    /// Each value with its origin.
    pub values: Values,
    /// The same, typed.
    pub settings: Settings,
}

impl Effective {
    /// Puts the sources together, the later ones over the earlier: `file`, then `given` in its order. `found` are problems
    /// of those sources; they are told with the ones found here.
    pub fn resolve(file: Option<FileText>, given: Vec<Given>, found: Vec<Problem>) -> Result<Self, Vec<Problem>> {
        let path = file.as_ref().map(|file| file.path.clone());
        let (mut all, mut problems) = file.map_or_else(Default::default, read_file);
        all.extend(given);
        problems.extend(found);
        let mut values = Values::defaults();
        for given in all {
            match given.setting.canonical(&given.value) {
                Some(value) => values.set(given.setting, value, given.origin),
                None => problems.push(Problem::refused(given.origin, given.setting, &given.value.to_string())),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let settings = Settings::read(&values).map_err(|problem| vec![problem])?;
        let unfit = checks::check(&settings, &values);
        if unfit.is_empty() { Ok(Self { file: path, values, settings }) } else { Err(unfit) }
    }
}

fn read_file(file: FileText) -> (Vec<Given>, Vec<Problem>) {
    let FileText { path, text } = file;
    let at = |line| Origin::File { path: path.clone(), line };
    let (read, unread) = file::parse(&text);
    let given = read.into_iter().map(|read| Given { setting: read.setting, value: read.value, origin: at(read.line) });
    let problem = |unread: Unread| match unread.setting {
        Some(setting) => Problem::refused(at(unread.line), setting, &unread.message),
        None => Problem::new(at(unread.line), unread.message),
    };
    (given.collect(), unread.into_iter().map(problem).collect())
}
