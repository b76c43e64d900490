//! Registries of several accounts and regions behind one server: each knows its own, and nobody else's.

use std::time::Duration;

use berth_aws::{AccountId, Region};
use berth_domain::access::scopes::Scope;
use berth_domain::identity::explain::Explain;
use berth_domain::images::Push;
use berth_domain::uploads::Mount;
use berth_domain::{Action, Caller, Domain, EcrError, Error};
use berth_oci::digest::Algorithm;
use berth_store::repositories::Registry;
use bytes::Bytes;

use crate::garbage::collect;
use crate::registry::{TestRegistry, body, digest, image, name, reference};

const HERE: &str = "us-east-1";
const EAST: &str = "eu-central-1";

pub fn other() -> AccountId {
    AccountId::parse("111111111111").unwrap()
}

fn region(text: &str) -> Region {
    Region::parse(text).unwrap()
}

/// A server with two regions and two accounts, and the administrator of the second.
pub async fn two_accounts() -> (TestRegistry, Caller) {
    let registry = TestRegistry::with(|settings| {
        settings.regions = vec![region(EAST)];
        settings.anonymous_pull = vec!["open/*".to_owned()];
    })
    .await;
    let key = registry.domain.create_account(&registry.admin, &other()).await.unwrap();
    let theirs = registry.domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await.unwrap();
    (registry, theirs)
}

/// The registry of the second account.
pub async fn others(domain: &Domain) -> Domain {
    domain.registry_of(Some(&other()), None).await.unwrap().into_owned()
}

async fn push(domain: &Domain, caller: &Caller, repository: &str, layer: &[u8]) {
    let repository = name(repository);
    for bytes in [layer, b"{}"] {
        let id = domain.begin_upload(caller, &repository, Algorithm::Sha256).await.unwrap();
        domain.finish_upload(caller, &repository, &id, None, &mut body(bytes), &digest(bytes)).await.unwrap();
    }
    let bytes = Bytes::from(image(b"{}", &[layer]));
    let push = Push { reference: reference("one"), tags: Vec::new(), content_type: None, bytes };
    domain.push_manifest(caller, &repository, push).await.unwrap();
}

async fn pulled(domain: &Domain, caller: &Caller, repository: &str) -> Result<Bytes, Error> {
    Ok(domain.get_manifest(caller, &name(repository), &reference("one")).await?.1)
}

fn is_unknown<T>(answer: Result<T, Error>, what: &str) -> bool {
    matches!(answer, Err(Error::RegistryUnknown(named)) if named == what)
}

#[tokio::test]
async fn the_same_name_is_another_repository_in_another_registry() {
    let (registry, theirs) = two_accounts().await;
    let (ours, east) = (&registry.domain, region(EAST));
    let others = others(ours).await;
    let in_east = ours.registry_of(None, Some(&east)).await.unwrap();
    push(ours, &registry.admin, "a", b"ours").await;
    push(&others, &theirs, "a", b"theirs").await;
    push(&in_east, &registry.admin, "a", b"east").await;
    for (domain, caller, layer) in
        [(ours, &registry.admin, &b"ours"[..]), (&others, &theirs, b"theirs"), (&in_east, &registry.admin, b"east")]
    {
        assert_eq!(pulled(domain, caller, "a").await.unwrap(), image(b"{}", &[layer]));
        for foreign in [&b"ours"[..], b"theirs", b"east"] {
            let found = domain.get_blob(caller, &name("a"), &digest(foreign)).await;
            assert_eq!(found.is_ok(), foreign == layer, "{found:?}", found = found.err());
        }
        let catalog = domain.catalog(caller, "", 10).await.unwrap().items;
        assert_eq!(catalog, [name("a")]);
    }
    // The key of one account opens nothing of another, in either direction.
    assert!(matches!(pulled(ours, &theirs, "a").await, Err(Error::Denied { .. })));
    let administrator = registry.user("somebody", Some(EVERYTHING)).await;
    assert!(matches!(pulled(&others, &administrator, "a").await, Err(Error::Denied { .. })));
    assert!(pulled(&in_east, &administrator, "a").await.is_ok());
}

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

