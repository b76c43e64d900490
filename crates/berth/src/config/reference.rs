//! The page `docs/reference/configuration.md`.

use serde_json::{Value, json};

use super::kinds::parsed_default;
use super::load::{FILE_VARIABLE, USUAL_FILES};
use super::print::toml_value;
use super::setting::{Flag, Setting};
use super::{LISTENER_SETTINGS, SECTIONS, SETTINGS, listeners};

const SECRETS: &str = "\
## Secrets

Secrets are no settings: they come from the environment only, and `berth config` never shows them.

| variable | holds |
| --- | --- |
| `BERTH_SERVER_KEY` | the server key, 64 hexadecimal digits or 32 bytes in base64; the same on all nodes |
| `BERTH_SERVER_KEY_FILE` | a file that holds it; without either, `server.key` in the data folder is used, and made at first start |
| `BERTH_ADMIN_ACCESS_KEY_ID` | the administrator's access key id: 20 upper-case letters and digits |
| `BERTH_ADMIN_SECRET_ACCESS_KEY` | its secret: 40 characters of `A-Z`, `a-z`, `0-9`, `+`, `/`; give both or neither |
| `BERTH_IMPORT_USERNAME`, `BERTH_IMPORT_PASSWORD` | the login for the registry that `berth import registry` reads |
";

/// The whole page, in Markdown.
pub fn page() -> String {
    let listener = (listeners::SECTION, listeners::ABOUT);
    let sections: Vec<String> = SECTIONS.iter().chain([&listener]).map(|(name, about)| section(name, about)).collect();
    format!("{}\n{}\n{SECRETS}", head(), sections.join("\n"))
}

/// The same for machines.
pub fn json() -> Value {
    let entry = |setting: &Setting| {
        json!({
            "setting": setting.key,
            "default": parsed_default(setting),
            "expected": setting.expected(),
            "environment": setting.variable(),
            "flag": setting.flag_name(),
        })
    };
    SETTINGS.iter().chain(LISTENER_SETTINGS).map(entry).collect()
}

fn head() -> String {
    let usual = USUAL_FILES.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" or ");
    format!(
        "# Configuration\n\n\
         <!-- Made from the catalogue of settings by `berth config --reference`; a test compares. -->\n\n\
         A setting is taken from the last of these that gives it:\n\n\
         1. its default,\n\
         2. the TOML file: `--config FILE`, else the one that `{FILE_VARIABLE}` names, else {usual}, the first that is there,\n\
         3. the environment: `BERTH_SECTION__KEY`, with two underscores; a list is written with commas\n\
         \x20  (`BERTH_LISTENER__NAME__KEY` of a listener, with `_` for each `-` in its name),\n\
         4. its flag, where it has one; flags of lists may be repeated.\n\n\
         `berth config` prints the effective configuration and where each value came from. An unknown setting or a wrong\n\
         value is an error: every one is reported, with its line, and the exit code is 2.\n\n\
         Sizes are bytes, with a unit or without: `512MiB`, `1GB`, `65536`. Durations have units: `30s`, `24h`, `1h30m`.\n"
    )
}

fn section(name: &str, about: &str) -> String {
    let settings = SETTINGS.iter().chain(LISTENER_SETTINGS).filter(|setting| setting.section == name).map(entry);
    format!("## {name}\n\n{}\n\n{}", about.trim(), settings.collect::<Vec<_>>().join("\n"))
}

fn entry(setting: &Setting) -> String {
    let doc: Vec<&str> = setting.doc.iter().map(|line| line.trim()).collect();
    let mut facts = vec![format!("Default `{}`", toml_value(&parsed_default(setting)))];
    facts.push(setting.expected());
    facts.push(format!("environment `{}`", setting.variable()));
    facts.extend(flag(setting));
    format!("### {}\n\n{}\n\n{}.\n", setting.key, doc.join("\n"), facts.join("; "))
}

fn flag(setting: &Setting) -> Option<String> {
    let name = setting.flag_name()?;
    let of = if matches!(setting.flag, Flag::Everywhere(_)) { "" } else { " of `berth serve`" };
    Some(format!("flag `--{name}`{of}"))
}
