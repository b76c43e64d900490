//! Tags: their order, their pages, and who moved them when.

use std::time::Duration;

use berth_domain::images::{ImageId, PutImage};
use berth_oci::tag::Tag;
use bytes::Bytes;

use crate::registry::{TestRegistry, digest, name, reference};

#[tokio::test]
async fn tags_are_listed_by_their_bytes_in_pages() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "m", b"{}", &[]).await;
    let at = digest(&manifest).to_string();
    registry.push("a", &at, &manifest, &["B", "a", "a.1", "a-1", "a_1", "a1", "Z9"]).await.unwrap();
    let mut sorted = ["B", "Z9", "a", "a-1", "a.1", "a1", "a_1", "m"].map(str::to_owned).to_vec();
    sorted.sort();
    assert_eq!(registry.tags("a").await, sorted);
    let (mut last, mut walked) = (String::new(), Vec::new());
    loop {
        let page = registry.domain.list_tags(&registry.admin, &name("a"), &last, 3).await.unwrap();
        walked.extend(page.items.iter().map(|tag| tag.as_str().to_owned()));
        if !page.more {
            break;
        }
        last.clone_from(walked.last().unwrap());
    }
    assert_eq!(walked, sorted);
    let none = registry.domain.list_tags(&registry.admin, &name("a"), "", 0).await.unwrap();
    assert!(none.items.is_empty());
}

#[tokio::test]
async fn the_history_of_a_tag_tells_who_moved_it_when_and_from_where() {
    let registry = TestRegistry::new().await;
    let first = registry.image("a", "latest", b"1", &[]).await;
    registry.clock.advance(Duration::from_secs(5));
    let second = registry.image("a", "latest", b"2", &[]).await;
    // Pointing it to where it points already is no move.
    registry.push("a", "latest", &second, &[]).await.unwrap();
    registry.clock.advance(Duration::from_secs(5));
    let repository = name("a");
    registry.domain.delete_manifest(&registry.admin, &repository, &reference("latest")).await.unwrap();
    let tag = Tag::parse("latest").unwrap();
    let history = registry.domain.tag_history(&registry.admin, &repository, &tag, 10).await.unwrap();
    let told: Vec<_> = history.iter().map(|moved| (moved.previous.clone(), moved.digest.clone())).collect();
    let (first, second) = (Some(digest(&first)), Some(digest(&second)));
    assert_eq!(told, [(None, first.clone()), (first, second.clone()), (second, None)]);
    let seconds: Vec<i64> = history.iter().map(|moved| moved.at.as_millis() - history[0].at.as_millis()).collect();
    assert_eq!(seconds, [0, 5_000, 10_000]);
    assert!(history.iter().all(|moved| moved.by == registry.admin.principal()));
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along_and_its_history_stays() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"1", &[]).await;
    let at = digest(&manifest).to_string();
    registry.push("a", &at, &manifest, &["two"]).await.unwrap();
    registry.domain.delete_manifest(&registry.admin, &name("a"), &reference(&at)).await.unwrap();
    assert!(registry.tags("a").await.is_empty());
    let two = Tag::parse("two").unwrap();
    let history = registry.domain.tag_history(&registry.admin, &name("a"), &two, 10).await.unwrap();
    assert_eq!(history.last().unwrap().digest, None);
}

/// Whatever the doors do to a tag at once, each change of it begins where the one before ended, and none is missing.
#[tokio::test]
async fn the_history_of_a_tag_is_linear_whatever_races_for_it() {
    const ROUNDS: usize = 300;
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let manifests =
        [registry.image("a", "even", b"0", &[b"layer"]).await, registry.image("a", "odd", b"1", &[b"layer"]).await];
    let tag = Tag::parse("race").unwrap();
    let push = async |manifest: &[u8], by_ecr: bool| {
        if by_ecr {
            let manifest = Bytes::copy_from_slice(manifest);
            let put = PutImage { manifest, media_type: None, digest: None, tag: Some(tag.clone()) };
            domain.put_image(admin, &repository, put).await.unwrap();
        } else {
            registry.push("a", "race", manifest, &[]).await.unwrap();
        }
    };
    let delete = async |by_ecr: bool| {
        if by_ecr {
            let ids = [ImageId { digest: None, tag: Some(tag.clone()) }];
            return domain.delete_images(admin, &repository, &ids).await.unwrap()[0].is_ok();
        }
        domain.delete_manifest(admin, &repository, &reference("race")).await.is_ok()
    };
    let mut deleted = 0;
    for round in 0..ROUNDS {
        let (manifest, pushes_by_ecr, deletes_by_ecr) = (&manifests[round % 2], round & 2 != 0, round & 4 != 0);
        // Each is asked first in turn.
        let was_deleted = if round & 8 == 0 {
            tokio::join!(push(manifest, pushes_by_ecr), delete(deletes_by_ecr)).1
        } else {
            tokio::join!(delete(deletes_by_ecr), push(manifest, pushes_by_ecr)).0
        };
        deleted += usize::from(was_deleted);
    }
    let history = domain.tag_history(admin, &repository, &tag, 10_000).await.unwrap();
    // Every push of a round moved the tag: in the round before it was another's, or nobody's.
    assert_eq!(history.len(), ROUNDS + deleted);
    assert!(deleted > 0 && deleted < ROUNDS, "{deleted} deletions: there was no race");
    assert_eq!(history[0].previous, None);
    for moved in history.windows(2) {
        assert_eq!(moved[1].previous, moved[0].digest);
    }
    let now = domain.resolve(admin, &repository, &reference("race")).await.ok();
    assert_eq!(now.map(|found| found.digest), history.last().unwrap().digest);
}
