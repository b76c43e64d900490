//! Images by the API of ECR: putting, describing, listing, getting and deleting them.

use berth_domain::images::{ImageFailure, ImageId, ImageKey, PutImage, TagStatus};
use berth_domain::{EcrError, Error};
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::tag::Tag;
use bytes::Bytes;

use crate::registry::{
    IMAGE, INDEX, TestRegistry, about, both, digest, image, index, name, reference, tagged, with_digest,
};

fn ecr<T: std::fmt::Debug>(answer: Result<T, Error>) -> EcrError {
    match answer {
        Err(Error::Ecr(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn listed(registry: &TestRegistry, status: TagStatus) -> Vec<(Digest, Option<String>)> {
    let page = registry.domain.list_images(&registry.admin, &name("a"), status, &ImageKey::default(), 100).await;
    let page = page.unwrap();
    assert!(!page.more);
    page.items.into_iter().map(|(digest, tag)| (digest, tag.map(|tag| tag.to_string()))).collect()
}

async fn deleted(registry: &TestRegistry, ids: &[ImageId]) -> Vec<Result<Vec<ImageId>, ImageFailure>> {
    registry.domain.delete_images(&registry.admin, &name("a"), ids).await.unwrap()
}

#[tokio::test]
async fn an_image_is_put_into_a_repository_that_there_is() {
    let registry = TestRegistry::new().await;
    let manifest = image(b"{}", &[b"layer"]);
    let refused = registry.put("a", &manifest, Some("one")).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(_))), "{refused:?}");
    let large = image(b"{}", &vec![b"layer".as_slice(); 1000]);
    assert!(large.len() > 64 * 1024);
    let refused = registry.put("a", &large, None).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(_))), "no lease makes it either: {refused:?}");
    assert_eq!(registry.domain.repository_count().await.unwrap(), 0);
    registry.blob("a", b"{}").await;
    let refused = registry.put("a", &manifest, Some("one")).await;
    assert!(
        matches!(&refused, Err(Error::ReferencesMissing(missing)) if *missing == [digest(b"layer")]),
        "{refused:?}"
    );
    registry.blob("a", b"layer").await;
    assert_eq!(registry.put("a", &manifest, Some("one")).await.unwrap().digest, digest(&manifest));
    assert_eq!(registry.put("a", &large, None).await.unwrap().digest, digest(&large));
    assert_eq!(registry.tags("a").await, ["one"]);
}

#[tokio::test]
async fn an_image_that_is_put_again_exists_already() {
    let registry = TestRegistry::new().await;
    let (first, second) = (registry.image("a", "one", b"1", &[]).await, registry.image("a", "two", b"2", &[]).await);
    let table = [(Some("one"), "one"), (None, "null")];
    for (tag, told) in table {
        match ecr(registry.put("a", &first, tag).await) {
            EcrError::ImageExists { digest: known, tag, .. } => {
                assert_eq!((known, tag), (digest(&first), told.to_owned()));
            }
            other => panic!("{other:?}"),
        }
    }
    registry.put("a", &first, Some("three")).await.unwrap();
    registry.put("a", &second, Some("one")).await.unwrap();
    assert_eq!(registry.tags("a").await, ["one", "three", "two"]);
    // At the door of OCI a push that changes nothing is none.
    registry.push("a", "one", &second, &[]).await.unwrap();
}

#[tokio::test]
async fn the_digest_of_an_image_that_is_put_must_be_its_own() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"1", &[]).await;
    let put = |digest: Digest| {
        let (manifest, tag) = (Bytes::from(manifest.clone()), Some(Tag::parse("two").unwrap()));
        PutImage { manifest, media_type: Some(IMAGE.to_owned()), digest: Some(digest), tag }
    };
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let refused = ecr(domain.put_image(admin, &repository, put(digest(b"other"))).await);
    let (given, actual) = (digest(b"other").to_string(), digest(&manifest));
    assert_eq!(refused, EcrError::ImageDigestMismatch { given, actual });
    domain.put_image(admin, &repository, put(digest(&manifest))).await.unwrap();
    let sha512 = Digest::of(Algorithm::Sha512, &manifest);
    assert_eq!(domain.put_image(admin, &repository, put(sha512.clone())).await.unwrap().digest, sha512);
}

#[tokio::test]
async fn an_index_misses_its_children_and_nothing_else() {
    let registry = TestRegistry::new().await;
    let child = registry.image("a", "one", b"1", &[]).await;
    let absent = image(b"2", &[]);
    let refused = ecr(registry.put("a", &index(&[&child, &absent]), None).await);
    assert_eq!(refused, EcrError::ChildrenMissing(vec![digest(&absent)]));
}

