//! The one place that writes to standard output and standard error.

use std::io::Write as _;

/// Writes lines of a result to standard output. A reader that went away is no error of ours.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
}

/// Writes lines for people to standard error.
pub fn notice(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
}
