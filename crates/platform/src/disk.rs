//! Bytes on their way to the disk.

use std::fs::File;

/// Asks the system to begin writing a part of a file to the disk now, and does not wait for that.
///
/// It makes nothing durable, and what fails here is told by the sync that follows. Systems other than Linux need not be asked.
#[cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "sync_file_range is a function of C; the standard library has no way to it")
)]
pub fn begin_to_write(file: &File, offset: u64, length: u64) {
    #[cfg(target_os = "linux")]
    if let (Ok(offset), Ok(length)) = (offset.try_into(), length.try_into()) {
        use std::os::fd::AsRawFd as _;
        // SAFETY: it takes numbers and an open file, which the reference keeps open, and touches no memory of ours.
        let _begun = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, length);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    #[test]
    fn it_changes_nothing() {
        let path = std::env::temp_dir().join(format!("berth-platform-{}", std::process::id()));
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"content").unwrap();
        super::begin_to_write(&file, 0, 7);
        super::begin_to_write(&file, u64::MAX, u64::MAX);
        file.sync_all().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
        std::fs::remove_file(path).unwrap();
    }
}
