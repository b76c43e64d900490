//! A folder as a power cut might leave it, from the calls that changed it.
//!
//! The model is the worst that a file system may do. What was written is on the disk after a sync that succeeded. A sync that
//! failed loses what it was for: the kernel takes those pages for clean, so a later sync that succeeds says nothing of
//! them, and only writing them again brings them back. A file has its name after its folder was synced; names are in
//! the file system's own journal, so a later sync does hold for them. What is taken away is gone at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::tree_files;

/// A change of a file or folder that was made.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Opened so that it is made where it is missing.
    Made(PathBuf),
    /// Bytes from an offset on.
    Wrote(PathBuf, u64, Vec<u8>),
    /// A new length.
    Cut(PathBuf, u64),
    /// Synced, with success or without.
    Synced(PathBuf, bool),
    /// Unlinked.
    Removed(PathBuf),
    /// Has another name.
    Renamed(PathBuf, PathBuf),
}

#[derive(Clone, Debug)]
enum Edit {
    Bytes(u64, Vec<u8>),
    Length(u64),
}

/// A file: what is surely on the disk, and what was written since.
#[derive(Clone, Debug)]
struct Held {
    disk: Vec<u8>,
    unsynced: Vec<Edit>,
    has_name: bool,
}

/// What is surely on the disk of a folder whose process was watched.
#[derive(Clone, Debug)]
pub struct Journal {
    root: PathBuf,
    files: BTreeMap<PathBuf, Held>,
}

impl Journal {
    /// Everything that is in the folder now counts as durable.
    pub fn begin(root: &Path) -> Self {
        let root = &root.canonicalize().unwrap();
        let files = tree_files(root).into_iter().filter(|path| is_kept(path)).filter_map(|path| {
            let disk = fs::read(&path).ok()?;
            Some((path, Held { disk, unsynced: Vec::new(), has_name: true }))
        });
        Self { root: root.to_owned(), files: files.collect() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Takes a change in. What happens elsewhere is passed over.
    pub(super) fn note(&mut self, change: Change) {
        match change {
            Change::Made(path) if path.starts_with(&self.root) && is_kept(&path) => {
                let new = Held { disk: Vec::new(), unsynced: Vec::new(), has_name: false };
                self.files.entry(path).or_insert(new);
            }
            Change::Wrote(path, offset, bytes) => self.edit(&path, Edit::Bytes(offset, bytes)),
            Change::Cut(path, length) => self.edit(&path, Edit::Length(length)),
            Change::Synced(path, succeeded) if !path.is_dir() => self.sync_file(&path, succeeded),
            Change::Synced(path, true) => self.sync_folder(&path),
            Change::Removed(path) => drop(self.files.remove(&path)),
            Change::Renamed(from, to) => {
                if let Some(file) = self.files.remove(&from) {
                    self.files.insert(to, Held { has_name: false, ..file });
                }
            }
            Change::Made(_) | Change::Synced(_, false) => {}
        }
    }

    fn edit(&mut self, path: &Path, edit: Edit) {
        if let Some(file) = self.files.get_mut(path) {
            file.unsynced.push(edit);
        }
    }

    fn sync_file(&mut self, path: &Path, succeeded: bool) {
        let Some(file) = self.files.get_mut(path) else { return };
        for edit in std::mem::take(&mut file.unsynced) {
            if succeeded {
                apply(&mut file.disk, edit);
            }
        }
    }

    fn sync_folder(&mut self, folder: &Path) {
        for (_, file) in self.files.iter_mut().filter(|(path, _)| path.parent() == Some(folder)) {
            file.has_name = true;
        }
    }

    /// Makes a folder with what is surely on the disk, as it would be found after the power came back.
    pub fn power_cut(&self, into: &Path) {
        for (path, file) in self.files.iter().filter(|(_, file)| file.has_name) {
            let place = into.join(path.strip_prefix(&self.root).unwrap());
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, &file.disk).unwrap();
        }
    }
}

/// The memory that `SQLite`'s connections share means nothing to the next ones.
fn is_kept(path: &Path) -> bool {
    !path.to_string_lossy().ends_with("-shm")
}

fn apply(disk: &mut Vec<u8>, edit: Edit) {
    match edit {
        Edit::Length(length) => disk.resize(usize::try_from(length).unwrap(), 0),
        Edit::Bytes(offset, bytes) => {
            let begin = usize::try_from(offset).unwrap();
            let end = begin + bytes.len();
            if disk.len() < end {
                disk.resize(end, 0);
            }
            disk[begin..end].copy_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a power cut leaves of `a` in a folder where a process made these changes.
    fn left(changes: &[fn(&Path) -> Change], had: Option<&str>) -> Option<String> {
        let (folder, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("a");
        if let Some(had) = had {
            fs::write(&path, had).unwrap();
        }
        let mut journal = Journal::begin(folder.path());
        for change in changes {
            journal.note(change(&path));
        }
        journal.power_cut(after.path());
        fs::read_to_string(after.path().join("a")).ok()
    }

    fn made(path: &Path) -> Change {
        Change::Made(path.to_owned())
    }
    fn wrote(path: &Path) -> Change {
        Change::Wrote(path.to_owned(), 1, b"new".to_vec())
    }
    fn synced(path: &Path) -> Change {
        Change::Synced(path.to_owned(), true)
    }
    fn sync_failed(path: &Path) -> Change {
        Change::Synced(path.to_owned(), false)
    }
    fn folder_synced(path: &Path) -> Change {
        synced(path.parent().unwrap())
    }
    fn folder_sync_failed(path: &Path) -> Change {
        sync_failed(path.parent().unwrap())
    }

    #[test]
    fn only_what_was_synced_stays() {
        assert_eq!(left(&[wrote], Some("12345")).unwrap(), "12345");
        assert_eq!(left(&[wrote, synced], Some("12345")).unwrap(), "1new5");
        assert_eq!(left(&[made, wrote, synced], None), None, "a file without its folder's sync");
        assert_eq!(left(&[made, wrote, synced, folder_synced], None).unwrap(), "\0new");
    }

    #[test]
    fn a_failed_sync_is_not_mended_by_a_second_one() {
        assert_eq!(left(&[wrote, sync_failed, synced], Some("12345")).unwrap(), "12345");
        assert_eq!(left(&[wrote, sync_failed, wrote, synced], Some("12345")).unwrap(), "1new5");
        assert_eq!(left(&[made, folder_sync_failed], None), None);
        assert_eq!(left(&[made, folder_sync_failed, folder_synced], None).unwrap(), "");
    }
}