#[tokio::test]
async fn deletions_and_collections_leave_other_registries_alone() {
    let (registry, theirs) = two_accounts().await;
    let others = others(&registry.domain).await;
    push(&registry.domain, &registry.admin, "a", b"shared").await;
    push(&others, &theirs, "a", b"shared").await;
    push(&others, &theirs, "b", b"theirs").await;
    registry
        .domain
        .delete_manifest(&registry.admin, &name("a"), &reference(&manifest_digest(b"shared")))
        .await
        .unwrap();
    for _ in 0..3 {
        registry.clock.advance(Duration::from_hours(100));
        collect(&registry).await;
    }
    assert!(pulled(&registry.domain, &registry.admin, "a").await.is_err());
    for (repository, layer) in [("a", &b"shared"[..]), ("b", b"theirs")] {
        assert_eq!(pulled(&others, &theirs, repository).await.unwrap(), image(b"{}", &[layer]));
        others.get_blob(&theirs, &name(repository), &digest(layer)).await.unwrap();
    }
}

fn manifest_digest(layer: &[u8]) -> String {
    digest(&image(b"{}", &[layer])).to_string()
}

#[tokio::test]
async fn nothing_is_mounted_from_another_registry() {
    let (registry, theirs) = two_accounts().await;
    let others = others(&registry.domain).await;
    push(&registry.domain, &registry.admin, "a", b"ours").await;
    for from in [Some(name("a")), None] {
        let mounted = others.mount_blob(&theirs, &name("b"), &digest(b"ours"), from.as_ref()).await.unwrap();
        assert_eq!(mounted, Mount::NotFound);
    }
    let at_home = registry.domain.mount_blob(&registry.admin, &name("b"), &digest(b"ours"), None).await.unwrap();
    assert_eq!(at_home, Mount::Mounted);
}

#[tokio::test]
async fn an_upload_goes_on_in_its_own_registry_only() {
    let (registry, theirs) = two_accounts().await;
    let east = region(EAST);
    let others = others(&registry.domain).await;
    let in_east = others.registry_of(None, Some(&east)).await.unwrap();
    for domain in [&others, &in_east] {
        push(domain, &theirs, "a", b"layer").await;
    }
    let id = others.begin_upload(&theirs, &name("a"), Algorithm::Sha256).await.unwrap();
    assert!(matches!(in_east.upload_status(&theirs, &name("a"), &id).await, Err(Error::UploadUnknown)));
    let appended = in_east.append_to_upload(&theirs, &name("a"), &id, None, &mut body(b"x")).await;
    assert!(matches!(appended, Err(Error::UploadUnknown)));
    others.finish_upload(&theirs, &name("a"), &id, None, &mut body(b"y"), &digest(b"y")).await.unwrap();
}

/// Policies of two repositories with one name, asked for by turns: neither is taken for the other.
#[tokio::test]
async fn what_is_kept_of_one_registry_is_not_taken_for_another() {
    let (registry, theirs) = two_accounts().await;
    let ours = &registry.domain;
    let others = others(ours).await;
    push(ours, &registry.admin, "a", b"ours").await;
    push(&others, &theirs, "a", b"theirs").await;
    let open =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}"#;
    ours.set_repository_policy(&registry.admin, &name("a"), open, true).await.unwrap();
    let stranger = Caller::anonymous();
    for _ in 0..3 {
        assert!(pulled(ours, &stranger, "a").await.is_ok());
        assert!(matches!(pulled(&others, &stranger, "a").await, Err(Error::Unauthenticated)));
        assert!(matches!(pulled(&others, &stranger, "open/a").await, Err(Error::RepositoryUnknown(_))));
    }
    ours.delete_repository_policy(&registry.admin, &name("a")).await.unwrap();
    others.set_repository_policy(&theirs, &name("a"), open, true).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(pulled(ours, &stranger, "a").await, Err(Error::Unauthenticated)));
        assert!(pulled(&others, &stranger, "a").await.is_ok());
    }
    let shut = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage","Resource":"*"}}"#;
    others.set_registry_policy(&theirs, shut.to_owned()).await.unwrap();
    let known = registry.user("somebody", Some(EVERYTHING)).await;
    for _ in 0..3 {
        assert!(matches!(pulled(&others, &theirs, "a").await, Err(Error::Denied { .. })));
        assert!(pulled(ours, &known, "a").await.is_ok());
    }
}

