//! Layers by the API of ECR: whether they are there, and passes that open one of them.

use std::time::Duration;

use berth_domain::images::TagStatus;
use berth_domain::layers::LayerAddress;
use berth_domain::{Caller, EcrError, Error};
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;

use crate::registry::{TestRegistry, digest, name, tagged};

const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

async fn pass(
    registry: &TestRegistry,
    caller: &Caller,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<String, Error> {
    match registry.domain.layer_address(caller, repository, digest).await? {
        LayerAddress::Pass(pass) => Ok(pass.reveal().to_owned()),
        LayerAddress::Store(address) => panic!("{address}"),
    }
}

#[tokio::test]
async fn layers_are_there_or_not_each_in_its_place() {
    let registry = TestRegistry::new().await;
    let (first, second) = (registry.blob("a", b"first").await, registry.blob("a", b"the second").await);
    registry.blob("b", b"elsewhere").await;
    let asked = [second.clone(), digest(b"elsewhere"), first.clone(), second.clone(), digest(b"none")];
    let answers = registry.domain.layer_availability(&registry.admin, &name("a"), &asked).await.unwrap();
    assert_eq!(answers.iter().map(|(digest, _)| digest.clone()).collect::<Vec<_>>(), asked);
    let sizes: Vec<_> = answers.iter().map(|(_, found)| found.as_ref().map(|layer| layer.size)).collect();
    assert_eq!(sizes, [Some(10), None, Some(5), Some(10), None]);
    let nowhere = registry.domain.layer_availability(&registry.admin, &name("nowhere"), &asked).await;
    assert!(matches!(nowhere, Err(Error::RepositoryUnknown(_))), "{nowhere:?}");
}

#[tokio::test]
async fn a_layer_that_was_said_to_be_there_is_kept_for_a_while() {
    let registry = TestRegistry::new().await;
    let (kept, left) = (registry.blob("a", b"kept").await, registry.blob("a", b"left").await);
    registry.clock.advance(Duration::from_mins(24 * 60 - 1));
    let ask = async |digest: &Digest| {
        let asked = [digest.clone()];
        let answers = registry.domain.layer_availability(&registry.admin, &name("a"), &asked).await.unwrap();
        answers[0].1.is_some()
    };
    assert!(ask(&kept).await);
    registry.clock.advance(Duration::from_mins(2));
    registry.domain.collect_garbage(false, &mut crate::garbage::Heard::default()).await.unwrap();
    assert_eq!((ask(&kept).await, ask(&left).await), (true, false));
}

#[tokio::test]
async fn a_layer_that_no_image_names_cannot_be_downloaded() {
    let registry = TestRegistry::new().await;
    let caller = registry.user("somebody", Some(ALL)).await;
    let lonely = registry.blob("a", b"lonely").await;
    let refused = pass(&registry, &caller, &name("a"), &lonely).await;
    assert!(
        matches!(&refused, Err(Error::Ecr(EcrError::LayerInaccessible(digest))) if *digest == lonely),
        "{refused:?}"
    );
    let refused = pass(&registry, &caller, &name("a"), &digest(b"none")).await;
    assert!(matches!(&refused, Err(Error::Ecr(EcrError::LayersUnknown(_)))), "{refused:?}");
    let refused = pass(&registry, &caller, &name("nowhere"), &lonely).await;
    assert!(matches!(&refused, Err(Error::RepositoryUnknown(_))), "{refused:?}");
}

#[tokio::test]
async fn a_pass_opens_one_layer_and_nothing_else() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"config", &[b"layer"]).await;
    registry.image("b", "one", b"config", &[b"layer"]).await;
    let caller = registry.user("somebody", Some(ALL)).await;
    let (domain, repository, layer) = (&registry.domain, name("a"), digest(b"layer"));
    let text = pass(&registry, &caller, &repository, &layer).await.unwrap();
    let holder = domain.authenticate_download(&text).await.unwrap();
    assert_eq!(domain.get_blob(&holder, &repository, &layer).await.unwrap().size(), 5);
    let refused = |answer: Result<(), Error>| assert!(matches!(answer, Err(Error::OutOfScope)), "{answer:?}");
    refused(domain.get_blob(&holder, &repository, &digest(b"config")).await.map(drop));
    refused(domain.get_blob(&holder, &name("b"), &layer).await.map(drop));
    refused(pass(&registry, &holder, &repository, &layer).await.map(drop));
    refused(domain.check_blob(&holder, &repository, &layer).await.map(drop));
    refused(domain.describe_images_behind(&holder, &repository, TagStatus::Any, "", 1).await.map(drop));
    refused(domain.get_images(&holder, &repository, &[tagged("one")], &[]).await.map(drop));
    refused(domain.mount_blob(&holder, &name("b"), &layer, Some(&repository)).await.map(drop));
    refused(domain.catalog(&holder, "", 10).await.map(drop));
    refused(domain.get_authorization_token(&holder).map(drop));
    refused(domain.list_access_keys(&holder, "somebody").await.map(drop));
    let asked = berth_domain::access::scopes::asked(["repository:a:pull"].into_iter());
    refused(domain.issue_bearer(&holder, asked).await.map(drop));
}

