//! Which server or data folder a command is about, and as whom it comes.

use std::collections::BTreeMap;

use berth_aws::AccountId;
use berth_domain::settings::Endpoint;

use super::api::Api;
use crate::config::Settings;
use crate::config::effective::Given;
use crate::config::flags::GroupFlags;
use crate::failure::Failure;
use crate::remote::client::Client;
use crate::remote::credentials::{self, Asked};
use crate::{listeners, opened};

/// The server, and the credentials for it.
#[derive(clap::Args)]
pub struct Remote {
    /// The server's address; else `BERTH_URL`, `AWS_ENDPOINT_URL`, the profile's `endpoint_url` or `http://127.0.0.1:5000`.
    #[arg(long, global = true, value_name = "URL", help_heading = "Server")]
    endpoint_url: Option<String>,
    /// The profile of `~/.aws/credentials` and `~/.aws/config`; else the keys in the environment, or `AWS_PROFILE`.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Server")]
    profile: Option<String>,
    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, that of the profile or us-east-1.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Server")]
    region: Option<String>,
}

/// A server or a data folder.
#[derive(clap::Args)]
pub struct Target {
    #[command(flatten)]
    remote: Remote,
    /// Opens the data folder instead of asking a server: where there is no key yet, or none works any more.
    #[arg(long, global = true, help_heading = "Server")]
    local: bool,
    /// With --local: the account; the registry's own without.
    #[arg(long, global = true, value_name = "ID", help_heading = "Server")]
    account: Option<String>,
    #[command(flatten)]
    flags: GroupFlags,
}

impl Remote {
    /// A client with the credentials that were found.
    pub async fn connect(&self) -> Result<Client, Failure> {
        let asked = Asked {
            endpoint_url: self.endpoint_url.as_deref(),
            profile: self.profile.as_deref(),
            region: self.region.as_deref(),
            url_variables: &["BERTH_URL", "AWS_ENDPOINT_URL"],
            otherwise: "; beside the data folder, --local needs none",
        };
        Client::connect(credentials::find(&asked, &opened::variable)?).await
    }

    /// Whether something here was said on the command line.
    pub const fn is_given(&self) -> bool {
        self.endpoint_url.is_some() || self.profile.is_some() || self.region.is_some()
    }
}

impl Target {
    /// Finds credentials, or opens the data folder.
    pub async fn open(self, configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>) -> Result<Api, Failure> {
        // A wrong endpoint policy stops no command that has nothing to do with it.
        self.open_by(configure, |_| Ok(BTreeMap::new())).await
    }

    /// The same where a data folder has to know of the private endpoints in the settings.
    pub async fn open_with_endpoints(
        self,
        configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>,
    ) -> Result<Api, Failure> {
        self.open_by(configure, |settings| Ok(listeners::endpoints(settings)?.0)).await
    }

    async fn open_by(
        self,
        configure: impl FnOnce(Vec<Given>) -> Result<Settings, Failure>,
        endpoints: impl FnOnce(&Settings) -> Result<BTreeMap<String, Endpoint>, Failure>,
    ) -> Result<Api, Failure> {
        if !self.local {
            if self.account.is_some() || !self.flags.0.is_empty() {
                let text = "--account and the settings of a data folder go with --local; without, the credentials tell the account";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(Api::remote(self.remote.connect().await?));
        }
        if self.remote.is_given() {
            let text = "--local asks no server: leave --endpoint-url, --profile and --region out";
            return Err(Failure::Usage(text.to_owned()));
        }
        let account = self.account.as_deref().map(AccountId::parse).transpose();
        let account = account.map_err(|error| Failure::Usage(format!("--account: {error}")))?;
        let settings = configure(self.flags.0)?;
        let domain = opened::existing_with(&settings, endpoints(&settings)?).await?;
        let account = account.unwrap_or_else(|| settings.registry.account.clone());
        Ok(Api::local(domain, account, settings.registry.region.as_str().to_owned()))
    }
}