#[tokio::test]
async fn a_registry_comes_and_goes_with_its_account() {
    let registry = TestRegistry::with(|settings| settings.regions = vec![region(EAST)]).await;
    let (domain, second) = (&registry.domain, registry.second_node().await);
    let missing = "111111111111 in us-east-1";
    for _ in 0..2 {
        assert!(is_unknown(domain.registry_of(Some(&other()), None).await, missing));
        assert!(is_unknown(second.registry_of(Some(&other()), None).await, missing));
    }
    let key = domain.create_account(&registry.admin, &other()).await.unwrap();
    assert!(domain.registry_of(Some(&other()), None).await.is_ok());
    registry.clock.advance(Duration::from_secs(1));
    assert!(second.registry_of(Some(&other()), Some(&region(EAST))).await.is_ok());

    // What stood in the registry's policy does not come back with the next account of that id.
    let theirs = domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await.unwrap();
    let open =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"*"}}"#;
    for region in [HERE, EAST].map(region) {
        let handle = domain.registry_of(Some(&other()), Some(&region)).await.unwrap();
        handle.set_registry_policy(&theirs, open.to_owned()).await.unwrap();
    }
    domain.delete_account(&registry.admin, &other()).await.unwrap();
    assert!(is_unknown(domain.registry_of(Some(&other()), None).await, missing));
    registry.clock.advance(Duration::from_secs(1));
    assert!(is_unknown(second.registry_of(Some(&other()), None).await, missing));
    domain.create_account(&registry.admin, &other()).await.unwrap();
    for region in [HERE, EAST].map(region) {
        let handle = domain.registry_of(Some(&other()), Some(&region)).await.unwrap();
        let administrator = domain.operator_of(&other());
        let policy = handle.get_registry_policy(&administrator).await;
        assert!(matches!(policy, Err(Error::Ecr(EcrError::RegistryPolicyUnknown(_)))), "{policy:?}");
    }
}

#[tokio::test]
async fn only_regions_that_are_served_have_registries() {
    let (registry, _) = two_accounts().await;
    let domain = &registry.domain;
    assert_eq!(domain.regions().map(Region::as_str).collect::<Vec<_>>(), [HERE, EAST]);
    for account in [None, Some(other())] {
        let found = domain.registry_of(account.as_ref(), Some(&region("mars-1"))).await;
        let account = account.as_ref().map_or("000000000000", AccountId::as_str);
        assert!(is_unknown(found, &format!("{account} in mars-1")));
    }
    // From a registry, what is not named is its own.
    let others = others(domain).await;
    let east = others.registry_of(None, Some(&region(EAST))).await.unwrap();
    assert_eq!(east.settings().registry, Registry { account: other(), region: region(EAST) });
    let home = others.registry_of(Some(&domain.settings().registry.account), None).await.unwrap();
    assert_eq!(home.settings().registry, domain.settings().registry);
}

/// Whoever shows nothing hears the same of a registry that nobody has as of an empty one.
#[tokio::test]
async fn strangers_do_not_learn_which_accounts_there_are() {
    let (registry, _) = two_accounts().await;
    let nobodys = Registry { account: AccountId::parse("222222222222").unwrap(), region: region(HERE) };
    let theirs = Registry { account: other(), region: region(HERE) };
    let stranger = Caller::anonymous();
    for repository in ["open/a", "closed/a"] {
        let mut answers = Vec::new();
        for place in [&nobodys, &theirs] {
            let domain = registry.domain.in_registry(place).unwrap();
            let pulled = pulled(&domain, &stranger, repository).await.unwrap_err();
            let pushed = domain.begin_upload(&stranger, &name(repository), Algorithm::Sha256).await.unwrap_err();
            let listed = domain.catalog(&stranger, "", 10).await.unwrap().items;
            answers.push((pulled.to_string(), pushed.to_string(), listed));
        }
        assert_eq!(answers[0], answers[1]);
    }
}

