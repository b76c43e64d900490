//! Uploads: the way from first byte to blob, and every way off it.

use std::time::Duration;

use async_trait::async_trait;
use berth_domain::blobs::Content;
use berth_domain::uploads::Mount;
use berth_domain::{Body, BodyFailed, Error};
use berth_oci::digest::{Algorithm, Digest};
use bytes::Bytes;

use crate::registry::{TestRegistry, body, digest, name};

/// Sends some bytes and breaks off.
struct Broken(Option<Bytes>);

#[async_trait]
impl Body for Broken {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailed> {
        self.0.take().map(Some).ok_or_else(|| BodyFailed("the client went away".to_owned()))
    }
}

async fn read(registry: &TestRegistry, repository: &str, wanted: &Digest) -> Result<Vec<u8>, Error> {
    let blob = registry.domain.get_blob(&registry.admin, &name(repository), wanted).await?;
    Ok(match registry.domain.read_blob(&blob, 0, blob.size()).await? {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::Stored(stored) => {
            use futures_util::TryStreamExt as _;
            let chunks: Vec<Bytes> = berth_store::blob_store::chunks(stored).try_collect().await.unwrap();
            chunks.concat()
        }
    })
}

#[tokio::test]
async fn chunks_become_a_blob_with_either_digest() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let registry = TestRegistry::new().await;
        let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a/b"));
        let id = domain.begin_upload(admin, &repository, algorithm).await.unwrap();
        assert_eq!(domain.append_to_upload(admin, &repository, &id, None, &mut body(b"one ")).await.unwrap(), 4);
        assert_eq!(domain.append_to_upload(admin, &repository, &id, Some(4), &mut body(b"two ")).await.unwrap(), 8);
        assert_eq!(domain.upload_status(admin, &repository, &id).await.unwrap(), 8);
        let whole = Digest::of(algorithm, b"one two three");
        domain.finish_upload(admin, &repository, &id, Some(8), &mut body(b"three"), &whole).await.unwrap();
        assert_eq!(read(&registry, "a/b", &whole).await.unwrap(), b"one two three");
        assert!(matches!(domain.upload_status(admin, &repository, &id).await, Err(Error::UploadUnknown)));
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let registry = TestRegistry::new().await;
    let repository = name("a");
    let id = registry.domain.begin_upload(&registry.admin, &repository, Algorithm::Sha256).await.unwrap();
    registry.domain.append_to_upload(&registry.admin, &repository, &id, None, &mut body(b"before ")).await.unwrap();
    let registry = registry.restarted(|_| {}).await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    assert_eq!(domain.upload_status(admin, &repository, &id).await.unwrap(), 7);
    let whole = digest(b"before after");
    domain.finish_upload(admin, &repository, &id, Some(7), &mut body(b"after"), &whole).await.unwrap();
    assert_eq!(read(&registry, "a", &whole).await.unwrap(), b"before after");
}

#[tokio::test]
async fn bytes_at_the_wrong_place_change_nothing() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let id = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    domain.append_to_upload(admin, &repository, &id, Some(0), &mut body(b"12345")).await.unwrap();
    for start in [0, 4, 6, u64::MAX] {
        let refused = domain.append_to_upload(admin, &repository, &id, Some(start), &mut body(b"x")).await;
        assert!(matches!(refused, Err(Error::UploadRange { offset: 5 })), "{start}: {refused:?}");
    }
    domain.finish_upload(admin, &repository, &id, None, &mut body(b""), &digest(b"12345")).await.unwrap();
}

#[tokio::test]
async fn what_arrived_of_a_broken_body_is_kept() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let id = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    let mut broken = Broken(Some(Bytes::from_static(b"half")));
    let refused = domain.append_to_upload(admin, &repository, &id, None, &mut broken).await;
    assert!(matches!(refused, Err(Error::Body(_))), "{refused:?}");
    assert_eq!(domain.upload_status(admin, &repository, &id).await.unwrap(), 4);
    let whole = digest(b"half of it");
    let refused = domain.finish_upload(admin, &repository, &id, None, &mut Broken(None), &whole).await;
    assert!(matches!(refused, Err(Error::Body(_))), "{refused:?}");
    domain.finish_upload(admin, &repository, &id, Some(4), &mut body(b" of it"), &whole).await.unwrap();
}

