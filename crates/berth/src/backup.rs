//! `berth backup`.

use std::fs::File;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use berth_domain::backup::{self, BackupError, Checked, Taken};
use berth_store::Archive;
use serde_json::json;

use crate::bar::Bar;
use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;
use crate::{opened, output, stores};

/// What to back up to where, or what to tell of backups.
#[derive(clap::Args)]
pub struct Backup {
    #[command(flatten)]
    flags: OperatorFlags,
    /// A folder, or `s3://bucket/prefix`. It is encrypted where `BERTH_BACKUP_KEY` or `BERTH_BACKUP_KEY_FILE` gives a key.
    #[arg(value_name = "PLACE")]
    place: String,
    /// Keeps the latest backups, so many, and removes older ones.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["list", "check"])]
    keep: Option<NonZeroUsize>,
    /// Lists the backups that are there instead.
    #[arg(long, conflicts_with = "check")]
    list: bool,
    /// Reads and hashes everything in a backup instead. Exit code 1 where something is wrong.
    #[arg(long)]
    check: bool,
    /// Which backup to check; the latest one without.
    #[arg(long = "backup", value_name = "ID", requires = "check")]
    id: Option<String>,
}

impl Backup {
    /// The settings given as flags.
    pub fn flags(&mut self) -> Vec<Given> {
        std::mem::take(&mut self.flags.0)
    }
}

/// Takes, lists or checks; gives the exit code.
pub async fn run(settings: &Settings, asked: &Backup, as_json: bool) -> Result<ExitCode, Failure> {
    if asked.list {
        return list(stores::archive(settings, &asked.place).await?.as_ref(), as_json).await;
    }
    if asked.check {
        return check(stores::archive(settings, &asked.place).await?.as_ref(), asked.id.as_deref(), as_json).await;
    }
    let domain = opened::existing(settings).await?;
    let archive = stores::new_archive(settings, &asked.place).await?;
    let bar = Bar::new();
    // The tables lie in the data folder until they are in the archive; the file has no name, so nothing stays of it.
    let scratch = scratch(&settings.storage.data_dir)?;
    let taken = domain.back_up(&domain.administrator(), archive.as_ref(), scratch, asked.keep, &bar).await;
    bar.finish();
    let taken = taken.map_err(failure)?;
    output::result(&if as_json { json!(taken).to_string() } else { told(&taken) });
    Ok(if taken.backup.lacking.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A temporary file without a name.
pub fn scratch(folder: &std::path::Path) -> Result<File, Failure> {
    tempfile::tempfile_in(folder).map_err(|error| Failure::doing("a temporary file cannot be made", error))
}

/// How a command on backups fails.
pub fn failure(error: BackupError) -> Failure {
    match error {
        BackupError::Registry(error) => error.into(),
        BackupError::Foreign
        | BackupError::NoSuchBackup(_)
        | BackupError::NotEmpty(_)
        | BackupError::Newer(_)
        | BackupError::Disturbed(_)
        | BackupError::Busy => Failure::Usage(error.to_string()),
        other => Failure::CouldNotRun(other.to_string()),
    }
}

fn told(taken: &Taken) -> String {
    let Taken { backup, copied, copied_bytes, removed } = taken;
    let (id, blobs, bytes) = (&backup.id, backup.blobs, backup.bytes);
    let mut lines = vec![format!(
        "backup {id} holds {blobs} blobs with {bytes} bytes; {copied} with {copied_bytes} bytes were new"
    )];
    lines.extend(backup.lacking.iter().map(|digest| format!("lacking {digest}: its bytes are damaged or gone")));
    lines.extend(removed.iter().map(|id| format!("removed {id}")));
    lines.join("\n")
}

async fn list(archive: &dyn Archive, as_json: bool) -> Result<ExitCode, Failure> {
    let backups = backup::list(archive).await.map_err(failure)?;
    if as_json {
        output::result(&json!(backups).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    for backup in backups {
        let lacking =
            if backup.lacking.is_empty() { String::new() } else { format!(", {} lacking", backup.lacking.len()) };
        output::result(&format!("{}  {} blobs, {} bytes{lacking}", backup.id, backup.blobs, backup.bytes));
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(archive: &dyn Archive, id: Option<&str>, as_json: bool) -> Result<ExitCode, Failure> {
    let bar = Bar::new();
    let checked = backup::check(archive, id, &scratch(&std::env::temp_dir())?, &bar).await;
    bar.finish();
    let checked = checked.map_err(failure)?;
    output::result(&if as_json { json!(checked).to_string() } else { seen(&checked) });
    Ok(if checked.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn seen(checked: &Checked) -> String {
    let Checked { backup, blobs, findings } = checked;
    let whole = format!("backup {}: {blobs} of {} blobs are whole", backup.id, backup.blobs);
    findings.iter().cloned().chain([whole]).collect::<Vec<_>>().join("\n")
}
