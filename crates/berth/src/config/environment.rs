//! Environment variables: `BERTH_SECTION__KEY`.

use std::ffi::OsString;

use serde_json::Value;

use super::SETTINGS;
use super::effective::Given;
use super::origin::Origin;
use super::problem::Problem;
use super::setting::Setting;
use super::suggest::hint;

const PREFIX: &str = "BERTH_";
const SEPARATOR: &str = "__";

/// Reads the settings among `variables`. Variables that begin with `BERTH_` and look like a setting but are none are
/// problems; others (secrets, the path of the file, what a container platform adds) are left alone.
pub fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> (Vec<Given>, Vec<Problem>) {
    let mut given = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        match (find(name), value.into_string()) {
            (Some(setting), Ok(text)) => given.push(of(setting, name, text)),
            (Some(setting), Err(_)) => problems.push(Problem::refused(at(name), setting, "bytes that are not UTF-8")),
            (None, _) => problems.extend(unknown(name)),
        }
    }
    // The order in which a process sees its variables means nothing; problems are told in a stable one.
    problems.sort_by_key(|problem| problem.origin.to_string());
    (given, problems)
}

fn of(setting: &'static Setting, name: &str, text: String) -> Given {
    Given { setting, value: Value::String(text), origin: at(name) }
}

fn at(name: &str) -> Origin {
    Origin::Environment(name.to_owned())
}

fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable() == name)
}

fn unknown(name: &str) -> Option<Problem> {
    let names: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    let is_meant = |known: &&String| known.replace(SEPARATOR, "_") == name;
    if let Some(meant) = names.iter().find(is_meant) {
        let message = format!("is not a setting; did you mean {meant}? (two underscores behind the section)");
        return Some(Problem::new(at(name), message));
    }
    let looks_like_one = name.contains(SEPARATOR);
    let message = || format!("is not a setting{}", hint(name, names.iter().map(String::as_str)));
    looks_like_one.then(|| Problem::new(at(name), message()))
}
