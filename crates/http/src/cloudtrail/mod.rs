//! The door of CloudTrail (JSON 1.1), of which there is one operation: `LookupEvents` answers what is on record.

mod faults;
mod lookup;

use berth_aws::cloudtrail::CLOUD_TRAIL;
use berth_aws::protocol::{Protocol, json};
use berth_domain::{Caller, Domain};
use http::StatusCode;

use crate::audit;
use crate::aws::Call;
pub(crate) use faults::Failure;
pub use lookup::rendered;

/// How the header `X-Amz-Target` begins where a client writes it without the namespace of the model.
const SHORT_PREFIX: &str = "CloudTrail_20131101.";

/// Whether the header `X-Amz-Target` names an operation of CloudTrail, one that there is or not.
pub(crate) fn is_for(target: &str) -> bool {
    operation_name(target).is_some()
}

/// Says on record what is asked for.
pub(crate) fn name(target: Option<&str>) {
    match json::operation(&CLOUD_TRAIL, &full(target.unwrap_or_default())) {
        Ok(operation) => audit::operation(&CLOUD_TRAIL, operation),
        Err(_) => audit::unknown_of("cloudtrail"),
    }
}

/// Answers one call: the operation that the header `X-Amz-Target` names.
pub(crate) async fn answer(domain: &Domain, caller: &Caller, call: &Call, target: &str) -> Result<String, Failure> {
    let operation = json::operation(&CLOUD_TRAIL, &full(target))?;
    domain.throttle_call(caller, "cloudtrail", operation.name)?;
    lookup::events(domain, caller, call, operation).await
}

/// The status and the JSON of an answer.
pub(crate) fn respond(answered: Result<String, Failure>) -> (StatusCode, String) {
    answered.map_or_else(|failure| faults::render(&failure), |body| (StatusCode::OK, body))
}

/// What follows the prefix of the model or the short one.
fn operation_name(target: &str) -> Option<&str> {
    let Protocol::Json11 { target_prefix } = CLOUD_TRAIL.protocol else { return None };
    let of_model = target.strip_prefix(target_prefix).and_then(|rest| rest.strip_prefix('.'));
    of_model.or_else(|| target.strip_prefix(SHORT_PREFIX))
}

/// The target with the prefix of the model.
fn full(target: &str) -> String {
    match (operation_name(target), CLOUD_TRAIL.protocol) {
        (Some(name), Protocol::Json11 { target_prefix }) => format!("{target_prefix}.{name}"),
        _ => target.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_known_by_either_prefix() {
        for (target, is_ours) in [
            ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents", true),
            ("CloudTrail_20131101.LookupEvents", true),
            ("CloudTrail_20131101.CreateTrail", true),
            ("CloudTrail_20131101", false),
            ("AmazonEC2ContainerRegistry_V20150921.DescribeRegistry", false),
            ("x.CloudTrail_20131101.LookupEvents", false),
            ("", false),
        ] {
            assert_eq!(is_for(target), is_ours, "{target}");
        }
        let found = |target| json::operation(&CLOUD_TRAIL, &full(target)).is_ok();
        assert!(found("CloudTrail_20131101.LookupEvents"));
        assert!(!found("CloudTrail_20131101.CreateTrail"));
    }
}
