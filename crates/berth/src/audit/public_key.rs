//! `berth audit public-key`.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::json;

use crate::config::Settings;
use crate::failure::Failure;
use crate::{opened, output};

/// Prints the key.
pub async fn run(settings: &Settings, as_json: bool) -> Result<ExitCode, Failure> {
    let key = hexadecimal(&opened::existing(settings).await?.audit_public_key());
    output::result(&if as_json { json!({ "algorithm": "Ed25519", "public_key": key }).to_string() } else { key });
    Ok(ExitCode::SUCCESS)
}

/// Bytes as two digits each.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
