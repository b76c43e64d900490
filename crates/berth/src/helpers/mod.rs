//! Logins for programs that ask for them: docker's credential helper ([`docker`]) and the kubelet's credential provider
//! ([`kubelet`]). The binary is each of them when it is called by its name, and by `berth credential-helper`.
//!
//! Both find credentials as AWS's tools do ([`crate::remote`]), ask the registry for a token ([`token`]), and give up after
//! ten seconds.

mod cache;
mod docker;
mod hosts;
mod input;
mod kubelet;
mod token;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::commands::runtime;
use crate::failure::Failure;

const DOCKER: &str = "docker-credential-berth";
const KUBELET: &str = "berth-credential-provider";
/// How long whoever asks waits for everything together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which protocol is spoken.
#[derive(clap::Subcommand)]
pub enum Helper {
    /// docker's credential helper: what docker-credential-berth is, under another name.
    Docker {
        /// What is asked: get, list, store, erase or version. The server's address comes on standard input.
        action: String,
    },
    /// The kubelet's credential provider: what berth-credential-provider is, under another name. The request comes on standard
    /// input.
    Kubelet,
}

/// Runs as a helper, where the program was called by the name of one.
pub fn by_name() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let called = arguments.next()?;
    match Path::new(&called).file_name()?.to_str()? {
        DOCKER => Some(docker::called(&arguments.collect::<Vec<OsString>>())),
        KUBELET => Some(kubelet::called(&arguments.collect::<Vec<OsString>>())),
        _ => None,
    }
}

/// Runs as the helper that the command line names.
pub fn run(helper: &Helper) -> ExitCode {
    match helper {
        Helper::Docker { action } => docker::run(action),
        Helper::Kubelet => kubelet::run(),
    }
}

/// Waits for what is asked of a registry, but not for longer than whoever asks does.
fn within_patience<T>(asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let late = |_| Failure::CouldNotRun(format!("no answer within {} seconds", PATIENCE.as_secs()));
    let done = runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
    // What still waits for a name to be resolved, say, is not waited for.
    runtime.shutdown_background();
    done.map_err(late)?
}
