//! What the operator decided.

use std::time::Duration;

use berth_store::repositories::Registry;

/// The settings that rules depend on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account and region that content belongs to.
    pub registry: Registry,
    /// Whether a push makes the repository that it names.
    pub create_on_push: bool,
    /// Whether an index may name children that are not there.
    pub allow_sparse_indexes: bool,
    /// Patterns of repositories that anybody may pull; `*` stands for any characters.
    pub anonymous_pull: Vec<String>,
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
}
