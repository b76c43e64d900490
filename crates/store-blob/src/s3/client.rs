//! The bucket's objects by the keys of blobs.

use std::ops::Range;
use std::time::Duration;

use berth_store::{BlobKey, BlobStoreError, StoredKey, Timestamp};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{HttpClient, HttpConnector as _, ReqwestConnector};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, PutPayload,
    RetryConfig,
};

use super::profile;
use super::settings::S3Settings;

/// The region where nothing names one.
const DEFAULT_REGION: &str = "us-east-1";

/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a request is tried again. A client that pushes waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long one write of a part or object may take, with everything that is tried again.
const WRITE: Duration = Duration::from_mins(5);

/// The bucket.
pub(super) struct Client {
    pub(super) bucket: AmazonS3,
    pub(super) folder: Path,
    /// For what the library has no function for.
    pub(super) http: HttpClient,
    pub(super) region: String,
    pub(super) page: usize,
}

/// A blob's bytes as they come.
pub(super) type Chunks = BoxStream<'static, object_store::Result<Bytes>>;

impl Client {
    pub(super) fn new(settings: &S3Settings) -> Result<Self, BlobStoreError> {
        let builder = builder(settings)?;
        let region = builder.get_config_value(&AmazonS3ConfigKey::Region).unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let cannot = |error| failed("opening the bucket", &error);
        let http = ReqwestConnector::default().connect(&options(settings)?).map_err(cannot)?;
        let folder = Path::from(settings.prefix.as_str()).join("blobs");
        Ok(Self { bucket: builder.build().map_err(cannot)?, folder, http, region, page: settings.page })
    }

    fn path(&self, key: &BlobKey) -> Path {
        self.folder.clone().join(&key.as_str()[..2]).join(key.as_str())
    }

    /// Writes an object in one request.
    pub(super) async fn put(&self, key: &BlobKey, frames: Vec<Bytes>) -> Result<(), BlobStoreError> {
        let payload: PutPayload = frames.into_iter().collect();
        in_time(key, "writing", self.bucket.put(&self.path(key), payload)).await.map(|_| ())
    }

    /// Begins a multipart upload; its id.
    pub(super) async fn begin(&self, key: &BlobKey) -> Result<String, BlobStoreError> {
        in_time(key, "beginning", self.bucket.create_multipart(&self.path(key))).await
    }

    /// Writes part number `nth`, counted from 0; its id.
    pub(super) async fn put_part(
        &self,
        key: &BlobKey,
        multipart: &String,
        nth: usize,
        frames: Vec<Bytes>,
    ) -> Result<String, BlobStoreError> {
        let payload: PutPayload = frames.into_iter().collect();
        let path = self.path(key);
        let put = self.bucket.put_part(&path, multipart, nth, payload);
        Ok(in_time(key, "writing a part of", put).await?.content_id)
    }

    /// Makes the parts one object.
    pub(super) async fn complete(
        &self,
        key: &BlobKey,
        multipart: &String,
        parts: impl Iterator<Item = String>,
    ) -> Result<(), BlobStoreError> {
        let parts = parts.map(|content_id| PartId { content_id }).collect();
        in_time(key, "completing", self.bucket.complete_multipart(&self.path(key), multipart, parts)).await.map(|_| ())
    }

