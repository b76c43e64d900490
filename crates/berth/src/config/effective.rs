//! The effective configuration: each setting's value, and where it came from.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::file::{self, Unread};
use super::kinds::parsed_default;
use super::origin::Origin;
use super::problem::Problem;
use super::setting::{Kind, Setting};
use super::{LISTENER_SETTINGS, SETTINGS, Settings, checks, listeners};

/// A value that some source gave to a setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The setting.
    pub setting: &'static Setting,
    /// The listener that it is about, if it is one of a listener with a name.
    pub listener: Option<Arc<str>>,
    /// Its value as it was given.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

impl Given {
    pub(super) fn refused(self) -> Problem {
        let key = key(self.setting, self.listener.as_deref());
        Problem::refused(self.origin, key, self.setting, &self.value.to_string())
    }
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
    /// The listener that it is about, if it is one of a listener with a name.
    pub listener: Option<Arc<str>>,
    /// Its value, as it is printed.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Entry {
    fn default_of(setting: &'static Setting, listener: Option<&Arc<str>>) -> Self {
        Self { setting, listener: listener.cloned(), value: parsed_default(setting), origin: Origin::Default }
    }

    /// What it is called: `server.listen`, `listener.private.listen`.
    pub fn key(&self) -> Cow<'static, str> {
        key(self.setting, self.listener.as_deref())
    }

    /// The name of its section: `server`, `listener.private`.
    pub fn section(&self) -> Cow<'static, str> {
        self.listener.as_ref().map_or(self.setting.section.into(), |name| format!("listener.{name}").into())
    }
}

/// What a setting is called.
fn key(setting: &Setting, listener: Option<&str>) -> Cow<'static, str> {
    listener.map_or(setting.key.into(), |name| listeners::key(name, setting.name).into())
}

/// Each setting's value, in the catalogue's order; then those of the listeners, in the order of their names.
#[derive(Debug, Clone)]
pub struct Values(Vec<Entry>);

impl Values {
    fn defaults() -> Self {
        Self(SETTINGS.iter().map(|setting| Entry::default_of(setting, None)).collect())
    }

    /// The settings.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    fn set(&mut self, setting: &Setting, listener: Option<&Arc<str>>, value: Value, origin: Origin) {
        self.ensure(listener);
        let is_it = |entry: &&mut Entry| entry.setting == setting && entry.listener.as_ref() == listener;
        if let Some(entry) = self.0.iter_mut().find(is_it) {
            (entry.value, entry.origin) = (value, origin);
        }
    }

    /// Gives a listener that is new its place, with the default of each setting.
    fn ensure(&mut self, listener: Option<&Arc<str>>) {
        if listener.is_none() || self.0.iter().any(|entry| entry.listener.as_ref() == listener) {
            return;
        }
        self.0.extend(LISTENER_SETTINGS.iter().map(|setting| Entry::default_of(setting, listener)));
        // Sorting is stable: those without a listener stay in front, and each listener's settings in their order.
        self.0.sort_by(|one, other| one.listener.cmp(&other.listener));
    }

    /// Proxies that the server trusts are those of listeners that say nothing of their own.
    fn share_proxies(&mut self) {
        let name = "trusted_proxies";
        let of_server = self.0.iter().find(|entry| entry.key() == "server.trusted_proxies");
        let Some(shared) = of_server.map(|entry| entry.value.clone()) else { return };
        let silent = |entry: &&mut Entry| {
            entry.listener.is_some() && entry.setting.name == name && entry.origin == Origin::Default
        };
        self.0.iter_mut().filter(silent).for_each(|entry| entry.value = shared.clone());
    }

    /// The names of all listeners that have one, in their order.
    pub fn listeners(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().filter_map(|entry| entry.listener.as_deref()).collect();
        names.dedup();
        names
    }

    /// The value of a listener's setting.
    pub(super) fn read_of<K: Kind>(&self, listener: &str, name: &'static str) -> Result<K, Problem> {
        self.read_where(|entry| entry.listener.as_deref() == Some(listener) && entry.setting.name == name, name)
    }

    /// Where the value of `key` came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.0.iter().find(|entry| entry.key() == key).map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// The value of `key` as the type that the catalogue declares.
    pub(super) fn read<K: Kind>(&self, key: &'static str) -> Result<K, Problem> {
        self.read_where(|entry| entry.listener.is_none() && entry.setting.key == key, key)
    }

    fn read_where<K: Kind>(&self, is_it: impl Fn(&&Entry) -> bool, key: &'static str) -> Result<K, Problem> {
        let entry = self.0.iter().find(is_it);
        let entry = entry.ok_or_else(|| Problem::unfit(Origin::Default, key, "is not in the catalogue"))?;
        let refused = || Problem::refused(entry.origin.clone(), entry.key(), entry.setting, &entry.value.to_string());
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
                Some(value) => values.set(given.setting, given.listener.as_ref(), value, given.origin),
                None => problems.push(given.refused()),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        values.share_proxies();
        let settings = Settings::read(&values).map_err(|problem| vec![problem])?;
        let unfit = checks::check(&settings, &values);
        if unfit.is_empty() { Ok(Self { file: path, values, settings }) } else { Err(unfit) }
    }
}

fn read_file(file: FileText) -> (Vec<Given>, Vec<Problem>) {
    let FileText { path, text } = file;
    let at = |line| Origin::File { path: path.clone(), line };
    let (read, unread) = file::parse(&text);
    let given = read.into_iter().map(|read| Given {
        setting: read.setting,
        listener: read.listener,
        value: read.value,
        origin: at(read.line),
    });
    let problem = |unread: Unread| match unread.setting {
        Some((setting, listener)) => {
            Problem::refused(at(unread.line), key(setting, listener.as_deref()), setting, &unread.message)
        }
        None => Problem::new(at(unread.line), unread.message),
    };
    (given.collect(), unread.into_iter().map(problem).collect())
}
