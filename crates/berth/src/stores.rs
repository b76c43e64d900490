//! The blob stores and archives that settings and commands name.

use std::path::Path;
use std::sync::Arc;

use berth_store::{Archive, BlobStore, BlobStoreError, SystemRandom};
use berth_store_blob::{ArchiveKey, FilesystemStore, MovingStore, ObjectArchive, S3Settings, S3Store, SealedArchive};

use crate::config::Settings;
use crate::config::kinds::{BucketUrl, FormerStore};
use crate::failure::Failure;
use crate::opened::secret;

const ARCHIVE_KEY: &str = "BERTH_BACKUP_KEY";

/// The blob store of the registry: the present one, or both where blobs move.
pub async fn open(settings: &Settings) -> Result<Arc<dyn BlobStore>, Failure> {
    let new = present(settings).await?;
    Ok(match former(settings)? {
        None => new,
        Some(old) => Arc::new(MovingStore::new(old, new)),
    })
}

/// The store that the settings choose. A bucket is tried out first.
pub async fn present(settings: &Settings) -> Result<Arc<dyn BlobStore>, Failure> {
    let chosen = &settings.s3;
    if chosen.bucket.is_empty() {
        return files(settings);
    }
    let place = BucketUrl { bucket: chosen.bucket.clone(), prefix: chosen.prefix.clone() };
    let bucket = bucket(settings, &place);
    let failed = |error| unusable(&place, error);
    let store = S3Store::new(&bucket, Arc::new(SystemRandom)).map_err(failed)?;
    if !settings.storage.read_only {
        store.probe().await.map_err(failed)?;
    }
    Ok(Arc::new(store))
}

/// The store that blobs move away from.
pub fn former(settings: &Settings) -> Result<Option<Arc<dyn BlobStore>>, Failure> {
    Ok(Some(match &settings.storage.move_from {
        None => return Ok(None),
        Some(FormerStore::Files) => files(settings)?,
        Some(FormerStore::Bucket(place)) => {
            let store = S3Store::new(&bucket(settings, place), Arc::new(SystemRandom));
            Arc::new(store.map_err(|error| unusable(place, error))?)
        }
    }))
}

fn files(settings: &Settings) -> Result<Arc<dyn BlobStore>, Failure> {
    let files = FilesystemStore::open(settings.storage.data_dir.join("blobs"));
    Ok(Arc::new(files.map_err(|error| Failure::doing("the blob store cannot be opened", error))?))
}

fn unusable(place: &BucketUrl, error: BlobStoreError) -> Failure {
    Failure::doing(&format!("the bucket {} cannot be used: check s3.* and the credentials", place.bucket), error)
}

/// How a bucket is reached, which is the same for all.
fn bucket(settings: &Settings, place: &BucketUrl) -> S3Settings {
    let chosen = &settings.s3;
    S3Settings {
        endpoint: chosen.endpoint.as_ref().map(|url| url.as_str().to_owned()),
        region: (!chosen.region.is_empty()).then(|| chosen.region.clone()),
        prefix: place.prefix.clone(),
        virtual_hosted_style: chosen.virtual_hosted_style,
        tls_ca: chosen.tls_ca.clone(),
        redirect: chosen.redirect,
        buffer_budget: usize::try_from(chosen.buffer_budget.0).unwrap_or(usize::MAX),
        ..S3Settings::new(&place.bucket)
    }
}

/// The archive at a folder or `s3://bucket/prefix`, sealed where the environment gives a key. A folder that is missing is
/// made by [`new_archive`] alone.
pub async fn archive(settings: &Settings, place: &str) -> Result<Box<dyn Archive>, Failure> {
    if !place.contains("://") && !Path::new(place).is_dir() {
        return Err(Failure::Usage(format!("there is no folder {place}")));
    }
    new_archive(settings, place).await
}

/// The same, for writing to it.
pub async fn new_archive(settings: &Settings, place: &str) -> Result<Box<dyn Archive>, Failure> {
    let inner = plain_archive(settings, place)?;
    let key = archive_key()?;
    let is_sealed = SealedArchive::<ObjectArchive>::is_sealed(&inner, "registry.json").await;
    match (key, is_sealed.map_err(|error| Failure::CouldNotRun(error.to_string()))?) {
        (Some(key), Some(true) | None) => Ok(Box::new(SealedArchive::new(inner, key, Arc::new(SystemRandom)))),
        (None, Some(false) | None) => Ok(Box::new(inner)),
        (None, Some(true)) => Err(Failure::Usage(format!(
            "the backups in {place} are encrypted: give their key by {ARCHIVE_KEY} or {ARCHIVE_KEY}_FILE"
        ))),
        (Some(_), Some(false)) => Err(Failure::Usage(format!(
            "the backups in {place} are not encrypted: unset {ARCHIVE_KEY}, or begin in another place"
        ))),
    }
}

fn plain_archive(settings: &Settings, place: &str) -> Result<ObjectArchive, Failure> {
    let archive = if place.contains("://") {
        let wrong = || Failure::Usage(format!("{place} is neither a folder nor s3://bucket/prefix"));
        ObjectArchive::bucket(&bucket(settings, &BucketUrl::parse(place).ok_or_else(wrong)?))
    } else {
        ObjectArchive::folder(Path::new(place))
    };
    archive.map_err(|error| Failure::CouldNotRun(error.to_string()))
}

fn archive_key() -> Result<Option<ArchiveKey>, Failure> {
    let Some(text) = secret(ARCHIVE_KEY)? else { return Ok(None) };
    let wrong = || {
        let made = "`openssl rand -hex 32` makes one";
        Failure::Usage(format!("{ARCHIVE_KEY} is no key: it is 64 hexadecimal digits, or 32 bytes in base64; {made}"))
    };
    ArchiveKey::parse(&text).map(Some).ok_or_else(wrong)
}
