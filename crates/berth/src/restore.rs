//! `berth restore`.

use std::process::ExitCode;

use berth_domain::backup::{self, Restored};
use serde_json::json;

use crate::backup::{failure, scratch};
use crate::bar::Bar;
use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;
use crate::{opened, output, stores};

/// Which backup to restore.
#[derive(clap::Args)]
pub struct Restore {
    #[command(flatten)]
    flags: OperatorFlags,
    /// The folder, or `s3://bucket/prefix`, that `berth backup` was given.
    #[arg(value_name = "PLACE")]
    place: String,
    /// Which backup; the latest one without. `berth backup --list` shows them.
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
    /// Leaves access keys out: for a registry whose server key is lost. The next start makes an administrator's key.
    #[arg(long)]
    without_secrets: bool,
}

impl Restore {
    /// The settings given as flags.
    pub fn flags(&mut self) -> Vec<Given> {
        std::mem::take(&mut self.flags.0)
    }
}

/// Restores; gives the exit code.
pub async fn run(settings: &Settings, asked: &Restore, as_json: bool) -> Result<ExitCode, Failure> {
    let archive = stores::archive(settings, &asked.place).await?;
    if !asked.without_secrets && !opened::has_server_key(settings) {
        let text = "the secrets in the backup open with the server key that the registry had: put its server.key into the \
                    data folder, or give it by BERTH_SERVER_KEY; without it, --without-secrets restores all else";
        return Err(Failure::Usage(text.to_owned()));
    }
    let (parts, _lock) = opened::parts_for_restore(settings).await?;
    let bar = Bar::new();
    let (id, scratch) = (asked.backup.as_deref(), scratch(&settings.storage.data_dir)?);
    let restored = backup::restore(&parts, archive.as_ref(), id, asked.without_secrets, &scratch, &bar).await;
    bar.finish();
    let restored = restored.map_err(failure)?;
    output::result(&if as_json { json!(restored).to_string() } else { told(&restored) });
    Ok(if restored.lacking.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn told(restored: &Restored) -> String {
    let Restored { backup, copied, lacking } = restored;
    let mut lines = vec![format!(
        "backup {} is restored: {} blobs, {copied} of them copied; `berth verify` hashes them all once more",
        backup.id, backup.blobs
    )];
    lines.extend(
        lacking.iter().map(|digest| format!("lacking {digest}: push it again, or see `berth verify --repair`")),
    );
    lines.join("\n")
}
