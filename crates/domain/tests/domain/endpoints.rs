//! Private endpoints: what comes by a listener with a name is judged by its policy too, and conditions see its id.

use std::sync::Arc;

use berth_domain::identity::Owner;
use berth_domain::identity::principals::{NewPrincipal, NewRole};
use berth_domain::settings::{Endpoint, EndpointPolicy};
use berth_domain::sts::AssumeRole;
use berth_domain::{Action, Caller, Circumstances, Error};

use crate::registry::{TestRegistry, name};
use crate::repositories::new;

/// Pulls of one repository, and the way to them.
const NARROW: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Resource":"arn:aws:ecr:*:*:repository/a"},
    {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/alice"},"Action":"ecr:GetAuthorizationToken","Resource":"*"}]}"#;
const WIDE: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

fn endpoint(at: &str, id: Option<&str>, policy: Option<&str>) -> (String, Endpoint) {
    let policy = policy.map(|text| EndpointPolicy::parse(at, text).unwrap());
    (at.to_owned(), Endpoint { id: id.map(str::to_owned), policy })
}

async fn registry() -> TestRegistry {
    let endpoints = [
        endpoint("narrow", Some("vpce-1"), Some(NARROW)),
        endpoint("wide", Some("vpce-2"), Some(WIDE)),
        endpoint("plain", None, None),
    ];
    TestRegistry::with(|settings| {
        settings.endpoints = endpoints.into();
        settings.anonymous_pull = vec!["*".to_owned()];
    })
    .await
}

fn by(caller: &Caller, listener: Option<&str>) -> Caller {
    let circumstances = Circumstances {
        source_ip: "10.1.2.3".parse().ok(),
        endpoint: listener.map(Arc::from),
        client_certificate: Some("CN=robot".into()),
        ..Circumstances::default()
    };
    caller.clone().under(circumstances)
}

async fn may(registry: &TestRegistry, caller: &Caller, action: Action, repository: &str) -> bool {
    registry.domain.allow(caller, action, &name(repository)).await.is_ok()
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Denied { because, .. }) => because,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_decision_needs_the_policy_of_the_endpoint() {
    let registry = registry().await;
    let (admin, nobody) = (registry.admin.clone(), Caller::anonymous());
    let alice = registry.user("alice", Some(ALL)).await;
    let table = [
        (&alice, Some("narrow"), Action::BatchGetImage, "a", true),
        (&alice, Some("narrow"), Action::BatchGetImage, "b", false),
        (&alice, Some("narrow"), Action::PutImage, "a", false),
        (&alice, Some("wide"), Action::PutImage, "a", true),
        (&alice, Some("plain"), Action::PutImage, "a", true),
        (&alice, None, Action::PutImage, "a", true),
        (&nobody, Some("narrow"), Action::BatchGetImage, "a", true),
        (&nobody, Some("narrow"), Action::BatchGetImage, "b", false),
        (&nobody, Some("wide"), Action::BatchGetImage, "b", true),
        // It gives nothing by itself.
        (&nobody, Some("wide"), Action::PutImage, "a", false),
        // Whoever holds the data folder comes by none.
        (&admin, Some("narrow"), Action::PutImage, "b", true),
    ];
    for (caller, listener, action, repository, expected) in table {
        let came = by(caller, listener);
        assert_eq!(may(&registry, &came, action, repository).await, expected, "{listener:?} {action:?} {repository}");
    }
    let refused = registry.domain.allow(&by(&alice, Some("narrow")), Action::PutImage, &name("a")).await;
    assert_eq!(reason(refused), "because no VPC endpoint policy allows the ecr:PutImage action");
    let listed = registry.domain.allow_figures(&by(&alice, Some("narrow")));
    assert_eq!(reason(listed), "because no VPC endpoint policy allows the berth:GetMetrics action");
}

#[tokio::test]
async fn what_needs_no_other_permission_needs_that_of_the_endpoint() {
    let registry = registry().await;
    let domain = &registry.domain;
    let (alice, bob) = (registry.user("alice", Some(ALL)).await, registry.user("bob", None).await);
    assert!(domain.get_authorization_token(&by(&alice, Some("narrow"))).is_ok());
    let eve = registry.user("eve", Some(ALL)).await;
    let refused = domain.get_authorization_token(&by(&eve, Some("narrow")));
    assert_eq!(reason(refused), "because no VPC endpoint policy allows the ecr:GetAuthorizationToken action");
    for listener in [Some("wide"), Some("plain"), None] {
        assert!(domain.get_session_token(&by(&bob, listener), None).is_ok(), "{listener:?}");
    }
    // What nothing else has to allow, a boundary does not have to either.
    let boundary = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly".to_owned();
    domain.set_boundary(&registry.admin, &Owner::user("bob"), Some(boundary)).await.unwrap();
    let bob = registry.again("bob").await;
    assert!(domain.get_session_token(&by(&bob, Some("wide")), None).is_ok());
    let refused = domain.get_session_token(&by(&bob, Some("narrow")), None);
    assert_eq!(reason(refused), "because no VPC endpoint policy allows the sts:GetSessionToken action");
}

#[tokio::test]
async fn a_role_is_assumed_by_an_endpoint_that_lets_it_be() {
    let registry = registry().await;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"AWS":"arn:aws:iam::000000000000:user/alice"},
        "Condition":{"StringNotEqualsIfExists":{"aws:SourceVpce":"vpce-9"}}}}"#;
    let alice = registry.user("alice", Some(ALL)).await;
    let role = NewRole { trust_policy: trust.to_owned(), description: None, max_session: 43_200 };
    let owner = Owner::role("puller");
    let new = NewPrincipal { owner, path: "/".to_owned(), boundary: None, tags: Vec::new(), role: Some(role) };
    let arn = registry.domain.create_principal(&registry.admin, new).await.unwrap().record.arn();
    let asked = || AssumeRole { role_arn: arn.clone(), session_name: "session".to_owned(), ..AssumeRole::default() };
    for (listener, expected) in [(Some("narrow"), false), (Some("wide"), true), (Some("plain"), true), (None, true)] {
        let answer = registry.domain.assume_role(&by(&alice, listener), asked()).await;
        assert_eq!(answer.is_ok(), expected, "{listener:?}: {answer:?}");
    }
}

