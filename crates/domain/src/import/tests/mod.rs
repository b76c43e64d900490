//! Imports from folders into a registry on a temporary folder.

mod counting;
mod fixture;

use std::os::unix::fs::symlink;

use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_testkit::{Image, Manifest, index, media, referrer, sha256};
use berth_transfer::folder::{DistributionSource, LayoutSource};
use serde_json::json;

use super::{ImportError, Options};
use crate::caller::Caller;
use crate::error::Error;
use counting::Counting;
use fixture::{Distribution, Layout, Registry};

fn name(text: &str) -> RepositoryName {
    RepositoryName::parse(text).unwrap()
}

fn matching(pattern: &str) -> Options {
    Options { repository: Some(pattern.to_owned()), ..Options::default() }
}

/// An image, an index over two others with a signature of one, and an image with a foreign layer.
fn varied_layout() -> (Layout, Vec<Manifest>) {
    let layout = Layout::new();
    let (first, second, third) = (Image::small("first"), Image::small("second"), Image::small("third"));
    let index = index(&[second.manifest.descriptor(), third.manifest.descriptor()]);
    let signature = referrer(&second.manifest.descriptor(), "test/signature", &json!({"by": "me"}));
    let mut foreign = first.manifest.document();
    let layer = json!({"mediaType": media::FOREIGN_LAYER, "digest": sha256(b"elsewhere"), "size": 9});
    foreign["layers"].as_array_mut().unwrap().push(layer);
    let foreign = Manifest::of(media::MANIFEST, &foreign);
    for image in [&first, &second, &third] {
        layout.add_image(image);
    }
    for manifest in [&index, &signature, &foreign] {
        layout.add_manifest(manifest);
    }
    layout.list(&[
        (&first.manifest, Some("1")),
        (&index, Some("all")),
        (&foreign, Some("foreign")),
        (&signature, None),
    ]);
    (layout, vec![first.manifest, second.manifest, third.manifest, index, signature, foreign])
}

#[tokio::test]
async fn a_layout_comes_with_all_that_hangs_on_it() {
    let (layout, manifests) = varied_layout();
    let registry = Registry::new().await;
    let source = LayoutSource::open(layout.path(), name("team/app")).unwrap();
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.tags, imported.left_out.len()), (6, 3, 0), "{imported:?}");
    assert_eq!((imported.blobs, imported.blobs_there), (6, 2), "{imported:?}");
    for manifest in &manifests {
        assert_eq!(registry.manifest("team/app", &manifest.digest).await.unwrap(), manifest.bytes);
    }
    assert_eq!(registry.digest_of("team/app", "all").await, Some(manifests[3].digest.clone()));
    let blob = sha256(b"layer of second");
    assert_eq!(registry.blob("team/app", &blob).await.unwrap(), b"layer of second");
    assert_eq!(registry.referrers("team/app", &manifests[1].digest).await, [manifests[4].digest.clone()]);
    assert_eq!(registry.findings().await, 0);
}

#[tokio::test]
async fn what_came_is_remembered_as_pushed_by_the_administrator() {
    let (layout, _) = varied_layout();
    let registry = Registry::new().await;
    let source = LayoutSource::open(layout.path(), name("team/app")).unwrap();
    registry.import(&source, &Options::default()).await;
    let (domain, caller) = (&registry.domain, registry.domain.administrator());
    let moves = domain.tag_history(&caller, &name("team/app"), &Tag::parse("1").unwrap(), 10).await.unwrap();
    assert_eq!(moves.len(), 1);
    assert_eq!(moves[0].by, caller.principal());
}

#[tokio::test]
async fn a_second_run_reads_nothing_twice() {
    let (layout, _) = varied_layout();
    let registry = Registry::new().await;
    let source = Counting::new(LayoutSource::open(layout.path(), name("team/app")).unwrap());
    let first = registry.import(&source, &Options::default()).await;
    assert_eq!(source.take_counts(), (6, first.blobs));
    let second = registry.import(&source, &Options::default()).await;
    assert_eq!(source.take_counts(), (0, 0));
    assert_eq!((second.images, second.tags, second.blobs, second.bytes), (0, 0, 0, 0), "{second:?}");
    assert_eq!(second.images_there, 6);
}

