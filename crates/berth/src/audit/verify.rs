//! `berth audit verify`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use berth_domain::Domain;
use berth_domain::audit::{AuditReport, Head};
use berth_domain::backup::Progress as _;
use berth_worker::audit::Heads as _;
use serde_json::{Value, json};

use super::files::{self, Files};
use crate::audit_head::HeadFile;
use crate::bar::Bar;
use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;
use crate::{opened, output};

/// What to verify against.
#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    flags: OperatorFlags,
    /// A head of the chain that was kept elsewhere, as `--json` prints it, rather than the one in the data folder: finds a
    /// chain whose end was cut off.
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Verifies the exported files in this folder against the chain, too.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

impl Verify {
    /// The settings given as flags.
    pub fn flags(&mut self) -> Vec<Given> {
        std::mem::take(&mut self.flags.0)
    }
}

/// Verifies the chain and prints what was found; gives the exit code.
pub async fn run(settings: &Settings, asked: &Verify, as_json: bool) -> Result<ExitCode, Failure> {
    let head = match &asked.head {
        Some(path) => Some(kept(path)?),
        None => of_folder(&settings.storage.data_dir)?,
    };
    let domain = opened::existing(settings).await?;
    let busy = Bar::busy("verifying the chain");
    let report = domain.verify_audit(head).await;
    busy.finish();
    let report = report?;
    let exported = match &asked.export {
        Some(folder) => Some(exported(&domain, folder).await?),
        None => None,
    };
    let newest = newest(&domain, &report).await?;
    let sound = report.is_sound() && exported.as_ref().is_none_or(|files| files.findings.is_empty());
    output::result(&if as_json {
        as_tree(&report, newest.as_ref(), exported.as_ref()).to_string()
    } else {
        told(&report, newest.as_ref(), exported.as_ref())
    });
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn exported(domain: &Domain, folder: &Path) -> Result<Files, Failure> {
    let bar = Bar::busy("verifying files");
    let files = files::check(domain, folder, |bytes| bar.done(bytes)).await;
    bar.finish();
    files
}

/// The head that the server keeps in the data folder.
fn of_folder(folder: &Path) -> Result<Option<Head>, Failure> {
    let wrong = |error| Failure::Usage(format!("{error}: give the head that was kept elsewhere with --head"));
    HeadFile::of(folder).load().map_err(wrong)
}

/// The head in a file: as it is, or within what `--json` printed.
fn kept(path: &Path) -> Result<Head, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("--head: {} {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(&format_args!("cannot be read: {error}")))?;
    head(&text).ok_or_else(|| wrong(&"holds no head: keep what `berth audit verify --json` prints"))
}

fn head(text: &str) -> Option<Head> {
    let tree: Value = serde_json::from_str(text.trim()).ok()?;
    Head::parse(&tree.get("head").unwrap_or(&tree).to_string())
}

/// The last link, as it can be kept elsewhere.
async fn newest(domain: &Domain, report: &AuditReport) -> Result<Option<Head>, Failure> {
    let Some(number) = report.last else { return Ok(None) };
    let link = domain.export_link(number).await?;
    Ok(link.map(|(hash, signature)| Head { number, hash, signature }))
}

fn as_tree(report: &AuditReport, head: Option<&Head>, exported: Option<&Files>) -> Value {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let mut tree = json!({
        "links": report.links,
        "rows": report.rows,
        "records": report.records,
        "cleared_rows": report.cleared,
        "first_link": report.first,
        "last_link": report.last,
        "head": head,
        "findings": findings,
        "more_findings": report.more_findings,
    });
    if let Some(files) = exported {
        tree["export"] = json!(files);
    }
    tree
}

fn told(report: &AuditReport, head: Option<&Head>, exported: Option<&Files>) -> String {
    let mut lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if report.more_findings > 0 {
        lines.push(format!("and {} findings more", report.more_findings));
    }
    let AuditReport { links, rows, records, cleared, .. } = report;
    let whole = if report.is_sound() { "the chain is whole" } else { "the chain is not whole" };
    let retained = if *cleared > 0 { format!(", {cleared} of them past their retention") } else { String::new() };
    lines.push(format!("{whole}: {links} links, {rows} rows{retained}, {records} records"));
    if let Some(head) = head {
        lines.push(format!("head: {}", head.to_line()));
    }
    if let Some(exported) = exported {
        let Files { good: files, records, older_than_the_chain, being_written, findings } = exported;
        lines.extend(findings.iter().map(|finding| format!("{}: {}", finding.path, finding.what)));
        let whole = if findings.is_empty() { "the files are whole" } else { "the files are not whole" };
        let older = if *older_than_the_chain > 0 {
            format!(", {older_than_the_chain} of them older than the chain, so that only their signatures count")
        } else {
            String::new()
        };
        let more = if *being_written > 0 { format!(", {being_written} more being written") } else { String::new() };
        lines.push(format!("{whole}: {files} files{older}, {records} records{more}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_and_as_it_was_printed() {
        let expected = Head { number: 3, hash: "aa".to_owned(), signature: "bb".to_owned() };
        let report = AuditReport { last: Some(3), ..AuditReport::default() };
        let printed = as_tree(&report, Some(&expected), None).to_string();
        for text in [expected.to_line(), printed, format!("{}\n", expected.to_line())] {
            assert_eq!(head(&text), Some(expected.clone()), "{text}");
        }
        for text in ["", "{}", "null", "3", r#"{"head":null}"#, r#"{"head":{"number":-1}}"#] {
            assert_eq!(head(text), None, "{text}");
        }
    }
}
