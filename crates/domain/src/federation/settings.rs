//! What the operator decided about identity providers.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of the section `federation`.
#[derive(Debug, Clone)]
pub struct Federation {
    /// How long the keys of an issuer that cannot be reached are still used.
    pub stale_keys: Duration,
    /// Issuers whose keys are in a file, with it: such an issuer is never asked.
    pub key_files: Vec<(String, PathBuf)>,
}

impl Default for Federation {
    fn default() -> Self {
        Self { stale_keys: Duration::from_hours(24), key_files: Vec::new() }
    }
}

impl Federation {
    /// The file with the keys of an issuer, if it has one.
    pub(crate) fn key_file(&self, issuer: &str) -> Option<&PathBuf> {
        self.key_files.iter().find(|(of, _)| of == issuer).map(|(_, file)| file)
    }
}
