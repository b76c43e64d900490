//! Uploads by the API of ECR, in parts.

use std::time::Duration;

use berth_domain::uploads::parts::MIN_PART;
use berth_domain::{EcrError, Error};
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::UploadId;
use bytes::Bytes;

use crate::registry::{TestRegistry, body, digest, name};

fn ecr<T: std::fmt::Debug>(answer: Result<T, Error>) -> EcrError {
    match answer {
        Err(Error::Ecr(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn begun(registry: &TestRegistry) -> UploadId {
    if registry.domain.repository_count().await.unwrap() == 0 {
        registry.blob("a", b"makes the repository").await;
    }
    registry.domain.begin_layer_upload(&registry.admin, &name("a")).await.unwrap()
}

async fn part(registry: &TestRegistry, id: &UploadId, first: u64, bytes: &[u8]) -> Result<u64, Error> {
    let last = first + bytes.len() as u64 - 1;
    let bytes = Bytes::copy_from_slice(bytes);
    registry.domain.upload_layer_part(&registry.admin, &name("a"), id, first, last, bytes).await
}

async fn complete(registry: &TestRegistry, id: &UploadId, digests: &[Digest]) -> Result<Digest, Error> {
    registry.domain.complete_layer_upload(&registry.admin, &name("a"), id, digests).await
}

async fn offset(registry: &TestRegistry, id: &UploadId) -> Result<u64, Error> {
    registry.domain.upload_status(&registry.admin, &name("a"), id).await
}

fn megabytes(count: usize) -> Vec<u8> {
    (0..count * 1024 * 1024).map(|nth| u8::try_from(nth % 251).unwrap()).collect()
}

#[tokio::test]
async fn a_layer_comes_in_parts() {
    let registry = TestRegistry::new().await;
    let nowhere = registry.domain.begin_layer_upload(&registry.admin, &name("a")).await;
    assert!(matches!(nowhere, Err(Error::RepositoryUnknown(_))), "{nowhere:?}");
    let (id, layer) = (begun(&registry).await, megabytes(11));
    let (middle, end) = (5 * 1024 * 1024, 11 * 1024 * 1024);
    assert_eq!(part(&registry, &id, 0, &layer[..middle]).await.unwrap(), MIN_PART - 1);
    assert_eq!(part(&registry, &id, MIN_PART, &layer[middle..]).await.unwrap(), end - 1);
    assert_eq!(complete(&registry, &id, &[digest(&layer)]).await.unwrap(), digest(&layer));
    registry.domain.check_blob(&registry.admin, &name("a"), &digest(&layer)).await.unwrap();
    assert!(matches!(offset(&registry, &id).await, Err(Error::UploadUnknown)));
}

#[tokio::test]
async fn an_upload_goes_on_at_the_other_door_and_at_another_process() {
    let registry = TestRegistry::new().await;
    let (id, repository) = (begun(&registry).await, name("a"));
    part(&registry, &id, 0, b"one ").await.unwrap();
    let registry = registry.restarted(|_| {}).await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    domain.append_to_upload(admin, &repository, &id, Some(4), &mut body(b"two")).await.unwrap();
    let whole = digest(b"one two");
    // The part that was too short to be followed is known here too; but OCI knows no such rule.
    assert_eq!(
        ecr(complete(&registry, &id, std::slice::from_ref(&whole)).await),
        EcrError::LayerPartTooSmall { end: 4, minimum: MIN_PART }
    );
    domain.finish_upload(admin, &repository, &id, None, &mut body(b""), &whole).await.unwrap();
    let id = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    domain.append_to_upload(admin, &repository, &id, None, &mut body(b"begun by OCI, ")).await.unwrap();
    part(&registry, &id, 14, b"ended by ECR").await.unwrap();
    complete(&registry, &id, &[digest(b"begun by OCI, ended by ECR")]).await.unwrap();
}

#[tokio::test]
async fn a_part_that_does_not_continue_the_upload_is_refused() {
    let registry = TestRegistry::new().await;
    let (id, admin) = (begun(&registry).await, &registry.admin);
    let refused = async |first: u64, last: u64, bytes: &'static [u8]| {
        let bytes = Bytes::from_static(bytes);
        match ecr(registry.domain.upload_layer_part(admin, &name("a"), &id, first, last, bytes).await) {
            EcrError::InvalidLayerPart { last_valid, .. } => last_valid,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(1, 3, b"abc").await, -1);
    part(&registry, &id, 0, b"abc").await.unwrap();
    for (first, last, bytes) in [
        (0, 2, b"abc".as_slice()),
        (4, 6, b"abc"),
        (3, 6, b"abc"),
        (3, 4, b"abc"),
        (3, 2, b"abc"),
        (3, 2, b""),
        (3, 3, b""),
        (3, u64::MAX, b"abc"),
        (u64::MAX, 0, b"abc"),
    ] {
        assert_eq!(refused(first, last, bytes).await, 2, "{first} {last}");
    }
    assert_eq!(offset(&registry, &id).await.unwrap(), 3);
    assert_eq!(part(&registry, &id, 3, b"def").await.unwrap(), 5);
}

#[tokio::test]
async fn only_the_last_part_may_be_short() {
    let registry = TestRegistry::new().await;
    let (id, layer, least) = (begun(&registry).await, megabytes(6), usize::try_from(MIN_PART).unwrap());
    part(&registry, &id, 0, &layer[..least]).await.unwrap();
    part(&registry, &id, MIN_PART, &layer[least..]).await.unwrap();
    complete(&registry, &id, &[digest(&layer)]).await.unwrap();
    let id = begun(&registry).await;
    part(&registry, &id, 0, &layer[..least - 1]).await.unwrap();
    part(&registry, &id, MIN_PART - 1, b"x").await.unwrap();
    part(&registry, &id, MIN_PART, b"y").await.unwrap();
    let refused = ecr(complete(&registry, &id, &[digest(b"any")]).await);
    assert_eq!(refused, EcrError::LayerPartTooSmall { end: MIN_PART - 1, minimum: MIN_PART });
}

#[tokio::test]
async fn an_upload_takes_so_many_parts_and_no_more() {
    let registry = TestRegistry::with(|settings| settings.upload_parts = 3).await;
    let id = begun(&registry).await;
    for first in 0..3 {
        part(&registry, &id, first, b"x").await.unwrap();
    }
    let registry = registry.restarted(|_| {}).await;
    let refused = ecr(part(&registry, &id, 3, b"x").await);
    assert!(matches!(refused, EcrError::LimitExceeded { limit: 3, setting: "upload_parts", .. }), "{refused:?}");
    assert_eq!(offset(&registry, &id).await.unwrap(), 3);
}

#[tokio::test]
async fn an_upload_without_bytes_is_not_completed() {
    let registry = TestRegistry::new().await;
    let id = begun(&registry).await;
    assert_eq!(ecr(complete(&registry, &id, &[digest(b"")]).await), EcrError::EmptyUpload);
    part(&registry, &id, 0, b"abc").await.unwrap();
    let refused = ecr(complete(&registry, &id, &[]).await);
    assert!(matches!(refused, EcrError::InvalidParameter(_)), "{refused:?}");
    complete(&registry, &id, &[digest(b"abc")]).await.unwrap();
}

#[tokio::test]
async fn every_digest_that_is_given_must_be_that_of_the_bytes() {
    let registry = TestRegistry::new().await;
    let (right, wrong) = (digest(b"abc"), digest(b"other"));
    for (digests, told) in [
        (vec![wrong.clone()], &wrong),
        (vec![wrong.clone(), right.clone()], &wrong),
        (vec![right.clone(), wrong.clone()], &wrong),
        (vec![right.clone(), right.clone(), wrong.clone()], &wrong),
    ] {
        let (id, files) = (begun(&registry).await, registry.files());
        part(&registry, &id, 0, b"abc").await.unwrap();
        let refused = ecr(complete(&registry, &id, &digests).await);
        assert_eq!(refused, EcrError::InvalidLayer { expected: told.to_string(), actual: right.clone() });
        assert!(matches!(offset(&registry, &id).await, Err(Error::UploadUnknown)), "it ended");
        assert_eq!(registry.files(), files, "and its bytes went");
        let found = registry.domain.check_blob(&registry.admin, &name("a"), &right).await;
        assert!(matches!(found, Err(Error::BlobUnknown(_))), "{found:?}");
    }
    let id = begun(&registry).await;
    part(&registry, &id, 0, b"abc").await.unwrap();
    assert_eq!(complete(&registry, &id, &[right.clone(), right.clone()]).await.unwrap(), right);
}

#[tokio::test]
async fn a_layer_that_is_there_is_kept_and_the_upload_given_up() {
    let registry = TestRegistry::new().await;
    let known = registry.blob("a", b"abc").await;
    registry.clock.advance(Duration::from_hours(23));
    let (id, files) = (begun(&registry).await, registry.files());
    part(&registry, &id, 0, b"abc").await.unwrap();
    assert_eq!(ecr(complete(&registry, &id, std::slice::from_ref(&known)).await), EcrError::LayerExists(known.clone()));
    assert!(matches!(offset(&registry, &id).await, Err(Error::UploadUnknown)));
    assert_eq!(registry.files(), files);
    registry.clock.advance(Duration::from_hours(2));
    registry.domain.collect_garbage(false, &mut crate::garbage::Heard::default()).await.unwrap();
    registry.domain.check_blob(&registry.admin, &name("a"), &known).await.unwrap();
}
