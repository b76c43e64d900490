//! What the operator decided.

use std::time::Duration;

use berth_store::repositories::Registry;

/// The settings that rules depend on.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the operator's, independent of the others")]
pub struct Settings {
    /// The account and region that content belongs to.
    pub registry: Registry,
    /// Whether a push makes the repository that it names.
    pub create_on_push: bool,
    /// Whether an index may name children that are not there.
    pub allow_sparse_indexes: bool,
    /// Patterns of repositories that anybody may pull; `*` stands for any characters.
    pub anonymous_pull: Vec<String>,
    /// Whether clients are asked for bearer tokens, which the registry hands out, instead of Basic credentials.
    pub hands_out_tokens: bool,
    /// Refuses every write.
    pub read_only: bool,
    /// Writes stop when the blob store has fewer bytes free.
    pub free_space_minimum: u64,
    /// Blobs up to so many bytes lie in the database; none do where it is 0.
    pub inline_blob_bytes: u64,
    /// The largest blob, in bytes.
    pub layer_bytes: u64,
    /// The most that a repository may link, in bytes; 0 for no limit.
    pub repository_bytes: u64,
    /// The most that an account may link, in bytes; 0 for no limit.
    pub account_bytes: u64,
    /// How many uploads an account may have open.
    pub open_uploads: u64,
    /// How long content that no manifest names is kept for the push that may still name it.
    pub gc_grace: Duration,
    /// How long an upload may lie untouched.
    pub upload_ttl: Duration,
    /// How far the clocks of clients that sign requests may be off.
    pub clock_skew: Duration,
}

impl Settings {
    /// The rules of a registry whose operator decided nothing else: the defaults of the configuration, with no limit on disk
    /// space and nothing in the database that could be a file.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            create_on_push: true,
            allow_sparse_indexes: false,
            anonymous_pull: Vec::new(),
            hands_out_tokens: false,
            read_only: false,
            free_space_minimum: 0,
            inline_blob_bytes: 0,
            layer_bytes: u64::MAX,
            repository_bytes: 0,
            account_bytes: 0,
            open_uploads: 1000,
            gc_grace: Duration::from_hours(24),
            upload_ttl: Duration::from_hours(24),
            clock_skew: Duration::from_mins(15),
        }
    }
}
