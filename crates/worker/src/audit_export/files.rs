//! Files that have their name when they are whole and on the disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::ExportError;

/// The end of the names of files that are being written. There is one writer at a time, which writes over what a crash left.
const PART: &str = "part";

/// Refuses a folder that is not there: it may be a disk that is not mounted.
pub(super) fn ensure_folder(folder: &Path) -> Result<(), ExportError> {
    let found = fs::metadata(folder).map_err(|error| failed(folder, error))?;
    if found.is_dir() { Ok(()) } else { Err(failed(folder, io::Error::from(io::ErrorKind::NotADirectory))) }
}

/// Writes a file below a folder, under its name when everything is on the disk; over one of the same name, which has the same bytes.
pub(super) fn put(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), ExportError> {
    let path = folder.join(path);
    let parent = path.parent().unwrap_or(folder);
    make_folders(folder, parent).map_err(|error| failed(parent, error))?;
    let part = path.with_extension(PART);
    let written = File::create(&part).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    if let Err(error) = written {
        // A full disk is not made fuller.
        let _ = fs::remove_file(&part);
        return Err(failed(&part, error));
    }
    fs::rename(&part, &path).map_err(|error| failed(&path, error))?;
    sync(parent).map_err(|error| failed(parent, error))
}

/// Makes the folders that are missing between `folder` and `wanted`; each is in the one above it for good.
fn make_folders(folder: &Path, wanted: &Path) -> io::Result<()> {
    if wanted == folder || wanted.is_dir() {
        return Ok(());
    }
    let above = wanted.parent().unwrap_or(folder);
    make_folders(folder, above)?;
    match fs::create_dir(wanted) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync(above),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Which file something is wrong with.
pub(super) fn failed(path: &Path, error: io::Error) -> ExportError {
    ExportError::File { path: PathBuf::from(path), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_names_when_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [b"one".as_slice(), b"other", b"other"] {
            put(folder.path(), "a/b/c.json.gz", bytes).unwrap();
            assert_eq!(fs::read(folder.path().join("a/b/c.json.gz")).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "no folder").unwrap();
        let told = put(folder.path(), "a/b.json.gz", b"one").unwrap_err().to_string();
        assert!(told.starts_with(&folder.path().display().to_string()), "{told}");
        assert!(ensure_folder(&folder.path().join("a")).is_err());
        assert!(ensure_folder(&folder.path().join("b")).is_err());
        ensure_folder(folder.path()).unwrap();
    }
}