#[tokio::test]
async fn a_tag_that_is_immutable_stays_where_it_is_at_every_door() {
    let registry = TestRegistry::new().await;
    let first = registry.image("a", "one", b"1", &[]).await;
    let second = registry.image("a", "latest", b"2", &[]).await;
    registry.set_mutability("a", "IMMUTABLE_WITH_EXCLUSION", r#"["latest*"]"#).await;
    for refused in [registry.push("a", "one", &second, &[]).await, registry.put("a", &second, Some("one")).await] {
        assert_eq!(ecr(refused), EcrError::TagImmutable { tag: "one".to_owned(), name: name("a") });
    }
    let by_digest = digest(&second).to_string();
    assert!(matches!(
        ecr(registry.push("a", &by_digest, &second, &["new", "one"]).await),
        EcrError::TagImmutable { .. }
    ));
    assert_eq!(registry.tags("a").await, ["latest", "one"], "all or nothing");
    registry.push("a", "one", &first, &[]).await.unwrap();
    registry.push("a", "latest", &first, &["new"]).await.unwrap();
    registry.domain.delete_manifest(&registry.admin, &name("a"), &reference("one")).await.unwrap();
    registry.put("a", &second, Some("one")).await.unwrap();
}

#[tokio::test]
async fn images_are_described_by_tag_and_digest_each_once() {
    let registry = TestRegistry::new().await;
    let first = registry.image("a", "one", b"first", &[b"layer", b"another layer"]).await;
    let second = registry.image("a", "two", b"second", &[]).await;
    registry.push("a", "uno", &first, &[]).await.unwrap();
    let list = index(&[&first, &second]);
    registry.push("a", "list", &list, &[]).await.unwrap();
    let note = about(&first, "example/note", "x");
    registry.blob("a", b"{}").await;
    registry.push("a", &digest(&note).to_string(), &note, &[]).await.unwrap();
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let ask = async |ids: &[ImageId]| domain.describe_images(admin, &repository, ids).await;
    let found = ask(&[tagged("one"), with_digest(&first), both(&first, "uno"), tagged("list")]).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|image| (&image.digest, image.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), image.size))
        .collect();
    let size = (b"first".len() + b"layer".len() + b"another layer".len()) as u64;
    assert_eq!(told, [(&digest(&first), vec!["one", "uno"], size), (&digest(&list), vec!["list"], size)]);
    assert_eq!((found[1].media_type.as_str(), found[0].pushed_at), (INDEX, domain.now()));
    assert_eq!(found[0].last_pulled_at, None);
    let of_note = ask(&[with_digest(&note)]).await.unwrap();
    assert_eq!(of_note[0].artifact_type.as_deref(), Some("example/note"));
    assert_eq!((&of_note[0].subject, of_note[0].tags.len(), of_note[0].size), (&Some(digest(&first)), 0, 2));
    for id in [tagged("none"), with_digest(b"none"), both(&second, "one")] {
        match ecr(ask(&[tagged("one"), id.clone()]).await) {
            EcrError::ImageUnknown { image, .. } => assert_eq!(image, id.to_string()),
            other => panic!("{other:?}"),
        }
    }
    let nowhere = domain.describe_images(admin, &name("nowhere"), &[tagged("one")]).await;
    assert!(matches!(nowhere, Err(Error::RepositoryUnknown(_))), "{nowhere:?}");
}

#[tokio::test]
async fn sizes_that_nobody_summed_up_are_summed_up_when_they_are_asked_for() {
    let registry = TestRegistry::new().await;
    let first = registry.image("a", "one", b"first", &[b"layer", b"another layer"]).await;
    let second = registry.image("a", "two", b"second", &[]).await;
    let list = index(&[&first, &second]);
    registry.push("a", "list", &list, &[]).await.unwrap();
    let outer = String::from_utf8(index(&[&list])).unwrap().replace(IMAGE, INDEX);
    registry.push("a", "outer", outer.as_bytes(), &[]).await.unwrap();
    let sizes = async || {
        let page = registry.domain.describe_images_behind(&registry.admin, &name("a"), TagStatus::Any, "", 10).await;
        page.unwrap().items.into_iter().map(|image| (image.tags[0].to_string(), image.size)).collect::<Vec<_>>()
    };
    let mut summed = sizes().await;
    let forget = |txn: &mut dyn berth_store::Transaction| txn.execute("UPDATE manifests SET image_size = NULL", &[]);
    assert_eq!(registry.database().await.write(forget).await.unwrap(), 4);
    assert_eq!(sizes().await, summed);
    summed.sort();
    let expected = [("list", 23), ("one", 23), ("outer", 23), ("two", 6)];
    assert_eq!(summed, expected.map(|(tag, size)| (tag.to_owned(), size)));
}

