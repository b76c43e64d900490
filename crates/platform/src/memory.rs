//! Memory that is given back.

/// Blocks from this size on are mapped for themselves, and go back to the system when they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 1024 * 1024;

/// Makes the allocator of the GNU C library give large blocks back at once.
///
/// Left alone it learns from the largest block that was freed, up to 32 MiB, to keep blocks of that size in each thread's
/// arena: one burst of large manifests would hold some hundred MiB for good (`mallopt(3)`). Setting the thresholds ends
/// the learning. Call it before threads are started; other C libraries need nothing.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "mallopt is a function of C; the standard library has no way to it")
)]
pub fn give_back_early() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: mallopt takes two numbers, keeps no pointer, and refuses values out of range by its result. No other
        // thread runs yet, so nobody allocates while it changes the allocator's settings.
        let _accepted = unsafe { libc::mallopt(parameter, MAPPED_FROM) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_can_be_called() {
        super::give_back_early();
        assert_eq!(vec![7u8; 3 << 20].iter().map(|byte| usize::from(*byte)).sum::<usize>(), 7 * (3 << 20));
    }
}
