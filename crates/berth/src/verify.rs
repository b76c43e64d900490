//! `berth verify`: what is damaged or missing, and bringing it back.

use std::process::ExitCode;

use berth_domain::Domain;
use berth_domain::backup::Progress as _;
use berth_domain::rebuild::Rebuilt;
use berth_domain::repair::{Repaired, Spare};
use berth_domain::verify::{Finding, Verified};
use berth_oci::name::RepositoryName;
use berth_transfer::Retry;
use berth_transfer::registry::{RegistryAddress, RegistrySource};
use serde_json::json;

use crate::backup::{failure, scratch};
use crate::bar::Bar;
use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;
use crate::import::login;
use crate::{opened, output, stores};

/// What to do besides looking.
#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    flags: OperatorFlags,
    /// Brings back what is damaged or missing from the place that --from names.
    #[arg(long, requires = "from")]
    repair: bool,
    /// Backups in a folder or `s3://bucket/prefix`, or a registry that has the same repositories: `https://host`.
    #[arg(long, value_name = "PLACE", requires = "repair")]
    from: Option<String>,
    /// Finds what lies in the blob store and is unknown to the database, after that was lost or restored.
    #[arg(long, conflicts_with = "repair")]
    rebuild: bool,
    /// The repository that gets what --rebuild finds.
    #[arg(long, value_name = "NAME", default_value = "recovered", requires = "rebuild")]
    into: String,
}

impl Verify {
    /// The settings given as flags.
    pub fn flags(&mut self) -> Vec<Given> {
        std::mem::take(&mut self.flags.0)
    }
}

/// Verifies, and repairs or rebuilds where that was asked; gives the exit code.
pub async fn run(settings: &Settings, asked: &Verify, as_json: bool) -> Result<ExitCode, Failure> {
    if asked.rebuild {
        return rebuild(settings, &asked.into, as_json).await;
    }
    let domain = opened::existing(settings).await?;
    let mut bar = Bar::new();
    bar.expect(domain.blob_totals().await?.1);
    let verified = domain.verify(&mut bar).await?;
    bar.finish();
    match &asked.from {
        Some(from) if asked.repair && !verified.findings.is_empty() => {
            let repaired = repair(&domain, settings, from, verified.findings).await?;
            output::result(&if as_json { json!(repaired).to_string() } else { mended(&repaired) });
            Ok(if repaired.left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        _ => {
            output::result(&if as_json { json!(verified).to_string() } else { seen(&verified) });
            Ok(if verified.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
    }
}

async fn repair(domain: &Domain, settings: &Settings, from: &str, findings: Vec<Finding>) -> Result<Repaired, Failure> {
    let (caller, scratch) = (domain.administrator(), scratch(&settings.storage.data_dir)?);
    let repaired = if from.starts_with("https://") || from.starts_with("http://") {
        let address = RegistryAddress::parse(from).map_err(|error| Failure::Usage(error.to_string()))?;
        let credentials = login::find(&address.host())?;
        let source = RegistrySource::new(address, credentials, None, Retry::default());
        let source = source.map_err(|error| Failure::Usage(error.to_string()))?;
        domain.repair(&caller, findings, &Spare::Registry(&source), &scratch).await
    } else {
        let archive = stores::archive(settings, from).await?;
        domain.repair(&caller, findings, &Spare::Backups(archive.as_ref()), &scratch).await
    };
    repaired.map_err(failure)
}

async fn rebuild(settings: &Settings, into: &str, as_json: bool) -> Result<ExitCode, Failure> {
    let into = RepositoryName::parse(into).map_err(|error| Failure::Usage(format!("--into {into:?}: {error}")))?;
    let domain = opened::create(settings).await?;
    let mut bar = Bar::new();
    let rebuilt = domain.rebuild(&domain.administrator(), &into, &mut bar).await?;
    bar.finish();
    output::result(&if as_json { json!(rebuilt).to_string() } else { found(&rebuilt, &into) });
    Ok(ExitCode::SUCCESS)
}

fn seen(verified: &Verified) -> String {
    let mut lines: Vec<String> = verified.findings.iter().map(|finding| json!(finding).to_string()).collect();
    lines.push(format!(
        "{} blobs with {} bytes hashed, {} findings, {} keys without an owner",
        verified.blobs,
        verified.bytes,
        verified.findings.len(),
        verified.unowned_keys
    ));
    lines.join("\n")
}

fn mended(repaired: &Repaired) -> String {
    let mut lines: Vec<String> =
        repaired.repaired.iter().map(|finding| format!("repaired {}", json!(finding))).collect();
    lines.extend(repaired.left.iter().map(|left| format!("left {}: {}", json!(left.finding), left.reason)));
    lines.push(format!("{} repaired, {} left", repaired.repaired.len(), repaired.left.len()));
    lines.join("\n")
}

fn found(rebuilt: &Rebuilt, into: &RepositoryName) -> String {
    let mut lines: Vec<String> = rebuilt.manifests.iter().map(|digest| format!("manifest {into}@{digest}")).collect();
    lines.extend(rebuilt.incomplete.iter().map(|left| format!("incomplete {}: {}", left.manifest, left.reason)));
    lines.push(format!("{} blobs with {} bytes are in {into} now, for 30 days", rebuilt.blobs, rebuilt.bytes));
    lines.push(
        "tags, small manifests and small blobs were in the database: push or import the images again, layers are there"
            .to_owned(),
    );
    lines.join("\n")
}
