//! The example file `deploy/berth.toml`: every setting, commented out, with its default.

use super::kinds::parsed_default;
use super::print::assignment;
use super::setting::Setting;
use super::{LISTENER_SETTINGS, SECTIONS, SETTINGS, listeners};

const HEAD: &str = "\
# Configuration of berth. Every setting is here with its default; remove the `#` before those that you change.
# Read with `berth serve --config FILE`, or from ./berth.toml or /etc/berth/berth.toml. `berth config` shows what counts.
# Made by `berth config --example`.
";

/// The whole file.
pub fn file() -> String {
    let sections = SECTIONS.iter().map(|(name, about)| section(name, about));
    std::iter::once(HEAD.to_owned()).chain(sections).chain([listener()]).collect::<Vec<_>>().join("\n")
}

fn section(name: &str, about: &str) -> String {
    let settings: String = SETTINGS.iter().filter(|setting| setting.section == name).map(entry).collect();
    format!("#{about}\n[{name}]\n{settings}")
}

/// A listener that is not there unless somebody makes it: the lines are words, all of them.
fn listener() -> String {
    let lines: Vec<String> = LISTENER_SETTINGS.iter().flat_map(|setting| as_words(&entry(setting))).collect();
    let about = listeners::ABOUT.replace('\n', "\n#");
    format!("#{about}\n# [listener.private]\n{}", lines.concat())
}

fn as_words(lines: &str) -> Vec<String> {
    lines.lines().map(|line| format!("# {}\n", line.trim_start_matches('#').trim_start())).collect()
}

fn entry(setting: &Setting) -> String {
    let doc: Vec<String> = setting.doc.iter().map(|line| format!("# {}\n", line.trim())).collect();
    format!("{}#{}\n", doc.concat(), assignment(setting.name, &parsed_default(setting)))
}
