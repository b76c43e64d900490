//! What the operator decided about the audit trail.

use std::time::Duration;

/// The settings of the section `audit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// Whether calls are recorded.
    pub enabled: bool,
    /// Of a million reads that were answered, so many are recorded. Refusals and changes always are.
    pub reads_per_million: u32,
    /// How long records are kept.
    pub retention: Duration,
    /// How long records of reads are kept.
    pub reads_retention: Duration,
    /// Whether records are exported as files: none goes before it is in one.
    pub exported: bool,
}

impl Default for AuditSettings {
    fn default() -> Self {
        let day = 24;
        Self {
            enabled: true,
            reads_per_million: 1_000_000,
            retention: Duration::from_hours(90 * day),
            reads_retention: Duration::from_hours(14 * day),
            exported: false,
        }
    }
}
