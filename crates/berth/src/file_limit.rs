//! How many files the system lets this process have open: connections, blobs and the database share them.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What is kept for blobs, open uploads and the database, where there is so much.
const KEPT_FOR_WORK: u64 = 384;

/// Raises the soft limit to the hard one, and gives it; `None` where there is none.
pub fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current
}

/// How many connections are taken at a time where so many are wanted: a server that spends all its files on connections can
/// neither read a blob nor write one.
pub fn connections(wanted: u32, files: Option<u64>) -> u32 {
    let Some(files) = files else { return wanted };
    let affordable = affordable(files);
    if u64::from(wanted) <= affordable {
        return wanted;
    }
    tracing::warn!(
        "the system lets this process have {files} files open, so it takes {affordable} connections at a time instead of the \
         {wanted} of server.max_connections: raise the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd), or lower that setting"
    );
    u32::try_from(affordable).unwrap_or(wanted)
}

/// A quarter of the files is for work, at least [`KEPT_FOR_WORK`], but never more than half.
fn affordable(files: u64) -> u64 {
    let kept = (files / 4).max(KEPT_FOR_WORK).min(files / 2);
    (files - kept).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_keeps_its_files() {
        for (files, expected) in [(0, 1), (1, 1), (256, 128), (1024, 640), (4096, 3072), (20_000, 15_000)] {
            assert_eq!(affordable(files), expected, "{files} files");
        }
    }

    #[test]
    fn what_is_wanted_is_taken_where_it_fits() {
        assert_eq!(connections(10_000, None), 10_000);
        assert_eq!(connections(10_000, Some(65_536)), 10_000);
        assert_eq!(connections(10_000, Some(1024)), 640);
    }
}