#[tokio::test]
async fn a_wrong_digest_and_a_cancel_leave_nothing() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let id = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    let refused = domain.finish_upload(admin, &repository, &id, None, &mut body(b"other"), &digest(b"promised")).await;
    assert!(matches!(refused, Err(Error::DigestMismatch { .. })), "{refused:?}");
    assert!(matches!(domain.upload_status(admin, &repository, &id).await, Err(Error::UploadUnknown)));
    let id = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    domain.append_to_upload(admin, &repository, &id, None, &mut body(b"bytes")).await.unwrap();
    assert_eq!(registry.files(), 1);
    domain.cancel_upload(admin, &repository, &id).await.unwrap();
    assert!(matches!(domain.cancel_upload(admin, &repository, &id).await, Err(Error::UploadUnknown)));
    assert_eq!(registry.files(), 0);
    for absent in [digest(b"other"), digest(b"promised"), digest(b"bytes")] {
        assert!(matches!(read(&registry, "a", &absent).await, Err(Error::BlobUnknown(_))));
    }
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    registry.blob("b", b"so that b is there").await;
    let id = domain.begin_upload(admin, &name("a"), Algorithm::Sha256).await.unwrap();
    for elsewhere in ["b", "nowhere"] {
        let refused = domain.append_to_upload(admin, &name(elsewhere), &id, None, &mut body(b"x")).await;
        assert!(refused.is_err(), "{elsewhere}");
    }
    assert_eq!(domain.upload_status(admin, &name("a"), &id).await.unwrap(), 0);
}

#[tokio::test]
async fn an_upload_lives_as_long_as_somebody_adds_to_it() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let used = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    let idle = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    registry.clock.advance(Duration::from_mins(50));
    domain.append_to_upload(admin, &repository, &used, None, &mut body(b"x")).await.unwrap();
    registry.clock.advance(Duration::from_mins(20));
    assert_eq!(domain.expire_uploads().await.unwrap(), 1);
    assert!(matches!(domain.upload_status(admin, &repository, &idle).await, Err(Error::UploadUnknown)));
    assert_eq!(domain.upload_status(admin, &repository, &used).await.unwrap(), 1);
    registry.clock.advance(Duration::from_mins(61));
    assert_eq!(domain.expire_uploads().await.unwrap(), 1);
    assert_eq!(registry.files(), 0);
}

#[tokio::test]
async fn a_mount_needs_a_source_that_links_the_blob() {
    let registry = TestRegistry::with(|settings| settings.anonymous_pull = vec!["open/*".to_owned()]).await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let blob = registry.blob("from", b"shared").await;
    registry.blob("other", b"something else").await;
    let mount = async |to: &str, from: Option<&str>| {
        let from = from.map(name);
        domain.mount_blob(admin, &name(to), &blob, from.as_ref()).await.unwrap()
    };
    assert_eq!(mount("to", Some("other")).await, Mount::NotFound);
    assert_eq!(mount("to", Some("nowhere")).await, Mount::NotFound);
    assert!(matches!(read(&registry, "to", &blob).await, Err(Error::BlobUnknown(_) | Error::RepositoryUnknown(_))));
    assert_eq!(mount("to", Some("from")).await, Mount::Mounted);
    assert_eq!(mount("any", None).await, Mount::Mounted);
    assert_eq!(read(&registry, "to", &blob).await.unwrap(), b"shared");
    assert_eq!(registry.files(), 2, "a mount copies nothing");
    domain.delete_blob(admin, &name("from"), &blob).await.unwrap();
    assert_eq!(read(&registry, "any", &blob).await.unwrap(), b"shared");
    assert!(matches!(read(&registry, "from", &blob).await, Err(Error::BlobUnknown(_))));
}

#[tokio::test]
async fn limits_hold() {
    let registry = TestRegistry::with(|settings| {
        settings.layer_bytes = 10;
        settings.repository_bytes = 25;
        settings.account_bytes = 40;
        settings.open_uploads = 2;
    })
    .await;
    assert!(matches!(registry.try_blob("a", b"eleven byte").await, Err(Error::LayerTooLarge { limit: 10 })));
    registry.blob("a", b"0123456789").await;
    registry.blob("a", b"9876543210").await;
    assert!(matches!(registry.try_blob("a", b"6 more").await, Err(Error::QuotaExceeded { limit: 25, .. })));
    registry.blob("a", b"5more").await;
    // Linked once more it counts for the repository, and for the account as it is linked.
    registry.blob("b", b"abcdefghij").await;
    assert!(matches!(registry.try_blob("c", b"6 more").await, Err(Error::QuotaExceeded { limit: 40, .. })));
    let (domain, admin) = (&registry.domain, &registry.admin);
    for _ in 0..2 {
        domain.begin_upload(admin, &name("a"), Algorithm::Sha256).await.unwrap();
    }
    let refused = domain.begin_upload(admin, &name("a"), Algorithm::Sha256).await;
    assert!(matches!(refused, Err(Error::TooManyUploads { limit: 2 })), "{refused:?}");
}

