//! What Berth decides.

use std::sync::Arc;

use berth_aws::policy::{MapContext, Named, Outcome, Policies, Policy, PolicyKind, Principal, Request, evaluate};
use serde_json::Value;

use crate::cases::{Case, FEDERATED, SESSIONS};
use crate::conditions::ContextValue;

/// The decision, in the oracle's words.
pub fn outcome(case: &Case) -> &'static str {
    let context = context(case);
    let principal = principal(case);
    let request = Request {
        action: case.action,
        resource: &case.resource,
        resource_account: case.account,
        principal: &principal,
        context: &context,
    };
    let one = |policy: &Option<Value>, kind| policy.as_ref().map(|policy| named(policy, kind));
    let identity: Vec<Named> = case.identity.iter().map(|policy| named(policy, PolicyKind::Identity)).collect();
    let boundary = one(&case.boundary, PolicyKind::Identity);
    let session = one(&case.session, PolicyKind::Identity);
    let resource = one(&case.resource_policy, PolicyKind::Resource);
    let endpoint = one(&case.endpoint, PolicyKind::Resource);
    let policies = Policies {
        identity: &identity,
        boundary: boundary.as_ref(),
        session: session.as_ref().map(std::slice::from_ref),
        resource: resource.as_ref(),
        registry: None,
        endpoint: endpoint.as_ref(),
    };
    match evaluate(&request, &policies).outcome {
        Outcome::Allowed => "Allowed",
        Outcome::ImplicitDeny => "ImplicitlyDenied",
        Outcome::ExplicitDeny => "ExplicitlyDenied",
    }
}

fn named(policy: &Value, kind: PolicyKind) -> Named {
    let policy = Policy::parse(&policy.to_string(), kind, 100_000).unwrap_or_else(|error| panic!("{policy}: {error}"));
    Named { name: "policy".into(), policy: Arc::new(policy) }
}

fn context(case: &Case) -> MapContext {
    case.context.iter().fold(MapContext::new(), |context, (key, value)| match value {
        ContextValue::One(value) => context.with(key, value),
        ContextValue::Many(values) => context.with_many(key, values.iter().copied()),
    })
}

fn principal(case: &Case) -> Principal<'_> {
    let Some(arn) = case.principal.as_deref() else { return Principal::Anonymous };
    let account = arn.split(':').nth(4).unwrap();
    if let Some((session_arn, role_arn)) = SESSIONS.iter().find(|(session, _)| *session == arn) {
        return Principal::AssumedRole { role_arn, session_arn, account };
    }
    if arn == FEDERATED.0 {
        return Principal::FederatedUser { arn, user_arn: FEDERATED.1, account };
    }
    if arn.ends_with(":root") { Principal::Root { account } } else { Principal::User { arn, account } }
}
