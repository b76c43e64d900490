//! Any text is a policy of a kind or refused with a short message, and a policy decides any request, the same one always;
//! nothing is allowed that no Allow stands for, and a Deny for everything leaves nothing allowed.
#![no_main]

use std::sync::Arc;

use berth_aws::policy::{
    Effect, MapContext, Named, Policies, Policy, PolicyKind, Principal, Request, evaluate, evaluate_trust,
};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 20_480;
const ACCOUNT: &str = "111122223333";
const PRINCIPALS: [Principal<'_>; 4] = [
    Principal::Anonymous,
    Principal::Root { account: ACCOUNT },
    Principal::User { arn: "arn:aws:iam::111122223333:user/alice", account: ACCOUNT },
    Principal::AssumedRole {
        role_arn: "arn:aws:iam::111122223333:role/ci",
        session_arn: "arn:aws:sts::111122223333:assumed-role/ci/run",
        account: ACCOUNT,
    },
];
const RESOURCES: [&str; 3] = ["*", "arn:aws:ecr:us-east-1:111122223333:repository/team/app", "arn:::::*?\u{e4}"];
const DENY: &str = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

fuzz_target!(|text: &str| {
    for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
        match Policy::parse(text, kind, LIMIT) {
            Ok(policy) => decide(policy, kind),
            Err(error) => assert!(error.to_string().len() < 3000),
        }
    }
});

fn decide(policy: Policy, kind: PolicyKind) {
    let _ = policy.findings();
    let allows = policy.statements().iter().any(|statement| statement.effect() == Effect::Allow);
    let policy = [Named { name: "policy".into(), policy: Arc::new(policy) }];
    let deny = Policy::parse(DENY, PolicyKind::Identity, LIMIT).unwrap();
    let deny = [Named { name: "deny".into(), policy: Arc::new(deny) }];
    let context = MapContext::new()
        .with("aws:username", "alice")
        .with("aws:SourceIp", "192.0.2.1")
        .with("aws:CurrentTime", "2024-05-01T00:00:00Z")
        .with("aws:MultiFactorAuthAge", "10")
        .with("aws:SecureTransport", "true")
        .with("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice")
        .with_many("aws:TagKeys", ["env", "team"]);
    for principal in &PRINCIPALS {
        for resource in RESOURCES {
            for action in ["ecr:PutImage", "sts:AssumeRole", ""] {
                let request = Request { action, resource, resource_account: ACCOUNT, principal, context: &context };
                let policies = match kind {
                    PolicyKind::Identity => Policies { identity: &policy, ..Policies::default() },
                    PolicyKind::Resource => Policies { resource: policy.first(), ..Policies::default() },
                    PolicyKind::Trust => Policies::default(),
                };
                let decision = match kind {
                    PolicyKind::Trust => evaluate_trust(&request, &policy[0], &policies),
                    _ => evaluate(&request, &policies),
                };
                assert!(!decision.to_string().is_empty());
                let root = matches!(principal, Principal::Root { .. });
                assert!(!decision.is_allowed() || allows || (root && kind != PolicyKind::Trust));
                assert!(!evaluate(&request, &Policies { session: Some(&deny), ..policies }).is_allowed());
            }
        }
    }
}