#[tokio::test]
async fn an_image_with_very_many_tags_is_a_page_of_its_own() {
    let registry = TestRegistry::with(|settings| settings.tags_per_image = 0).await;
    let mut manifests = Vec::new();
    for number in 0..4_u8 {
        manifests.push(registry.image("a", &format!("m{number}"), &[number], &[]).await);
    }
    manifests.sort_by_key(|manifest| digest(manifest).to_string());
    let tags = async |manifest: &[u8], prefix: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|nth| format!("{prefix}{nth}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        registry.push("a", &digest(manifest).to_string(), manifest, &names).await.unwrap();
    };
    tags(&manifests[1], "many", 20_001).await;
    tags(&manifests[3], "more", 10).await;
    let (mut after, mut pages) = (String::new(), Vec::new());
    loop {
        let page = registry.domain.describe_images_behind(&registry.admin, &name("a"), TagStatus::Any, &after, 3).await;
        let page = page.unwrap();
        pages.push(page.items.iter().map(|image| image.tags.len()).collect::<Vec<_>>());
        let Some(last) = page.items.last().filter(|_| page.more) else { break };
        after = last.digest.to_string();
    }
    assert_eq!(pages, [vec![1], vec![20_002], vec![1, 11]]);
}

#[tokio::test]
async fn manifests_come_as_they_were_pushed_or_with_a_reason() {
    let registry = TestRegistry::new().await;
    let first = registry.image("a", "one", b"1", &[]).await;
    let second = registry.image("a", "two", b"2", &[]).await;
    let list = index(&[&first]);
    registry.push("a", "list", &list, &[]).await.unwrap();
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let ids = [
        tagged("one"),
        with_digest(&second),
        both(&first, "two"),
        tagged("none"),
        tagged("list"),
        with_digest(b"none"),
        ImageId { digest: None, tag: None },
    ];
    let answers = domain.get_images(admin, &repository, &ids, &[IMAGE.to_owned()]).await.unwrap();
    let told: Vec<_> = answers.into_iter().map(|answer| answer.map(|pulled| (pulled.bytes, pulled.tag))).collect();
    let one = Tag::parse("one").unwrap();
    assert_eq!(told[..2], [Ok((Bytes::from(first.clone()), Some(one))), Ok((Bytes::from(second), None))]);
    let failures: Vec<_> = told[2..].iter().map(|answer| answer.clone().unwrap_err()).collect();
    let (missing, accepted) = (ImageFailure::NotFound, ImageFailure::NotAccepted);
    assert_eq!(failures, [ImageFailure::TagDoesNotMatchDigest, missing.clone(), accepted, missing.clone(), missing]);
    let all = domain.get_images(admin, &repository, &[tagged("list")], &[]).await.unwrap();
    assert_eq!(all[0].as_ref().unwrap().bytes, list);
    let nowhere = domain.get_images(admin, &name("nowhere"), &[tagged("one")], &[]).await;
    assert!(matches!(nowhere, Err(Error::RepositoryUnknown(_))), "{nowhere:?}");
}

#[tokio::test]
async fn one_answer_is_bounded() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"{}").await;
    let large = about(b"subject", "example/large", &"x".repeat(4_000_000));
    registry.push("a", "large", &large, &[]).await.unwrap();
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let ask = async |count: usize| domain.get_images(admin, &repository, &vec![tagged("large"); count], &[]).await;
    assert_eq!(ask(8).await.unwrap().len(), 8);
    let refused = ecr(ask(9).await);
    assert!(matches!(refused, EcrError::LimitExceeded { limit: 33_554_432, .. }), "{refused:?}");
    assert!(!refused.to_string().contains("limits."), "{refused}");
}