#[tokio::test]
async fn an_image_without_a_layer_is_left_out_and_comes_when_it_is_whole() {
    let (whole, broken) = (Image::small("whole"), Image::of(vec![b"one".to_vec(), b"two".to_vec()]));
    let both = index(&[whole.manifest.descriptor(), broken.manifest.descriptor()]);
    let layout = Layout::new();
    layout.add_image(&whole);
    layout.add_image(&broken);
    layout.add_manifest(&both);
    layout.remove_blob(&sha256(b"two"));
    layout.list(&[(&both, Some("both")), (&whole.manifest, Some("whole"))]);
    let registry = Registry::new().await;
    let source = Counting::new(LayoutSource::open(layout.path(), name("app")).unwrap());

    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.tags, imported.left_out_total), (1, 1, 2), "{imported:?}");
    let told: Vec<(String, &str)> = imported
        .left_out
        .iter()
        .map(|left| (left.digest.as_ref().unwrap().to_string(), left.reason.as_str()))
        .collect();
    assert_eq!(told[0].0, broken.manifest.digest);
    assert!(told[0].1.contains(&sha256(b"two")) && told[0].1.contains("not in the source"), "{told:?}");
    assert_eq!(told[1].0, both.digest);
    assert!(told[1].1.contains(&broken.manifest.digest), "{told:?}");
    assert_eq!(registry.manifest("app", &broken.manifest.digest).await, None);
    assert_eq!(registry.digest_of("app", "both").await, None);
    assert_eq!(registry.open_uploads().await, 0, "a blob that did not come leaves no upload");

    layout.add_blob(b"two");
    source.take_counts();
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.tags, imported.left_out_total), (2, 1, 0), "{imported:?}");
    assert!(source.blobs_read().contains(&sha256(b"two")));
    assert!(!source.blobs_read().contains(&sha256(b"layer of whole")));
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_is_left_out() {
    let images: Vec<Image> = ["wrong", "short", "long", "manifest", "good"].map(Image::small).into();
    let layout = Layout::new();
    for image in &images {
        layout.add_image(image);
    }
    layout.overwrite(&sha256(b"layer of wrong"), b"Layer of wrong");
    layout.overwrite(&sha256(b"layer of short"), b"layer of");
    layout.overwrite(&sha256(b"layer of long"), b"layer of long and more");
    layout.overwrite(&images[3].manifest.digest, b"{}");
    let listed: Vec<(&Manifest, Option<&str>)> = images.iter().map(|image| (&image.manifest, None)).collect();
    layout.list(&listed);
    let registry = Registry::new().await;
    let source = LayoutSource::open(layout.path(), name("app")).unwrap();
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.left_out_total), (1, 4), "{imported:?}");
    let reasons: Vec<&str> = imported.left_out.iter().map(|left| left.reason.as_str()).collect();
    for (reason, part) in reasons.iter().zip(["has digest", "has 8 bytes", "has 22 bytes", "has digest"]) {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(registry.findings().await, 0);
    assert_eq!(registry.open_uploads().await, 0);
}

#[tokio::test]
async fn no_link_is_followed() {
    let outside = tempfile::tempdir().unwrap();
    let image = Image::small("secret");
    let layer = sha256(b"layer of secret");
    std::fs::write(outside.path().join("file"), b"layer of secret").unwrap();
    let layout = Layout::new();
    layout.add_image(&image);
    layout.remove_blob(&layer);
    symlink(outside.path().join("file"), layout.blob_path(&layer)).unwrap();
    layout.list(&[(&image.manifest, Some("1"))]);
    let registry = Registry::new().await;
    let source = LayoutSource::open(layout.path(), name("app")).unwrap();
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.left_out_total), (0, 1));
    assert!(imported.left_out[0].reason.contains("symbolic link"), "{imported:?}");
}

#[tokio::test]
async fn a_pipe_in_place_of_a_blob_makes_nobody_wait() {
    let image = Image::small("pipe");
    let layout = Layout::new();
    layout.add_image(&image);
    layout.remove_blob(&sha256(b"layer of pipe"));
    let path = layout.blob_path(&sha256(b"layer of pipe"));
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    layout.list(&[(&image.manifest, Some("1"))]);
    let registry = Registry::new().await;
    let source = LayoutSource::open(layout.path(), name("app")).unwrap();
    let imported = registry.import(&source, &Options::default()).await;
    assert!(imported.left_out[0].reason.contains("no regular file"), "{imported:?}");
}

#[tokio::test]
async fn a_storage_folder_comes_by_either_of_its_roots() {
    let storage = Distribution::new();
    let (app, nested, untagged) = (Image::small("app"), Image::small("nested"), Image::small("untagged"));
    storage.add_image("app", &app, &["1", "latest"]);
    storage.add_image("app", &untagged, &[]);
    storage.add_image("app/deeper/still", &nested, &["2"]);
    storage.delete_revision("app", &storage.add_manifest("app", &index(&[])));
    std::fs::write(storage.inner().join("repositories/stray"), b"").unwrap();
    for root in [storage.path().to_owned(), storage.inner()] {
        let registry = Registry::new().await;
        let source = DistributionSource::open(&root).unwrap();
        let imported = registry.import(&source, &Options::default()).await;
        assert_eq!((imported.repositories, imported.images, imported.tags), (2, 3, 3), "{imported:?}");
        assert_eq!(imported.left_out_total, 0, "{imported:?}");
        assert_eq!(registry.digest_of("app", "latest").await, Some(app.manifest.digest.clone()));
        assert_eq!(registry.manifest("app", &untagged.manifest.digest).await.unwrap(), untagged.manifest.bytes);
        assert_eq!(registry.digest_of("app/deeper/still", "2").await, Some(nested.manifest.digest.clone()));
        assert_eq!(registry.findings().await, 0);
    }
}

