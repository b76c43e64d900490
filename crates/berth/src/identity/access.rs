//! `berth iam`.

use clap::Subcommand;

use super::answer::Answer;
use super::apply::{self, Apply};
use super::explain::{self, Explain};
use super::target::Target;
use crate::config::Settings;
use crate::config::effective::Given;
use crate::failure::Failure;

/// What to do with all that decides who may do what.
#[derive(Subcommand)]
pub enum Access {
    /// Tells whether somebody may do something, and which policy decides. Exit code 0: allowed; 1: denied.
    Explain(Explain),
    /// Brings groups, users, roles and policies to what a file says. What the file does not name stays, unless --prune.
    Apply(Apply),
}

/// Does it.
pub async fn run(
    target: Target,
    what: Access,
    configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>,
) -> Result<Answer, Failure> {
    match what {
        Access::Explain(asked) => {
            let api = if asked.names_endpoint() {
                target.open_with_endpoints(configure).await?
            } else {
                target.open(configure).await?
            };
            explain::run(&api, &asked).await
        }
        Access::Apply(asked) => {
            // The file is read first: nobody is asked anything for one that is wrong.
            let wanted = apply::read(&asked)?;
            apply::run(&target.open(configure).await?, &asked, wanted).await
        }
    }
}