#[tokio::test]
async fn passes_of_one_kind_are_none_of_another() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"config", &[b"layer"]).await;
    let caller = registry.user("somebody", Some(ALL)).await;
    let domain = &registry.domain;
    let download = pass(&registry, &caller, &name("a"), &digest(b"layer")).await.unwrap();
    let login = domain.get_authorization_token(&caller).unwrap().password;
    let asked = berth_domain::access::scopes::asked(["repository:a:pull"].into_iter());
    let bearer = domain.issue_bearer(&caller, asked).await.unwrap();
    // Each is shown to its own door first, which keeps what it read.
    domain.authenticate_download(&download).await.unwrap();
    domain.authenticate("AWS", login.reveal().as_bytes(), None).await.unwrap();
    domain.authenticate_bearer(bearer.reveal()).await.unwrap();
    let wrong = |answer: Result<Caller, Error>| assert!(matches!(answer, Err(Error::WrongCredentials)), "{answer:?}");
    for other in [login.reveal(), bearer.reveal(), "", "x"] {
        wrong(domain.authenticate_download(other).await);
    }
    wrong(domain.authenticate_bearer(&download).await);
    wrong(domain.authenticate("AWS", download.as_bytes(), None).await);
}

#[tokio::test]
async fn a_pass_ends_with_its_hour_its_key_and_the_rights_of_its_holder() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"config", &[b"layer"]).await;
    let (domain, admin, repository, layer) = (&registry.domain, &registry.admin, name("a"), digest(b"layer"));
    let first = registry.user("first", Some(ALL)).await;
    let of_first = pass(&registry, &first, &repository, &layer).await.unwrap();
    registry.clock.advance(Duration::from_mins(59));
    domain.authenticate_download(&of_first).await.unwrap();
    registry.clock.advance(Duration::from_mins(1));
    let ended = domain.authenticate_download(&of_first).await;
    assert!(matches!(ended, Err(Error::ExpiredToken)), "{ended:?}");
    let of_first = pass(&registry, &first, &repository, &layer).await.unwrap();
    let owner = berth_domain::identity::Owner::user("first");
    domain.delete_inline_policy(admin, &owner, "own").await.unwrap();
    let holder = domain.authenticate_download(&of_first).await.unwrap();
    let denied = domain.get_blob(&holder, &repository, &layer).await;
    assert!(matches!(denied, Err(Error::Denied { .. })), "{:?}", denied.map(drop));
    let key = domain.list_access_keys(admin, "first").await.unwrap()[0].id.clone();
    domain.set_access_key_active(admin, "first", key.as_str(), false).await.unwrap();
    let revoked = domain.authenticate_download(&of_first).await;
    assert!(matches!(revoked, Err(Error::WrongCredentials)), "{revoked:?}");
}

#[tokio::test]
async fn a_stranger_gets_a_pass_for_what_is_open() {
    let registry = TestRegistry::with(|settings| settings.anonymous_pull = vec!["open/*".to_owned()]).await;
    registry.image("open/a", "one", b"config", &[b"layer"]).await;
    let stranger = Caller::anonymous();
    let text = pass(&registry, &stranger, &name("open/a"), &digest(b"layer")).await.unwrap();
    let holder = registry.domain.authenticate_download(&text).await.unwrap();
    registry.domain.get_blob(&holder, &name("open/a"), &digest(b"layer")).await.unwrap();
}
