//! `berth key`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Api;
use crate::failure::Failure;

/// What to do with the access keys of a user.
#[derive(Subcommand)]
pub enum Key {
    /// Makes a key and prints it this once. A user has two at most.
    Create {
        /// The user.
        user: String,
    },
    /// Lists the keys of a user.
    List {
        /// The user.
        user: String,
    },
    /// Lets a key work again.
    Enable {
        /// The user.
        user: String,
        /// The key.
        id: String,
    },
    /// Lets a key not work until it is enabled.
    Disable {
        /// The user.
        user: String,
        /// The key.
        id: String,
    },
    /// Deletes a key.
    Delete {
        /// The user.
        user: String,
        /// The key.
        id: String,
    },
}

/// Does it.
pub async fn run(api: &Api, what: Key) -> Result<Answer, Failure> {
    match what {
        Key::Create { user } => {
            let made = api.call("CreateAccessKey", json!({ "UserName": user })).await?;
            Ok(shown(&made))
        }
        Key::List { user } => {
            let keys = api.all("ListAccessKeys", json!({ "UserName": user }), "AccessKeyMetadata").await?;
            Ok(Answer::table(&[("KEY", "AccessKeyId"), ("STATUS", "Status"), ("CREATED", "CreateDate")], keys))
        }
        Key::Enable { user, id } => set_status(api, &user, &id, "Active", "enabled").await,
        Key::Disable { user, id } => set_status(api, &user, &id, "Inactive", "disabled").await,
        Key::Delete { user, id } => {
            api.call("DeleteAccessKey", json!({ "UserName": user, "AccessKeyId": id })).await?;
            Ok(Answer::done(format!("deleted key {id} of user {user}")))
        }
    }
}

async fn set_status(api: &Api, user: &str, id: &str, status: &str, done: &str) -> Result<Answer, Failure> {
    api.call("UpdateAccessKey", json!({ "UserName": user, "AccessKeyId": id, "Status": status })).await?;
    Ok(Answer::done(format!("{done} key {id} of user {user}")))
}

/// A key that was just made, with its secret.
pub fn shown(made: &Value) -> Answer {
    let key = &made["AccessKey"];
    let facts = [
        ("user", &key["UserName"]),
        ("access key id", &key["AccessKeyId"]),
        ("secret access key", &key["SecretAccessKey"]),
    ];
    Answer::facts(&facts, key.clone())
}
