//! Memory that is given back.

/// Blocks from this size on are mapped for themselves, and go back to the system when they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 1024 * 1024;

/// Threads that allocate at the same time share fewer arenas only by waiting for each other.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const FEWEST_ARENAS: usize = 2;

/// Makes the allocator of the GNU C library give large blocks back at once.
///
/// Left alone it learns from the largest block that was freed, up to 32 MiB, to keep blocks of that size in each thread's
/// arena: one burst of large manifests would hold some hundred MiB for good (`mallopt(3)`). Setting the thresholds ends
/// the learning.
///
/// It also gives each thread an arena of its own, up to eight for each core, and work of ours wanders: on a busy machine one
/// great layer passes through many threads and leaves something in the arena of each. One arena for each core is enough.
///
/// Call it before threads are started; other C libraries need nothing.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "mallopt is a function of C; the standard library has no way to it")
)]
pub fn give_back_early() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in
        [(libc::M_MMAP_THRESHOLD, MAPPED_FROM), (libc::M_TRIM_THRESHOLD, MAPPED_FROM), (libc::M_ARENA_MAX, arenas())]
    {
        // SAFETY: mallopt takes two numbers, keeps no pointer, and refuses values out of range by its result. No other
        // thread runs yet, so nobody allocates while it changes the allocator's settings.
        let _accepted = unsafe { libc::mallopt(parameter, value) };
    }
}

/// Gives freed memory between used pieces back too, which the allocator of the GNU C library does by itself only at the end
/// of an arena: ten thousand connections that came and went leave 150 MiB that way, and more with each such crowd.
///
/// It takes some milliseconds for each hundred MiB, in which allocations may wait. Other C libraries need nothing.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "malloc_trim is a function of C; the standard library has no way to it")
)]
pub fn give_back_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes a number, takes the locks of the arenas itself, and touches only memory that is free.
    let _trimmed = unsafe { libc::malloc_trim(0) };
}

/// Bytes of memory that this process has resident; `None` where the system does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn arenas() -> libc::c_int {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    libc::c_int::try_from(cores.max(FEWEST_ARENAS)).unwrap_or(libc::c_int::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_can_be_called() {
        super::give_back_early();
        assert_eq!(vec![7u8; 3 << 20].iter().map(|byte| usize::from(*byte)).sum::<usize>(), 7 * (3 << 20));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn freed_pieces_between_used_ones_are_given_back() {
        let mut pieces: Vec<Vec<u8>> = (0..40_000).map(|_| vec![7u8; 4000]).collect();
        let full = super::resident_bytes().unwrap();
        let mut nth = 0;
        pieces.retain(|_| {
            nth += 1;
            nth % 100 == 0
        });
        super::give_back_freed();
        let after = super::resident_bytes().unwrap();
        assert!(after + (100 << 20) < full, "{full} bytes resident before, {after} after");
        assert!(pieces.iter().all(|piece| piece.iter().all(|byte| *byte == 7)));
    }
}
