//! What holds of every policy and request, whatever they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use berth_aws::policy::PolicyKind::{Identity, Resource, Trust};
use berth_aws::policy::{
    MapContext, Named, Outcome, Policies, Policy, PolicyKind, Principal, Request, evaluate, evaluate_trust,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const HERE: &str = "111111111111";

/// A statement as the members that both kinds of policies have.
fn statement() -> impl Strategy<Value = String> {
    let effects = select(vec!["Allow", "Allow", "Deny"]);
    let actions = select(vec![
        r#""Action":"*""#,
        r#""Action":"ecr:Put*""#,
        r#""Action":["ecr:BatchGetImage","ecr:*Image"]"#,
        r#""NotAction":"ecr:PutImage""#,
    ]);
    let resources = select(vec![
        r#""Resource":"*""#,
        r#""Resource":"arn:aws:ecr:*:*:repository/team/*""#,
        r#""Resource":"arn:aws:ecr:*:*:repository/${aws:username}/*""#,
        r#""NotResource":"arn:aws:ecr:*:*:repository/${aws:username}/*""#,
    ]);
    let conditions = select(vec![
        "",
        r#","Condition":{"StringNotEquals":{"aws:username":"alice"}}"#,
        r#","Condition":{"Bool":{"aws:SecureTransport":"true"}}"#,
        r#","Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["e*"]}}"#,
    ]);
    (effects, actions, resources, conditions).prop_map(|(effect, action, resource, condition)| {
        format!(r#""Effect":"{effect}",{action},{resource}{condition}"#)
    })
}

fn principal_element() -> impl Strategy<Value = &'static str> {
    select(vec![
        r#""Principal":"*","#,
        r#""Principal":{"AWS":"111111111111"},"#,
        r#""Principal":{"AWS":["arn:aws:iam::111111111111:user/alice","arn:aws:iam::111111111111:role/ci"]},"#,
        r#""Principal":{"AWS":"arn:aws:sts::111111111111:assumed-role/ci/run"},"#,
    ])
}

fn named(kind: PolicyKind, statements: &[String]) -> Named {
    let statements: Vec<String> = statements.iter().map(|members| format!("{{{members}}}")).collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    Named { name: "p".into(), policy: Arc::new(Policy::parse(&text, kind, 100_000).unwrap()) }
}

/// Statements of every layer; a layer without statements is absent.
#[derive(Debug, Clone)]
struct Layers {
    identity: Vec<String>,
    boundary: Vec<String>,
    session: Vec<String>,
    resource: Vec<String>,
    registry: Vec<String>,
    endpoint: Vec<String>,
}

fn layers() -> impl Strategy<Value = Layers> {
    let own = || vec(statement(), 0..4);
    let resource = || vec((principal_element(), statement()).prop_map(|(p, s)| format!("{p}{s}")), 0..3);
    (own(), own(), own(), resource(), resource(), resource()).prop_map(
        |(identity, boundary, session, resource, registry, endpoint)| Layers {
            identity,
            boundary,
            session,
            resource,
            registry,
            endpoint,
        },
    )
}

impl Layers {
    fn lists(&mut self) -> [&mut Vec<String>; 6] {
        let Self { identity, boundary, session, resource, registry, endpoint } = self;
        [identity, resource, registry, boundary, session, endpoint]
    }

    fn decide(&self, asked: &Asked) -> Outcome {
        let one = |kind, statements: &Vec<String>| (!statements.is_empty()).then(|| named(kind, statements));
        // Each statement a policy of its own: policies of one layer add up.
        let identity: Vec<Named> = self.identity.iter().map(|one| named(Identity, std::slice::from_ref(one))).collect();
        let (boundary, session) = (one(Identity, &self.boundary), one(Identity, &self.session));
        let resource = one(Resource, &self.resource);
        let (registry, endpoint) = (one(Resource, &self.registry), one(Resource, &self.endpoint));
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_ref(),
            session: session.as_ref().map(std::slice::from_ref),
            resource: resource.as_ref(),
            registry: registry.as_ref(),
            endpoint: endpoint.as_ref(),
        };
        evaluate(&asked.request(), &policies).outcome
    }
}