#[tokio::test]
async fn a_tag_goes_alone_and_the_last_one_takes_its_image_along() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"1", &[b"layer"]).await;
    registry.push("a", "two", &manifest, &[]).await.unwrap();
    let answers = deleted(&registry, &[tagged("one"), tagged("one"), both(b"other", "two")]).await;
    let gone = |tag: &str| Ok(vec![both(&manifest, tag)]);
    assert_eq!(answers, [gone("one"), Err(ImageFailure::NotFound), Err(ImageFailure::TagDoesNotMatchDigest)]);
    assert_eq!(listed(&registry, TagStatus::Any).await, [(digest(&manifest), Some("two".to_owned()))]);
    assert_eq!(deleted(&registry, &[both(&manifest, "two")]).await, [gone("two")]);
    assert_eq!(listed(&registry, TagStatus::Any).await, []);
    // At the door of OCI a manifest outlives its last tag.
    registry.push("a", "one", &manifest, &[]).await.unwrap();
    registry.domain.delete_manifest(&registry.admin, &name("a"), &reference("one")).await.unwrap();
    assert_eq!(listed(&registry, TagStatus::Untagged).await, [(digest(&manifest), None)]);
    assert_eq!(deleted(&registry, &[with_digest(&manifest)]).await, [Ok(vec![with_digest(&manifest)])]);
    let nowhere = registry.domain.delete_images(&registry.admin, &name("nowhere"), &[tagged("one")]).await;
    assert!(matches!(nowhere, Err(Error::RepositoryUnknown(_))), "{nowhere:?}");
}

#[tokio::test]
async fn a_digest_takes_all_its_tags_along() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"1", &[]).await;
    let other = registry.image("a", "other", b"2", &[]).await;
    registry.push("a", "two", &manifest, &[]).await.unwrap();
    let answers = deleted(&registry, &[with_digest(&manifest)]).await;
    assert_eq!(answers, [Ok(vec![both(&manifest, "one"), both(&manifest, "two")])]);
    assert_eq!(listed(&registry, TagStatus::Any).await, [(digest(&other), Some("other".to_owned()))]);
    let history =
        registry.domain.tag_history(&registry.admin, &name("a"), &Tag::parse("two").unwrap(), 10).await.unwrap();
    assert_eq!((history[1].digest.clone(), history[1].previous.clone()), (None, Some(digest(&manifest))));
    assert_eq!(history[1].by, registry.admin.principal());
}

#[tokio::test]
async fn a_child_of_an_index_stays_while_its_tags_go() {
    let registry = TestRegistry::new().await;
    let child = registry.image("a", "child", b"1", &[]).await;
    let list = index(&[&child]);
    registry.push("a", "list", &list, &[]).await.unwrap();
    let answers = deleted(&registry, &[with_digest(&child), tagged("child"), with_digest(&child)]).await;
    let in_use = || Err(ImageFailure::ReferencedByIndex(digest(&list)));
    assert_eq!(answers, [in_use(), Ok(vec![both(&child, "child")]), in_use()]);
    assert_eq!(listed(&registry, TagStatus::Untagged).await, [(digest(&child), None)]);
    let answers = deleted(&registry, &[tagged("list"), with_digest(&child)]).await;
    assert_eq!(answers, [Ok(vec![both(&list, "list")]), Ok(vec![with_digest(&child)])]);
}

#[tokio::test]
async fn referrers_are_asked_for_by_several_types() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"{}").await;
    let subject = image(b"{}", &[]);
    let mut expected = Vec::new();
    for (number, kind) in ["example/a", "example/b", "example/c"].into_iter().cycle().take(9).enumerate() {
        let note = about(&subject, kind, &number.to_string());
        registry.push("a", &digest(&note).to_string(), &note, &[]).await.unwrap();
        expected.push((digest(&note).to_string(), kind));
    }
    expected.sort();
    let (domain, admin, subject) = (&registry.domain, &registry.admin, digest(&subject));
    let ask = async |types: &[&str], after: &str| {
        let types: Vec<String> = types.iter().map(|kind| (*kind).to_owned()).collect();
        let page = domain.image_referrers(admin, &name("a"), &subject, &types, after, 2).await.unwrap();
        (page.items.iter().map(|item| item.digest.to_string()).collect::<Vec<_>>(), page.more)
    };
    for types in [&[][..], &["example/b"], &["example/a", "example/c"], &["example/none"]] {
        let (mut after, mut found) = (String::new(), Vec::new());
        loop {
            let (items, more) = ask(types, &after).await;
            assert!(items.len() <= 2);
            found.extend(items);
            let Some(last) = found.last().filter(|_| more) else { break };
            after.clone_from(last);
        }
        let wanted = expected.iter().filter(|(_, kind)| types.is_empty() || types.contains(kind));
        assert_eq!(found, wanted.map(|(digest, _)| digest.clone()).collect::<Vec<_>>(), "{types:?}");
    }
    let none = domain.image_referrers(admin, &name("a"), &digest(b"absent"), &[], "", 10).await.unwrap();
    assert!(none.items.is_empty());
    let nowhere = domain.image_referrers(admin, &name("nowhere"), &subject, &[], "", 10).await;
    assert!(matches!(nowhere, Err(Error::RepositoryUnknown(_))), "{nowhere:?}");
}
