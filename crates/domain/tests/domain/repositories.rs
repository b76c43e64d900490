//! Repositories as ECR's API makes, describes, changes and tags them.

use std::time::Duration;

use berth_aws::ecr::Exception;
use berth_aws::ecr::mutability::TagMutability;
use berth_aws::ecr::shapes::EncryptionConfiguration;
use berth_domain::repositories::{NewRepository, RepositoryDescription};
use berth_domain::{Caller, EcrError, Error};

use crate::registry::{TestRegistry, name};

pub fn new(repository: &str) -> NewRepository {
    NewRepository {
        name: name(repository),
        mutability: TagMutability::default(),
        scan_on_push: false,
        encryption: None,
        tags: Vec::new(),
    }
}

pub fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn create(registry: &TestRegistry, repository: &str) -> RepositoryDescription {
    registry.domain.create_repository(&registry.admin, new(repository)).await.unwrap()
}

/// The exception of an answer that says that a value is wrong.
pub fn exception<T>(answer: Result<T, Error>) -> Option<Exception> {
    match answer {
        Err(Error::Ecr(EcrError::Invalid(invalid))) => Some(invalid.exception),
        _ => None,
    }
}

fn names(described: &[RepositoryDescription]) -> Vec<&str> {
    described.iter().map(|one| one.name.as_str()).collect()
}

#[tokio::test]
async fn what_was_made_is_described_as_it_was_made() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let plain = create(&registry, "b").await;
    assert_eq!(plain.mutability, TagMutability::default());
    assert_eq!((plain.scan_on_push, plain.encryption.as_str(), plain.created_at), (false, "AES256", domain.now()));
    registry.clock.advance(Duration::from_secs(5));
    let immutable = TagMutability::from_stored("IMMUTABLE_WITH_EXCLUSION", r#"["dev-*"]"#).unwrap();
    let encryption = Some(EncryptionConfiguration { encryption_type: "AES256".to_owned(), kms_key: None });
    let special = NewRepository { mutability: immutable.clone(), scan_on_push: true, encryption, ..new("a") };
    let special = domain.create_repository(admin, special).await.unwrap();
    assert_eq!((&special.mutability, special.scan_on_push), (&immutable, true));
    let asked = [name("b"), name("a"), name("b")];
    let described = domain.describe_repositories(admin, &asked).await.unwrap();
    assert_eq!(described, [plain.clone(), special.clone(), plain.clone()]);
    domain.put_tag_mutability(admin, &name("b"), immutable.clone()).await.unwrap();
    domain.put_scan_on_push(admin, &name("b"), true).await.unwrap();
    let changed = RepositoryDescription { mutability: immutable, scan_on_push: true, ..plain };
    assert_eq!(domain.describe_repositories(admin, &[name("b")]).await.unwrap(), std::slice::from_ref(&changed));
    assert_eq!(domain.describe_repositories_behind(admin, "", 10).await.unwrap().items, [special, changed]);
}

#[tokio::test]
async fn a_repository_that_is_there_is_not_made_again() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"{}", &[]).await;
    let again = registry.domain.create_repository(&registry.admin, new("a")).await;
    assert!(matches!(again, Err(Error::Ecr(EcrError::RepositoryExists { .. }))), "{again:?}");
    assert_eq!(registry.tags("a").await, ["one"]);
}

#[tokio::test]
async fn a_missing_one_is_named() {
    let registry = TestRegistry::new().await;
    create(&registry, "a").await;
    let (domain, admin, none) = (&registry.domain, &registry.admin, name("none"));
    let described = domain.describe_repositories(admin, &[name("a"), none.clone(), name("other")]).await;
    assert!(matches!(&described, Err(Error::RepositoryUnknown(missing)) if *missing == none), "{described:?}");
    let answers = [
        domain.put_tag_mutability(admin, &none, TagMutability::default()).await,
        domain.put_scan_on_push(admin, &none, true).await,
        domain.delete_repository(admin, &none, true).await.map(drop),
        domain.tag_repository(admin, &none, pairs(&[("a", "b")])).await,
        domain.untag_repository(admin, &none, vec!["a".to_owned()]).await,
        domain.tags_of_repository(admin, &none).await.map(drop),
        domain.get_repository_policy(admin, &none).await.map(drop),
        domain.get_lifecycle_policy(admin, &none).await.map(drop),
    ];
    for answer in answers {
        assert!(matches!(&answer, Err(Error::RepositoryUnknown(missing)) if *missing == none), "{answer:?}");
    }
}

#[tokio::test]
async fn there_are_no_more_than_the_limit_allows_however_they_come() {
    let registry = TestRegistry::with(|settings| settings.repositories_limit = 2).await;
    let full = |answer: Result<(), Error>| {
        let is_full = |error: &EcrError| {
            matches!(error, EcrError::LimitExceeded { limit: 2, what: "repositories", setting: "repositories" })
        };
        assert!(matches!(&answer, Err(Error::Ecr(error)) if is_full(error)), "{answer:?}");
    };
    create(&registry, "a").await;
    registry.blob("b", b"made by a push").await;
    full(registry.domain.create_repository(&registry.admin, new("c")).await.map(drop));
    full(registry.try_blob("c", b"one more").await.map(drop));
    // What is there is told as such, and can be pushed to.
    let there = registry.domain.create_repository(&registry.admin, new("a")).await;
    assert!(matches!(there, Err(Error::Ecr(EcrError::RepositoryExists { .. }))), "{there:?}");
    registry.blob("a", b"one more").await;
    registry.domain.delete_repository(&registry.admin, &name("a"), true).await.unwrap();
    create(&registry, "c").await;
}

