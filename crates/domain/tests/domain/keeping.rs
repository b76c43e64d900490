//! What is stored is looked at again, and what is damaged is not served.

use std::time::Duration;

use async_trait::async_trait;
use berth_domain::images::ImageFailure;
use berth_domain::verify::{Finding, Pace};
use berth_domain::{EcrError, Error};

use crate::registry::{TestRegistry, digest, name};

/// Counts what was hashed.
#[derive(Default)]
pub struct Hashed(u64);

#[async_trait]
impl Pace for Hashed {
    async fn hashed(&mut self, bytes: u64) {
        self.0 += bytes;
    }
}

/// Turns a bit of the one file that has these bytes.
fn damage(registry: &TestRegistry, bytes: &[u8]) {
    let mut folders = vec![registry.blobs_folder()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).unwrap() == bytes {
                let mut changed = bytes.to_vec();
                changed[0] ^= 1;
                return std::fs::write(path, changed).unwrap();
            }
        }
    }
    panic!("no file with these bytes");
}

#[tokio::test]
async fn a_sound_registry_has_no_findings() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"{}", &[b"layer"]).await;
    let mut hashed = Hashed::default();
    let verified = registry.domain.verify(&mut hashed).await.unwrap();
    assert!(verified.findings.is_empty(), "{verified:?}");
    assert_eq!((verified.blobs, verified.unowned_keys), (3, 0));
    assert_eq!((verified.bytes, hashed.0), (7 + manifest.len() as u64, 7 + manifest.len() as u64));
}

#[tokio::test]
async fn damage_is_found_refused_and_repaired_by_a_push() {
    let registry = TestRegistry::new().await;
    let blob = registry.blob("a", b"good bytes").await;
    registry.blob("a", b"others").await;
    damage(&registry, b"good bytes");
    let verified = registry.domain.verify(&mut Hashed::default()).await.unwrap();
    assert_eq!(verified.findings, [Finding::DamagedBlob { digest: blob.clone() }]);
    let refused = registry.domain.get_blob(&registry.admin, &name("a"), &blob).await;
    assert!(matches!(refused, Err(Error::Damaged(_))));
    registry.blob("a", b"good bytes").await;
    registry.domain.get_blob(&registry.admin, &name("a"), &blob).await.unwrap();
    let verified = registry.domain.verify(&mut Hashed::default()).await.unwrap();
    assert!(verified.findings.is_empty(), "{verified:?}");
}

#[tokio::test]
async fn a_damaged_manifest_may_be_put_again() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"{}").await;
    let manifest = crate::registry::about(b"subject", "example/large", &"x".repeat(100_000));
    registry.put("a", &manifest, Some("one")).await.unwrap();
    let exists = registry.put("a", &manifest, Some("one")).await;
    assert!(matches!(exists, Err(Error::Ecr(EcrError::ImageExists { .. }))), "{exists:?}");
    damage(&registry, &manifest);
    let get = async || {
        let ids = [crate::registry::tagged("one")];
        registry.domain.get_images(&registry.admin, &name("a"), &ids, &[]).await.unwrap().remove(0)
    };
    assert_eq!(get().await.unwrap_err(), ImageFailure::Damaged);
    registry.put("a", &manifest, Some("one")).await.unwrap();
    assert_eq!(get().await.unwrap().bytes, manifest);
}

#[tokio::test]
async fn a_scrub_takes_the_blobs_in_turn() {
    let registry = TestRegistry::new().await;
    for bytes in [b"blob 1", b"blob 2", b"blob 3"] {
        registry.blob("a", bytes).await;
    }
    damage(&registry, b"blob 2");
    let (day, mut damaged, mut hashed) = (Duration::from_hours(24), 0, Vec::new());
    registry.clock.advance(day * 2);
    loop {
        let (count, wrong) = registry.domain.scrub(day, 2, &mut Hashed::default()).await.unwrap();
        hashed.push(count);
        damaged += wrong;
        if count == 0 {
            break;
        }
    }
    assert_eq!((hashed, damaged), (vec![2, 1, 0], 1));
    let refused = registry.domain.get_blob(&registry.admin, &name("a"), &digest(b"blob 2")).await;
    assert!(matches!(refused, Err(Error::Damaged(_))));
}
