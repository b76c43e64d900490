//! Explanations: what is said beforehand about a request that comes by a private endpoint is what is decided when it comes.

use std::collections::BTreeSet;
use std::sync::Arc;

use berth_aws::policy::Outcome;
use berth_domain::identity::explain::{Explain, Explanation};
use berth_domain::identity::principals::{NewPrincipal, NewRole};
use berth_domain::identity::{IdentityError, Owner};
use berth_domain::settings::{Endpoint, EndpointPolicy};
use berth_domain::sts::AssumeRole;
use berth_domain::{Action, Caller, Circumstances, Error};

use crate::registry::{TestRegistry, name};
use crate::repositories::new;

const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const HERE: &str = "arn:aws:iam::000000000000";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";

/// Listeners: what they are called, their id, and a statement of their policy.
const LISTENERS: [(&str, Option<&str>, Option<&str>); 7] = [
    ("pulls", Some("vpce-1"), Some(r#""Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Resource":"*""#)),
    ("wide", Some("vpce-2"), Some(r#""Effect":"Allow","Principal":"*","Action":"*","Resource":"*""#)),
    ("plain", None, None),
    ("only-id", Some("vpce-3"), None),
    (
        "only-policy",
        None,
        Some(r#""Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:ecr:*:*:repository/a""#),
    ),
    (
        "from-within",
        Some("vpce-4"),
        Some(
            r#""Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{
            "IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"},"Null":{"aws:SourceIp":"true"},
            "StringEquals":{"aws:PrincipalAccount":"000000000000","aws:ResourceAccount":"000000000000"}}"#,
        ),
    ),
    (
        "not-alice",
        None,
        Some(
            r#""Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{
            "IpAddress":{"aws:SourceIp":"10.0.0.0/8"},
            "ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000000:user/alice"}}"#,
        ),
    ),
];

/// Policies of the repository `a`, in turns.
const OF_REPOSITORY: [&str; 4] = [
    r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"ecr:PutImage""#,
    r#""Effect":"Deny","Principal":"*","Action":"ecr:*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-2"}}"#,
    r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/nobody"},"Action":"ecr:PutImage",
       "Condition":{"IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}"#,
    r#""Effect":"Deny","Principal":"*","Action":"ecr:PutImage","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
];

fn document(statement: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{{statement}}}}}"#)
}

async fn registry() -> TestRegistry {
    let endpoints = LISTENERS.map(|(at, id, statement)| {
        let policy = statement.map(|statement| EndpointPolicy::parse(at, &document(statement)).unwrap());
        (at.to_owned(), Endpoint { id: id.map(str::to_owned), policy })
    });
    TestRegistry::with(|settings| settings.endpoints = endpoints.into()).await
}

/// Somebody of the account, and the ARN that an explanation is asked by.
type Known = (String, Caller);

async fn user(registry: &TestRegistry, called: &str, policy: Option<&str>) -> Known {
    (format!("{HERE}:user/{called}"), registry.user(called, policy).await)
}

async fn bounded(registry: &TestRegistry) -> Known {
    let (arn, _) = user(registry, "bounded", Some(ALL)).await;
    let boundary = Some(READ_ONLY.to_owned());
    registry.domain.set_boundary(&registry.admin, &Owner::user("bounded"), boundary).await.unwrap();
    (arn, registry.again("bounded").await)
}

async fn session(registry: &TestRegistry) -> Known {
    let trust = document(&format!(
        r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"{HERE}:user/administrator"}}"#
    ));
    let (domain, owner) = (&registry.domain, Owner::role("ci"));
    let role = Some(NewRole { trust_policy: trust, description: None, max_session: 43_200 });
    let new = NewPrincipal { owner: owner.clone(), path: "/".to_owned(), boundary: None, tags: Vec::new(), role };
    let arn = domain.create_principal(&registry.admin, new).await.unwrap().record.arn();
    let only_there = r#""Effect":"Allow","Action":"ecr:*","Resource":"*",
        "Condition":{"StringLike":{"aws:SourceVpce":["vpce-1","vpce-4"]},"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#;
    domain.put_inline_policy(&registry.admin, &owner, "own", &document(only_there)).await.unwrap();
    let asked = AssumeRole { role_arn: arn.clone(), session_name: "build".to_owned(), ..AssumeRole::default() };
    let administrator = registry.again("administrator").await;
    let assumed = domain.assume_role(&administrator, asked).await.unwrap();
    (arn, registry.session_caller(&assumed.credentials).await.unwrap())
}

async fn explained(
    registry: &TestRegistry,
    principal: &str,
    (action, repository): (Action, &str),
    (listener, address): (Option<&str>, &str),
) -> Result<Explanation, Error> {
    let asked = Explain {
        principal_arn: principal.to_owned(),
        action: action.as_str().to_owned(),
        resource: format!("arn:aws:ecr:us-east-1:000000000000:repository/{repository}"),
        context: vec![("aws:SourceIp".to_owned(), vec![address.to_owned()])],
        endpoint: listener.map(str::to_owned),
    };
    registry.domain.explain_access(&registry.admin, asked).await
}

