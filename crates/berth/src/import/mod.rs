//! `berth import`: images that are elsewhere, brought into the data folder.

pub mod login;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use berth_domain::import::{ImportError, Options, Stop};
use berth_oci::name::RepositoryName;
use berth_transfer::folder::{DistributionSource, LayoutSource};
use berth_transfer::registry::{RegistryAddress, RegistrySource};
use berth_transfer::{Retry, Source, SourceError};
use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::OperatorFlags;
use crate::failure::Failure;
use crate::{opened, output};

/// Where to import from.
#[derive(Subcommand)]
pub enum Import {
    /// From the storage folder of CNCF Distribution, the registry:2 image.
    Distribution {
        #[command(flatten)]
        flags: OperatorFlags,
        /// The folder that it calls its root directory, or docker/registry/v2 in it.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        names: Names,
    },
    /// From an OCI image layout: a folder with oci-layout, index.json and blobs.
    OciLayout {
        #[command(flatten)]
        flags: OperatorFlags,
        /// The folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The repository that its images come into.
        #[arg(long, value_name = "NAME")]
        repository: String,
    },
    /// From a running registry. It is asked as the user of `BERTH_IMPORT_USERNAME` and `BERTH_IMPORT_PASSWORD`, or of docker login.
    Registry {
        #[command(flatten)]
        flags: OperatorFlags,
        /// Its address, such as `https://registry.example.com`; `http://` where it has no TLS.
        #[arg(value_name = "URL")]
        address: String,
        /// The host of its token server, where that is another one than the registry's and is to be told the password.
        #[arg(long, value_name = "HOST")]
        token_server: Option<String>,
        #[command(flatten)]
        names: Names,
    },
}

/// Which repositories, and what they are to be called here.
#[derive(clap::Args)]
pub struct Names {
    /// Only repositories whose name this covers; `*` stands for any characters, slashes too.
    #[arg(long, value_name = "PATTERN")]
    repository: Option<String>,
    /// Puts this before their names, with a slash between.
    #[arg(long, value_name = "PREFIX")]
    into: Option<String>,
}

impl Import {
    /// The settings given as flags.
    pub fn flags(&mut self) -> Vec<Given> {
        let (Self::Distribution { flags, .. } | Self::OciLayout { flags, .. } | Self::Registry { flags, .. }) = self;
        std::mem::take(&mut flags.0)
    }

    fn options(&self) -> Result<Options, Failure> {
        match self {
            Self::OciLayout { .. } => Ok(Options::default()),
            Self::Distribution { names, .. } | Self::Registry { names, .. } => Ok(Options {
                repository: names.repository.clone(),
                into: names.into.as_deref().map(|into| name(into.trim_end_matches('/'), "--into")).transpose()?,
                retry: Retry::default(),
            }),
        }
    }

    fn source(&self) -> Result<Box<dyn Source>, Failure> {
        Ok(match self {
            Self::Distribution { folder, .. } => {
                Box::new(DistributionSource::open(folder).map_err(|error| wrong(&error))?)
            }
            Self::OciLayout { folder, repository, .. } => {
                Box::new(LayoutSource::open(folder, name(repository, "--repository")?).map_err(|error| wrong(&error))?)
            }
            Self::Registry { address, token_server, names, .. } => Box::new(
                registry(address, names)?.trusting(token_server.as_ref().map(|host| host.to_ascii_lowercase())),
            ),
        })
    }
}

/// A registry is asked for its catalog only where the pattern does not name one repository.
fn registry(address: &str, names: &Names) -> Result<RegistrySource, Failure> {
    let address = RegistryAddress::parse(address).map_err(|error| Failure::Usage(error.to_string()))?;
    let one = names.repository.as_deref().filter(|pattern| !pattern.contains('*'));
    let only = one.map(|pattern| name(pattern, "--repository")).transpose()?;
    let credentials = login::find(&address.host())?;
    RegistrySource::new(address, credentials, only, Retry::default()).map_err(|error| wrong(&error))
}

fn name(text: &str, flag: &str) -> Result<RepositoryName, Failure> {
    RepositoryName::parse(text).map_err(|error| Failure::Usage(format!("{flag} {text:?}: {error}")))
}

fn wrong(error: &SourceError) -> Failure {
    Failure::Usage(error.to_string())
}

/// Imports, tells what came, and gives the exit code.
pub async fn run(settings: &Settings, import: &Import, as_json: bool) -> Result<ExitCode, Failure> {
    let (options, source) = (import.options()?, import.source()?);
    let domain = opened::existing(settings).await?;
    let progress = show::Bar::new();
    let (imported, outcome) =
        domain.import(&domain.administrator(), source.as_ref(), &options, &progress, stop_signal()).await;
    progress.finish();
    if !matches!(outcome, Err(ImportError::NothingMatches(_))) {
        output::result(&show::summary(&imported, outcome.is_ok(), as_json));
    }
    match outcome {
        Ok(()) if imported.left_out_total == 0 => Ok(ExitCode::SUCCESS),
        Ok(()) => Ok(ExitCode::from(1)),
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: ImportError) -> Failure {
    let again = "what came stays: run the same command again, and it goes on with what is missing";
    match error {
        ImportError::NothingMatches(_) => {
            Failure::Usage(format!("{error}: look for its exact name, or use a pattern such as --repository 'team/*'"))
        }
        ImportError::Stopped => Failure::CouldNotRun(format!("stopped; {again}")),
        ImportError::Source(error @ (SourceError::Login(_) | SourceError::NotASource(_))) => {
            Failure::CouldNotRun(error.to_string())
        }
        ImportError::Source(error) => Failure::CouldNotRun(format!("{error}; {again}")),
        ImportError::Registry(error) => Failure::CouldNotRun(format!("{error}; {again}")),
    }
}

/// SIGINT or SIGTERM ends the import in good order; a second one ends the process at once.
fn stop_signal() -> Stop {
    let (sender, stop) = watch::channel(false);
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return stop;
    };
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        sender.send_replace(true);
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        #[allow(clippy::disallowed_methods, reason = "the operator asked a second time: at once means at once")]
        std::process::exit(3);
    });
    stop
}

/// At most so many bytes of a file, or nothing where there is none.
fn small_file(path: &Path, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    use std::io::Read as _;
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
