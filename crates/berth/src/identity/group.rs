//! `berth group`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::{Api, texts};
use super::owner::{self, Change, Kind};
use crate::failure::Failure;

/// What to do with groups.
#[derive(Subcommand)]
pub enum Group {
    /// Makes a group.
    Create {
        name: String,
        /// The path in its ARN, such as /team/.
        #[arg(long)]
        path: Option<String>,
    },
    /// Lists the groups.
    List,
    /// Shows a group with its users and policies.
    Show { name: String },
    /// Deletes a group.
    Delete {
        name: String,
        /// Takes its users and policies away first.
        #[arg(long)]
        force: bool,
    },
    /// Puts a user into a group.
    Add { group: String, user: String },
    /// Takes a user out of a group.
    Remove { group: String, user: String },
    #[command(flatten)]
    Policies(Change),
}

/// Does it.
pub async fn run(api: &Api, what: Group) -> Result<Answer, Failure> {
    match what {
        Group::Create { name, path } => {
            let input = owner::with(json!({ "GroupName": name }), &[("Path", path.map(Value::from))]);
            let made = api.call("CreateGroup", input).await?;
            let group = &made["Group"];
            Ok(Answer::facts(&[("group", &group["GroupName"]), ("arn", &group["Arn"])], group.clone()))
        }
        Group::List => {
            let columns = [("GROUP", "GroupName"), ("PATH", "Path"), ("CREATED", "CreateDate"), ("ARN", "Arn")];
            owner::list(api, "ListGroups", "Groups", &columns).await
        }
        Group::Show { name } => show(api, &name).await,
        Group::Delete { name, force } => {
            if force {
                owner::delete_with_all(api, Kind::Group, &name).await?;
            } else {
                api.call("DeleteGroup", json!({ "GroupName": name })).await?;
            }
            Ok(Answer::done(format!("deleted group {name}")))
        }
        Group::Add { group, user } => {
            api.call("AddUserToGroup", json!({ "GroupName": group, "UserName": user })).await?;
            Ok(Answer::done(format!("put user {user} into group {group}")))
        }
        Group::Remove { group, user } => {
            api.call("RemoveUserFromGroup", json!({ "GroupName": group, "UserName": user })).await?;
            Ok(Answer::done(format!("took user {user} out of group {group}")))
        }
        Group::Policies(change) => owner::run(api, Kind::Group, change).await,
    }
}

async fn show(api: &Api, name: &str) -> Result<Answer, Failure> {
    let mut pages = api.pages("GetGroup", json!({ "GroupName": name })).await?;
    let users: Vec<String> = pages.iter().flat_map(|page| texts(&page["Users"], Some("UserName"))).collect();
    let mut group = pages.first_mut().map(|page| page["Group"].take()).unwrap_or_default();
    group["Users"] = users.into();
    group["AttachedPolicies"] = owner::attached(api, Kind::Group, name).await?.into();
    group["InlinePolicies"] = owner::inline(api, Kind::Group, name).await?;
    let facts = [
        ("group", &group["GroupName"]),
        ("arn", &group["Arn"]),
        ("id", &group["GroupId"]),
        ("created", &group["CreateDate"]),
        ("users", &group["Users"]),
        ("policies", &group["AttachedPolicies"]),
    ];
    Ok(owner::shown(&facts, &owner::titled(&group["InlinePolicies"]), group.clone()))
}