/// Every principal by every listener, from two addresses, under every policy of the repository.
#[tokio::test]
async fn an_explanation_is_what_is_decided_by_every_endpoint() {
    let registry = registry().await;
    let everybody = [
        user(&registry, "alice", Some(ALL)).await,
        user(&registry, "nobody", None).await,
        bounded(&registry).await,
        session(&registry).await,
    ];
    registry.domain.create_repository(&registry.admin, new("a")).await.unwrap();
    let listeners: Vec<Option<&str>> = LISTENERS.iter().map(|(at, ..)| Some(*at)).chain([None]).collect();
    let mut seen = BTreeSet::new();
    for statement in OF_REPOSITORY {
        let policy = document(statement);
        registry.domain.set_repository_policy(&registry.admin, &name("a"), &policy, true).await.unwrap();
        for (arn, caller) in &everybody {
            for (listener, address) in listeners.iter().flat_map(|at| [(*at, "10.1.2.3"), (*at, "192.0.2.1")]) {
                let circumstances = Circumstances {
                    source_ip: address.parse().ok(),
                    endpoint: listener.map(Arc::from),
                    ..Circumstances::default()
                };
                let came = caller.clone().under(circumstances);
                for question in [(Action::BatchGetImage, "a"), (Action::PutImage, "a"), (Action::PutImage, "b")] {
                    let decided = registry.domain.allow(&came, question.0, &name(question.1)).await.is_ok();
                    let explained = explained(&registry, arn, question, (listener, address)).await.unwrap();
                    assert_eq!(
                        explained.outcome == Outcome::Allowed,
                        decided,
                        "{arn} {question:?} by {listener:?} from {address} under {policy}: {}",
                        explained.sentence
                    );
                    seen.insert((listener, decided));
                }
            }
        }
    }
    assert_eq!(seen.len(), 2 * listeners.len(), "something is allowed and something refused by each: {seen:?}");
}

#[tokio::test]
async fn the_endpoint_that_decides_is_told_by_its_name() {
    let registry = registry().await;
    let (alice, _) = user(&registry, "alice", Some(ALL)).await;
    let put = (Action::PutImage, "a");
    let on = "ecr:PutImage on arn:aws:ecr:us-east-1:000000000000:repository/a";
    let pulls = explained(&registry, &alice, put, (Some("pulls"), "10.1.2.3")).await.unwrap();
    assert_eq!(pulls.sentence, format!("{on} is denied: no statement of endpoint policy endpoint:pulls allows it"));
    assert_eq!(pulls.policies, [format!("{alice}/own"), "endpoint:pulls".to_owned()]);
    let wide = explained(&registry, &alice, put, (Some("wide"), "10.1.2.3")).await.unwrap();
    assert_eq!(wide.sentence, format!("{on} is allowed by statement 1 of identity policy {alice}/own"));
    for listener in [Some("plain"), None] {
        let without = explained(&registry, &alice, put, (listener, "10.1.2.3")).await.unwrap();
        assert_eq!(without.policies, [format!("{alice}/own")], "{listener:?}");
    }
    // A Deny of the endpoint is told with its statement.
    let shut = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
        {"Sid":"NoPushes","Effect":"Deny","Principal":"*","Action":"ecr:PutImage","Resource":"*"}]}"#;
    let policy = EndpointPolicy::parse("shut", shut).unwrap();
    let endpoint = Endpoint { id: None, policy: Some(policy) };
    let registry = TestRegistry::with(|settings| settings.endpoints = [("shut".to_owned(), endpoint)].into()).await;
    let (alice, _) = user(&registry, "alice", Some(ALL)).await;
    let shut = explained(&registry, &alice, put, (Some("shut"), "10.1.2.3")).await.unwrap();
    assert_eq!(shut.sentence, format!("{on} is denied by statement 2 (Sid NoPushes) of endpoint policy endpoint:shut"));
    assert_eq!(shut.outcome, Outcome::ExplicitDeny);
}

#[tokio::test]
async fn an_unknown_endpoint_is_refused_without_telling_which_there_are() {
    let registry = registry().await;
    let (alice, caller) = user(&registry, "alice", None).await;
    let question = (Action::PutImage, "a");
    match explained(&registry, &alice, question, (Some("other"), "10.1.2.3")).await {
        Err(Error::Identity(IdentityError::Validation(told))) => {
            assert_eq!(told, "There is no endpoint with the name other.");
        }
        other => panic!("{other:?}"),
    }
    // Who may not ask does not hear whether there is one.
    for listener in ["other", "pulls"] {
        let asked = Explain {
            principal_arn: alice.clone(),
            action: "ecr:PutImage".to_owned(),
            resource: "*".to_owned(),
            context: Vec::new(),
            endpoint: Some(listener.to_owned()),
        };
        let refused = registry.domain.explain_access(&caller, asked).await;
        assert!(matches!(refused, Err(Error::Denied { .. })), "{listener}: {refused:?}");
    }
}
