//! `berth audit`: searching what is on record, proving that nobody changed it, and writing it out as files.

mod export;
mod files;
mod moment;
mod public_key;
mod search;
mod verify;
mod wanted;

use std::process::ExitCode;

pub use export::target;

use clap::Subcommand;

use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;

/// What to do with the audit trail.
#[derive(Subcommand)]
pub enum Audit {
    /// Finds events of an account, the newest first: in the data folder, or at a server where --endpoint-url or --profile name
    /// one, as `aws cloudtrail lookup-events` does.
    Search(Box<search::Search>),
    /// Checks every signature, hash and number of the chain and every record. Exit code 1 where something is wrong.
    Verify(verify::Verify),
    /// Prints the key that the chain's signatures are verified with, 32 bytes in hexadecimal.
    PublicKey {
        #[command(flatten)]
        flags: OperatorFlags,
    },
    /// Writes what is not exported yet into the folder of `audit.export_dir`, as the server does from time to time.
    Export(export::Export),
}

/// Does what the command says; gives the exit code.
pub async fn run(
    audit: Audit,
    configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    match audit {
        Audit::Search(search) => search::run(*search, configure, as_json).await,
        Audit::Verify(mut verify) => verify::run(&configure(verify.flags())?, &verify, as_json).await,
        Audit::PublicKey { flags } => public_key::run(&configure(flags.0)?, as_json).await,
        Audit::Export(mut export) => export::run(&configure(export.flags())?, &export, as_json).await,
    }
}
