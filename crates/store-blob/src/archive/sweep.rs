//! What writers that died left behind in an archive.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where it lies.
pub(super) enum Leftovers {
    /// Beside the places of the objects in a folder, under their names with `#` and a number behind.
    Files(PathBuf),
    /// In uploads of parts, which S3 lists to nobody but its owner: a rule of the bucket ends them.
    Parts,
}

impl Leftovers {
    /// Removes what can be found.
    pub(super) async fn remove(&self) -> io::Result<()> {
        let Self::Files(folder) = self else { return Ok(()) };
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || remove_below(&folder)).await.map_err(io::Error::other)?
    }
}

fn remove_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_below(&entry.path())?;
        } else if is_leftover(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_leftover(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}
