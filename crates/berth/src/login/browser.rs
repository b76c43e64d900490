//! Opening a person's browser.

use std::process::{Command, Stdio};

use crate::opened::variable;

const USUAL: &[&str] = if cfg!(target_os = "macos") { &["open"] } else { &["xdg-open"] };

/// Whether a browser was told to show an address. Without a display there is none.
pub fn open(address: &str) -> bool {
    let chosen = variable("BROWSER");
    let has_display =
        cfg!(target_os = "macos") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| variable(name).is_some());
    let usual = USUAL.iter().copied().filter(|_| has_display);
    chosen.as_deref().into_iter().chain(usual).any(|program| {
        let mut command = Command::new(program);
        let quiet = command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.spawn().is_ok()
    })
}