#[tokio::test]
async fn a_closed_registry_takes_nothing_and_gives_everything() {
    let registry = TestRegistry::new().await;
    let blob = registry.blob("a", b"there").await;
    let registry = registry.restarted(|settings| settings.read_only = true).await;
    assert!(matches!(registry.try_blob("a", b"new").await, Err(Error::ReadOnly)));
    assert!(matches!(registry.domain.delete_blob(&registry.admin, &name("a"), &blob).await, Err(Error::ReadOnly)));
    assert_eq!(read(&registry, "a", &blob).await.unwrap(), b"there");
    let registry = registry
        .restarted(|settings| {
            settings.read_only = false;
            settings.free_space_minimum = u64::MAX;
        })
        .await;
    assert!(matches!(registry.try_blob("a", b"new").await, Err(Error::OutOfSpace)));
    registry.domain.delete_blob(&registry.admin, &name("a"), &blob).await.unwrap();
}

#[tokio::test]
async fn repositories_come_into_being_only_where_that_is_allowed() {
    let registry =
        TestRegistry::with(|settings| settings.create_on_push = berth_domain::settings::CreateOnPush::Never).await;
    assert!(matches!(registry.try_blob("a", b"x").await, Err(Error::RepositoryUnknown(_))));
    assert_eq!(registry.files(), 0);
}

/// A blob that lies in the database leaves nothing in the blob store, however it came; a larger one lies there.
#[tokio::test]
async fn small_blobs_lie_in_the_database() {
    let registry = TestRegistry::with(|settings| settings.inline_blob_bytes = 16).await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    for bytes in [&b""[..], b"one", b"exactly sixteen!"] {
        assert_eq!(read(&registry, "a", &registry.blob("a", bytes).await).await.unwrap(), bytes);
        assert_eq!(registry.files(), 0, "{bytes:?}");
    }
    for (parts, files) in [(&[&b"in "[..], b"parts"][..], 0), (&[b"in parts ", b"that are many"], 1)] {
        let id = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
        for part in parts {
            domain.append_to_upload(admin, &repository, &id, None, &mut body(part)).await.unwrap();
        }
        assert_eq!(registry.files(), 1, "what was answered lies at the key");
        let whole = parts.concat();
        domain.finish_upload(admin, &repository, &id, None, &mut body(b""), &digest(&whole)).await.unwrap();
        assert_eq!(read(&registry, "a", &digest(&whole)).await.unwrap(), whole);
        assert_eq!(registry.files(), files);
    }
}

#[tokio::test]
async fn a_small_upload_survives_a_restart_and_is_checked() {
    let registry = TestRegistry::with(|settings| settings.inline_blob_bytes = 16).await;
    let repository = name("a");
    let begun = registry.domain.begin_upload(&registry.admin, &repository, Algorithm::Sha256).await.unwrap();
    let fed = registry.domain.begin_upload(&registry.admin, &repository, Algorithm::Sha512).await.unwrap();
    registry.domain.append_to_upload(&registry.admin, &repository, &fed, None, &mut body(b"before ")).await.unwrap();
    let registry = registry.restarted(|_| {}).await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    assert_eq!(domain.upload_status(admin, &repository, &begun).await.unwrap(), 0);
    assert_eq!(domain.upload_status(admin, &repository, &fed).await.unwrap(), 7);
    let wrong = digest(b"something else");
    let refused = domain.finish_upload(admin, &repository, &begun, None, &mut body(b"whatever"), &wrong).await;
    assert!(matches!(refused, Err(Error::DigestMismatch { .. })), "{refused:?}");
    let whole = Digest::of(Algorithm::Sha512, b"before and after");
    domain.finish_upload(admin, &repository, &fed, Some(7), &mut body(b"and after"), &whole).await.unwrap();
    assert_eq!(read(&registry, "a", &whole).await.unwrap(), b"before and after");
    assert!(matches!(domain.upload_status(admin, &repository, &begun).await, Err(Error::UploadUnknown)));
}

/// What is kept in memory is given to nobody who may not have it, and to nobody once it is deleted.
#[tokio::test]
async fn content_in_memory_is_asked_for_like_any_other() {
    for inline_blob_bytes in [0, 1024] {
        let registry = TestRegistry::with(|settings| settings.inline_blob_bytes = inline_blob_bytes).await;
        let blob = registry.blob("a", b"content").await;
        registry.blob("b", b"another").await;
        assert_eq!(read(&registry, "a", &blob).await.unwrap(), b"content");
        assert!(matches!(read(&registry, "b", &blob).await, Err(Error::BlobUnknown(_))));
        assert!(matches!(read(&registry, "none", &blob).await, Err(Error::RepositoryUnknown(_))));
        registry.domain.delete_blob(&registry.admin, &name("a"), &blob).await.unwrap();
        assert!(matches!(read(&registry, "a", &blob).await, Err(Error::BlobUnknown(_))));
    }
}
