//! Manifests: what may be pushed, what may be deleted, and what is about what.

use berth_domain::{EcrError, Error};
use berth_oci::reference::Reference;

use crate::registry::{TestRegistry, about, digest, image, index, name, reference};

fn at(manifest: &[u8]) -> String {
    digest(manifest).to_string()
}

async fn found(registry: &TestRegistry, repository: &str, wanted: &str) -> Result<Vec<u8>, Error> {
    let got = registry.domain.get_manifest(&registry.admin, &name(repository), &reference(wanted)).await;
    got.map(|(_, bytes)| bytes.to_vec())
}

#[tokio::test]
async fn a_manifest_is_found_by_tag_and_by_digest_as_it_was_pushed() {
    let registry = TestRegistry::new().await;
    let mut manifest = registry.image("a/b", "one", b"{}", &[b"layer"]).await;
    assert_eq!(found(&registry, "a/b", "one").await.unwrap(), manifest);
    assert_eq!(found(&registry, "a/b", &at(&manifest)).await.unwrap(), manifest);
    // White space is part of the bytes.
    manifest.extend(b"\n ");
    registry.push("a/b", &at(&manifest), &manifest, &["two", "three"]).await.unwrap();
    assert_eq!(found(&registry, "a/b", "two").await.unwrap(), manifest);
    assert_eq!(registry.tags("a/b").await, ["one", "three", "two"]);
}

#[tokio::test]
async fn a_push_by_a_digest_of_other_bytes_is_refused() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"{}", &[]).await;
    let refused = registry.push("a", &at(b"other"), &manifest, &["two"]).await;
    assert!(matches!(refused, Err(Error::DigestMismatch { .. } | Error::ManifestInvalid(_))), "{refused:?}");
    assert_eq!(registry.tags("a").await, ["one"]);
}

#[tokio::test]
async fn what_a_manifest_names_must_be_there_with_its_size() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"{}").await;
    registry.blob("elsewhere", b"layer").await;
    let manifest = image(b"{}", &[b"layer", b"another"]);
    let Err(Error::ReferencesMissing(missing)) = registry.push("a", "one", &manifest, &[]).await else {
        panic!("taken without its layers")
    };
    assert_eq!(missing, [digest(b"layer"), digest(b"another")], "a layer of another repository does not count");
    assert!(matches!(found(&registry, "a", "one").await, Err(Error::ManifestUnknown(_))));
    let wrong = String::from_utf8(image(b"{}", &[])).unwrap().replace("\"size\":2", "\"size\":3");
    let refused = registry.push("a", "one", wrong.as_bytes(), &[]).await;
    assert!(matches!(refused, Err(Error::SizeMismatch { declared: 3, actual: 2, .. })), "{refused:?}");
}

#[tokio::test]
async fn an_index_needs_its_children_unless_it_may_be_sparse() {
    let registry = TestRegistry::new().await;
    let child = registry.image("a", "child", b"{}", &[]).await;
    let absent = image(b"absent", &[]);
    let index = index(&[&child, &absent]);
    let refused = registry.push("a", "index", &index, &[]).await;
    assert!(
        matches!(&refused, Err(Error::Ecr(EcrError::ChildrenMissing(missing))) if *missing == [digest(&absent)]),
        "{refused:?}"
    );
    let registry = registry.restarted(|settings| settings.allow_sparse_indexes = true).await;
    registry.push("a", "index", &index, &[]).await.unwrap();
    assert_eq!(found(&registry, "a", "index").await.unwrap(), index);
    // The same goes for images whose layers are elsewhere.
    registry.push("a", "absent", &absent, &[]).await.unwrap();
}

