//! File systems of a few mebibytes, which fill up soon.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory, mounted until it is dropped. Mounting needs root, or `sudo` that asks for nothing.
#[derive(Debug)]
pub struct Volume {
    folder: TempDir,
}

impl Volume {
    /// One of so many MiB.
    pub fn of_mib(size: u64) -> Self {
        let folder = TempDir::with_prefix("berth-volume-").expect("a temporary folder");
        let owner = rustix::process::getuid().as_raw();
        let options = format!("size={size}m,uid={owner},mode=755");
        as_root(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs"], folder.path());
        Self { folder }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte with a file, which is returned.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("filling");
        let mut file = std::fs::File::create(&path).unwrap();
        let full = std::io::copy(&mut std::io::repeat(b'x'), &mut file).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
        path
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        as_root(&["umount", "--lazy"], self.folder.path());
    }
}

fn as_root(words: &[&str], folder: &Path) {
    let sudo: &[&str] = if rustix::process::getuid().is_root() { &[] } else { &["sudo", "-n"] };
    let words: Vec<&str> = sudo.iter().chain(words).copied().collect();
    let status = Command::new(words[0]).args(&words[1..]).arg(folder).status().expect("mount and umount are there");
    assert!(status.success(), "{words:?} {}: {status}", folder.display());
}