struct Asked {
    principal: Principal<'static>,
    action: &'static str,
    resource: &'static str,
    account: &'static str,
    context: MapContext,
}

impl Asked {
    fn request(&self) -> Request<'_> {
        Request {
            action: self.action,
            resource: self.resource,
            resource_account: self.account,
            principal: &self.principal,
            context: &self.context,
        }
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} {} {:?}", self.principal, self.action, self.resource, self.context)
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let principals = select(vec![
        Principal::Anonymous,
        Principal::Root { account: HERE },
        Principal::User { arn: "arn:aws:iam::111111111111:user/alice", account: HERE },
        Principal::AssumedRole {
            role_arn: "arn:aws:iam::111111111111:role/ci",
            session_arn: "arn:aws:sts::111111111111:assumed-role/ci/run",
            account: HERE,
        },
    ]);
    let actions = select(vec!["ecr:PutImage", "ecr:BatchGetImage", "ecr:DescribeImages"]);
    let resources = select(vec![
        "*",
        "arn:aws:ecr:us-east-1:111111111111:repository/team/app",
        "arn:aws:ecr:us-east-1:111111111111:repository/alice/app",
    ]);
    let accounts = select(vec![HERE, HERE, "222222222222"]);
    (principals, actions, resources, accounts, any::<[bool; 3]>()).prop_map(
        |(principal, action, resource, account, [name, secure, tags])| {
            let context = MapContext::new().with("aws:SecureTransport", secure.to_string());
            let context = if name { context.with("aws:username", "alice") } else { context };
            let context = if tags { context.with_many("aws:TagKeys", ["env", "team"]) } else { context };
            Asked { principal, action, resource, account, context }
        },
    )
}

