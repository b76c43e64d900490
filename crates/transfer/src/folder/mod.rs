//! Sources on the local disk.

mod distribution;
mod layout;
mod link_file;
mod tree;

pub use distribution::DistributionSource;
pub use layout::LayoutSource;
pub use link_file::parse as parse_link;

use berth_oci::digest::Digest;
use berth_oci::manifest::MAX_MANIFEST_BYTES;

use crate::{SourceError, SourceManifest};
use tree::Tree;

/// Runs what waits for the disk where it stops nobody else.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let ran = tokio::task::spawn_blocking(run).await;
    ran.unwrap_or_else(|error| Err(SourceError::Unusable(format!("reading ended by a panic: {error}"))))
}

/// A manifest from its file.
fn manifest_at(tree: &Tree, path: &[&str], digest: &Digest) -> Result<SourceManifest, SourceError> {
    let bytes = tree.small(path, MAX_MANIFEST_BYTES)?;
    let actual = Digest::of(digest.algorithm(), &bytes);
    if actual != *digest {
        return Err(SourceError::WrongDigest { expected: digest.clone(), actual });
    }
    Ok(SourceManifest { digest: actual, media_type: None, bytes: bytes.into() })
}
