//! `berth user`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::{Api, texts};
use super::owner::{self, Change, Kind};
use crate::failure::Failure;

/// What to do with users.
#[derive(Subcommand)]
pub enum User {
    /// Makes a user, who may do nothing yet.
    Create {
        name: String,
        /// The path in its ARN, such as /team/.
        #[arg(long)]
        path: Option<String>,
        /// The managed policy that bounds what other policies can give.
        #[arg(long, value_name = "ARN")]
        boundary: Option<String>,
        /// A tag; may be repeated.
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = owner::tag)]
        tags: Vec<(String, String)>,
    },
    /// Lists the users.
    List,
    /// Shows a user with its groups, policies and keys.
    Show { name: String },
    /// Deletes a user.
    Delete {
        name: String,
        /// Takes its keys, policies and memberships away first.
        #[arg(long)]
        force: bool,
    },
    /// Sets the permissions boundary, or takes it away.
    Boundary {
        name: String,
        /// The managed policy, by ARN or name.
        #[arg(value_name = "ARN", required_unless_present = "none", conflicts_with = "none")]
        policy: Option<String>,
        /// Takes it away.
        #[arg(long)]
        none: bool,
    },
    #[command(flatten)]
    Policies(Change),
}

/// Does it.
pub async fn run(api: &Api, what: User) -> Result<Answer, Failure> {
    match what {
        User::Create { name, path, boundary, tags } => create(api, &name, path, boundary, &tags).await,
        User::List => {
            let columns = [("USER", "UserName"), ("PATH", "Path"), ("CREATED", "CreateDate"), ("ARN", "Arn")];
            owner::list(api, "ListUsers", "Users", &columns).await
        }
        User::Show { name } => show(api, &name).await,
        User::Delete { name, force } => {
            if force {
                owner::delete_with_all(api, Kind::User, &name).await?;
            } else {
                api.call("DeleteUser", json!({ "UserName": name })).await?;
            }
            Ok(Answer::done(format!("deleted user {name}")))
        }
        User::Boundary { name, policy, .. } => boundary(api, Kind::User, &name, policy.as_deref()).await,
        User::Policies(change) => owner::run(api, Kind::User, change).await,
    }
}

async fn create(
    api: &Api,
    name: &str,
    path: Option<String>,
    boundary: Option<String>,
    tags: &[(String, String)],
) -> Result<Answer, Failure> {
    let boundary = match boundary {
        Some(policy) => Some(owner::policy_arn(api, &policy).await?.into()),
        None => None,
    };
    let given = [
        ("Path", path.map(Value::from)),
        ("PermissionsBoundary", boundary),
        ("Tags", Some(owner::tags(tags)).filter(|_| !tags.is_empty())),
    ];
    let made = api.call("CreateUser", owner::with(json!({ "UserName": name }), &given)).await?;
    let user = &made["User"];
    Ok(Answer::facts(&[("user", &user["UserName"]), ("arn", &user["Arn"])], user.clone()))
}

/// Sets or takes away the boundary of a user or role.
pub async fn boundary(api: &Api, kind: Kind, name: &str, policy: Option<&str>) -> Result<Answer, Failure> {
    let word = kind.word();
    let Some(policy) = policy else {
        owner::set_boundary(api, kind, name, None).await?;
        return Ok(Answer::done(format!("took the boundary of {word} {name} away")));
    };
    let arn = owner::policy_arn(api, policy).await?;
    owner::set_boundary(api, kind, name, Some(&arn)).await?;
    Ok(Answer::done(format!("bounded {word} {name} by {arn}")))
}

async fn show(api: &Api, name: &str) -> Result<Answer, Failure> {
    let named = json!({ "UserName": name });
    let mut user = api.call("GetUser", named.clone()).await?["User"].take();
    let groups = api.all("ListGroupsForUser", named.clone(), "Groups").await?;
    user["Groups"] = texts(&groups.into(), Some("GroupName")).into();
    user["AttachedPolicies"] = owner::attached(api, Kind::User, name).await?.into();
    user["InlinePolicies"] = owner::inline(api, Kind::User, name).await?;
    user["AccessKeys"] = api.all("ListAccessKeys", named, "AccessKeyMetadata").await?.into();
    let keys = user["AccessKeys"].as_array().into_iter().flatten();
    let keys: Vec<String> =
        keys.map(|key| format!("{} ({})", word(&key["AccessKeyId"]), word(&key["Status"]))).collect();
    let keys = Value::from(keys);
    let facts = [
        ("user", &user["UserName"]),
        ("arn", &user["Arn"]),
        ("id", &user["UserId"]),
        ("created", &user["CreateDate"]),
        ("boundary", &user["PermissionsBoundary"]["PermissionsBoundaryArn"]),
        ("tags", &user["Tags"]),
        ("groups", &user["Groups"]),
        ("policies", &user["AttachedPolicies"]),
        ("keys", &keys),
    ];
    Ok(owner::shown(&facts, &owner::titled(&user["InlinePolicies"]), user.clone()))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
