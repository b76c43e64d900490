//! `berth audit export`.

use std::process::ExitCode;
use std::time::Duration;

use berth_domain::Domain;
use berth_store::{Clock as _, SystemClock};
use berth_worker::audit_export::{self, ExportError};
use serde_json::json;
use tokio::time::Instant;

use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;
use crate::{opened, output};

/// The longest wait for another node that chains: more than its lease.
const CHAINING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Where the data is.
#[derive(clap::Args)]
pub struct Export {
    #[command(flatten)]
    flags: OperatorFlags,
}

impl Export {
    /// The settings given as flags.
    pub fn flags(&mut self) -> Vec<Given> {
        std::mem::take(&mut self.flags.0)
    }
}

/// Where the settings say that files go.
pub fn target(settings: &Settings) -> Option<audit_export::Export> {
    let folder = settings.audit.export_dir.clone()?;
    Some(audit_export::Export { folder, size: settings.audit.export_size.0 })
}

/// Writes what is not in files yet; gives the exit code.
pub async fn run(settings: &Settings, _: &Export, as_json: bool) -> Result<ExitCode, Failure> {
    let Some(target) = target(settings) else {
        let text = "there is no folder to export to: set audit.export_dir, or BERTH_AUDIT__EXPORT_DIR";
        return Err(Failure::Usage(text.to_owned()));
    };
    let domain = opened::existing(settings).await?;
    chain(&domain).await?;
    let written = audit_export::write(&domain, &target).await.map_err(failed)?;
    let audit_export::Written { files, records, link, doubtful } = &written;
    output::result(&if as_json {
        json!({ "files": files, "records": records, "link": link, "doubtful_links": doubtful }).to_string()
    } else {
        format!("{files} files with {records} records were written; the export reaches to link {link}")
    });
    Ok(if doubtful.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Chains what no server has chained yet. Where another node does that it is waited for: it takes a second, or has died and loses its
/// lease.
async fn chain(domain: &Domain) -> Result<(), Failure> {
    let (begun, end) = (SystemClock.now(), Instant::now() + CHAINING);
    loop {
        while domain.chain_audit().await?.is_full {}
        if !domain.audit_is_behind(begun).await? || Instant::now() > end {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn failed(error: ExportError) -> Failure {
    match error {
        ExportError::Domain(error) => error.into(),
        other => Failure::CouldNotRun(format!("the audit trail cannot be exported: {other}")),
    }
}