#[tokio::test]
async fn conditions_see_the_id_of_the_endpoint_and_the_address_within() {
    let registry = registry().await;
    let alice = registry.user("alice", None).await;
    registry.domain.create_repository(&registry.admin, new("a")).await.unwrap();
    let table = [
        (r#""StringEquals":{"aws:SourceVpce":"vpce-2"}"#, [true, false, false]),
        (r#""Null":{"aws:SourceVpce":"true"}"#, [false, true, true]),
        (r#""IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}"#, [true, false, false]),
        (r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#, [false, true, true]),
        (r#""StringLike":{"berth:ClientCertificateSubject":"CN=rob*"}"#, [true, true, true]),
    ];
    for (condition, expected) in table {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::000000000000:user/alice"}},
            "Action":"ecr:BatchGetImage","Condition":{{{condition}}}}}}}"#
        );
        registry.domain.set_repository_policy(&registry.admin, &name("a"), &policy, true).await.unwrap();
        for (listener, expected) in [Some("wide"), Some("plain"), None].into_iter().zip(expected) {
            let came = by(&alice, listener);
            let allowed = may(&registry, &came, Action::BatchGetImage, "a").await;
            assert_eq!(allowed, expected, "{condition} {listener:?}");
        }
    }
}

#[tokio::test]
async fn a_policy_that_is_replaced_counts_at_once() {
    let policy = EndpointPolicy::parse("private", WIDE).unwrap();
    let endpoint = Endpoint { id: None, policy: Some(policy.clone()) };
    let registry = TestRegistry::with(|settings| settings.endpoints = [("private".to_owned(), endpoint)].into()).await;
    let alice = by(&registry.user("alice", Some(ALL)).await, Some("private"));
    assert!(may(&registry, &alice, Action::PutImage, "a").await);
    policy.replace(NARROW).unwrap();
    assert!(!may(&registry, &alice, Action::PutImage, "a").await);
    assert!(may(&registry, &alice, Action::BatchGetImage, "a").await);
}
