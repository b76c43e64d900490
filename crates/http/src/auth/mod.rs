//! From a request's `Authorization` header to a caller, and what somebody hears who sent none that counts.
//!
//! A registry challenges with Basic, as ECR's own does, or with Bearer where `auth.challenge` says so or anonymous pull is
//! configured, because clients without credentials give up at a Basic challenge; [`TokenEndpoint`] then hands out tokens,
//! anonymous ones too. Basic credentials are taken in both cases. Requests to the doors of AWS are signed (see `aws`).

mod basic;
mod challenge;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use berth_domain::{Caller, Circumstances, Domain, Error};
use berth_oci::endpoint::Endpoint;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::server::{ClientCertificate, ClientOrigin, ListenerName};

pub use basic::{Credentials, parse_basic};
pub(crate) use challenge::{BASIC, challenge};
pub use token::{TokenEndpoint, parse_bearer};

/// What a request brings to show who sends it.
pub enum Presented {
    /// No header, or Basic with an empty name and password, as clients send that hold none.
    Nothing,
    /// A name and a password.
    Basic(Credentials),
    /// A token of ours, perhaps.
    Bearer(String),
}

/// Reads the `Authorization` header; several, or one of another scheme, are wrong credentials.
pub fn presented(headers: &HeaderMap) -> Result<Presented, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Presented::Nothing) };
    if values.next().is_some() {
        return Err(Error::WrongCredentials);
    }
    if let Some(token) = token::parse_bearer(value.as_bytes()) {
        return Ok(Presented::Bearer(token.to_owned()));
    }
    match parse_basic(value.as_bytes()).ok_or(Error::WrongCredentials)? {
        Credentials { user, password } if user.is_empty() && password.is_empty() => Ok(Presented::Nothing),
        credentials => Ok(Presented::Basic(credentials)),
    }
}

/// The parameter of a download address that stands for credentials (ECR `GetDownloadUrlForLayer`).
pub(crate) const DOWNLOAD_PASS: &str = "download";

/// The pass of a download address. There are few parameters, and a pass needs no decoding.
fn download_pass(parts: &Parts) -> Option<&str> {
    let pairs = parts.uri.query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == DOWNLOAD_PASS).map(|(_, pass)| pass)
}

/// Whether a request is one that download addresses are for.
fn is_download(parts: &Parts) -> bool {
    parts.method == Method::GET && matches!(Endpoint::parse(parts.uri.path()), Ok(Endpoint::Blob { .. }))
}

/// Who sends a request. Nothing presented is an anonymous caller; something wrong is refused, never taken for that, and so are two
/// kinds of credentials at once.
pub async fn caller(domain: &Domain, parts: &Parts) -> Result<Caller, Error> {
    let caller = match (presented(&parts.headers)?, download_pass(parts)) {
        (Presented::Nothing, Some(pass)) if is_download(parts) => domain.authenticate_download(pass).await?,
        (_, Some(_)) => return Err(Error::WrongCredentials),
        (presented, None) => of_header(domain, presented, address(parts)).await?,
    };
    Ok(caller.under(circumstances(parts)))
}

async fn of_header(domain: &Domain, presented: Presented, from: Option<IpAddr>) -> Result<Caller, Error> {
    Ok(match presented {
        Presented::Nothing => Caller::anonymous(),
        Presented::Basic(credentials) => {
            domain.authenticate(&credentials.user, credentials.password.as_bytes(), from).await?
        }
        Presented::Bearer(token) => domain.authenticate_bearer(&token).await?,
    })
}

/// The client's address; none behind a Unix socket.
pub(crate) fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ClientOrigin>().and_then(|origin| origin.address)
}

/// What conditions of policies may ask about a request.
pub(crate) fn circumstances(parts: &Parts) -> Circumstances {
    let origin = parts.extensions.get::<ClientOrigin>();
    let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    Circumstances {
        source_ip: origin.and_then(|origin| origin.address),
        is_secure: origin.is_some_and(|origin| origin.is_secure),
        user_agent: user_agent.map(str::to_owned),
        endpoint: parts.extensions.get::<ListenerName>().map(|name| Arc::clone(&name.0)),
        client_certificate: parts.extensions.get::<Arc<ClientCertificate>>().map(|client| Arc::clone(&client.subject)),
    }
}
