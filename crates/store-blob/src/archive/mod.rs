//! Archives: backups in a folder or a bucket, sealed or not.
//!
//! [`ObjectArchive`] is both the folder and the bucket. In a folder an object is written beside its place, synced, and
//! renamed to it. [`SealedArchive`] encrypts what it hands on to another archive.

mod sealed;
mod sweep;

use std::io;
use std::path::Path as Folder;
use std::sync::Arc;

use async_trait::async_trait;
use berth_store::{Archive, ArchiveError, Archived, Content};
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};

pub use self::sealed::{ArchiveKey, SealedArchive};
use self::sweep::Leftovers;
use crate::s3::{S3Settings, bucket};

/// What goes out in one request; a larger object goes in parts of so much.
const PART_BYTES: usize = 8 << 20;
/// Parts of one object that are on their way at the same time.
const IN_FLIGHT: usize = 3;

/// An archive in a folder or a bucket.
pub struct ObjectArchive {
    store: Arc<dyn ObjectStore>,
    root: Path,
    leftovers: Leftovers,
}

impl ObjectArchive {
    /// The archive in a folder, which is made where it is missing.
    pub fn folder(folder: &Folder) -> Result<Self, ArchiveError> {
        let cannot = |error: &dyn std::error::Error| ArchiveError::Failed {
            action: format!("opening {}", folder.display()),
            reason: error.to_string(),
        };
        std::fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
        let files = LocalFileSystem::new_with_prefix(folder).map_err(|error| cannot(&error))?;
        let leftovers = Leftovers::Files(folder.to_owned());
        Ok(Self { store: Arc::new(files.with_fsync(true)), root: Path::default(), leftovers })
    }

    /// The archive below the prefix of a bucket.
    pub fn bucket(settings: &S3Settings) -> Result<Self, ArchiveError> {
        let opened = bucket(settings).map_err(|error| ArchiveError::Failed {
            action: format!("opening the bucket {}", settings.bucket),
            reason: error.to_string(),
        })?;
        Ok(Self { store: Arc::new(opened), root: Path::from(settings.prefix.as_str()), leftovers: Leftovers::Parts })
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.root.clone(), Path::join)
    }

    async fn put_in_parts(&self, name: &str, first: Bytes, mut rest: Content<'_>) -> Result<(), ArchiveError> {
        let begun = self.store.put_multipart(&self.path(name)).await.map_err(|error| told(name, "writing", &error))?;
        let mut parts = WriteMultipart::new_with_chunk_size(begun, PART_BYTES);
        parts.put(first);
        while let Some(frame) = rest.next().await {
            let sent = match frame {
                Ok(frame) => {
                    parts.put(frame);
                    parts.wait_for_capacity(IN_FLIGHT).await.map_err(|error| told(name, "writing", &error))
                }
                Err(source) => Err(ArchiveError::Content { name: name.to_owned(), source }),
            };
            if let Err(error) = sent {
                // What the writer said matters more than whether its leftovers could be taken away.
                let _ = parts.abort().await;
                return Err(error);
            }
        }
        parts.finish().await.map(|_| ()).map_err(|error| told(name, "writing", &error))
    }
}

#[async_trait]
impl Archive for ObjectArchive {
    async fn put(&self, name: &str, mut content: Content<'_>) -> Result<(), ArchiveError> {
        let mut first = BytesMut::new();
        while first.len() < PART_BYTES {
            match content.next().await {
                Some(Ok(frame)) => first.extend_from_slice(&frame),
                Some(Err(source)) => return Err(ArchiveError::Content { name: name.to_owned(), source }),
                None => {
                    let put = self.store.put(&self.path(name), first.freeze().into()).await;
                    return put.map(|_| ()).map_err(|error| told(name, "writing", &error));
                }
            }
        }
        self.put_in_parts(name, first.freeze(), content).await
    }

    async fn get(&self, name: &str) -> Result<Content<'static>, ArchiveError> {
        let got = self.store.get(&self.path(name)).await.map_err(|error| told(name, "reading", &error))?;
        Ok(got.into_stream().map_err(io::Error::other).boxed())
    }

    fn list(&self, folder: &str) -> BoxStream<'static, Result<Archived, ArchiveError>> {
        let (root, folder) = (self.root.clone(), folder.to_owned());
        let listed = self.store.list(Some(&self.path(&folder)));
        listed
            .map_err(move |error| told(&folder, "listing", &error))
            .try_filter_map(move |meta| {
                let name = meta
                    .location
                    .prefix_match(&root)
                    .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"));
                std::future::ready(Ok(name.map(|name| Archived { name, size: meta.size })))
            })
            .boxed()
    }

    async fn delete(&self, name: &str) -> Result<(), ArchiveError> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(told(name, "deleting", &error)),
        }
    }

    async fn sweep(&self) -> Result<(), ArchiveError> {
        let removed = self.leftovers.remove().await;
        removed.map_err(|error| ArchiveError::Failed { action: "sweeping".to_owned(), reason: error.to_string() })
    }
}

fn told(name: &str, action: &str, error: &object_store::Error) -> ArchiveError {
    match error {
        object_store::Error::NotFound { .. } => ArchiveError::NotFound(name.to_owned()),
        other => ArchiveError::Failed { action: format!("{action} {name}"), reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests;
