//! `berth policy`.

use berth_aws::policy::PolicyKind;
use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Api;
use super::document;
use super::owner::{self, policy_arn};
use crate::failure::Failure;

/// Versions that a policy may have ("IAM and AWS STS quotas").
const MOST_VERSIONS: usize = 5;

/// What to do with managed policies.
#[derive(Subcommand)]
pub enum Policy {
    /// Makes a policy.
    Create {
        name: String,
        /// The document; - is standard input.
        file: String,
        /// The path in its ARN, such as /team/.
        #[arg(long)]
        path: Option<String>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
    },
    /// Lists the policies of the account.
    List {
        /// Those that come with Berth too.
        #[arg(long)]
        all: bool,
    },
    /// Shows a policy with its document.
    Show {
        /// Its ARN, or its name.
        #[arg(value_name = "ARN|NAME")]
        policy: String,
    },
    /// Deletes a policy that is attached nowhere, with all its versions.
    Delete {
        /// Its ARN, or its name.
        #[arg(value_name = "ARN|NAME")]
        policy: String,
    },
    /// Gives a policy a new document. The ones before it stay as versions, up to four.
    Update {
        /// Its ARN, or its name.
        #[arg(value_name = "ARN|NAME")]
        policy: String,
        /// The document; - is standard input.
        file: String,
    },
}

/// Does it.
pub async fn run(api: &Api, what: Policy) -> Result<Answer, Failure> {
    match what {
        Policy::Create { name, file, path, description } => {
            let document = document::read(&file, PolicyKind::Identity)?;
            let given = [("Path", path.map(Value::from)), ("Description", description.map(Value::from))];
            let input = json!({ "PolicyName": name, "PolicyDocument": document });
            let made = api.call("CreatePolicy", owner::with(input, &given)).await?;
            let policy = &made["Policy"];
            Ok(Answer::facts(&[("policy", &policy["PolicyName"]), ("arn", &policy["Arn"])], policy.clone()))
        }
        Policy::List { all } => {
            let scope = if all { "All" } else { "Local" };
            let policies = api.all("ListPolicies", json!({ "Scope": scope }), "Policies").await?;
            let columns = [("POLICY", "PolicyName"), ("ATTACHED", "AttachmentCount"), ("ARN", "Arn")];
            Ok(Answer::table(&columns, policies))
        }
        Policy::Show { policy } => show(api, &policy_arn(api, &policy).await?).await,
        Policy::Delete { policy } => {
            let arn = policy_arn(api, &policy).await?;
            delete(api, &arn).await?;
            Ok(Answer::done(format!("deleted policy {arn}")))
        }
        Policy::Update { policy, file } => {
            let arn = policy_arn(api, &policy).await?;
            let version = update(api, &arn, &document::read(&file, PolicyKind::Identity)?).await?;
            let text = format!("policy {arn} has version {version} now");
            Ok(Answer::new(text, json!({ "Arn": arn, "VersionId": version })))
        }
    }
}

async fn show(api: &Api, arn: &str) -> Result<Answer, Failure> {
    let mut policy = api.call("GetPolicy", json!({ "PolicyArn": arn })).await?["Policy"].take();
    let version = policy["DefaultVersionId"].clone();
    let found = api.call("GetPolicyVersion", json!({ "PolicyArn": arn, "VersionId": version })).await?;
    policy["Document"] = document::decoded(found["PolicyVersion"]["Document"].as_str().unwrap_or_default());
    let facts = [
        ("policy", &policy["PolicyName"]),
        ("arn", &policy["Arn"]),
        ("id", &policy["PolicyId"]),
        ("description", &policy["Description"]),
        ("created", &policy["CreateDate"]),
        ("updated", &policy["UpdateDate"]),
        ("version", &policy["DefaultVersionId"]),
        ("attached", &policy["AttachmentCount"]),
        ("tags", &policy["Tags"]),
    ];
    Ok(owner::shown(&facts, &[("document".to_owned(), &policy["Document"])], policy.clone()))
}

/// Deletes a policy; its other versions go first, as IAM wants it.
pub async fn delete(api: &Api, arn: &str) -> Result<(), Failure> {
    // Where it is attached it stays as it is, with its versions.
    let policy = api.call("GetPolicy", json!({ "PolicyArn": arn })).await?;
    let is_used = |member: &str| policy["Policy"][member].as_u64().unwrap_or(0) > 0;
    if !is_used("AttachmentCount") && !is_used("PermissionsBoundaryUsageCount") {
        for version in other_versions(api, arn).await? {
            api.call("DeletePolicyVersion", json!({ "PolicyArn": arn, "VersionId": version })).await?;
        }
    }
    api.call("DeletePolicy", json!({ "PolicyArn": arn })).await.map(drop)
}

/// Gives a policy a new default version, and gives that one's id. The oldest of the others goes where there are five.
pub async fn update(api: &Api, arn: &str, document: &str) -> Result<String, Failure> {
    let others = other_versions(api, arn).await?;
    if let Some(oldest) = others.first().filter(|_| others.len() + 1 >= MOST_VERSIONS) {
        api.call("DeletePolicyVersion", json!({ "PolicyArn": arn, "VersionId": oldest })).await?;
    }
    let input = json!({ "PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": true });
    let made = api.call("CreatePolicyVersion", input).await?;
    Ok(made["PolicyVersion"]["VersionId"].as_str().unwrap_or_default().to_owned())
}

/// The versions that are not the default one, the oldest first.
async fn other_versions(api: &Api, arn: &str) -> Result<Vec<String>, Failure> {
    let versions = api.all("ListPolicyVersions", json!({ "PolicyArn": arn }), "Versions").await?;
    let others = versions.iter().filter(|version| version["IsDefaultVersion"] != true);
    let mut ids: Vec<String> = others.filter_map(|version| version["VersionId"].as_str()).map(str::to_owned).collect();
    ids.sort_by_key(|id| number(id));
    Ok(ids)
}

/// The number of a version's id, `v1` and on.
fn number(id: &str) -> u64 {
    id.strip_prefix('v').and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_sorted_by_number() {
        let mut ids = ["v10", "v9", "v1", "x"];
        ids.sort_by_key(|id| number(id));
        assert_eq!(ids, ["v1", "v9", "v10", "x"]);
    }
}