#[tokio::test]
async fn names_are_chosen_by_a_pattern_and_put_below_a_prefix() {
    let storage = Distribution::new();
    for repository in ["team/a", "team/b/c", "other"] {
        storage.add_image(repository, &Image::small(repository), &["1"]);
    }
    let registry = Registry::new().await;
    let source = DistributionSource::open(storage.path()).unwrap();
    let options = Options { into: Some(name("old/registry")), ..matching("team/*") };
    let imported = registry.import(&source, &options).await;
    assert_eq!((imported.repositories, imported.images), (2, 2));
    assert!(registry.digest_of("old/registry/team/b/c", "1").await.is_some());
    let (_, outcome) = registry.try_import(&source, &matching("nobody/*")).await;
    assert!(matches!(outcome, Err(ImportError::NothingMatches(_))), "{outcome:?}");
}

#[tokio::test]
async fn what_a_storage_folder_does_not_hold_together_is_told() {
    let storage = Distribution::new();
    let (good, unlinked, swapped) = (Image::small("good"), Image::small("unlinked"), Image::small("swapped"));
    storage.add_image("app", &good, &["good"]);
    storage.add_image("app", &unlinked, &["unlinked"]);
    storage.add_image("app", &swapped, &["swapped"]);
    storage.unlink_layer("app", &sha256(b"layer of unlinked"));
    storage.link_revision("app", &swapped.manifest.digest, &good.manifest.digest);
    storage.write_tag("app", "broken", b"../../../../etc/passwd");
    storage.write_tag("app", "-no-tag", good.manifest.digest.as_bytes());
    let registry = Registry::new().await;
    let source = DistributionSource::open(storage.path()).unwrap();
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.tags), (1, 1), "{imported:?}");
    let left_out = |tag: &str| imported.left_out.iter().find(|left| left.tag.as_deref() == Some(tag)).unwrap();
    assert!(left_out("broken").reason.contains("no digest"));
    assert!(left_out("-no-tag").reason.contains("the tag"));
    let text = format!("{:?}", imported.left_out);
    assert!(text.contains("leads to") && text.contains("_layers"), "{text}");
}

#[tokio::test]
async fn a_linked_repository_is_told_and_not_entered() {
    let storage = Distribution::new();
    storage.add_image("app", &Image::small("app"), &["1"]);
    let elsewhere = Distribution::new();
    elsewhere.add_image("secret", &Image::small("secret"), &["1"]);
    symlink(elsewhere.inner().join("repositories/secret"), storage.inner().join("repositories/linked")).unwrap();
    let registry = Registry::new().await;
    let source = DistributionSource::open(storage.path()).unwrap();
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.left_out_total), (1, 1), "{imported:?}");
    assert_eq!(imported.left_out[0].repository, "linked");
    assert!(imported.left_out[0].reason.contains("symbolic link"), "{imported:?}");
}

#[tokio::test]
async fn manifests_of_schema_1_are_left_out() {
    let storage = Distribution::new();
    let old = json!({"schemaVersion": 1, "name": "app", "tag": "old", "fsLayers": [], "history": []});
    let old = Manifest::of("application/vnd.docker.distribution.manifest.v1+json", &old);
    storage.add_manifest("app", &old);
    storage.write_tag("app", "old", old.digest.as_bytes());
    storage.add_image("app", &Image::small("new"), &["new"]);
    let registry = Registry::new().await;
    let source = DistributionSource::open(storage.path()).unwrap();
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.tags, imported.left_out_total), (1, 1, 1), "{imported:?}");
    assert!(imported.left_out[0].reason.contains("schema 1"), "{imported:?}");
}

