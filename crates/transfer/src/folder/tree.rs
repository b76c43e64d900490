//! A folder of a stranger's: no symbolic link in it is followed, and only regular files are read.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::blocking;
use crate::error::clip;
use crate::{ByteStream, SourceError};

const READ_BYTES: usize = 512 * 1024;

/// A folder, held open. Paths in it are walked name by name, so that a link put there meanwhile leads nowhere either.
pub struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// Opens a folder; the folder itself may be named by a link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::openat(CWD, path, flags, Mode::empty())? })
    }

    /// Whether there is a folder at this path.
    pub fn has_folder(&self, path: &[&str]) -> bool {
        self.folder(path).is_ok()
    }

    fn folder(&self, path: &[&str]) -> Result<OwnedFd, SourceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut folder = self.root.try_clone().map_err(|reason| SourceError::Io { path: path.join("/"), reason })?;
        for (depth, name) in path.iter().enumerate() {
            folder = match rustix::fs::openat(&folder, *name, flags, Mode::empty()) {
                Ok(next) => next,
                Err(error) => return Err(refusal(&folder, &path[..=depth], error)),
            };
        }
        Ok(folder)
    }

    /// The names in a folder, sorted. Ones that are not UTF-8 have marks in place of what is wrong.
    pub fn names(&self, path: &[&str]) -> Result<Vec<String>, SourceError> {
        let failed = |error: Errno| SourceError::Io { path: path.join("/"), reason: error.into() };
        let mut names = Vec::new();
        for entry in Dir::new(self.folder(path)?).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A regular file, open for reading, and its length in bytes.
    pub fn file(&self, path: &[&str]) -> Result<(File, u64), SourceError> {
        let Some((name, folders)) = path.split_last() else { return Err(SourceError::Missing(String::new())) };
        let folder = self.folder(folders)?;
        // A pipe must not make the opening wait.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = rustix::fs::openat(&folder, *name, flags, Mode::empty());
        let file = File::from(file.map_err(|error| refusal(&folder, path, error))?);
        let about = file.metadata().map_err(|reason| SourceError::Io { path: path.join("/"), reason })?;
        if !about.is_file() {
            return Err(SourceError::Unusable(format!("{} is no regular file", clip(&path.join("/")))));
        }
        Ok((file, about.len()))
    }

    /// All of a file that may have at most `limit` bytes.
    pub fn small(&self, path: &[&str], limit: usize) -> Result<Vec<u8>, SourceError> {
        let (file, length) = self.file(path)?;
        let too_large = || SourceError::Unusable(format!("{} has more than {limit} bytes", clip(&path.join("/"))));
        let most = u64::try_from(limit).unwrap_or(u64::MAX);
        if length > most {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let failed = |reason| SourceError::Io { path: path.join("/"), reason };
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > limit { Err(too_large()) } else { Ok(bytes) }
    }

    /// The bytes of a file from `offset` on.
    pub fn bytes(&self, path: &[&str], offset: u64) -> Result<ByteStream, SourceError> {
        let (file, _) = self.file(path)?;
        let (file, path) = (Arc::new(file), path.join("/"));
        Ok(Box::pin(stream::try_unfold(offset, move |offset| {
            let (file, path) = (Arc::clone(&file), path.clone());
            async move {
                let chunk = blocking(move || {
                    let mut buffer = vec![0; READ_BYTES];
                    let read = file.read_at(&mut buffer, offset).map_err(|reason| SourceError::Io { path, reason })?;
                    buffer.truncate(read);
                    Ok(Bytes::from(buffer))
                })
                .await?;
                Ok((!chunk.is_empty()).then(|| {
                    let next = offset.saturating_add(chunk.len() as u64);
                    (chunk, next)
                }))
            }
        })))
    }
}

/// Why the last name of `path` cannot be opened in `folder`.
fn refusal(folder: &OwnedFd, path: &[&str], error: Errno) -> SourceError {
    let shown = clip(&path.join("/"));
    let about = path.last().map(|name| rustix::fs::statat(folder, *name, AtFlags::SYMLINK_NOFOLLOW));
    match about {
        Some(Err(Errno::NOENT)) => SourceError::Missing(shown),
        Some(Ok(about)) if FileType::from_raw_mode(about.st_mode) == FileType::Symlink => {
            SourceError::Unusable(format!(
                "{shown} is a symbolic link, and an import follows none: copy the folder with its links resolved (cp -rL), and import the copy"
            ))
        }
        _ => SourceError::Io { path: shown, reason: error.into() },
    }
}