/// Everybody, where the layer wants a principal.
fn fitting(layer: usize, statement: &str) -> String {
    let resource = [1, 2, 5].contains(&layer);
    if resource { format!(r#""Principal":"*",{statement}"#) } else { statement.to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn another_deny_never_widens(mut layers in layers(), asked in asked(), layer in 0..6_usize, deny in statement()) {
        let deny = fitting(layer, &deny.replace("Allow", "Deny"));
        // A first statement would be a new layer, which may deny what it does not allow.
        let before = layers.decide(&asked);
        layers.lists()[layer].push(deny);
        let after = layers.decide(&asked);
        prop_assert!(after != Outcome::Allowed || before == Outcome::Allowed);
        prop_assert!(before != Outcome::ExplicitDeny || after == Outcome::ExplicitDeny);
    }

    #[test]
    fn another_allow_never_narrows(mut layers in layers(), asked in asked(), layer in 0..6_usize, allow in statement()) {
        let ceiling = layer > 2 && layers.lists()[layer].is_empty();
        let before = layers.decide(&asked);
        let allow = fitting(layer, &allow.replace("Deny", "Allow"));
        layers.lists()[layer].push(allow);
        let after = layers.decide(&asked);
        if !ceiling {
            prop_assert!(before != Outcome::Allowed || after == Outcome::Allowed);
        }
        prop_assert_eq!(before == Outcome::ExplicitDeny, after == Outcome::ExplicitDeny);
    }

    #[test]
    fn order_does_not_matter(mut layers in layers(), asked in asked(), turns in 1..4_usize) {
        let before = layers.decide(&asked);
        for list in layers.lists() {
            list.reverse();
            let turns = turns.min(list.len());
            list.rotate_left(turns);
        }
        prop_assert_eq!(layers.decide(&asked), before);
    }

    #[test]
    fn a_session_policy_boundary_or_endpoint_never_widens(mut layers in layers(), asked in asked(), layer in 3..6_usize) {
        let with = layers.decide(&asked);
        layers.lists()[layer].clear();
        let without = layers.decide(&asked);
        prop_assert!(with != Outcome::Allowed || without == Outcome::Allowed);
    }

    #[test]
    fn without_any_allow_only_the_root_user_is_allowed(mut layers in layers(), asked in asked()) {
        for list in layers.lists() {
            list.retain(|statement| statement.contains("Deny"));
        }
        let root = matches!(asked.principal, Principal::Root { .. }) && asked.account == HERE;
        prop_assert!(root || layers.decide(&asked) != Outcome::Allowed);
    }

    #[test]
    fn a_role_is_never_assumed_without_its_trust(statements in vec(statement(), 0..3), asked in asked()) {
        let trust = r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/other"},"Action":"sts:AssumeRole""#;
        let trust = named(Trust, &[trust.to_owned()]);
        let identity: Vec<Named> = statements.iter().map(|one| named(Identity, std::slice::from_ref(one))).collect();
        let request = Request { action: "sts:AssumeRole", ..asked.request() };
        let policies = Policies { identity: &identity, ..Policies::default() };
        prop_assert!(!evaluate_trust(&request, &trust, &policies).is_allowed());
    }

    #[test]
    fn any_text_is_a_policy_or_is_not(text in any::<String>(), members in r#"("[A-Za-z]{0,12}":[\[{"*:$}\]0-9a-z]{0,9},?){0,4}"#) {
        for kind in [Identity, Resource, Trust] {
            for text in [&text, &format!(r#"{{"Statement":{{"Effect":"Allow",{members}}}}}"#)] {
                if let Err(error) = Policy::parse(text, kind, 20_480) {
                    prop_assert!(error.to_string().len() < 1000);
                }
            }
        }
    }

    #[test]
    fn any_pattern_meets_any_request(action in "[a-z]{1,3}:[a-zA-Z*?]{1,12}", resource in r"arn:[*?:a${}',/]{0,20}", asked in asked(), text in any::<String>()) {
        let text = text.escape_default().to_string().replace('\\', "");
        let condition = format!(r#","Condition":{{"StringLike":{{"aws:username":{}}}}}"#, serde_json::Value::from(text));
        let statement = format!(r#""Effect":"Allow","Action":"{action}","Resource":"{resource}"{condition}"#);
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{{{statement}}}}}"#);
        if let Ok(policy) = Policy::parse(&text, Identity, 20_480) {
            let identity = [Named { name: "p".into(), policy: Arc::new(policy) }];
            let decision = evaluate(&asked.request(), &Policies { identity: &identity, ..Policies::default() });
            prop_assert!(decision.to_string().starts_with(asked.action));
        }
    }
}

#[test]
fn hostile_policies_are_refused_or_decided() {
    let asked = Asked {
        principal: Principal::User { arn: "arn:aws:iam::111111111111:user/alice", account: HERE },
        action: "ecr:PutImage",
        resource: &format!("arn:aws:ecr:us-east-1:111111111111:repository/{}", "a".repeat(400)).leak()[..],
        account: HERE,
        context: MapContext::new().with("aws:UserAgent", "a".repeat(8000)),
    };
    let many = (0..2000).map(|n| format!(r#""Sid":"S{n}","Effect":"Deny","Action":"ecr:*?*?*?{n}","Resource":"*""#));
    let resources = vec![format!("arn:aws:ecr:*:*:{}b", "*a*?".repeat(100)); 1000].join("\",\"");
    let resources = format!(r#""Effect":"Deny","Action":"*","Resource":["{resources}"]"#);
    let condition = |pattern: &str| {
        format!(
            r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{{"StringLike":{{"aws:UserAgent":"{pattern}"}}}}"#
        )
    };
    let hostile = [
        (many.collect::<Vec<_>>(), Outcome::ImplicitDeny),
        (vec![resources], Outcome::ImplicitDeny),
        (vec![condition(&"*?".repeat(10_000))], Outcome::ImplicitDeny),
        (vec![condition(&"*?".repeat(8_000))], Outcome::ExplicitDeny),
        (vec![condition(&format!("*{}b*", "a".repeat(4000)))], Outcome::ImplicitDeny),
        (vec![condition(&format!("*{}*", "a".repeat(4000)))], Outcome::ExplicitDeny),
    ];
    for (statements, expected) in hostile {
        let statements: Vec<String> = statements.iter().map(|members| format!("{{{members}}}")).collect();
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let policy = Policy::parse(&text, Identity, 1_000_000).unwrap();
        let identity = [Named { name: "p".into(), policy: Arc::new(policy) }];
        let outcome = evaluate(&asked.request(), &Policies { identity: &identity, ..Policies::default() }).outcome;
        assert_eq!(outcome, expected);
    }
}
