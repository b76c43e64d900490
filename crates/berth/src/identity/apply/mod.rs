//! `berth iam apply`: an account brought to what a file says.
//!
//! [`file`] reads it, [`present`] asks for what there is, [`resolve`] finds what the file refers to, [`plan`] compares the two
//! and [`perform`] carries the changes out. What the file does not name stays, unless `--prune`.

mod file;
mod model;
mod perform;
mod plan;
mod present;
mod resolve;

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Api;
use super::document;
use crate::failure::Failure;
use crate::output;

use file::File;
use plan::{Change, Prune};

/// The file, and how far to go.
#[derive(Args)]
pub struct Apply {
    /// TOML with [policies.NAME], [groups.NAME], [users.NAME] and [roles.NAME]; - is standard input.
    file: String,
    /// Only tells what would change. The exit code is 0 with changes and without; without it says "nothing to change".
    #[arg(long)]
    dry_run: bool,
    /// Takes away what the file does not name, except from the user administrator and from who asks.
    #[arg(long)]
    prune: bool,
}

/// Reads the file and checks what can be checked without an account. Warnings are told on standard error.
pub fn read(asked: &Apply) -> Result<File, Failure> {
    let text = document::text_of(&asked.file)?;
    let folder = Path::new(&asked.file).parent().unwrap_or(Path::new(""));
    let file = file::parse(&text, folder).map_err(|problems| wrong(&asked.file, &problems))?;
    file.warnings.iter().for_each(|warning| output::notice(warning));
    Ok(file)
}

fn wrong(name: &str, problems: &[String]) -> Failure {
    let lines = problems.iter().map(|problem| format!("{name}: {problem}"));
    let printable = |line: String| -> String { line.chars().filter(|c| !c.is_control()).collect() };
    Failure::Usage(lines.map(printable).collect::<Vec<_>>().join("\n"))
}

/// Brings the account to what the file says, or only tells how.
pub async fn run(api: &Api, asked: &Apply, wanted: File) -> Result<Answer, Failure> {
    let present = present::read(api, &wanted).await?;
    let wanted = resolve::resolve(wanted, &present).map_err(|problems| wrong(&asked.file, &problems))?;
    let all = plan::plan(&wanted, &present.state, Prune::AllBut(&present.kept));
    let changes = if asked.prune { all.clone() } else { plan::plan(&wanted, &present.state, Prune::Nothing) };
    let problems: Vec<String> = changes.iter().filter_map(|change| perform::checked(change).err()).collect();
    if !problems.is_empty() {
        return Err(wrong(&asked.file, &problems));
    }
    if !asked.prune {
        tell_of_rest(all.iter().filter(|change| change.takes()).count());
    }
    if !asked.dry_run {
        carry_out(api, &changes).await?;
    }
    Ok(told(&changes, !asked.dry_run))
}

fn tell_of_rest(rest: usize) {
    if rest > 0 {
        output::notice(&format!(
            "{rest} more changes would take away what the file does not name: --prune --dry-run shows them"
        ));
    }
}

async fn carry_out(api: &Api, changes: &[Change]) -> Result<(), Failure> {
    for (done, change) in changes.iter().enumerate() {
        if let Err(failure) = perform::perform(api, change).await {
            output::notice(&lines(changes.get(..done).unwrap_or_default()));
            let of = changes.len();
            return Err(failure.at(&format!("{change} ({done} of {of} changes are made; the same command goes on)")));
        }
    }
    Ok(())
}

fn told(changes: &[Change], is_applied: bool) -> Answer {
    let text = if changes.is_empty() { "nothing to change".to_owned() } else { lines(changes) };
    let list: Value = changes.iter().map(Change::json).collect();
    Answer::new(text, json!({ "changes": list, "applied": is_applied }))
}

fn lines(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
