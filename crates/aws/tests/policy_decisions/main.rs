//! Which layer allows and which cuts, and what the decision says of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod trust;
mod words;

use std::sync::Arc;

use berth_aws::policy::PolicyKind::{Identity, Resource, Trust};
use berth_aws::policy::{
    Decision, Layer, MapContext, Named, Outcome, Policies, Policy, PolicyKind, Principal, Request, evaluate,
    evaluate_trust,
};

const HERE: &str = "111111111111";
const THERE: &str = "222222222222";
const USER: Principal<'_> = Principal::User { arn: "arn:aws:iam::111111111111:user/al", account: HERE };
const SESSION: Principal<'_> = Principal::AssumedRole {
    role_arn: "arn:aws:iam::111111111111:role/ci",
    session_arn: "arn:aws:sts::111111111111:assumed-role/ci/run",
    account: HERE,
};
const FEDERATED: Principal<'_> = Principal::FederatedUser {
    arn: "arn:aws:sts::111111111111:federated-user/al",
    user_arn: "arn:aws:iam::111111111111:user/al",
    account: HERE,
};
const ROOT: Principal<'_> = Principal::Root { account: HERE };
const SERVICE: Principal<'_> = Principal::Service { name: "scan.amazonaws.com" };

fn named(name: &str, kind: PolicyKind, statement: &str) -> Named {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    let policy = Policy::parse(&text, kind, 10_000).unwrap_or_else(|error| panic!("{text}: {error}"));
    Named { name: name.into(), policy: Arc::new(policy) }
}

const ALLOW: &str = r#"{"Effect":"Allow","Action":"ecr:*","Resource":"*"}"#;
const DENY: &str = r#"{"Sid":"No","Effect":"Deny","Action":"ecr:Put*","Resource":"*"}"#;
/// Allows something else.
const OTHER: &str = r#"{"Effect":"Allow","Action":"ecr:Describe*","Resource":"*"}"#;

/// What the layers say, by the statements above or a principal's grant.
#[derive(Default, Clone, Copy)]
struct Say<'a> {
    identity: &'a str,
    boundary: &'a str,
    session: &'a str,
    resource: &'a str,
    registry: &'a str,
    endpoint: &'a str,
    trust: &'a str,
}