#[tokio::test]
async fn wrong_values_make_nothing() {
    let registry = TestRegistry::new().await;
    let kms = EncryptionConfiguration { encryption_type: "KMS".to_owned(), kms_key: None };
    let many: Vec<_> = (0..51).map(|nth| (format!("key-{nth}"), String::new())).collect();
    let table = [
        (NewRepository { encryption: Some(kms), ..new("a") }, Exception::Kms),
        (NewRepository { tags: pairs(&[("a", "1"), ("a", "2")]), ..new("a") }, Exception::InvalidTagParameter),
        (NewRepository { tags: many, ..new("a") }, Exception::TooManyTags),
    ];
    for (wrong, expected) in table {
        let refused = registry.domain.create_repository(&registry.admin, wrong).await;
        assert_eq!(exception(refused), Some(expected));
    }
    assert!(registry.domain.catalog(&registry.admin, "", 10).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn pages_show_what_the_caller_may_see() {
    let registry = TestRegistry::new().await;
    for repository in ["c", "a/one", "a/two", "a", "b", "a-b"] {
        create(&registry, repository).await;
    }
    let page = async |caller: &Caller, last: &str, limit: u64| {
        let page = registry.domain.describe_repositories_behind(caller, last, limit).await.unwrap();
        (names(&page.items).iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), page.more)
    };
    let some = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:DescribeRepositories",
        "Resource":["arn:aws:ecr:*:*:repository/a/*","arn:aws:ecr:*:*:repository/c"]}}"#;
    let alice = registry.user("alice", Some(some)).await;
    let table = [
        (&registry.admin, "", 10, "a a-b a/one a/two b c", false),
        (&registry.admin, "", 2, "a a-b", true),
        (&registry.admin, "a-b", 4, "a/one a/two b c", false),
        (&registry.admin, "c", 10, "", false),
        (&alice, "", 10, "a/one a/two c", false),
        (&alice, "", 2, "a/one a/two", true),
        (&alice, "a/two", 1, "c", false),
    ];
    for (caller, last, limit, expected, more) in table {
        assert_eq!(page(caller, last, limit).await, (expected.to_owned(), more), "{last:?} {limit}");
    }
}

#[tokio::test]
async fn tags_of_the_request_decide_who_may_make_and_tag() {
    let registry = TestRegistry::new().await;
    let domain = &registry.domain;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:CreateRepository","ecr:TagResource"],
        "Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"core"}}},
        {"Effect":"Allow","Action":"ecr:UntagResource","Resource":"*",
        "Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}]}"#;
    let alice = registry.user("alice", Some(policy)).await;
    let only_create =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:CreateRepository","Resource":"*"}}"#;
    let bob = registry.user("bob", Some(only_create)).await;
    let with = |repository: &str, tags: &[(&str, &str)]| NewRepository { tags: pairs(tags), ..new(repository) };
    for tags in [&[][..], &[("team", "other")]] {
        let refused = domain.create_repository(&alice, with("a", tags)).await;
        assert!(matches!(refused, Err(Error::Denied { .. })), "{refused:?}");
    }
    domain.create_repository(&alice, with("a", &[("team", "core"), ("b", "")])).await.unwrap();
    let refused = domain.create_repository(&bob, with("b", &[("team", "core")])).await;
    assert!(matches!(refused, Err(Error::Denied { action: "ecr:TagResource", .. })), "{refused:?}");
    domain.create_repository(&bob, with("b", &[])).await.unwrap();
    assert!(domain.tag_repository(&alice, &name("a"), pairs(&[("team", "other")])).await.is_err());
    domain.tag_repository(&alice, &name("a"), pairs(&[("team", "core"), ("c", "d")])).await.unwrap();
    assert!(domain.untag_repository(&alice, &name("a"), vec!["b".to_owned()]).await.is_err());
    domain.untag_repository(&alice, &name("a"), vec!["team".to_owned()]).await.unwrap();
}

#[tokio::test]
async fn tags_are_set_replaced_taken_away_and_listed() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    domain.create_repository(admin, NewRepository { tags: pairs(&[("b", "1")]), ..new("a") }).await.unwrap();
    domain.tag_repository(admin, &repository, pairs(&[("a", "x"), ("b", "2"), ("B", "3")])).await.unwrap();
    let listed = domain.tags_of_repository(admin, &repository).await.unwrap();
    assert_eq!(listed, pairs(&[("B", "3"), ("a", "x"), ("b", "2")]));
    domain.untag_repository(admin, &repository, vec!["B".to_owned(), "none".to_owned()]).await.unwrap();
    assert_eq!(domain.tags_of_repository(admin, &repository).await.unwrap(), pairs(&[("a", "x"), ("b", "2")]));
    // 50 of all, of which those that are there already do not count twice.
    let more: Vec<_> = (0..48).map(|nth| (format!("key-{nth}"), String::new())).collect();
    domain.tag_repository(admin, &repository, more.clone()).await.unwrap();
    domain.tag_repository(admin, &repository, more).await.unwrap();
    let one_more = domain.tag_repository(admin, &repository, pairs(&[("c", "")])).await;
    assert_eq!(exception(one_more), Some(Exception::TooManyTags));
    let wrong = domain.tag_repository(admin, &repository, pairs(&[("aws:mine", "")])).await;
    assert_eq!(exception(wrong), Some(Exception::InvalidTagParameter));
}
