//! Identities from the command line: accounts, users, groups, roles, policies and access keys.
//!
//! Each command speaks to a server as AWS's own tools do ([`api`]), with the credentials that they would take
//! ([`crate::remote`]); with `--local` it opens the data folder instead. One file for each noun; [`apply`] brings an account
//! to what a file says.

mod access;
mod account;
mod answer;
mod api;
mod apply;
mod document;
mod explain;
mod group;
mod key;
pub mod login_password;
mod owner;
mod policy;
mod role;
mod target;
mod user;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Settings;
use crate::config::effective::Given;
use crate::failure::Failure;
use crate::output;

pub use answer::Answer;
pub use target::Remote;

use target::Target;

/// What there is to manage.
#[derive(Subcommand)]
pub enum Noun {
    /// Accounts: one server holds many.
    Account {
        #[command(subcommand)]
        what: account::Account,
        #[command(flatten)]
        target: Target,
    },
    /// Users.
    User {
        #[command(subcommand)]
        what: user::User,
        #[command(flatten)]
        target: Target,
    },
    /// Groups of users.
    Group {
        #[command(subcommand)]
        what: group::Group,
        #[command(flatten)]
        target: Target,
    },
    /// Roles, which others assume for a while.
    Role {
        #[command(subcommand)]
        what: role::Role,
        #[command(flatten)]
        target: Target,
    },
    /// Managed policies, which users, groups and roles can share.
    Policy {
        #[command(subcommand)]
        what: policy::Policy,
        #[command(flatten)]
        target: Target,
    },
    /// Access keys of users.
    Key {
        #[command(subcommand)]
        what: key::Key,
        #[command(flatten)]
        target: Target,
    },
    /// Why something is allowed or refused, and identities from a file.
    Iam {
        #[command(subcommand)]
        what: access::Access,
        #[command(flatten)]
        target: Target,
    },
    /// Prints a password for `docker login --username AWS --password-stdin`, which holds for twelve hours.
    LoginPassword {
        #[command(flatten)]
        remote: Remote,
    },
}

/// Does what a noun's command says and prints the answer; gives the exit code. `configure` reads the settings, which only
/// `--local` needs.
pub async fn run(
    noun: Noun,
    configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let answer = match noun {
        Noun::Account { what, target } => account::run(&target.open(configure).await?, what).await?,
        Noun::User { what, target } => user::run(&target.open(configure).await?, what).await?,
        Noun::Group { what, target } => group::run(&target.open(configure).await?, what).await?,
        Noun::Role { what, target } => role::run(&target.open(configure).await?, what).await?,
        Noun::Policy { what, target } => policy::run(&target.open(configure).await?, what).await?,
        Noun::Key { what, target } => key::run(&target.open(configure).await?, what).await?,
        Noun::Iam { what, target } => access::run(target, what, configure).await?,
        Noun::LoginPassword { remote } => login_password::run(&remote.connect().await?).await?,
    };
    output::result(&if as_json { answer.json.to_string() } else { answer.text });
    Ok(ExitCode::from(answer.code))
}
