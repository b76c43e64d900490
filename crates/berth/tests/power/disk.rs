//! A file system of a test's own, in a file, that can lose its power.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const BYTES: u64 = 2 << 30;

/// Mounted. Dropping it unmounts it and frees its loop device, also where a test fails.
pub struct Disk {
    folder: TempDir,
    mounted: bool,
}

impl Disk {
    /// Makes and mounts a file system: `ext4` or `xfs`.
    pub fn make(file_system: &str) -> Self {
        let folder = TempDir::with_prefix("berth-disk-").unwrap();
        let mut disk = Self { folder, mounted: false };
        File::create_new(disk.image()).unwrap().set_len(BYTES).unwrap();
        run(&format!("mkfs.{file_system}"), [OsStr::new("-q"), disk.image().as_os_str()]);
        fs::create_dir(disk.folder()).unwrap();
        disk.mount();
        disk
    }

    /// Where it is mounted.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// The power fails: nothing reaches the disk any more, not even what its journal holds in memory. (The ioctl
    /// `XFS_IOC_GOINGDOWN` with the flag that leaves the log unflushed, which ext4 has too.)
    pub fn shut_down(&self) {
        run("xfs_io", [OsStr::new("-x"), OsStr::new("-c"), OsStr::new("shutdown"), self.folder().as_os_str()]);
    }

    /// The power is back. Nobody may have a file open.
    pub fn remount(&mut self) {
        run("umount", [self.folder()]);
        self.mounted = false;
        self.mount();
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// The loop device goes with the mount.
    fn mount(&mut self) {
        run("mount", [OsStr::new("-o"), OsStr::new("loop"), self.image().as_os_str(), self.folder().as_os_str()]);
        self.mounted = true;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // The server may still be ending.
            unmount(&self.folder());
        }
    }
}

fn unmount(folder: &Path) {
    let _ = Command::new("umount").arg("--lazy").arg(folder).status();
}

fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}
