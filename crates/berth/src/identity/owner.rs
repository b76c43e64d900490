//! What users, groups and roles have in common: policies attached to them and policies in them.

use berth_aws::policy::PolicyKind;
use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::{Api, elements, texts};
use super::document;
use crate::failure::Failure;

/// What has policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Group,
    User,
    Role,
}

impl Kind {
    /// The word in names of operations.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Role => "Role",
        }
    }

    /// The member of inputs that names one.
    pub const fn field(self) -> &'static str {
        match self {
            Self::User => "UserName",
            Self::Group => "GroupName",
            Self::Role => "RoleName",
        }
    }

    /// The word in sentences.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }
}

/// Changes of the policies of one.
#[derive(Subcommand)]
pub enum Change {
    /// Attaches a managed policy.
    Attach {
        name: String,
        /// Its ARN, or its name.
        #[arg(value_name = "POLICY_ARN")]
        policy: String,
    },
    /// Detaches a managed policy.
    Detach {
        name: String,
        /// Its ARN, or its name.
        #[arg(value_name = "POLICY_ARN")]
        policy: String,
    },
    /// Puts an inline policy, in place of the one of its name.
    PutPolicy {
        name: String,
        policy_name: String,
        /// The document; - is standard input.
        file: String,
    },
    /// Deletes an inline policy.
    DeletePolicy { name: String, policy_name: String },
}

/// Does a change.
pub async fn run(api: &Api, kind: Kind, change: Change) -> Result<Answer, Failure> {
    let word = kind.word();
    Ok(Answer::done(match change {
        Change::Attach { name, policy } => {
            let arn = policy_arn(api, &policy).await?;
            attach(api, kind, &name, &arn).await?;
            format!("attached {arn} to {word} {name}")
        }
        Change::Detach { name, policy } => {
            let arn = policy_arn(api, &policy).await?;
            detach(api, kind, &name, &arn).await?;
            format!("detached {arn} from {word} {name}")
        }
        Change::PutPolicy { name, policy_name, file } => {
            let document = document::read(&file, PolicyKind::Identity)?;
            put_policy(api, kind, &name, &policy_name, &document).await?;
            format!("put policy {policy_name} into {word} {name}")
        }
        Change::DeletePolicy { name, policy_name } => {
            delete_policy(api, kind, &name, &policy_name).await?;
            format!("deleted policy {policy_name} from {word} {name}")
        }
    }))
}

/// Attaches a managed policy.
pub async fn attach(api: &Api, kind: Kind, name: &str, arn: &str) -> Result<(), Failure> {
    let operation = format!("Attach{}Policy", kind.noun());
    api.call(&operation, json!({ (kind.field()): name, "PolicyArn": arn })).await.map(drop)
}

/// Detaches one.
pub async fn detach(api: &Api, kind: Kind, name: &str, arn: &str) -> Result<(), Failure> {
    let operation = format!("Detach{}Policy", kind.noun());
    api.call(&operation, json!({ (kind.field()): name, "PolicyArn": arn })).await.map(drop)
}

/// Puts an inline policy.
pub async fn put_policy(api: &Api, kind: Kind, name: &str, policy: &str, document: &str) -> Result<(), Failure> {
    let input = json!({ (kind.field()): name, "PolicyName": policy, "PolicyDocument": document });
    api.call(&format!("Put{}Policy", kind.noun()), input).await.map(drop)
}

/// Deletes one.
pub async fn delete_policy(api: &Api, kind: Kind, name: &str, policy: &str) -> Result<(), Failure> {
    let operation = format!("Delete{}Policy", kind.noun());
    api.call(&operation, json!({ (kind.field()): name, "PolicyName": policy })).await.map(drop)
}

/// Sets the permissions boundary of a user or role, or takes it away.
pub async fn set_boundary(api: &Api, kind: Kind, name: &str, arn: Option<&str>) -> Result<(), Failure> {
    let noun = kind.noun();
    let done = match arn {
        Some(arn) => {
            let input = json!({ (kind.field()): name, "PermissionsBoundary": arn });
            api.call(&format!("Put{noun}PermissionsBoundary"), input).await
        }
        None => api.call(&format!("Delete{noun}PermissionsBoundary"), json!({ (kind.field()): name })).await,
    };
    done.map(drop)
}

