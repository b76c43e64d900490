//! Deleting repositories: what goes, what stays, and what others see meanwhile.

use std::sync::Arc;
use std::time::Duration;

use berth_aws::{AccountId, Region};
use berth_domain::repositories::NewRepository;
use berth_domain::{Action, Caller, EcrError, Error};
use berth_oci::digest::Algorithm;
use berth_oci::tag::Tag;
use berth_store::clearing::clear;
use berth_store::repositories::{self, Registry};
use berth_store::{StoreError, Value};

use crate::garbage::Heard;
use crate::keeping::Hashed;
use crate::registry::{TestRegistry, about, body, digest, image, index, name, reference};
use crate::repositories::{new, pairs};

const GRACE: Duration = Duration::from_hours(24);

/// Rows that belong to some repository, of all tables.
async fn rows(registry: &TestRegistry) -> i64 {
    let tables = [
        "repositories",
        "repository_blobs",
        "manifests",
        "manifest_references",
        "tags",
        "tag_history",
        "uploads",
        "repository_policies",
        "repository_tags",
        "lifecycle_policies",
    ];
    let database = registry.database().await;
    let counted = database.read(move |txn| {
        let mut sum = 0;
        for table in tables {
            sum += txn.query(&format!("SELECT count(*) FROM {table}"), &[] as &[Value])?[0].integer(0)?;
        }
        Ok::<_, StoreError>(sum)
    });
    counted.await.unwrap()
}

/// A repository with something of every kind.
async fn fill(registry: &TestRegistry, repository: &str) {
    let (domain, admin, at) = (&registry.domain, &registry.admin, name(repository));
    let tags = pairs(&[("team", "core")]);
    domain.create_repository(admin, NewRepository { tags, ..new(repository) }).await.unwrap();
    let one = registry.image(repository, "one", b"{}", &[b"shared", repository.as_bytes()]).await;
    let two = registry.image(repository, "two", b"{\"two\":2}", &[b"shared"]).await;
    registry.push(repository, "all", &index(&[&one, &two]), &["latest"]).await.unwrap();
    let note = about(&one, "application/x.note", "note");
    registry.push(repository, &digest(&note).to_string(), &note, &[]).await.unwrap();
    let open =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}"#;
    domain.set_repository_policy(admin, &at, open, true).await.unwrap();
    domain.put_lifecycle_policy(admin, &at, &crate::lifecycle::policy(5)).await.unwrap();
}

async fn delete(registry: &TestRegistry, repository: &str) {
    registry.domain.delete_repository(&registry.admin, &name(repository), true).await.unwrap();
}

#[tokio::test]
async fn an_empty_repository_goes_with_all_that_is_said_of_it() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let made = domain.create_repository(admin, NewRepository { tags: pairs(&[("a", "b")]), ..new("a") }).await.unwrap();
    registry.blob("a", b"never named").await;
    let upload = domain.begin_upload(admin, &repository, Algorithm::Sha256).await.unwrap();
    domain.append_to_upload(admin, &repository, &upload, None, &mut body(b"begun")).await.unwrap();
    assert_eq!(registry.files(), 2);
    assert_eq!(domain.delete_repository(admin, &repository, false).await.unwrap(), made);
    assert_eq!(rows(&registry).await, 0);
    assert_eq!(registry.files(), 1, "the bytes of the upload are given up at once, those of the blob by a collection");
    let again = domain.delete_repository(admin, &repository, false).await;
    assert!(matches!(again, Err(Error::RepositoryUnknown(_))), "{again:?}");
    let status = domain.upload_status(admin, &repository, &upload).await;
    assert!(matches!(status, Err(Error::UploadUnknown)), "{status:?}");
}

#[tokio::test]
async fn one_with_images_goes_only_by_force() {
    let registry = TestRegistry::new().await;
    fill(&registry, "a").await;
    let (before, refused) =
        (rows(&registry).await, registry.domain.delete_repository(&registry.admin, &name("a"), false).await);
    assert!(matches!(refused, Err(Error::Ecr(EcrError::RepositoryNotEmpty { .. }))), "{refused:?}");
    assert_eq!(rows(&registry).await, before);
    delete(&registry, "a").await;
    assert_eq!(rows(&registry).await, 0);
}

#[tokio::test]
async fn content_of_others_stays_and_the_rest_is_collected_after_the_grace_time() {
    let registry = TestRegistry::new().await;
    for repository in ["a", "b"] {
        fill(&registry, repository).await;
    }
    registry.clock.advance(GRACE * 3);
    let alone = rows(&registry).await / 2;
    delete(&registry, "a").await;
    assert_eq!(rows(&registry).await, alone);
    let collected = registry.domain.collect_garbage(false, &mut Heard::default()).await.unwrap();
    assert_eq!(collected.blobs, 0, "somebody may be about to name them");
    registry.clock.advance(GRACE * 2);
    let collected = registry.domain.collect_garbage(false, &mut Heard::default()).await.unwrap();
    // The layer that has the repository's name, and with it the manifests of the image, the index and the note.
    assert_eq!((collected.links, collected.blobs), (0, 4));
    let verified = registry.domain.verify(&mut Hashed::default()).await.unwrap();
    assert_eq!((verified.findings.len(), verified.unowned_keys), (0, 0));
    assert_eq!(registry.tags("b").await, ["all", "latest", "one", "two"]);
    let shared = registry.domain.check_blob(&registry.admin, &name("b"), &digest(b"shared")).await;
    assert_eq!(shared.unwrap().size(), 6);
}