    /// Gives up a multipart upload; one that is gone is no error.
    pub(super) async fn abort(&self, key: &BlobKey, multipart: &String) -> Result<(), BlobStoreError> {
        match self.bucket.abort_multipart(&self.path(key), multipart).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(told(key, "giving up", &error)),
        }
    }

    pub(super) async fn size(&self, key: &BlobKey) -> Result<u64, BlobStoreError> {
        let head = self.bucket.head(&self.path(key)).await;
        head.map(|meta| meta.size).map_err(|error| told(key, "measuring", &error))
    }

    /// The bytes in a range that is not empty. A connection that breaks is taken up again.
    pub(super) async fn get(&self, key: &BlobKey, range: Range<u64>) -> Result<Chunks, BlobStoreError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got = self.bucket.get_opts(&self.path(key), options).await;
        got.map(object_store::GetResult::into_stream).map_err(|error| told(key, "reading", &error))
    }

    /// The bytes of a small object.
    pub(super) async fn get_all(&self, key: &BlobKey, size: u64) -> Result<Vec<Bytes>, BlobStoreError> {
        let chunks: Vec<Bytes> =
            self.get(key, 0..size).await?.try_collect().await.map_err(|error| told(key, "reading", &error))?;
        let found: usize = chunks.iter().map(Bytes::len).sum();
        if found as u64 == size {
            return Ok(chunks);
        }
        let action = format!("reading {key}");
        Err(BlobStoreError::Unavailable { action, reason: format!("{found} bytes came instead of {size}") })
    }

    pub(super) async fn delete(&self, key: &BlobKey) -> Result<(), BlobStoreError> {
        match self.bucket.delete(&self.path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(told(key, "deleting", &error)),
        }
    }

    /// An address that reads the object without credentials for so long.
    pub(super) async fn address(&self, key: &BlobKey, life: Duration) -> Result<String, BlobStoreError> {
        let signed = self.bucket.signed_url(http::Method::GET, &self.path(key), life).await;
        signed.map(Into::into).map_err(|error| told(key, "signing an address of", &error))
    }

    /// Up to `limit` keys behind `after`, in order; objects that are no blob's are passed over.
    pub(super) async fn list(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredKey>, BlobStoreError> {
        let listed = match after {
            Some(after) => self.bucket.list_with_offset(Some(&self.folder), &self.path(after)),
            None => self.bucket.list(Some(&self.folder)),
        };
        let found = listed.try_filter_map(|meta| async move { Ok(stored(&meta)) }).take(limit).try_collect().await;
        found.map_err(|error| failed("listing the bucket", &error))
    }
}

/// The bucket that settings name; nothing is asked of its server yet.
pub(crate) fn bucket(settings: &S3Settings) -> Result<AmazonS3, BlobStoreError> {
    builder(settings)?.build().map_err(|error| failed("opening the bucket", &error))
}

fn builder(settings: &S3Settings) -> Result<AmazonS3Builder, BlobStoreError> {
    // reqwest takes the process's provider of cryptography; one that is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&settings.bucket)
        .with_virtual_hosted_style_request(settings.virtual_hosted_style)
        .with_client_options(options(settings)?)
        .with_retry(retry());
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    profile::fill_in(builder)
}

fn options(settings: &S3Settings) -> Result<ClientOptions, BlobStoreError> {
    let mut options = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout(SILENCE)
        .with_connect_timeout(CONNECT)
        .with_allow_http(settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")));
    if let Some(path) = &settings.tls_ca {
        let failed = |source| BlobStoreError::Io { action: format!("s3.tls_ca {}", path.display()), source };
        let text = std::fs::read(path).map_err(failed)?;
        let certificates = Certificate::from_pem_bundle(&text).map_err(|error| failed(std::io::Error::other(error)))?;
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

fn retry() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
    RetryConfig { backoff, max_retries: 8, retry_timeout: PATIENCE }
}

fn stored(meta: &object_store::ObjectMeta) -> Option<StoredKey> {
    let name = meta.location.filename()?;
    let key = BlobKey::parse(name)?;
    let modified = Timestamp::from_millis(meta.last_modified.timestamp_millis());
    Some(StoredKey { key, size: meta.size, modified })
}

async fn in_time<T>(
    key: &BlobKey,
    action: &str,
    request: impl Future<Output = object_store::Result<T>>,
) -> Result<T, BlobStoreError> {
    let Ok(answer) = tokio::time::timeout(WRITE, request).await else {
        let reason = format!("its server did not answer within {WRITE:?}");
        return Err(BlobStoreError::Unavailable { action: format!("{action} {key}"), reason });
    };
    answer.map_err(|error| told(key, action, &error))
}

/// An error about a key.
fn told(key: &BlobKey, action: &str, error: &object_store::Error) -> BlobStoreError {
    match error {
        object_store::Error::NotFound { .. } => BlobStoreError::NotFound(key.clone()),
        other => failed(&format!("{action} {key}"), other),
    }
}

fn failed(action: &str, error: &object_store::Error) -> BlobStoreError {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let text = inner.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        source = inner.source();
    }
    BlobStoreError::Unavailable { action: action.to_owned(), reason }
}
