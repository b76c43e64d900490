//! The blobs of one manifest.

use std::collections::HashSet;

use async_trait::async_trait;
use berth_oci::digest::Digest;
use berth_oci::manifest::Descriptor;
use berth_oci::name::RepositoryName;
use berth_transfer::{BlobReader, SourceError};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::graph::{Loaded, Walk};
use super::outcome::reason;
use super::{ImportError, Progress, Run, Stop, unless_stopped};
use crate::body::{Body, BodyFailed};
use crate::error::Error;
use crate::uploads::Mount;

/// Blobs read at the same time.
const AT_ONCE: usize = 4;

/// How a blob came to be in the repository.
enum Brought {
    /// It was read.
    Read(u64),
    /// The registry had it.
    There,
}

/// Why a blob is not.
enum Failed {
    /// The image cannot come.
    Blob(String),
    /// Another blob of the image failed first.
    NoUse,
    /// Nothing more can come.
    Import(ImportError),
}

impl Walk<'_, '_> {
    /// Brings the blobs that a manifest needs; or the reason why one cannot come.
    pub(super) async fn layers(&mut self, loaded: &Loaded) -> Result<Result<(), String>, ImportError> {
        let mut known = HashSet::new();
        let blobs: Vec<&Descriptor> =
            loaded.manifest.blob_references().filter(|blob| known.insert(&blob.digest)).collect();
        let (failed, others) = watch::channel(false);
        let (run, from, to) = (&*self.run, self.source_name, self.target);
        let each = blobs.into_iter().map(|blob| {
            let bringing = Bringing { run, from, to, blob, given_up: others.clone() };
            let failed = &failed;
            async move {
                bringing.bring().await.inspect_err(|_| {
                    failed.send_replace(true);
                })
            }
        });
        let outcomes: Vec<Result<Brought, Failed>> = stream::iter(each).buffer_unordered(AT_ONCE).collect().await;
        self.count(outcomes)
    }

    fn count(&mut self, outcomes: Vec<Result<Brought, Failed>>) -> Result<Result<(), String>, ImportError> {
        let mut image = Ok(());
        let mut import = Ok(());
        for outcome in outcomes {
            match outcome {
                Ok(Brought::Read(bytes)) => {
                    self.run.imported.blobs += 1;
                    self.run.imported.bytes += bytes;
                }
                Ok(Brought::There) => self.run.imported.blobs_there += 1,
                Err(Failed::Blob(reason)) => image = Err(reason),
                Err(Failed::Import(error)) => import = Err(error),
                Err(Failed::NoUse) => {}
            }
        }
        import.map(|()| image)
    }
}

/// One blob on its way.
struct Bringing<'b> {
    run: &'b Run<'b>,
    from: &'b RepositoryName,
    to: &'b RepositoryName,
    blob: &'b Descriptor,
    given_up: Stop,
}

impl Bringing<'_> {
    async fn bring(self) -> Result<Brought, Failed> {
        if *self.given_up.borrow() {
            return Err(Failed::NoUse);
        }
        if self.is_there().await.map_err(|error| self.failed(error))? {
            return Ok(Brought::There);
        }
        self.upload().await.map(|()| Brought::Read(self.blob.size))
    }

    /// Whether the repository has it, or another one that it can be linked from.
    async fn is_there(&self) -> Result<bool, Error> {
        let (domain, caller, digest) = (self.run.domain, self.run.caller, &self.blob.digest);
        match domain.check_blob(caller, self.to, digest).await {
            Ok(_) => Ok(true),
            Err(Error::BlobUnknown(_) | Error::RepositoryUnknown(_)) => {
                Ok(domain.mount_blob(caller, self.to, digest, None).await? == Mount::Mounted)
            }
            Err(error) => Err(error),
        }
    }

    async fn upload(&self) -> Result<(), Failed> {
        let (domain, caller, digest) = (self.run.domain, self.run.caller, &self.blob.digest);
        let upload = domain.begin_upload(caller, self.to, digest.algorithm()).await;
        let upload = upload.map_err(|error| self.failed(error))?;
        let mut body = self.body();
        let finished = domain.finish_upload(caller, self.to, &upload, None, &mut body, digest).await;
        let why = body.why;
        let Err(error) = finished else { return Ok(()) };
        // One that failed for another reason than its body is gone already.
        if let Err(error) = domain.cancel_upload(caller, self.to, &upload).await
            && !matches!(error, Error::UploadUnknown)
        {
            return Err(self.failed(error));
        }
        Err(why.unwrap_or_else(|| self.failed(error)))
    }

    fn body(&self) -> SourceBody<'_> {
        let Descriptor { digest, size, .. } = self.blob;
        let reader = BlobReader::new(self.run.source, self.from, digest, *size, self.run.options.retry);
        SourceBody {
            reader,
            size: *size,
            digest,
            progress: self.run.progress,
            stop: self.run.stop.clone(),
            given_up: self.given_up.clone(),
            why: None,
        }
    }

    fn failed(&self, error: Error) -> Failed {
        match reason(error) {
            Ok(reason) => Failed::Blob(of_blob(&self.blob.digest, &reason)),
            Err(error) => Failed::Import(error),
        }
    }
}

fn of_blob(digest: &Digest, reason: &str) -> String {
    format!("its blob {digest} did not come: {reason}")
}

/// A blob of the source as the body of an upload. Why it broke off is kept: a body can only tell that it did.
struct SourceBody<'b> {
    reader: BlobReader<'b>,
    size: u64,
    digest: &'b Digest,
    progress: &'b dyn Progress,
    stop: Stop,
    given_up: Stop,
    why: Option<Failed>,
}

impl SourceBody<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        let read = unless_stopped(&self.given_up, self.reader.chunk());
        match unless_stopped(&self.stop, read).await {
            Err(error) => Err(Failed::Import(error)),
            Ok(Err(_)) => Err(Failed::NoUse),
            Ok(Ok(read)) => read.map_err(|error| self.failed(error)),
        }
    }

    fn failed(&self, error: SourceError) -> Failed {
        if error.is_fatal() {
            return Failed::Import(error.into());
        }
        Failed::Blob(of_blob(self.digest, &error.to_string()))
    }
}

#[async_trait]
impl Body for SourceBody<'_> {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailed> {
        match self.next().await {
            Ok(bytes) => {
                self.progress.read(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
                Ok(bytes)
            }
            Err(failed) => {
                self.why = Some(failed);
                Err(BodyFailed("the source gives no more".to_owned()))
            }
        }
    }

    fn declared_length(&self) -> Option<u64> {
        Some(self.size)
    }
}