#[tokio::test]
async fn a_bearer_token_opens_the_registry_that_it_was_made_for() {
    let (registry, theirs) = two_accounts().await;
    let others = others(&registry.domain).await;
    let east = others.registry_of(None, Some(&region(EAST))).await.unwrap().into_owned();
    for domain in [&others, &east] {
        push(domain, &theirs, "a", b"layer").await;
    }
    for (maker, stranger) in [(&others, &east), (&east, &others), (&others, &registry.domain)] {
        let asked = vec![Scope::parse("repository:a:pull").unwrap(), Scope::Catalog];
        let token = maker.issue_bearer(&theirs, asked).await.unwrap();
        let shown = registry.domain.authenticate_bearer(token.reveal()).await.unwrap();
        assert!(pulled(maker, &shown, "a").await.is_ok());
        assert_eq!(maker.catalog(&shown, "", 10).await.unwrap().items, [name("a")]);
        let answer = pulled(stranger, &shown, "a").await;
        assert!(matches!(answer, Err(Error::OutOfScope | Error::Denied { .. })), "{answer:?}");
        assert!(matches!(stranger.catalog(&shown, "", 10).await, Err(Error::OutOfScope)));
    }
}

#[tokio::test]
async fn what_was_heard_of_one_registry_says_nothing_of_another() {
    let (registry, theirs) = two_accounts().await;
    let others = others(&registry.domain).await;
    push(&registry.domain, &registry.admin, "a", b"ours").await;
    push(&others, &theirs, "a", b"theirs").await;
    others.allow_beforehand(&theirs, Action::BatchGetImage, &name("a")).await.unwrap();
    let answer = registry.domain.allow(&theirs, Action::BatchGetImage, &name("a")).await;
    assert!(matches!(answer, Err(Error::Denied { .. })), "{answer:?}");
}

/// Rights in an account's registry are none over the server, whatever handle an operation is called on.
#[tokio::test]
async fn the_administrator_of_an_account_does_not_administer_the_server() {
    let (registry, theirs) = two_accounts().await;
    let others = others(&registry.domain).await;
    assert!(matches!(others.create_account(&theirs, &other()).await, Err(Error::Denied { .. })));
    assert!(matches!(others.list_accounts(&theirs, "", 10).await, Err(Error::Denied { .. })));
    let home = home(&registry);
    assert!(matches!(others.delete_account(&theirs, &home).await, Err(Error::Denied { .. })));
    assert!(matches!(others.allow_figures(&theirs), Err(Error::Denied { .. })));
    assert_eq!(others.repository_sizes(&theirs, "", 10).await.unwrap().len(), 0);
    assert_eq!(others.administrator().account(), Some(&home));
}

/// An account's decisions are explained by the policies of its own repositories, in the region that is asked about.
#[tokio::test]
async fn a_decision_is_explained_by_the_policies_of_its_own_registry() {
    let (registry, theirs) = two_accounts().await;
    let east = region(EAST);
    let in_east = registry.domain.registry_of(Some(&other()), Some(&east)).await.unwrap();
    push(&registry.domain, &registry.admin, "a", b"ours").await;
    push(&in_east, &theirs, "a", b"theirs").await;
    let shut = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage"}}"#;
    registry.domain.set_repository_policy(&registry.admin, &name("a"), shut, true).await.unwrap();
    in_east.set_repository_policy(&theirs, &name("a"), shut, true).await.unwrap();
    for (account, region, hears) in [(other(), EAST, true), (other(), HERE, false), (home(&registry), HERE, false)] {
        let asked = Explain {
            principal_arn: format!("arn:aws:iam::{}:user/administrator", other()),
            action: "ecr:BatchGetImage".to_owned(),
            resource: format!("arn:aws:ecr:{region}:{account}:repository/a"),
            context: Vec::new(),
            endpoint: None,
        };
        let explained = registry.domain.explain_access(&theirs, asked).await.unwrap();
        assert_eq!(explained.policies.contains(&"the repository's policy".to_owned()), hears, "{account} {region}");
    }
}

fn home(registry: &TestRegistry) -> AccountId {
    registry.domain.settings().registry.account.clone()
}
