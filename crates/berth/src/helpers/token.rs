//! A login at a registry: `GetAuthorizationToken` with the credentials that are found.

use berth_store::{Clock as _, SystemClock, Timestamp};
use zeroize::Zeroizing;

use super::hosts::Host;
use crate::failure::Failure;
use crate::identity::login_password;
use crate::opened::variable;
use crate::remote::client::{Client, USUAL_REGION};
use crate::remote::connection::Connection;
use crate::remote::credentials::{Asked, Found, Source, WebIdentity, find};
use crate::remote::obtain;

/// The user's name that goes with every token.
pub const USER: &str = "AWS";
/// What names the registry's API, where it is not at the registry's own host.
const URL_VARIABLES: [&str; 3] = ["BERTH_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"];
const HINT: &str = "BERTH_URL names another server";

/// A login.
pub struct Login {
    /// The password of [`USER`].
    pub password: Zeroizing<String>,
    /// When it ends.
    pub ends: Option<Timestamp>,
}

/// What is known before anything is asked.
pub struct Way {
    /// Where credentials come from, and which server was named.
    pub found: Found,
}

impl Way {
    /// Finds credentials in the environment and the profile.
    pub fn find() -> Result<Self, Failure> {
        let asked =
            Asked { endpoint_url: None, profile: None, region: None, url_variables: &URL_VARIABLES, otherwise: "" };
        Ok(Self { found: find(&asked, &variable)? })
    }

    /// The same server by a web identity, whatever other credentials there are.
    pub fn by(identity: WebIdentity) -> Self {
        let url = URL_VARIABLES.iter().find_map(|name| variable(name));
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| variable(name));
        let source = Source::WebIdentity(identity);
        Self { found: Found { url, region, source, ca_bundle: variable("AWS_CA_BUNDLE") } }
    }

    /// Whether this login may be given for a host.
    pub fn is_for(&self, host: &Host) -> bool {
        host.is_ours(&variable, self.found.url.as_deref())
    }

    /// Logs in.
    pub async fn login(&self, host: &Host) -> Result<Login, Failure> {
        let connection = self.connection(host).await?;
        let region = self.found.region.as_deref().unwrap_or(USUAL_REGION);
        let keys = obtain::keys(&self.found.source, &connection, region).await?;
        let client = Client::new(connection, region.to_owned(), keys);
        let granted = client.authorization_token().await?;
        let password = login_password::password(granted.token.reveal()).ok_or_else(|| client.unexpected(200))?;
        Ok(Login { password: password.into(), ends: granted.ends })
    }

    async fn connection(&self, host: &Host) -> Result<Connection, Failure> {
        let to = |url: &str| Connection::new(url, self.found.ca_bundle.as_deref(), HINT);
        if let Some(url) = &self.found.url {
            return to(url);
        }
        let mut addresses = host.addresses().into_iter();
        let none = || {
            Failure::Usage(format!("{} is asked for by plain HTTP, and credentials go there by TLS only", host.name()))
        };
        let first = to(&addresses.next().ok_or_else(none)?)?;
        match addresses.next() {
            Some(plain) if !first.is_there().await => to(&plain),
            _ => Ok(first),
        }
    }
}

/// When nine tenths of the time that a login has left are over; none where it does not tell its end.
pub fn good_until(ends: Option<Timestamp>) -> Option<Timestamp> {
    let now = SystemClock.now().as_millis();
    ends.map(|ends| Timestamp::from_millis(now + ends.as_millis().saturating_sub(now).max(0) / 10 * 9))
}
