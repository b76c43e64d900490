//! Sizes: what `berth stats` tells is what a reckoning by hand tells.

use std::collections::{BTreeMap, BTreeSet};

use berth_store::stats::Sizes;
use proptest::prelude::*;

use crate::registry::{TestRegistry, digest, image, name};

/// Layers that images are made of; each has another size, so that no two sums are the same by chance.
fn layer(number: usize) -> Vec<u8> {
    vec![b'a' + u8::try_from(number).unwrap(); 1 << number]
}

/// One image: its repository, its config and the numbers of its layers.
type Made = (usize, usize, BTreeSet<usize>);

fn content((_, config, layers): &Made) -> BTreeMap<String, u64> {
    let mut content: BTreeMap<String, u64> =
        layers.iter().map(|number| (digest(&layer(*number)).to_string(), 1 << number)).collect();
    let config = layer(*config);
    content.insert(digest(&config).to_string(), config.len() as u64);
    content
}

fn bytes((_, config, layers): &Made) -> Vec<u8> {
    let layers: Vec<Vec<u8>> = layers.iter().map(|number| layer(*number)).collect();
    image(&layer(*config), &layers.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// The sizes of a set of content next to those sets that it may share with.
fn reckon(own: &BTreeMap<String, u64>, others: &[BTreeMap<String, u64>]) -> Sizes {
    let is_shared = |digest: &String| others.iter().any(|other| other.contains_key(digest));
    let total = own.values().sum();
    let shared = own.iter().filter(|(digest, _)| is_shared(digest)).map(|(_, size)| size).sum();
    Sizes { total, unique: total - shared, shared }
}

async fn check(images: &BTreeSet<Made>) {
    let registry = TestRegistry::new().await;
    let (mut of_image, mut of_repository) = (Vec::new(), BTreeMap::<String, BTreeMap<String, u64>>::new());
    for made in images {
        let repository = format!("r{}", made.0);
        let layers: Vec<Vec<u8>> = made.2.iter().map(|number| layer(*number)).collect();
        let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let manifest = bytes(made);
        let tag = &digest(&manifest).to_string()[7..20];
        registry.image(&repository, tag, &layer(made.1), &layers).await;
        let mut whole = content(made);
        whole.insert(digest(&manifest).to_string(), manifest.len() as u64);
        of_repository.entry(repository.clone()).or_default().extend(whole.clone());
        of_image.push((repository, digest(&manifest), whole));
    }
    for (repository, digest, own) in &of_image {
        let others: Vec<_> = of_image
            .iter()
            .filter(|(other, at, _)| (other, at) != (repository, digest))
            .map(|(_, _, content)| content.clone())
            .collect();
        let told = registry.domain.image_sizes(&registry.admin, &name(repository), 0, 1000).await.unwrap();
        let told = told.iter().find(|image| image.digest == *digest).unwrap();
        assert_eq!(told.sizes, reckon(own, &others), "{repository} {digest}");
        assert_eq!(told.tags.len(), 1);
    }
    let told = registry.domain.repository_sizes(&registry.admin, "", 1000).await.unwrap();
    assert_eq!(told.len(), of_repository.len());
    for row in told {
        let own = &of_repository[row.repository.as_str()];
        let others: Vec<_> = of_repository
            .iter()
            .filter(|(other, _)| other.as_str() != row.repository.as_str())
            .map(|(_, content)| content.clone())
            .collect();
        assert_eq!(row.sizes, reckon(own, &others), "{}", row.repository);
        assert_eq!(
            row.images,
            images.iter().filter(|made| format!("r{}", made.0) == row.repository.as_str()).count() as u64
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sizes_are_those_of_a_reckoning_by_hand(
        images in proptest::collection::btree_set(
            (0usize..3, 0usize..8, proptest::collection::btree_set(0usize..8, 0..5)), 1..9),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(check(&images));
    }
}

#[tokio::test]
async fn content_named_twice_counts_once() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"same", &[b"same", b"same"]).await;
    let told = registry.domain.image_sizes(&registry.admin, &name("a"), 0, 10).await.unwrap();
    assert_eq!(told[0].sizes.total, 4 + manifest.len() as u64);
}

#[tokio::test]
async fn sizes_come_in_pages() {
    let registry = TestRegistry::new().await;
    for number in 0..5 {
        registry.image(&format!("r{number}"), "one", b"{}", &[&layer(number)]).await;
    }
    let first = registry.domain.repository_sizes(&registry.admin, "", 3).await.unwrap();
    let rest = registry.domain.repository_sizes(&registry.admin, first[2].repository.as_str(), 3).await.unwrap();
    let names: Vec<&str> = first.iter().chain(&rest).map(|row| row.repository.as_str()).collect();
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4"]);
}
