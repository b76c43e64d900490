//! Who may wait for the disk.
//!
//! Work that waits for the disk holds a thread of the runtime, and there are not many (`max_blocking_threads`). When a thousand uploads
//! sync at once and take them all, nobody is left to read sockets: the whole server stands still until the disk has caught
//! up, and clients that sent everything in time are taken for silent ones. So only a few wait for the disk, and the others
//! wait for their turn, which holds no thread.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

/// Those who hash and write much, which is work for the processor: with more of them than it has cores, whoever answers other
/// requests would get a small share of it.
pub(super) static WRITES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, |cores| cores.get().max(2))));
/// Those who sync much: enough to keep a disk busy.
pub(super) static SYNCS: Semaphore = Semaphore::const_new(4);
/// Those who write little, as most pushes of a manifest's config do: they do not stand in line behind great layers.
pub(super) static SMALL: Semaphore = Semaphore::const_new(8);
/// Those who make, delete, list or measure.
pub(super) static NAMES: Semaphore = Semaphore::const_new(8);

/// What counts as little.
const LITTLE: u64 = 1 << 20;

/// Whether a blob of so many bytes is done with at once.
pub(super) fn is_little(bytes: u64) -> bool {
    bytes <= LITTLE
}

/// The line to hash and write in, for a blob of so many bytes.
pub(super) fn line_for(bytes: u64) -> &'static Semaphore {
    if is_little(bytes) { &SMALL } else { &WRITES }
}

/// Waits for a turn, then runs what may wait for the disk without holding up the other tasks of this thread, where the
/// runtime can move them.
pub(super) async fn off_the_async_path<T>(line: &Semaphore, work: impl FnOnce() -> T) -> T {
    // Nobody closes a line, so this is a turn.
    let _turn = line.acquire().await;
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    use super::*;

    /// A disk that does not answer until it is told to.
    #[derive(Default)]
    struct StuckDisk {
        waiting: AtomicUsize,
        works: Mutex<bool>,
        changed: Condvar,
    }

    impl StuckDisk {
        fn sync(&self) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let works = self.works.lock().unwrap();
            drop(self.changed.wait_while(works, |works| !*works).unwrap());
        }
    }

    #[test]
    fn a_disk_that_hangs_does_not_hold_up_what_needs_no_disk() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(64)
            .enable_all()
            .build()
            .unwrap();
        let disk = Arc::new(StuckDisk::default());
        runtime.block_on(async {
            let syncing: Vec<_> = (0..1000)
                .map(|_| {
                    let disk = Arc::clone(&disk);
                    tokio::spawn(async move { off_the_async_path(&SYNCS, || disk.sync()).await })
                })
                .collect();
            while disk.waiting.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let others = async {
                for _ in 0..100 {
                    tokio::spawn(tokio::time::sleep(Duration::from_millis(1))).await.unwrap();
                    tokio::spawn(off_the_async_path(&SMALL, || ())).await.unwrap();
                }
            };
            tokio::time::timeout(Duration::from_mins(1), others).await.expect("the runtime goes on");
            *disk.works.lock().unwrap() = true;
            disk.changed.notify_all();
            for one in syncing {
                one.await.unwrap();
            }
        });
    }
}
