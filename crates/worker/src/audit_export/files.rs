//! Files that have their name when they are whole and on the disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::ExportError;

/// The end of the names of files that are being written.
const PART: &str = ".part";

/// Refuses a folder that is not there: it may be a disk that is not mounted.
pub(super) fn ensure_folder(folder: &Path) -> Result<(), ExportError> {
    let found = fs::metadata(folder).map_err(|error| failed(folder, error))?;
    if found.is_dir() { Ok(()) } else { Err(failed(folder, io::Error::from(io::ErrorKind::NotADirectory))) }
}

/// Writes a file below a folder, under its name when everything is on the disk; over one of the same name, which has the same bytes.
///
/// A command beside the server may write the same file: each has a part of its own, and whoever is done takes the others away,
/// also those that a crash left.
pub(super) fn put(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), ExportError> {
    let path = folder.join(path);
    let (parent, name) = (path.parent().unwrap_or(folder), path.file_name().unwrap_or_default().to_string_lossy());
    make_folders(folder, parent).map_err(|error| failed(parent, error))?;
    let (part, mut file) = make_part(parent, &name)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&part, &path));
    match written {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => {}
        Err(error) => {
            // A full disk is not made fuller.
            let _ = fs::remove_file(&part);
            return Err(failed(&part, error));
        }
        Ok(()) => take_parts_away(parent, &name),
    }
    sync(parent).map_err(|error| failed(parent, error))
}

/// Makes a part that nobody else has: process ids differ on one machine, and on two they may not.
fn make_part(parent: &Path, name: &str) -> Result<(PathBuf, File), ExportError> {
    let mut tries = 0;
    loop {
        let part = parent.join(format!("{name}.{}-{tries}{PART}", std::process::id()));
        match File::create_new(&part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tries += 1,
            Err(error) => return Err(failed(&part, error)),
            Ok(file) => return Ok((part, file)),
        }
    }
}

/// Parts that stay are in nobody's way.
fn take_parts_away(parent: &Path, name: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let other = entry.file_name();
        let rest = other.to_str().and_then(|other| other.strip_prefix(name)?.strip_suffix(PART));
        if rest.is_some_and(|rest| rest.starts_with('.')) {
            let _ = fs::remove_file(entry.path());
        }
    }
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
            // What a crash leaves of this file, and what somebody else is writing.
            fs::write(folder.path().join("a/b/c.json.gz.7.part"), "o").unwrap();
            fs::write(folder.path().join("a/b/d.json.gz.7.part"), "o").unwrap();
        }
        put(folder.path(), "a/b/c.json.gz", b"other").unwrap();
        let left = fs::read_dir(folder.path().join("a/b")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, ["c.json.gz", "d.json.gz.7.part"]);
    }

    #[test]
    fn a_part_is_of_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let (first, mut file) = make_part(folder.path(), "a.json.gz").unwrap();
        let (second, _) = make_part(folder.path(), "a.json.gz").unwrap();
        assert_ne!(first, second);
        file.write_all(b"mine").unwrap();
        assert_eq!((fs::read(first).unwrap(), fs::read(second).unwrap()), (b"mine".to_vec(), Vec::new()));
        put(folder.path(), "a.json.gz", b"whole").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "no folder").unwrap();
        let told = put(folder.path(), "a/b.json.gz", b"one").unwrap_err().to_string();
        assert!(told.starts_with(&folder.path().display().to_string()), "{told}");
        // A folder has the name: the part cannot get it.
        fs::create_dir_all(folder.path().join("c.json.gz/d")).unwrap();
        assert!(put(folder.path(), "c.json.gz", b"one").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(ensure_folder(&folder.path().join("a")).is_err());
        assert!(ensure_folder(&folder.path().join("b")).is_err());
        ensure_folder(folder.path()).unwrap();
    }
}
