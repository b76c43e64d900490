//! `berth account`.

use clap::Subcommand;
use serde_json::json;

use super::answer::Answer;
use super::api::Api;
use crate::failure::Failure;

/// What to do with accounts.
#[derive(Subcommand)]
pub enum Account {
    /// Makes an account with a user administrator, and prints its access key this once.
    Create {
        /// Twelve digits.
        id: String,
    },
    /// Lists the accounts.
    List,
    /// Deletes an account that holds nothing any more but its administrator.
    Delete {
        /// Twelve digits.
        id: String,
    },
}

/// Does it.
pub async fn run(api: &Api, what: Account) -> Result<Answer, Failure> {
    match what {
        Account::Create { id } => {
            let made = api.call("CreateAccount", json!({ "AccountId": id })).await?;
            Ok(super::key::shown(&made))
        }
        Account::List => {
            let accounts = api.all("ListAccounts", json!({}), "Accounts").await?;
            Ok(Answer::table(&[("ACCOUNT", "AccountId"), ("ALIAS", "Alias"), ("CREATED", "CreateDate")], accounts))
        }
        Account::Delete { id } => {
            api.call("DeleteAccount", json!({ "AccountId": id })).await?;
            Ok(Answer::done(format!("deleted account {id}")))
        }
    }
}
