//! Limits of images and tags, which only what is new counts for.

use berth_domain::{EcrError, Error};

use crate::registry::{TestRegistry, digest, image, name, with_digest};

fn limit(answer: Result<berth_domain::images::Pushed, Error>) -> (u64, &'static str) {
    match answer {
        Err(Error::Ecr(EcrError::LimitExceeded { limit, setting, .. })) => (limit, setting),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_repository_holds_so_many_images_and_no_more() {
    let registry = TestRegistry::with(|settings| settings.images_per_repository = 40).await;
    let mut manifests = Vec::new();
    for number in 0..40_u8 {
        manifests.push(registry.image("a", &format!("t{number}"), &[number], &[]).await);
    }
    registry.blob("a", b"one more").await;
    let more = image(b"one more", &[]);
    let full = (40, "images_per_repository");
    assert_eq!(limit(registry.push("a", "more", &more, &[]).await), full);
    assert_eq!(limit(registry.put("a", &more, None).await), full);
    // What is there already is none more, and another repository has room of its own.
    registry.push("a", "again", &manifests[7], &[]).await.unwrap();
    registry.image("b", "one", b"1", &[]).await;
    let gone = registry.domain.delete_images(&registry.admin, &name("a"), &[with_digest(&manifests[0])]).await.unwrap();
    assert!(gone[0].is_ok());
    registry.put("a", &more, None).await.unwrap();
    registry.blob("a", b"still more").await;
    assert_eq!(limit(registry.push("a", "x", &image(b"still more", &[]), &[]).await), full);
}

#[tokio::test]
async fn many_nodes_do_not_go_over_the_limit_together() {
    let registry = TestRegistry::with(|settings| settings.images_per_repository = 100).await;
    registry.image("a", "t", b"first", &[]).await;
    let other = registry.second_node().await;
    let mut taken = 1;
    for number in 0..120_u8 {
        let config = [b'n', number];
        registry.blob("a", &config).await;
        let manifest = image(&config, &[]);
        let domain = if number % 2 == 0 { &registry.domain } else { &other };
        let push = berth_domain::images::Push {
            reference: crate::registry::reference(&digest(&manifest).to_string()),
            tags: Vec::new(),
            content_type: None,
            bytes: manifest.into(),
        };
        match domain.push_manifest(&registry.admin, &name("a"), push).await {
            Ok(_) => taken += 1,
            refused => assert_eq!(limit(refused), (100, "images_per_repository")),
        }
    }
    assert_eq!(taken, 100);
}

#[tokio::test]
async fn an_image_has_so_many_tags_and_no_more() {
    let registry = TestRegistry::with(|settings| settings.tags_per_image = 3).await;
    let manifest = registry.image("a", "one", b"1", &[]).await;
    let at = digest(&manifest).to_string();
    let full = (3, "tags_per_image");
    assert_eq!(limit(registry.push("a", &at, &manifest, &["two", "three", "four"]).await), full);
    assert_eq!(registry.tags("a").await, ["one"], "all or nothing");
    registry.push("a", &at, &manifest, &["two", "three"]).await.unwrap();
    assert_eq!(limit(registry.put("a", &manifest, Some("four")).await), full);
    registry.push("a", "two", &manifest, &["one"]).await.unwrap();
    registry.blob("a", b"2").await;
    assert_eq!(limit(registry.push("a", "a", &image(b"2", &[]), &["b", "c", "d"]).await), full);
    let registry = registry.restarted(|settings| settings.tags_per_image = 0).await;
    registry.put("a", &manifest, Some("four")).await.unwrap();
}
