//! Environment variables: `BERTH_SECTION__KEY`.

use std::ffi::OsString;
use std::sync::Arc;

use serde_json::Value;

use super::effective::Given;
use super::listeners;
use super::origin::Origin;
use super::problem::Problem;
use super::setting::Setting;
use super::suggest::hint;
use super::{LISTENER_SETTINGS, SETTINGS};

const PREFIX: &str = "BERTH_";
const SEPARATOR: &str = "__";
/// What variables of listeners with a name begin with. `_` in the name stands for `-`, which few shells allow there.
const LISTENER: &str = "BERTH_LISTENER__";

/// Reads the settings among `variables`. Variables that begin with `BERTH_` and look like a setting but are none are
/// problems; others (secrets, the path of the file, what a container platform adds) are left alone.
pub fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> (Vec<Given>, Vec<Problem>) {
    let mut given = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        match (find(name), value.into_string()) {
            (Some(known), Ok(text)) => given.push(of(known, name, text)),
            (Some((setting, listener)), Err(_)) => {
                let given = of((setting, listener), name, "bytes that are not UTF-8".to_owned());
                problems.push(given.refused());
            }
            (None, _) => problems.extend(unknown(name)),
        }
    }
    // The order in which a process sees its variables means nothing; problems are told in a stable one.
    problems.sort_by_key(|problem| problem.origin.to_string());
    (given, problems)
}

fn of((setting, listener): Known, name: &str, text: String) -> Given {
    Given { setting, listener, value: Value::String(text), origin: at(name) }
}

fn at(name: &str) -> Origin {
    Origin::Environment(name.to_owned())
}

/// A setting, and the listener that it is about.
type Known = (&'static Setting, Option<Arc<str>>);

fn find(name: &str) -> Option<Known> {
    let plain = SETTINGS.iter().find(|setting| setting.variable() == name).map(|setting| (setting, None));
    plain.or_else(|| of_listener(name))
}

fn of_listener(name: &str) -> Option<Known> {
    let (listener, key) = name.strip_prefix(LISTENER)?.split_once(SEPARATOR)?;
    let called = listener.to_ascii_lowercase().replace('_', "-");
    let is_upper = !name.bytes().any(|b| b.is_ascii_lowercase());
    let setting = listeners::find(&key.to_ascii_lowercase()).filter(|_| is_upper && listeners::is_name(&called))?;
    Some((setting, Some(called.into())))
}

/// The names of all variables; those of listeners as of the one that `name` is about.
fn names(name: &str) -> Vec<String> {
    let listener =
        name.strip_prefix(LISTENER).and_then(|rest| rest.split_once(SEPARATOR)).map(|(listener, _)| listener);
    let of_listener =
        |setting: &Setting| setting.variable().replacen("NAME", &listener.unwrap_or("NAME").to_ascii_uppercase(), 1);
    SETTINGS.iter().map(Setting::variable).chain(LISTENER_SETTINGS.iter().map(of_listener)).collect()
}

fn unknown(name: &str) -> Option<Problem> {
    let names = names(name);
    let is_meant = |known: &&String| known.replace(SEPARATOR, "_") == name;
    if let Some(meant) = names.iter().find(is_meant) {
        let message = format!("is not a setting; did you mean {meant}? (two underscores behind the section)");
        return Some(Problem::new(at(name), message));
    }
    let looks_like_one = name.contains(SEPARATOR);
    let message = || format!("is not a setting{}", hint(name, names.iter().map(String::as_str)));
    looks_like_one.then(|| Problem::new(at(name), message()))
}
