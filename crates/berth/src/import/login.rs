//! Who asks the source: secrets come from the environment or from docker's own file, never from the command line.

use std::path::PathBuf;

use berth_transfer::registry::Credentials;
use berth_transfer::registry::docker_config::{DockerConfig, Found};

use super::small_file;
use crate::failure::Failure;
use crate::opened::variable;
use crate::output;

const USERNAME: &str = "BERTH_IMPORT_USERNAME";
const PASSWORD: &str = "BERTH_IMPORT_PASSWORD";
const LARGEST_FILE: u64 = 1024 * 1024;

/// What the operator gave for a registry; nothing where it is to be asked without a login.
pub fn find(host: &str) -> Result<Option<Credentials>, Failure> {
    match (variable(USERNAME), variable(PASSWORD)) {
        (Some(username), Some(password)) => Ok(Some(Credentials { username, password })),
        (None, None) => from_docker(host),
        _ => Err(Failure::Usage(format!("set both {USERNAME} and {PASSWORD}, or neither"))),
    }
}

fn from_docker(host: &str) -> Result<Option<Credentials>, Failure> {
    let Some(path) = docker_config() else { return Ok(None) };
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("{}: {error}; set {USERNAME} and {PASSWORD} instead", path.display()))
    };
    let Some(bytes) = small_file(&path, LARGEST_FILE).map_err(|error| wrong(&error))? else { return Ok(None) };
    match DockerConfig::parse(&bytes).map_err(|error| wrong(&error))?.find(host) {
        Found::Credentials(credentials) => Ok(Some(credentials)),
        Found::Nothing => Ok(None),
        Found::Elsewhere(program) => {
            output::notice(&format!(
                "docker's login for {host} is kept by docker-credential-{program}, which is not asked: set {USERNAME} and {PASSWORD} if a login is needed"
            ));
            Ok(None)
        }
    }
}

fn docker_config() -> Option<PathBuf> {
    let folder = variable("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".docker")))?;
    Some(folder.join("config.json"))
}
