//! What can be wrong with a source, by kind.

use berth_oci::digest::Digest;

/// Why something could not be read from a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source does not have it.
    #[error("{0} is not in the source")]
    Missing(String),
    /// The bytes are not what their digest says.
    #[error("the source's content has digest {actual}, not {expected}")]
    WrongDigest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// There are more or fewer bytes than the manifest says.
    #[error("the source has {actual} bytes of {digest}, not {expected}")]
    WrongSize {
        /// The content.
        digest: Digest,
        /// What the manifest says.
        expected: u64,
        /// What is there; where it is more, at least so many.
        actual: u64,
    },
    /// It is there, but not of a form that can be taken.
    #[error("{0}")]
    Unusable(String),
    /// A file or folder cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Io {
        /// Which, from the source's root.
        path: String,
        /// The system's words.
        reason: std::io::Error,
    },
    /// The source does not let us have this.
    #[error("the source refuses {what}: {said}")]
    Denied {
        /// What was asked for.
        what: String,
        /// The source's words.
        said: String,
    },
    /// The source does not know us.
    #[error("{0}")]
    Login(String),
    /// The source answered with a status that nothing can be made of.
    #[error("the source answers {status} for {what}{said}")]
    Status {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The source's words, with a separator before them.
        said: String,
    },
    /// No answer, or one that broke off, however often it was tried.
    #[error("the source cannot be reached for {what}: {reason}")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// What happened.
        reason: String,
    },
    /// What was named is no source of this kind.
    #[error("{0}")]
    NotASource(String),
}

impl SourceError {
    /// Whether there is no use in asking this source for anything else now.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Login(_) | Self::Unreachable { .. } | Self::NotASource(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether asking again may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => is_passing(*status),
            _ => false,
        }
    }
}

/// Statuses that mean "not now" (RFC 9110 section 15, RFC 6585 section 4).
pub(crate) const fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// The beginning of what a source said, fit for a terminal: short, and without control characters.
pub(crate) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
