//! From the process's surroundings to the effective configuration.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::effective::{Effective, FileText, Given};
use super::environment;
use super::origin::Origin;
use super::problem::Problem;

/// Names the file where no flag does.
pub const FILE_VARIABLE: &str = "BERTH_CONFIG";

/// Where a file is looked for when none is named.
pub const USUAL_FILES: &[&str] = &["./berth.toml", "/etc/berth/berth.toml"];

/// A file of settings is smaller than this, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// Reads file and environment and puts them together with the flags.
pub fn load(
    named: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    flags: Vec<Given>,
) -> Result<Effective, Vec<Problem>> {
    let variables: Vec<_> = variables.into_iter().collect();
    let (mut given, mut problems) = environment::read(variables.iter().cloned());
    given.extend(flags);
    let file = find(named, &variables).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    Effective::resolve(file, given, problems)
}

/// The file to read. One that was named must be there.
fn find(named: Option<&Path>, variables: &[(OsString, OsString)]) -> Result<Option<FileText>, Problem> {
    if let Some(path) = named {
        return read(path, Origin::Flag("config")).map(Some);
    }
    let variable = variables.iter().find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
    if let Some((_, value)) = variable {
        return read(Path::new(value), Origin::Environment(FILE_VARIABLE.to_owned())).map(Some);
    }
    let usual = USUAL_FILES.iter().map(PathBuf::from).find(|path| path.exists());
    usual.map(|path| read(&path, Origin::Default)).transpose()
}

fn read(path: &Path, origin: Origin) -> Result<FileText, Problem> {
    let shown = path.display().to_string();
    let failed = |error: std::io::Error| {
        let said = match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
            _ => error.to_string(),
        };
        Problem::new(origin.clone(), format!("cannot read {shown}: {said}"))
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > LARGEST_FILE {
        return Err(Problem::new(origin, format!("cannot read {shown}: it is larger than {LARGEST_FILE} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(FileText { path: shown.into(), text })
}
