//! `berth iam explain`.

use clap::Args;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::{Api, texts};
use super::owner;
use crate::failure::Failure;

/// Who, what and where.
#[derive(Args)]
pub struct Explain {
    /// The ARN of a user or role, or a user's name.
    #[arg(long, value_name = "ARN|USER")]
    principal: String,
    /// The action, such as ecr:PutImage.
    #[arg(long)]
    action: String,
    /// The ARN of the resource, *, or the name of a repository of the principal's account, in the region of the command.
    #[arg(long, value_name = "ARN|REPOSITORY")]
    resource: String,
    /// A condition key and its value, such as aws:SourceIp=10.0.0.1; may be repeated, also for one key with several values.
    #[arg(long, value_name = "KEY=VALUE", value_parser = owner::tag)]
    context: Vec<(String, String)>,
    /// The private endpoint that the request would come by: the NAME of a [listener.NAME]. Its policy and its id count then.
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
}

impl Explain {
    /// Whether the answer depends on the configuration of listeners.
    pub const fn names_endpoint(&self) -> bool {
        self.endpoint.is_some()
    }
}

/// Asks why, and gives exit code 1 where the answer is no.
pub async fn run(api: &Api, asked: &Explain) -> Result<Answer, Failure> {
    let principal = principal(api, &asked.principal).await?;
    let resource = resource(&asked.resource, api.region(), &principal);
    let entries = entries(&asked.context);
    let input = json!({ "PrincipalArn": principal, "ActionName": asked.action, "ResourceArn": resource });
    let given = [
        ("ContextEntries", Some(entries).filter(|entries| entries != &json!([]))),
        ("EndpointName", asked.endpoint.as_deref().map(Value::from)),
    ];
    let mut answer = api.call("ExplainAccess", owner::with(input, &given)).await?;
    answer["PrincipalArn"] = principal.into();
    answer["ResourceArn"] = resource.into();
    Ok(told(&answer))
}

fn told(answer: &Value) -> Answer {
    let is_allowed = answer["EvalDecision"] == "allowed";
    let mut lines = vec![answer["Explanation"].as_str().unwrap_or_default().to_owned()];
    let policies = texts(&answer["Policies"], None);
    lines.push(if policies.is_empty() {
        "no policy had a say".to_owned()
    } else {
        "policies that had a say:".to_owned()
    });
    lines.extend(policies.iter().map(|policy| format!("  {policy}")));
    Answer { text: lines.join("\n"), json: answer.clone(), code: u8::from(!is_allowed) }
}

async fn principal(api: &Api, given: &str) -> Result<String, Failure> {
    if given.starts_with("arn:") {
        return Ok(given.to_owned());
    }
    let user = api.call("GetUser", json!({ "UserName": given })).await?;
    Ok(user["User"]["Arn"].as_str().unwrap_or_default().to_owned())
}

/// The ARN of a resource that may be given as the name of a repository.
fn resource(given: &str, region: &str, principal: &str) -> String {
    if given == "*" || given.starts_with("arn:") {
        return given.to_owned();
    }
    let account = principal.split(':').nth(4).unwrap_or_default();
    format!("arn:aws:ecr:{region}:{account}:repository/{given}")
}

/// Keys with all their values, in the order in which they were given.
fn entries(context: &[(String, String)]) -> Value {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in context {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let values = |key: &str| -> Vec<&String> {
        context.iter().filter(|(known, _)| known == key).map(|(_, value)| value).collect()
    };
    let entry =
        |key: &str| json!({ "ContextKeyName": key, "ContextKeyValues": values(key), "ContextKeyType": "string" });
    keys.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_become_arns() {
        let principal = "arn:aws:iam::123456789012:user/alice";
        for (given, expected) in [
            ("*", "*"),
            ("arn:aws:ecr:a:1:repository/x", "arn:aws:ecr:a:1:repository/x"),
            ("team/app", "arn:aws:ecr:eu-west-1:123456789012:repository/team/app"),
        ] {
            assert_eq!(resource(given, "eu-west-1", principal), expected);
        }
    }

    #[test]
    fn values_of_one_key_are_together() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let entry = |key: &str, values: &[&str]| json!({ "ContextKeyName": key, "ContextKeyValues": values, "ContextKeyType": "string" });
        let given = [pair("a", "1"), pair("b", "2"), pair("a", "3")];
        assert_eq!(entries(&given), json!([entry("a", &["1", "3"]), entry("b", &["2"])]));
    }

    #[test]
    fn the_exit_code_is_the_decision() {
        let answer = |decision: &str, policies: &[&str]| {
            told(&json!({ "EvalDecision": decision, "Explanation": "Because.", "Policies": policies }))
        };
        for (decision, code) in [("allowed", 0), ("implicitDeny", 1), ("explicitDeny", 1), ("", 1)] {
            assert_eq!(answer(decision, &[]).code, code, "{decision}");
        }
        assert_eq!(answer("allowed", &["a", "b"]).text, "Because.\npolicies that had a say:\n  a\n  b");
    }
}