#[tokio::test]
async fn the_next_one_of_the_name_has_nothing_of_it() {
    let registry = TestRegistry::new().await;
    fill(&registry, "a").await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    delete(&registry, "a").await;
    assert!(matches!(registry.domain.list_tags(admin, &repository, "", 10).await, Err(Error::RepositoryUnknown(_))));
    domain.create_repository(admin, new("a")).await.unwrap();
    assert!(domain.tags_of_repository(admin, &repository).await.unwrap().is_empty());
    let policy = domain.get_repository_policy(admin, &repository).await;
    assert!(matches!(policy, Err(Error::Ecr(EcrError::RepositoryPolicyUnknown(_)))), "{policy:?}");
    let policy = domain.get_lifecycle_policy(admin, &repository).await;
    assert!(matches!(policy, Err(Error::Ecr(EcrError::LifecyclePolicyUnknown(_)))), "{policy:?}");
    let history = domain.tag_history(admin, &repository, &Tag::parse("one").unwrap(), 10).await;
    assert!(history.unwrap().is_empty());
    assert!(domain.allow(&Caller::anonymous(), Action::BatchGetImage, &repository).await.is_err());
    let unknown = registry.push("a", "one", &image(b"{}", &[b"shared"]), &[]).await;
    assert!(matches!(unknown, Err(Error::ReferencesMissing(_))), "a link outlived its repository: {unknown:?}");
}

/// More than one transaction takes.
#[tokio::test]
async fn a_large_repository_goes_whole() {
    let registry = TestRegistry::new().await;
    registry.image("other", "one", b"{}", &[b"layer"]).await;
    let before = rows(&registry).await;
    let tags: Vec<String> = (0..20).map(|nth| format!("t{nth}")).collect();
    let mut children = Vec::new();
    for nth in 0..60 {
        let manifest = registry.image("a", "latest", format!("{{\"{nth}\":0}}").as_bytes(), &[b"layer"]).await;
        let tags: Vec<String> = tags.iter().map(|tag| format!("{nth}-{tag}")).collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        registry.push("a", &digest(&manifest).to_string(), &manifest, &tags).await.unwrap();
        children.push(manifest);
    }
    let children: Vec<&[u8]> = children.iter().map(Vec::as_slice).collect();
    registry.push("a", "all", &index(&children), &[]).await.unwrap();
    assert!(rows(&registry).await > 2_000);
    delete(&registry, "a").await;
    assert_eq!(rows(&registry).await, before);
}

/// Whoever pushes while it is deleted succeeds, or is told what a client can act on; nothing is left half there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_and_deletions_at_the_same_time_harm_nothing() {
    let registry = Arc::new(TestRegistry::new().await);
    let pushes = (0..4).map(|nth| {
        let registry = Arc::clone(&registry);
        tokio::spawn(async move {
            for round in 0..30 {
                let config = format!("{{\"{nth}\":{round}}}").into_bytes();
                let pushed = async {
                    registry.try_blob("a", &config).await?;
                    registry.try_blob("a", b"layer").await?;
                    let (child, tag) = (image(&config, &[b"layer"]), format!("t{nth}"));
                    registry.push("a", &tag, &child, &[]).await?;
                    registry.push("a", "all", &index(&[&child]), &[]).await
                };
                match pushed.await {
                    Ok(_) | Err(Error::RepositoryUnknown(_) | Error::UploadUnknown | Error::ReferencesMissing(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        })
    });
    let pushes: Vec<_> = pushes.collect();
    while pushes.iter().any(|push| !push.is_finished()) {
        match registry.domain.delete_repository(&registry.admin, &name("a"), true).await {
            Ok(_) | Err(Error::RepositoryUnknown(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other:?}"),
        }
    }
    for push in pushes {
        push.await.unwrap();
    }
    let verified = registry.domain.verify(&mut Hashed::default()).await.unwrap();
    assert_eq!(verified.findings.len(), 0, "{:?}", verified.findings);
    registry.image("a", "last", b"{}", &[b"layer"]).await;
    delete(&registry, "a").await;
    assert_eq!(rows(&registry).await, 0);
}

/// However few rows go at once, what is left is a registry without a fault, and all goes.
#[tokio::test]
async fn a_deletion_that_breaks_off_leaves_a_repository_as_good_as_any() {
    let registry = TestRegistry::new().await;
    fill(&registry, "a").await;
    registry.domain.begin_upload(&registry.admin, &name("a"), Algorithm::Sha256).await.unwrap();
    let (database, now) = (registry.database().await, registry.domain.now());
    let home =
        Registry { account: AccountId::parse("000000000000").unwrap(), region: Region::parse("us-east-1").unwrap() };
    let mut left = vec![registry.tags("a").await.len()];
    loop {
        let home = home.clone();
        let step = database.write(move |txn| {
            let repository = repositories::find(txn, &home, &name("a"))?.unwrap();
            clear(txn, repository, 2, now)
        });
        let step = step.await.unwrap();
        let verified = registry.domain.verify(&mut Hashed::default()).await.unwrap();
        assert_eq!(verified.findings.len(), 0, "{:?}", verified.findings);
        left.push(registry.tags("a").await.len());
        if step.is_empty {
            break;
        }
    }
    assert!(left.is_sorted_by(|before, after| before >= after) && left.len() > 5, "{left:?}");
    let pulled = registry.domain.resolve(&registry.admin, &name("a"), &reference("one")).await;
    assert!(matches!(pulled, Err(Error::ManifestUnknown(_))), "{pulled:?}");
    registry.domain.delete_repository(&registry.admin, &name("a"), false).await.unwrap();
    assert_eq!(rows(&registry).await, 0);
}
