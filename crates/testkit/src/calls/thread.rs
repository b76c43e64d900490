//! A thread that stands at a call: its registers, its memory, and what its descriptors are.

use std::fs;
use std::io::IoSliceMut;
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::table::Object;

const PAGE: usize = 4096;
/// `AT_FDCWD` as a descriptor of 32 bits.
const HERE: i32 = -100;

/// Registers of a thread at the entry or exit of a call.
#[derive(Clone, Copy)]
pub(super) struct Registers(libc::user_regs_struct);

impl Registers {
    pub(super) fn of(thread: Pid) -> nix::Result<Self> {
        ptrace::getregs(thread).map(Self)
    }

    pub(super) fn number(&self) -> u64 {
        self.0.orig_rax
    }

    pub(super) fn arguments(&self) -> [u64; 6] {
        [self.0.rdi, self.0.rsi, self.0.rdx, self.0.r10, self.0.r8, self.0.r9]
    }

    pub(super) fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// At the entry: no call is made.
    pub(super) fn skip_call(mut self, thread: Pid) -> nix::Result<()> {
        self.0.orig_rax = u64::MAX;
        ptrace::setregs(thread, self.0)
    }

    /// At the exit: the call failed.
    pub(super) fn fail_with(mut self, thread: Pid, errno: i32) -> nix::Result<()> {
        self.0.rax = i64::from(-errno).cast_unsigned();
        ptrace::setregs(thread, self.0)
    }
}

/// Whether a thread that stands at a call has not made it yet (`PTRACE_GET_SYSCALL_INFO`).
pub(super) fn is_at_entry(thread: Pid) -> nix::Result<bool> {
    const ENTRY: u8 = 1;
    Ok(ptrace::syscall_info(thread)?.op == ENTRY)
}

/// What a call is about: a path, or what `/proc` calls its descriptor.
pub(super) fn object_path(thread: Pid, object: Object, arguments: &[u64; 6]) -> Option<PathBuf> {
    match object {
        Object::Descriptor(place) => descriptor_path(thread, low_half(arguments[place])),
        Object::Path(place) => text(thread, arguments[place]).map(PathBuf::from),
        Object::At(folder, place) => {
            let path = text(thread, arguments[place])?;
            let folder = low_half(arguments[folder]);
            if path.starts_with('/') || folder == HERE {
                return Some(PathBuf::from(path));
            }
            descriptor_path(thread, folder).map(|folder| folder.join(path))
        }
        Object::Nothing => None,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a descriptor is the lower half of its register")]
pub(super) fn low_half(register: u64) -> i32 {
    (register as u32).cast_signed()
}

fn descriptor_path(thread: Pid, descriptor: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).ok()
}

/// Where the next `read` or `write` of a descriptor begins.
pub(super) fn position(thread: Pid, descriptor: i32) -> Option<u64> {
    let told = fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}")).ok()?;
    told.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()
}

/// Bytes of the thread's memory.
pub(super) fn memory(thread: Pid, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let remote = [RemoteIoVec { base: usize::try_from(address).unwrap(), len: length }];
    let read = process_vm_readv(thread, &mut [IoSliceMut::new(&mut bytes)], &remote);
    bytes.truncate(read.unwrap_or(0));
    bytes
}

/// The bytes that a list of buffers (`struct iovec`) stands for.
pub(super) fn gathered(thread: Pid, list: u64, count: u64) -> Vec<u8> {
    let list = memory(thread, list, usize::try_from(count).unwrap() * 16);
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let buffers = list.chunks_exact(16).map(|buffer| (word(&buffer[..8]), word(&buffer[8..])));
    buffers.flat_map(|(address, length)| memory(thread, address, usize::try_from(length).unwrap())).collect()
}

/// A string that ends in NUL, read page by page.
fn text(thread: Pid, address: u64) -> Option<String> {
    let mut bytes = Vec::new();
    let mut address = usize::try_from(address).ok().filter(|address| *address != 0)?;
    while bytes.len() < PAGE {
        let part = memory(thread, address as u64, PAGE - address % PAGE);
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            bytes.extend_from_slice(&part[..end]);
            return String::from_utf8(bytes).ok();
        }
        if part.is_empty() {
            return None;
        }
        address += part.len();
        bytes.extend(part);
    }
    None
}

/// A path as names of points have it.
pub(super) fn named(root: &Path, path: Option<&Path>) -> String {
    let Some(path) = path else { return "-".to_owned() };
    if let Ok(below) = path.strip_prefix(root) {
        return below_root(&below.to_string_lossy());
    }
    let text = path.to_string_lossy();
    let kind = text.split_once(':').map(|(kind, _)| kind).filter(|kind| !kind.contains('/'));
    kind.map_or_else(|| text.to_string(), str::to_owned)
}

fn below_root(path: &str) -> String {
    match path.split('/').collect::<Vec<_>>()[..] {
        [""] => ".".to_owned(),
        ["blobs", _] => "blobs/…/".to_owned(),
        ["blobs", _, _] => "blobs/…".to_owned(),
        _ => path.to_owned(),
    }
}