/// Deletes a user, group or role with its policies, its memberships or members, and its keys.
pub async fn delete_with_all(api: &Api, kind: Kind, name: &str) -> Result<(), Failure> {
    let (noun, named) = (kind.noun(), json!({ (kind.field()): name }));
    if kind == Kind::User {
        for group in texts(&api.all("ListGroupsForUser", named.clone(), "Groups").await?.into(), Some("GroupName")) {
            api.call("RemoveUserFromGroup", json!({ "UserName": name, "GroupName": group })).await?;
        }
        for key in
            texts(&api.all("ListAccessKeys", named.clone(), "AccessKeyMetadata").await?.into(), Some("AccessKeyId"))
        {
            api.call("DeleteAccessKey", json!({ "UserName": name, "AccessKeyId": key })).await?;
        }
    }
    if kind == Kind::Group {
        for user in texts(&api.all("GetGroup", named.clone(), "Users").await?.into(), Some("UserName")) {
            api.call("RemoveUserFromGroup", json!({ "UserName": user, "GroupName": name })).await?;
        }
    }
    for arn in attached(api, kind, name).await? {
        detach(api, kind, name, &arn).await?;
    }
    for policy in inline_names(api, kind, name).await? {
        delete_policy(api, kind, name, &policy).await?;
    }
    api.call(&format!("Delete{noun}"), named).await.map(drop)
}

/// The ARNs of the managed policies attached.
pub async fn attached(api: &Api, kind: Kind, name: &str) -> Result<Vec<String>, Failure> {
    let operation = format!("ListAttached{}Policies", kind.noun());
    let found = api.all(&operation, json!({ (kind.field()): name }), "AttachedPolicies").await?;
    Ok(texts(&found.into(), Some("PolicyArn")))
}

async fn inline_names(api: &Api, kind: Kind, name: &str) -> Result<Vec<String>, Failure> {
    let operation = format!("List{}Policies", kind.noun());
    Ok(texts(&api.all(&operation, json!({ (kind.field()): name }), "PolicyNames").await?.into(), None))
}

/// The inline policies: documents by name.
pub async fn inline(api: &Api, kind: Kind, name: &str) -> Result<Value, Failure> {
    let mut documents = json!({});
    for policy in inline_names(api, kind, name).await? {
        let input = json!({ (kind.field()): name, "PolicyName": policy });
        let found = api.call(&format!("Get{}Policy", kind.noun()), input).await?;
        documents[&policy] = document::decoded(found["PolicyDocument"].as_str().unwrap_or_default());
    }
    Ok(documents)
}

/// The ARN of a policy that is named by it or by its name.
pub async fn policy_arn(api: &Api, policy: &str) -> Result<String, Failure> {
    if policy.starts_with("arn:") {
        return Ok(policy.to_owned());
    }
    let all = api.all("ListPolicies", json!({ "Scope": "All" }), "Policies").await?;
    let found = all.iter().find(|known| known["PolicyName"] == policy).and_then(|known| known["Arn"].as_str());
    found.map(str::to_owned).ok_or_else(|| {
        Failure::Usage(format!("there is no policy {policy}: berth policy list --all shows the names there are"))
    })
}

/// The end of a command that shows one thing: its facts, then the documents in it.
pub fn shown(facts: &[(&str, &Value)], documents: &[(String, &Value)], json: Value) -> Answer {
    let mut answer = Answer::facts(facts, json);
    for (title, document) in documents {
        let text = serde_json::to_string_pretty(document).unwrap_or_default();
        answer.text = format!("{}\n\n{title}\n{text}", answer.text);
    }
    answer
}

/// Titles for inline policies.
pub fn titled(inline: &Value) -> Vec<(String, &Value)> {
    let policies = inline.as_object().into_iter().flatten();
    policies.map(|(name, document)| (format!("inline policy {name}"), document)).collect()
}

/// Reads `KEY=VALUE`.
pub fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    if key.is_empty() { Err("the key is empty".to_owned()) } else { Ok((key.to_owned(), value.to_owned())) }
}

/// Tags as IAM has them.
pub fn tags(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Sets members of an input that are given.
pub fn with(mut input: Value, members: &[(&str, Option<Value>)]) -> Value {
    for (name, value) in members {
        if let Some(value) = value {
            input[*name] = value.clone();
        }
    }
    input
}

/// The only element of an answer's list, for tables of one kind of thing.
pub async fn list(api: &Api, operation: &str, list: &str, columns: &[(&str, &str)]) -> Result<Answer, Failure> {
    Ok(Answer::table(columns, elements(&api.all(operation, json!({}), list).await?.into()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        for (text, expected) in [("a=b", pair("a", "b")), ("a=", pair("a", "")), ("a=b=c", pair("a", "b=c"))] {
            assert_eq!(tag(text), expected);
        }
        assert!(tag("a").is_err() && tag("=b").is_err());
        assert_eq!(tags(&[("a".into(), "b".into())]), json!([{ "Key": "a", "Value": "b" }]));
    }
}
