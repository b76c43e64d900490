//! The calls that are looked at, by their numbers on `x86_64`.

use super::Class;

/// Where a call says what it is about, by the place among its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// A descriptor.
    Descriptor(usize),
    /// A path.
    Path(usize),
    /// A folder's descriptor and a path below it.
    At(usize, usize),
    /// Nothing yet: it makes a descriptor.
    Nothing,
}

/// What is known of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) object: Object,
    pub(super) class: Class,
}

/// The flag of an `open` that makes the file.
pub(super) const O_CREAT: u64 = 0o100;
/// The flag of an `open` that empties it.
pub(super) const O_TRUNC: u64 = 0o1000;

/// What is known of a call by its number and arguments.
pub(super) fn known(number: u64, arguments: &[u64; 6]) -> Option<Known> {
    let (name, object, class) = row(number)?;
    let flags = match (name, class) {
        ("open", _) => arguments[1],
        ("openat", _) => arguments[2],
        _ => 0,
    };
    let class = if flags & O_CREAT != 0 { Class::Create } else { class };
    Some(Known { name, object, class })
}

fn row(number: u64) -> Option<(&'static str, Object, Class)> {
    use Object::{At, Descriptor as Fd, Nothing, Path};
    Some(match number {
        0 => ("read", Fd(0), Class::Read),
        1 => ("write", Fd(0), Class::Write),
        2 => ("open", Path(0), Class::Open),
        4 => ("stat", Path(0), Class::Look),
        5 => ("fstat", Fd(0), Class::Look),
        6 => ("lstat", Path(0), Class::Look),
        9 => ("mmap", Fd(4), Class::Read),
        17 => ("pread64", Fd(0), Class::Read),
        18 => ("pwrite64", Fd(0), Class::Write),
        19 => ("readv", Fd(0), Class::Read),
        20 => ("writev", Fd(0), Class::Write),
        21 => ("access", Path(0), Class::Look),
        22 | 293 => ("pipe", Nothing, Class::Descriptor),
        32 | 33 | 292 => ("dup", Nothing, Class::Descriptor),
        40 => ("sendfile", Fd(0), Class::Send),
        41 => ("socket", Nothing, Class::Descriptor),
        43 | 288 => ("accept", Nothing, Class::Descriptor),
        44 => ("sendto", Fd(0), Class::Send),
        45 => ("recvfrom", Fd(0), Class::Receive),
        46 => ("sendmsg", Fd(0), Class::Send),
        47 => ("recvmsg", Fd(0), Class::Receive),
        74 => ("fsync", Fd(0), Class::Sync),
        75 => ("fdatasync", Fd(0), Class::Sync),
        76 => ("truncate", Path(0), Class::Write),
        77 => ("ftruncate", Fd(0), Class::Write),
        82 => ("rename", Path(0), Class::Remove),
        83 => ("mkdir", Path(0), Class::Create),
        84 => ("rmdir", Path(0), Class::Remove),
        86 => ("link", Path(1), Class::Create),
        87 => ("unlink", Path(0), Class::Remove),
        137 => ("statfs", Path(0), Class::Look),
        138 => ("fstatfs", Fd(0), Class::Look),
        217 => ("getdents64", Fd(0), Class::Look),
        257 => ("openat", At(0, 1), Class::Open),
        258 => ("mkdirat", At(0, 1), Class::Create),
        262 => ("newfstatat", At(0, 1), Class::Look),
        263 => ("unlinkat", At(0, 1), Class::Remove),
        264 | 316 => ("renameat", At(0, 1), Class::Remove),
        265 => ("linkat", At(2, 3), Class::Create),
        277 => ("sync_file_range", Fd(0), Class::Sync),
        285 => ("fallocate", Fd(0), Class::Write),
        290 => ("eventfd", Nothing, Class::Descriptor),
        291 => ("epoll_create", Nothing, Class::Descriptor),
        295 => ("preadv", Fd(0), Class::Read),
        296 => ("pwritev", Fd(0), Class::Write),
        326 => ("copy_file_range", Fd(2), Class::Write),
        332 => ("statx", At(0, 1), Class::Look),
        439 => ("faccessat2", At(0, 1), Class::Look),
        _ => return None,
    })
}
