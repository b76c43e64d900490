//! What would be decided. Each action on each resource has a result of its own.

use berth_aws::iam::shapes as s;
use berth_aws::policy::{Layer, Outcome};
use berth_domain::identity::IdentityError;
use berth_domain::identity::simulate::{Simulated, Simulation};

use super::marker::{Cut, Paging};
use super::{Answer, Call, refuse_parameter};

#[allow(clippy::unused_async, reason = "every handler is one")]
pub(super) async fn simulate_custom_policy(
    call: &Call<'_>,
    input: s::SimulateCustomPolicyRequest,
) -> Answer<s::SimulatePolicyResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    refuse_parameter("ResourceHandlingOption", input.resource_handling_option.is_some())?;
    let organization = input.ordered_organization_policy_input_list.unwrap_or_default();
    refuse_parameter("OrderedOrganizationPolicyInputList", !organization.is_empty())?;
    let simulation = Simulation {
        policies: input.policy_input_list,
        boundaries: boundaries(input.permissions_boundary_policy_input_list)?,
        actions: input.action_names,
        resources: input.resource_arns.unwrap_or_default(),
        resource_policy: input.resource_policy,
        resource_owner: input.resource_owner,
        caller_arn: input.caller_arn,
        context: entries(input.context_entries.unwrap_or_default())?,
    };
    Ok(answer(&at, call.domain.simulate_custom(call.caller, &simulation)?))
}

pub(super) async fn simulate_principal_policy(
    call: &Call<'_>,
    input: s::SimulatePrincipalPolicyRequest,
) -> Answer<s::SimulatePolicyResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    refuse_parameter("ResourceHandlingOption", input.resource_handling_option.is_some())?;
    refuse_parameter("PolicyExclusionList", !input.policy_exclusion_list.unwrap_or_default().is_empty())?;
    let simulation = Simulation {
        policies: input.policy_input_list.unwrap_or_default(),
        boundaries: boundaries(input.permissions_boundary_policy_input_list)?,
        actions: input.action_names,
        resources: input.resource_arns.unwrap_or_default(),
        resource_policy: input.resource_policy,
        resource_owner: input.resource_owner,
        caller_arn: input.caller_arn,
        context: entries(input.context_entries.unwrap_or_default())?,
    };
    Ok(answer(&at, call.domain.simulate_principal(call.caller, &input.policy_source_arn, simulation).await?))
}

#[allow(clippy::unused_async, reason = "every handler is one")]
pub(super) async fn get_context_keys_for_custom_policy(
    call: &Call<'_>,
    input: s::GetContextKeysForCustomPolicyRequest,
) -> Answer<s::GetContextKeysForPolicyResponse> {
    let keys = call.domain.context_keys(call.caller, &input.policy_input_list)?;
    Ok(s::GetContextKeysForPolicyResponse { context_key_names: Some(keys) })
}

pub(super) async fn get_context_keys_for_principal_policy(
    call: &Call<'_>,
    input: s::GetContextKeysForPrincipalPolicyRequest,
) -> Answer<s::GetContextKeysForPolicyResponse> {
    let more = input.policy_input_list.unwrap_or_default();
    let keys = call.domain.context_keys_of(call.caller, &input.policy_source_arn, &more).await?;
    Ok(s::GetContextKeysForPolicyResponse { context_key_names: Some(keys) })
}

fn boundaries(given: Option<Vec<String>>) -> Answer<Vec<String>> {
    let given = given.unwrap_or_default();
    refuse_parameter("PermissionsBoundaryPolicyInputList.member.2", given.len() > 1)?;
    Ok(given)
}

/// Condition keys and their values. Their types are those that conditions compare them by.
pub(super) fn entries(given: Vec<s::ContextEntry>) -> Answer<Vec<(String, Vec<String>)>> {
    let entry = |entry: s::ContextEntry| match entry.context_key_name {
        Some(name) => Ok((name, entry.context_key_values.unwrap_or_default())),
        None => Err(IdentityError::Invalid("An entry of ContextEntries has no ContextKeyName.".to_owned()).into()),
    };
    given.into_iter().map(entry).collect()
}

fn answer(at: &Paging, results: Vec<Simulated>) -> s::SimulatePolicyResponse {
    let numbered = results.into_iter().enumerate().collect();
    let cut = at.of_list(numbered, |(nth, _)| format!("{nth:06}"));
    let Cut { items, is_truncated, marker } = cut.map(|(_, simulated)| result(simulated));
    s::SimulatePolicyResponse { evaluation_results: Some(items), is_truncated, marker }
}

fn result(simulated: Simulated) -> s::EvaluationResult {
    let statement = |(layer, name, _): (Layer, String, usize)| s::Statement {
        source_policy_type: Some(source(layer, &name).to_owned()),
        source_policy_id: Some(name),
        ..s::Statement::default()
    };
    let within = simulated.within_boundary;
    s::EvaluationResult {
        eval_action_name: simulated.action,
        eval_resource_name: Some(simulated.resource),
        eval_decision: decision(simulated.outcome).to_owned(),
        matched_statements: Some(simulated.by.into_iter().map(statement).collect()),
        missing_context_values: Some(simulated.missing_keys),
        permissions_boundary_decision_detail: within
            .map(|is| s::PermissionsBoundaryDecisionDetail { allowed_by_permissions_boundary: Some(is) }),
        ..s::EvaluationResult::default()
    }
}

/// The word for a decision (`PolicyEvaluationDecisionType`).
pub(super) const fn decision(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::ImplicitDeny => "implicitDeny",
        Outcome::ExplicitDeny => "explicitDeny",
    }
}

/// Where a policy comes from (`PolicySourceType`), by the name that the domain gives it: an ARN, or one with the name of an
/// inline policy behind it. Policies that the caller brings come from nowhere.
fn source(layer: Layer, name: &str) -> &'static str {
    if matches!(layer, Layer::Resource | Layer::Registry | Layer::Trust) {
        return "resource";
    }
    let resource = name.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':'));
    match resource {
        Some(("aws", _)) => "aws-managed",
        Some((_, rest)) => match rest.split_once('/').map(|(kind, _)| kind) {
            Some("policy") => "user-managed",
            Some("user") => "user",
            Some("group") => "group",
            Some("role") => "role",
            _ => "none",
        },
        None => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_by_name() {
        for (layer, name, word) in [
            (Layer::Resource, "ResourcePolicy", "resource"),
            (Layer::Identity, "arn:aws:iam::aws:policy/IAMFullAccess", "aws-managed"),
            (Layer::Boundary, "arn:aws:iam::000000000000:policy/user/a", "user-managed"),
            (Layer::Identity, "arn:aws:iam::000000000000:user/policy/alice/inline", "user"),
            (Layer::Identity, "arn:aws:iam::000000000000:group/g/inline", "group"),
            (Layer::Identity, "arn:aws:iam::000000000000:role/r/inline", "role"),
            (Layer::Identity, "PolicyInputList.1", "none"),
            (Layer::Identity, "", "none"),
        ] {
            assert_eq!(source(layer, name), word, "{name}");
        }
    }
}
