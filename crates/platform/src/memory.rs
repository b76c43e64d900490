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
}
