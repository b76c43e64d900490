//! What the kernel says about a process and a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::{Pid, Signal, kill_process};

/// One mebibyte in bytes.
pub const MIB: u64 = 1024 * 1024;

/// A running process, by its id.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    /// Memory resident now, in bytes.
    pub fn rss_bytes(self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most memory that was ever resident since start or [`Self::reset_peak`], in bytes.
    pub fn peak_rss_bytes(self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// Makes the peak count from now (`proc(5)`, `clear_refs`, value 5).
    pub fn reset_peak(self) {
        fs::write(self.file("clear_refs"), "5").expect("clear_refs of a process of ours can be written");
    }

    /// How many file descriptors are open.
    pub fn open_fds(self) -> usize {
        fs::read_dir(self.file("fd")).unwrap().count()
    }

    /// Processor time used so far, in clock ticks (hundredths of a second on Linux).
    pub fn cpu_ticks(self) -> u64 {
        let stat = fs::read_to_string(self.file("stat")).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // Fields 14 and 15 of the line, user and system time; the two before the name are cut off.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Sends a signal.
    pub fn signal(self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.0).unwrap()).unwrap();
        kill_process(id, signal).expect("a process of ours takes signals");
    }

    fn file(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.0))
    }

    fn status_bytes(self, field: &str) -> u64 {
        let status = fs::read_to_string(self.file("status")).expect("the process is alive");
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }
}

/// Every regular file below a folder. Files that vanish meanwhile are left out.
pub fn tree_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(tree_files(&entry.path())),
            Ok(_) => files.push(entry.path()),
            Err(_) => {}
        }
    }
    files
}

/// Bytes in all files below a folder.
pub fn tree_bytes(folder: &Path) -> u64 {
    let size = |file: &PathBuf| fs::metadata(file).map_or(0, |metadata| metadata.len());
    tree_files(folder).iter().map(size).sum()
}

/// Copies a folder with the times of its files.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&source, &target);
            continue;
        }
        fs::copy(&source, &target).unwrap();
        set_modified(&target, fs::metadata(&source).unwrap().modified().unwrap());
    }
}

/// Makes a file as old as this.
pub fn set_modified(file: &Path, time: SystemTime) {
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

/// Bytes that may still be written to the file system of a folder.
pub fn free_bytes(folder: &Path) -> u64 {
    let system = rustix::fs::statvfs(folder).expect("the folder is there");
    system.f_bavail * system.f_frsize
}