#[tokio::test]
async fn what_is_used_is_not_deleted() {
    let registry = TestRegistry::new().await;
    let child = registry.image("a", "child", b"{}", &[b"layer"]).await;
    let index = index(&[&child]);
    registry.push("a", "index", &index, &[]).await.unwrap();
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let delete = async |wanted: &str| domain.delete_manifest(admin, &repository, &reference(wanted)).await;
    let refused = domain.delete_blob(admin, &repository, &digest(b"layer")).await;
    assert!(matches!(refused, Err(Error::BlobInUse { .. })), "{refused:?}");
    let refused = delete(&at(&child)).await;
    assert!(matches!(refused, Err(Error::ManifestInUse { .. })), "{refused:?}");
    // A tag goes at any time; the manifest stays.
    delete("child").await.unwrap();
    assert!(matches!(delete("child").await, Err(Error::ManifestUnknown(_))));
    assert_eq!(found(&registry, "a", &at(&child)).await.unwrap(), child);
    delete(&at(&index)).await.unwrap();
    delete(&at(&child)).await.unwrap();
    domain.delete_blob(admin, &repository, &digest(b"layer")).await.unwrap();
    assert!(registry.tags("a").await.is_empty());
}

#[tokio::test]
async fn referrers_are_paged_and_filtered_and_need_no_subject() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"{}").await;
    let subject = image(b"{}", &[]);
    let mut all = Vec::new();
    for number in 0..7 {
        let kind = if number % 2 == 0 { "example/even" } else { "example/odd" };
        let referrer = about(&subject, kind, &number.to_string());
        let pushed = registry.push("a", &at(&referrer), &referrer, &[]).await.unwrap();
        assert_eq!(pushed.subject, Some(digest(&subject)));
        all.push((pushed.digest.to_string(), kind));
    }
    all.sort();
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let ask = async |kind: Option<&str>, last: &str| {
        let page = domain.referrers(admin, &repository, &digest(&subject), kind, last).await.unwrap();
        assert!(!page.more);
        page.items.iter().map(|item| item.digest.to_string()).collect::<Vec<_>>()
    };
    let wanted = |keep: &dyn Fn(&str) -> bool| {
        all.iter().filter(|(_, kind)| keep(kind)).map(|(digest, _)| digest.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ask(None, "").await, wanted(&|_| true));
    assert_eq!(ask(Some("example/odd"), "").await, wanted(&|kind| kind == "example/odd"));
    assert_eq!(ask(None, &all[3].0).await, wanted(&|_| true)[4..]);
    assert_eq!(ask(Some("example/none"), "").await, Vec::<String>::new());
    let elsewhere = domain.referrers(admin, &name("nowhere"), &digest(&subject), None, "").await.unwrap();
    assert!(elsewhere.items.is_empty());
}

#[tokio::test]
async fn a_page_of_referrers_stays_below_the_size_of_a_manifest() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"{}").await;
    let subject = image(b"{}", &[]);
    for number in 0..10 {
        let note = format!("{number}{}", "x".repeat(900_000));
        let referrer = about(&subject, "example/large", &note);
        registry.push("a", &at(&referrer), &referrer, &[]).await.unwrap();
    }
    let (mut last, mut seen, mut pages) = (String::new(), 0, 0);
    loop {
        let page =
            registry.domain.referrers(&registry.admin, &name("a"), &digest(&subject), None, &last).await.unwrap();
        let bytes: usize = page.items.iter().flat_map(|item| item.annotations.values()).map(String::len).sum();
        assert!(bytes < 4 * 1024 * 1024, "{bytes}");
        seen += page.items.len();
        pages += 1;
        if !page.more {
            break;
        }
        last = page.items.last().unwrap().digest.to_string();
    }
    assert_eq!((seen, pages > 2), (10, true));
}

#[tokio::test]
async fn two_repositories_share_bytes_and_nothing_else() {
    let registry = TestRegistry::new().await;
    let large = vec![b'x'; 100_000];
    let manifest = registry.image("a", "one", b"{}", &[&large]).await;
    let files = registry.files();
    assert_eq!(registry.image("b", "one", b"{}", &[&large]).await, manifest);
    assert_eq!(registry.files(), files, "the same bytes are kept once");
    let wanted = Reference::Digest(digest(&manifest));
    registry.domain.delete_manifest(&registry.admin, &name("a"), &wanted).await.unwrap();
    assert!(found(&registry, "a", "one").await.is_err());
    assert_eq!(found(&registry, "b", "one").await.unwrap(), manifest);
}