#[tokio::test]
async fn other_folders_are_no_sources() {
    let empty = tempfile::tempdir().unwrap();
    let missing = empty.path().join("missing");
    for path in [empty.path(), missing.as_path()] {
        let layout = LayoutSource::open(path, name("app")).err().unwrap().to_string();
        assert!(layout.contains("no OCI image layout"), "{layout}");
        assert!(DistributionSource::open(path).is_err());
    }
    std::fs::write(empty.path().join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    let unknown = LayoutSource::open(empty.path(), name("app")).err().unwrap().to_string();
    assert!(unknown.contains("version 2.0.0"), "{unknown}");
}

#[tokio::test]
async fn the_limits_of_a_push_hold() {
    let layout = Layout::new();
    let (small, large) = (Image::small("small"), Image::of(vec![vec![7; 5000]]));
    layout.add_image(&small);
    layout.add_image(&large);
    layout.list(&[(&large.manifest, Some("large")), (&small.manifest, Some("small"))]);
    let source = LayoutSource::open(layout.path(), name("app")).unwrap();

    let registry = Registry::with(|settings| settings.layer_bytes = 4000).await;
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.left_out_total), (1, 1));
    assert!(imported.left_out[0].reason.contains("limits.layer_bytes"), "{imported:?}");

    let registry = Registry::with(|settings| settings.read_only = true).await;
    let (_, outcome) = registry.try_import(&source, &Options::default()).await;
    assert!(matches!(outcome, Err(ImportError::Registry(Error::ReadOnly))), "{outcome:?}");

    let registry = Registry::with(|settings| settings.free_space_minimum = u64::MAX).await;
    let (_, outcome) = registry.try_import(&source, &Options::default()).await;
    assert!(matches!(outcome, Err(ImportError::Registry(Error::OutOfSpace))), "{outcome:?}");

    let registry = Registry::with(|settings| settings.create_on_push = crate::settings::CreateOnPush::Never).await;
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.left_out_total), (0, 2), "{imported:?}");

    let registry = Registry::with(|settings| settings.repository_bytes = 2000).await;
    let imported = registry.import(&source, &Options::default()).await;
    assert_eq!((imported.images, imported.left_out_total), (1, 1), "{imported:?}");
}

#[tokio::test]
async fn only_an_administrator_imports() {
    let (layout, _) = varied_layout();
    let registry = Registry::new().await;
    let source = LayoutSource::open(layout.path(), name("app")).unwrap();
    let powerless = registry.domain.operator_of(&berth_aws::AccountId::parse("999999999999").unwrap());
    for caller in [Caller::anonymous(), powerless] {
        let (imported, outcome) = registry.import_as(&caller, &source, &Options::default()).await;
        let refused = matches!(outcome, Err(ImportError::Registry(Error::Unauthenticated | Error::Denied { .. })));
        assert!(refused && imported.images == 0, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_stopped_import_goes_on_the_next_time() {
    let layout = Layout::new();
    let images: Vec<Image> = (0..5).map(|number| Image::small(&format!("image {number}"))).collect();
    for image in &images {
        layout.add_image(image);
    }
    let listed: Vec<(&Manifest, Option<&str>)> = images.iter().map(|image| (&image.manifest, None)).collect();
    layout.list(&listed);
    let registry = Registry::new().await;
    let source = Counting::new(LayoutSource::open(layout.path(), name("app")).unwrap());
    source.stop_at_blob(5, &registry.stop);
    let (imported, outcome) = registry.try_import(&source, &Options::default()).await;
    assert!(matches!(outcome, Err(ImportError::Stopped)), "{outcome:?}");
    assert_eq!(imported.images, 2);
    assert_eq!(registry.open_uploads().await, 0, "a stopped import cleans up behind itself");
    source.go_on();
    let rest = registry.import(&source, &Options::default()).await;
    assert_eq!((rest.images, rest.images_there, rest.left_out_total), (3, 2, 0), "{rest:?}");
}

#[tokio::test]
async fn four_blobs_are_read_at_a_time() {
    let layout = Layout::new();
    // With the configuration these are twelve blobs.
    let image = Image::of((0..11u8).map(|layer| vec![layer; 10]).collect());
    layout.add_image(&image);
    layout.list(&[(&image.manifest, Some("1"))]);
    let registry = Registry::new().await;
    let source = Counting::new(LayoutSource::open(layout.path(), name("app")).unwrap());
    source.wait_for_each_other(4);
    let options = Options::default();
    let import = registry.import(&source, &options);
    let imported = tokio::time::timeout(std::time::Duration::from_mins(1), import).await;
    assert_eq!(imported.expect("fewer than four are read at a time").blobs, 12);
    assert_eq!(source.most_at_once(), 4);
}

#[tokio::test]
async fn a_tag_that_moved_in_the_source_moves_here() {
    let (old, new) = (Image::small("old"), Image::small("new"));
    let layout = Layout::new();
    layout.add_image(&old);
    layout.add_image(&new);
    let registry = Registry::new().await;
    for image in [&old, &new] {
        layout.list(&[(&image.manifest, Some("latest"))]);
        let source = LayoutSource::open(layout.path(), name("app")).unwrap();
        assert_eq!(registry.import(&source, &Options::default()).await.tags, 1);
        assert_eq!(registry.digest_of("app", "latest").await, Some(image.manifest.digest.clone()));
    }
    let reference = Reference::parse(&old.manifest.digest).unwrap();
    assert!(registry.domain.resolve(&registry.domain.administrator(), &name("app"), &reference).await.is_ok());
}
