//! `berth role`.

use berth_aws::policy::PolicyKind;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Api;
use super::owner::{self, Change, Kind};
use super::{document, user};
use crate::failure::Failure;

/// What to do with roles.
#[derive(Subcommand)]
pub enum Role {
    /// Makes a role.
    Create(New),
    /// Lists the roles.
    List,
    /// Shows a role with who may assume it and its policies.
    Show { name: String },
    /// Deletes a role.
    Delete {
        name: String,
        /// Takes its policies away first.
        #[arg(long)]
        force: bool,
    },
    /// Replaces the policy that tells who may assume it.
    Trust {
        name: String,
        /// The document; - is standard input.
        file: String,
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
    /// Prints temporary credentials of a role.
    Assume {
        /// The role's ARN.
        arn: String,
        /// What the session is called in ARNs, 2 to 64 characters.
        #[arg(long, value_name = "NAME")]
        session_name: String,
        /// How long they hold, 900 up to the role's --max-session.
        #[arg(long, value_name = "SECONDS")]
        duration: Option<u32>,
        /// Prints lines for a shell to take: eval "$(berth role assume … --export)".
        #[arg(long)]
        export: bool,
    },
    #[command(flatten)]
    Policies(Change),
}

/// A role that is to be made.
#[derive(Args)]
pub struct New {
    name: String,
    /// The policy that tells who may assume it; - is standard input.
    #[arg(long, value_name = "FILE")]
    trust: String,
    /// How long sessions may last, 3600 to 43200; 3600 without.
    #[arg(long, value_name = "SECONDS")]
    max_session: Option<u32>,
    /// The path in its ARN, such as /team/.
    #[arg(long)]
    path: Option<String>,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    /// The managed policy that bounds what other policies can give.
    #[arg(long, value_name = "ARN")]
    boundary: Option<String>,
    /// A tag; may be repeated.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = owner::tag)]
    tags: Vec<(String, String)>,
}

/// Does it.
pub async fn run(api: &Api, what: Role) -> Result<Answer, Failure> {
    match what {
        Role::Create(new) => create(api, new).await,
        Role::List => {
            let columns = [("ROLE", "RoleName"), ("PATH", "Path"), ("CREATED", "CreateDate"), ("ARN", "Arn")];
            owner::list(api, "ListRoles", "Roles", &columns).await
        }
        Role::Show { name } => show(api, &name).await,
        Role::Delete { name, force } => {
            if force {
                owner::delete_with_all(api, Kind::Role, &name).await?;
            } else {
                api.call("DeleteRole", json!({ "RoleName": name })).await?;
            }
            Ok(Answer::done(format!("deleted role {name}")))
        }
        Role::Trust { name, file } => {
            let policy = document::read(&file, PolicyKind::Trust)?;
            api.call("UpdateAssumeRolePolicy", json!({ "RoleName": name, "PolicyDocument": policy })).await?;
            Ok(Answer::done(format!("replaced who may assume role {name}")))
        }
        Role::Boundary { name, policy, .. } => user::boundary(api, Kind::Role, &name, policy.as_deref()).await,
        Role::Assume { arn, session_name, duration, export } => {
            let input = json!({ "RoleArn": arn, "RoleSessionName": session_name });
            assume(api, owner::with(input, &[("DurationSeconds", duration.map(Value::from))]), export).await
        }
        Role::Policies(change) => owner::run(api, Kind::Role, change).await,
    }
}

async fn create(api: &Api, new: New) -> Result<Answer, Failure> {
    let trust = document::read(&new.trust, PolicyKind::Trust)?;
    let boundary = match new.boundary {
        Some(policy) => Some(owner::policy_arn(api, &policy).await?.into()),
        None => None,
    };
    let given = [
        ("Path", new.path.map(Value::from)),
        ("Description", new.description.map(Value::from)),
        ("MaxSessionDuration", new.max_session.map(Value::from)),
        ("PermissionsBoundary", boundary),
        ("Tags", Some(owner::tags(&new.tags)).filter(|_| !new.tags.is_empty())),
    ];
    let input = json!({ "RoleName": new.name, "AssumeRolePolicyDocument": trust });
    let made = api.call("CreateRole", owner::with(input, &given)).await?;
    let role = &made["Role"];
    Ok(Answer::facts(&[("role", &role["RoleName"]), ("arn", &role["Arn"])], role.clone()))
}

async fn show(api: &Api, name: &str) -> Result<Answer, Failure> {
    let mut role = api.call("GetRole", json!({ "RoleName": name })).await?["Role"].take();
    role["AssumeRolePolicyDocument"] = document::decoded(role["AssumeRolePolicyDocument"].as_str().unwrap_or_default());
    role["AttachedPolicies"] = owner::attached(api, Kind::Role, name).await?.into();
    role["InlinePolicies"] = owner::inline(api, Kind::Role, name).await?;
    let facts = [
        ("role", &role["RoleName"]),
        ("arn", &role["Arn"]),
        ("id", &role["RoleId"]),
        ("description", &role["Description"]),
        ("created", &role["CreateDate"]),
        ("max session", &role["MaxSessionDuration"]),
        ("boundary", &role["PermissionsBoundary"]["PermissionsBoundaryArn"]),
        ("tags", &role["Tags"]),
        ("policies", &role["AttachedPolicies"]),
    ];
    let mut documents = vec![("who may assume it".to_owned(), &role["AssumeRolePolicyDocument"])];
    documents.extend(owner::titled(&role["InlinePolicies"]));
    Ok(owner::shown(&facts, &documents, role.clone()))
}

async fn assume(api: &Api, input: Value, export: bool) -> Result<Answer, Failure> {
    if api.is_local() {
        let text = "berth role assume asks a server, as whoever assumes the role: leave --local out";
        return Err(Failure::Usage(text.to_owned()));
    }
    let assumed = api.call("AssumeRole", input).await?;
    let credentials = &assumed["Credentials"];
    if export {
        return Ok(Answer::new(exports(credentials), assumed));
    }
    let facts = [
        ("access key id", &credentials["AccessKeyId"]),
        ("secret access key", &credentials["SecretAccessKey"]),
        ("session token", &credentials["SessionToken"]),
        ("expiration", &credentials["Expiration"]),
        ("arn", &assumed["AssumedRoleUser"]["Arn"]),
    ];
    Ok(Answer::facts(&facts, assumed.clone()))
}

/// Lines for a shell. A quote within single quotes ends them, stands for itself after a backslash, and begins new ones.
fn exports(credentials: &Value) -> String {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ];
    let line = |(variable, member): (&str, &str)| {
        let value = credentials[member].as_str().unwrap_or_default().replace('\'', r"'\''");
        format!("export {variable}='{value}'")
    };
    variables.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_credentials_as_they_are() {
        let credentials = json!({ "AccessKeyId": "ASIA", "SecretAccessKey": "a+/b", "SessionToken": "t'; rm $x" });
        let expected = "export AWS_ACCESS_KEY_ID='ASIA'\nexport AWS_SECRET_ACCESS_KEY='a+/b'\n\
                        export AWS_SESSION_TOKEN='t'\\''; rm $x'";
        assert_eq!(exports(&credentials), expected);
    }
}
