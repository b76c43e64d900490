//! When images were pulled last.

use std::time::Duration;

use berth_domain::Caller;
use berth_domain::identity::Owner;
use berth_domain::identity::principals::{NewPrincipal, NewRole};
use berth_domain::sts::AssumeRole;
use berth_store::Timestamp;
use berth_store::registry_settings::{self, Kind};

use crate::registry::{TestRegistry, name, reference, settings, tagged};

const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

async fn pulled_at(registry: &TestRegistry, tag: &str) -> Option<Timestamp> {
    let ids = [tagged(tag)];
    registry.domain.describe_images(&registry.admin, &name("a"), &ids).await.unwrap()[0].last_pulled_at
}

async fn pull(registry: &TestRegistry, caller: &Caller, tag: &str) {
    registry.domain.get_manifest(caller, &name("a"), &reference(tag)).await.unwrap();
}

async fn written(registry: &TestRegistry) -> usize {
    registry.domain.write_pull_times().await.unwrap()
}

async fn exclude(registry: &TestRegistry, arn: &str) {
    let (arn, now) = (arn.to_owned(), registry.domain.now());
    let write = move |txn: &mut dyn berth_store::Transaction| {
        registry_settings::put(txn, &settings().registry, Kind::PullTimeExclusion, &arn, "{}", now)
    };
    registry.database().await.write(write).await.unwrap();
}

#[tokio::test]
async fn pulls_at_both_doors_count_and_are_written_together() {
    let registry = TestRegistry::new().await;
    for (tag, config) in [("one", b"1"), ("two", b"2"), ("three", b"3")] {
        registry.image("a", tag, config, &[]).await;
    }
    let begun = registry.domain.now();
    registry.clock.advance(Duration::from_secs(1));
    let first = registry.domain.now();
    pull(&registry, &registry.admin, "one").await;
    pull(&registry, &registry.admin, "one").await;
    let ids = [tagged("two"), tagged("none")];
    registry.domain.get_images(&registry.admin, &name("a"), &ids, &[]).await.unwrap();
    registry.domain.resolve(&registry.admin, &name("a"), &reference("three")).await.unwrap();
    assert_eq!(pulled_at(&registry, "one").await, None, "no pull writes");
    assert_eq!(written(&registry).await, 2);
    assert_eq!(written(&registry).await, 0);
    let times = (pulled_at(&registry, "one").await, pulled_at(&registry, "two").await);
    assert_eq!((times, pulled_at(&registry, "three").await), ((Some(first), Some(first)), None));
    assert!(begun < first);
    registry.clock.advance(Duration::from_mins(30));
    pull(&registry, &registry.admin, "one").await;
    assert_eq!(written(&registry).await, 0, "it is exact to the hour");
    registry.clock.advance(Duration::from_mins(30));
    pull(&registry, &registry.admin, "one").await;
    assert_eq!(written(&registry).await, 1);
    assert_eq!(pulled_at(&registry, "one").await, Some(registry.domain.now()));
}

#[tokio::test]
async fn pulls_of_those_who_are_excluded_count_for_nothing() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"1", &[]).await;
    let scanner = registry.user("scanner", Some(ALL)).await;
    let somebody = registry.user("somebody", Some(ALL)).await;
    exclude(&registry, "arn:aws:iam::000000000000:user/scanner").await;
    exclude(&registry, "arn:aws:iam::000000000000:role/scanners").await;
    pull(&registry, &scanner, "one").await;
    assert_eq!(written(&registry).await, 0);
    pull(&registry, &scanner, "one").await;
    let session = session_of_role(&registry, &somebody, "scanners").await;
    pull(&registry, &session, "one").await;
    assert_eq!((written(&registry).await, pulled_at(&registry, "one").await), (0, None));
    pull(&registry, &session_of_role(&registry, &somebody, "others").await, "one").await;
    assert_eq!(written(&registry).await, 1);
    registry.clock.advance(Duration::from_hours(2));
    let at = registry.domain.now();
    pull(&registry, &somebody, "one").await;
    registry.clock.advance(Duration::from_hours(2));
    pull(&registry, &scanner, "one").await;
    assert_eq!((written(&registry).await, pulled_at(&registry, "one").await), (1, Some(at)));
}

/// A session of a role that the user may assume.
async fn session_of_role(registry: &TestRegistry, user: &Caller, name: &str) -> Caller {
    let owner = Owner::role(name);
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"000000000000"}}}"#;
    let role = NewRole { trust_policy: trust.to_owned(), description: None, max_session: 3600 };
    let new =
        NewPrincipal { owner: owner.clone(), path: "/".to_owned(), boundary: None, tags: Vec::new(), role: Some(role) };
    registry.domain.create_principal(&registry.admin, new).await.unwrap();
    registry.domain.put_inline_policy(&registry.admin, &owner, "own", ALL).await.unwrap();
    let asked = AssumeRole {
        role_arn: format!("arn:aws:iam::000000000000:role/{name}"),
        session_name: "session".to_owned(),
        ..AssumeRole::default()
    };
    let assumed = registry.domain.assume_role(user, asked).await.unwrap();
    registry.session_caller(&assumed.credentials).await.unwrap()
}

#[tokio::test]
async fn what_is_read_only_notes_nothing() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"1", &[]).await;
    let registry = registry.restarted(|settings| settings.read_only = true).await;
    pull(&registry, &registry.admin, "one").await;
    assert_eq!((written(&registry).await, pulled_at(&registry, "one").await), (0, None));
}

#[tokio::test]
async fn an_image_that_is_gone_is_no_trouble() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"1", &[]).await;
    pull(&registry, &registry.admin, "one").await;
    registry.clock.advance(Duration::from_secs(1));
    let gone = registry.domain.delete_images(&registry.admin, &name("a"), &[tagged("one")]).await.unwrap();
    assert!(gone[0].is_ok());
    // Its row number may be given to another image.
    registry.image("a", "two", b"2", &[]).await;
    assert_eq!((written(&registry).await, pulled_at(&registry, "two").await), (0, None));
}
