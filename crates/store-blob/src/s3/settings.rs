//! Which bucket, and how it is used.

use std::path::PathBuf;

/// The parts of large blobs, as long as a blob has few of them. S3 takes none below 5 MiB but the last.
pub(super) const PART_BYTES: usize = 8 << 20;

/// How many multipart uploads are listed at once.
const PAGE: usize = 200;

/// A bucket and how to use it.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Its name.
    pub bucket: String,
    /// The server's address, `http://127.0.0.1:8333`; `None`: AWS.
    pub endpoint: Option<String>,
    /// Its region; `None`: what the environment or a profile says, else `us-east-1`.
    pub region: Option<String>,
    /// What the names of all objects begin with; may be empty.
    pub prefix: String,
    /// Whether the bucket is a part of the host name.
    pub virtual_hosted_style: bool,
    /// File with the certificates of further authorities, PEM.
    pub tls_ca: Option<PathBuf>,
    /// Whether pulls are sent to the bucket.
    pub redirect: bool,
    /// Bytes that all uploads of this process buffer at most.
    pub buffer_budget: usize,
    /// Bytes of a part.
    pub part_bytes: usize,
    /// How many multipart uploads are listed at once.
    pub page: usize,
}

impl S3Settings {
    /// A bucket, used as the defaults have it.
    pub fn new(bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            endpoint: None,
            region: None,
            prefix: String::new(),
            virtual_hosted_style: false,
            tls_ca: None,
            redirect: false,
            buffer_budget: 128 << 20,
            part_bytes: PART_BYTES,
            page: PAGE,
        }
    }
}