/// The outcome, the layer that lacks an Allow and AWS's words for it.
fn decide(principal: &Principal<'_>, account: &str, say: Say<'_>) -> (Outcome, Option<Layer>, String) {
    let all = |name, kind, text: &str| if text.is_empty() { None } else { Some(named(name, kind, text)) };
    let resource = |name, text: &str| match text {
        "" => None,
        "deny" => Some(named(name, Resource, r#"{"Effect":"Deny","Principal":"*","Action":"ecr:*"}"#)),
        principal => {
            let text = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":["ecr:*","sts:*"]}}"#);
            Some(named(name, Resource, &text))
        }
    };
    let identity: Vec<Named> = all("identity", Identity, say.identity).into_iter().collect();
    let (boundary, session) = (all("boundary", Identity, say.boundary), all("session", Identity, say.session));
    let (own, registry, endpoint) =
        (resource("repository", say.resource), resource("registry", say.registry), resource("endpoint", say.endpoint));
    let policies = Policies {
        identity: &identity,
        boundary: boundary.as_ref(),
        session: session.as_ref().map(std::slice::from_ref),
        resource: own.as_ref(),
        registry: registry.as_ref(),
        endpoint: endpoint.as_ref(),
    };
    let context = MapContext::new();
    let mut request = Request {
        action: "ecr:PutImage",
        resource: "arn:aws:ecr:us-east-1:1:repository/x",
        resource_account: account,
        principal,
        context: &context,
    };
    let told = |decision: Decision<'_>| (decision.outcome, decision.missing, decision.aws_reason());
    if say.trust.is_empty() {
        return told(evaluate(&request, &policies));
    }
    request.action = "sts:AssumeRole";
    told(evaluate_trust(&request, &named("trust", Trust, say.trust), &policies))
}

fn check(principal: &Principal<'_>, account: &str, say: Say<'_>, expected: Result<(), Option<Layer>>) {
    let (outcome, missing, reason) = decide(principal, account, say);
    let got = match outcome {
        Outcome::Allowed => Ok(()),
        Outcome::ImplicitDeny => Err(missing),
        Outcome::ExplicitDeny => Err(None),
    };
    assert_eq!(got, expected, "{principal:?} {reason}");
}

fn missing(layer: Layer) -> Result<(), Option<Layer>> {
    Err(Some(layer))
}

const BY_USER: &str = r#"{"AWS":"arn:aws:iam::111111111111:user/al"}"#;
const BY_ACCOUNT: &str = r#"{"AWS":"111111111111"}"#;
const BY_ROLE: &str = r#"{"AWS":"arn:aws:iam::111111111111:role/ci"}"#;
const BY_SESSION: &str = r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/ci/run"}"#;
const EVERYBODY: &str = r#""*""#;

#[test]
fn within_an_account_either_side_suffices() {
    let say = Say::default();
    check(&USER, HERE, say, missing(Layer::Identity));
    check(&USER, HERE, Say { identity: ALLOW, ..say }, Ok(()));
    check(&USER, HERE, Say { resource: BY_USER, ..say }, Ok(()));
    check(&USER, HERE, Say { registry: BY_USER, ..say }, Ok(()));
    check(&USER, HERE, Say { resource: EVERYBODY, ..say }, Ok(()));
    check(&USER, HERE, Say { resource: r#"{"AWS":"*"}"#, ..say }, Ok(()));
    check(&USER, HERE, Say { resource: BY_ROLE, ..say }, missing(Layer::Identity));
    check(&USER, HERE, Say { resource: BY_ACCOUNT, ..say }, missing(Layer::Identity));
    check(&USER, HERE, Say { resource: BY_ACCOUNT, identity: ALLOW, ..say }, Ok(()));
    check(&SESSION, HERE, Say { resource: BY_ROLE, ..say }, Ok(()));
    check(&SESSION, HERE, Say { resource: BY_SESSION, ..say }, Ok(()));
    check(&FEDERATED, HERE, Say { resource: BY_USER, ..say }, Ok(()));
    check(&ROOT, HERE, say, Ok(()));
}

#[test]
fn across_accounts_both_have_to_allow() {
    let say = Say::default();
    check(&USER, THERE, Say { identity: ALLOW, ..say }, missing(Layer::Resource));
    check(&USER, THERE, Say { resource: BY_USER, ..say }, missing(Layer::Identity));
    for resource in [BY_USER, BY_ACCOUNT, EVERYBODY] {
        check(&USER, THERE, Say { identity: ALLOW, resource, ..say }, Ok(()));
        check(&USER, THERE, Say { identity: ALLOW, registry: resource, ..say }, Ok(()));
    }
    check(&USER, THERE, Say { identity: ALLOW, resource: BY_USER, boundary: OTHER, ..say }, missing(Layer::Boundary));
    check(&ROOT, THERE, say, missing(Layer::Resource));
    check(&ROOT, THERE, Say { resource: BY_ACCOUNT, ..say }, Ok(()));
}

#[test]
fn an_explicit_deny_in_any_layer_wins() {
    let say = Say { identity: ALLOW, resource: BY_USER, ..Say::default() };
    check(&USER, HERE, say, Ok(()));
    for deny in [
        Say { identity: DENY, ..say },
        Say { boundary: DENY, ..say },
        Say { session: DENY, ..say },
        Say { resource: "deny", ..say },
        Say { registry: "deny", ..say },
        Say { endpoint: "deny", ..say },
    ] {
        check(&USER, HERE, deny, Err(None));
    }
    check(&ROOT, HERE, Say { resource: "deny", ..Say::default() }, Err(None));
    check(&ROOT, HERE, Say { endpoint: "deny", ..Say::default() }, Err(None));
}

#[test]
fn boundary_session_and_endpoint_cut() {
    let say = Say { identity: ALLOW, ..Say::default() };
    check(&USER, HERE, Say { boundary: ALLOW, session: ALLOW, endpoint: EVERYBODY, ..say }, Ok(()));
    check(&USER, HERE, Say { boundary: OTHER, ..say }, missing(Layer::Boundary));
    check(&USER, HERE, Say { session: OTHER, ..say }, missing(Layer::Session));
    check(&USER, HERE, Say { endpoint: BY_ROLE, ..say }, missing(Layer::Endpoint));
    check(&ROOT, HERE, Say { endpoint: BY_ROLE, ..Say::default() }, missing(Layer::Endpoint));
    // Neither gives anything by itself.
    check(
        &USER,
        HERE,
        Say { boundary: ALLOW, session: ALLOW, endpoint: EVERYBODY, ..Say::default() },
        missing(Layer::Identity),
    );
}

#[test]
fn what_a_resource_gives_by_name_is_not_cut_by_what_others_leave_out() {
    let cut = Say { boundary: OTHER, session: OTHER, ..Say::default() };
    check(&USER, HERE, Say { resource: BY_USER, ..cut }, Ok(()));
    check(&SESSION, HERE, Say { resource: BY_SESSION, ..cut }, Ok(()));
    check(&SESSION, HERE, Say { registry: BY_SESSION, ..cut }, Ok(()));
    check(&SESSION, HERE, Say { resource: BY_ROLE, registry: BY_SESSION, ..cut }, Ok(()));
    check(&SESSION, HERE, Say { resource: BY_ROLE, ..cut }, missing(Layer::Boundary));
    check(&FEDERATED, HERE, Say { resource: BY_USER, ..cut }, missing(Layer::Boundary));
    check(&USER, HERE, Say { resource: EVERYBODY, ..cut }, missing(Layer::Boundary));
    check(&USER, HERE, Say { resource: BY_USER, session: DENY, ..cut }, Err(None));
    check(&USER, HERE, Say { resource: BY_USER, endpoint: BY_ROLE, ..cut }, missing(Layer::Endpoint));
}

#[test]
fn callers_without_an_account() {
    let say = Say::default();
    check(&Principal::Anonymous, HERE, say, missing(Layer::Resource));
    check(&Principal::Anonymous, HERE, Say { resource: EVERYBODY, ..say }, Ok(()));
    check(&Principal::Anonymous, HERE, Say { registry: r#"{"AWS":"*"}"#, ..say }, Ok(()));
    check(&Principal::Anonymous, HERE, Say { resource: BY_ACCOUNT, ..say }, missing(Layer::Resource));
    check(&Principal::Anonymous, HERE, Say { identity: ALLOW, ..say }, Ok(()));
    check(&Principal::Anonymous, HERE, Say { resource: EVERYBODY, endpoint: BY_ROLE, ..say }, missing(Layer::Endpoint));
    check(&SERVICE, HERE, Say { resource: r#"{"Service":"scan.amazonaws.com"}"#, ..say }, Ok(()));
    check(&SERVICE, HERE, Say { resource: r#"{"Service":"other.amazonaws.com"}"#, ..say }, missing(Layer::Resource));
}

#[test]
fn an_empty_list_of_session_policies_allows_nothing() {
    let identity = [named("identity", Identity, ALLOW)];
    let context = MapContext::new();
    let request = Request {
        action: "ecr:PutImage",
        resource: "*",
        resource_account: HERE,
        principal: &SESSION,
        context: &context,
    };
    let policies = Policies { identity: &identity, session: Some(&[]), ..Policies::default() };
    assert_eq!(evaluate(&request, &policies).missing, Some(Layer::Session));
    assert!(evaluate(&request, &Policies { session: None, ..policies }).is_allowed());
}

#[test]
fn not_principal() {
    let deny =
        |names: &str| named("p", Resource, &format!(r#"{{"Effect":"Deny","NotPrincipal":{names},"Action":"ecr:*"}}"#));
    let allow =
        |names: &str| named("p", Resource, &format!(r#"{{"Effect":"Allow","NotPrincipal":{names},"Action":"ecr:*"}}"#));
    let boundary = named("b", Identity, ALLOW);
    let table = [
        (USER, BY_USER, true),
        (USER, BY_ACCOUNT, false),
        (USER, BY_ROLE, false),
        (SESSION, BY_ROLE, true),
        (SESSION, BY_SESSION, true),
        (SESSION, BY_ACCOUNT, false),
        (ROOT, BY_ACCOUNT, true),
        (Principal::Anonymous, BY_USER, false),
    ];
    let context = MapContext::new();
    for (principal, names, spared) in table {
        let request = Request {
            action: "ecr:PutImage",
            resource: "*",
            resource_account: HERE,
            principal: &principal,
            context: &context,
        };
        let deny = deny(names);
        let policies = Policies { resource: Some(&deny), ..Policies::default() };
        assert_eq!(evaluate(&request, &policies).outcome != Outcome::ExplicitDeny, spared, "{principal:?} {names}");
        let bounded = Policies { boundary: Some(&boundary), ..policies };
        assert_eq!(evaluate(&request, &bounded).outcome, Outcome::ExplicitDeny, "bounded {principal:?} {names}");
    }
    for (principal, names, allowed) in [(USER, BY_USER, false), (USER, BY_ACCOUNT, false), (USER, BY_ROLE, true)] {
        let request = Request {
            action: "ecr:PutImage",
            resource: "*",
            resource_account: HERE,
            principal: &principal,
            context: &context,
        };
        let allow = allow(names);
        let policies = Policies { resource: Some(&allow), ..Policies::default() };
        assert_eq!(evaluate(&request, &policies).is_allowed(), allowed, "{names}");
    }
}

#[test]
fn the_closest_grant_of_a_policy_counts() {
    let grant = |names: &str| format!(r#"{{"Effect":"Allow","Principal":{names},"Action":"ecr:*"}}"#);
    let boundary = named("b", Identity, OTHER);
    let context = MapContext::new();
    let request = Request {
        action: "ecr:PutImage",
        resource: "*",
        resource_account: HERE,
        principal: &SESSION,
        context: &context,
    };
    let names = [EVERYBODY, BY_ROLE, BY_SESSION, BY_ACCOUNT];
    for turn in 0..names.len() {
        let statements: Vec<String> = names.iter().cycle().skip(turn).take(names.len()).map(|n| grant(n)).collect();
        let resource = named("r", Resource, &format!("[{}]", statements.join(",")));
        let policies = Policies { resource: Some(&resource), boundary: Some(&boundary), ..Policies::default() };
        let decision = evaluate(&request, &policies);
        assert!(decision.is_allowed(), "{turn}");
        let by_session = statements.iter().position(|statement| statement.contains("ci/run"));
        assert_eq!(decision.by.map(|by| by.statement), by_session);
    }
}

#[test]
fn a_variable_without_value_gives_nothing() {
    let statement = |effect: &str, element: &str| {
        let home = "arn:aws:ecr:*:*:repository/${aws:nobody}/*";
        format!(r#"{{"Effect":"{effect}","Action":"*","{element}":"{home}"}}"#)
    };
    let context = MapContext::new();
    let resource = "arn:aws:ecr:us-east-1:111111111111:repository/nobody/x";
    let request =
        Request { action: "ecr:PutImage", resource, resource_account: HERE, principal: &USER, context: &context };
    let table = [
        ("Allow", "Resource", Outcome::ImplicitDeny),
        ("Allow", "NotResource", Outcome::ImplicitDeny),
        ("Deny", "Resource", Outcome::ImplicitDeny),
        ("Deny", "NotResource", Outcome::ExplicitDeny),
    ];
    for (effect, element, expected) in table {
        let identity = [named("p", Identity, &statement(effect, element))];
        let policies = Policies { identity: &identity, ..Policies::default() };
        assert_eq!(evaluate(&request, &policies).outcome, expected, "{effect} {element}");
    }
}
