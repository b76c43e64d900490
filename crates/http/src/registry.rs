//! Which of the server's registries a request is about, and how clients call it: by the template of hosts (`registry.host`), or by
//! what they called the server where there is none.

use std::borrow::Cow;

use berth_aws::registry_host::{Filled, HostTemplate};
use berth_aws::{AccountId, Region};
use berth_domain::{Caller, Domain, Error};
use berth_store::repositories::Registry;
use http::request::Parts;

use crate::aws::Call;
use crate::server::{ClientOrigin, requested_base, requested_host, requested_scheme};

/// The registry whose host the client used; that of `domain` where the host is none of the template's, or the template leaves
/// nothing open, in which case the request is not looked at.
///
/// Somebody without credentials is sent to an empty registry where there is none, and hears there what they would hear in one
/// that does not know them. Others are told by [`Error::RegistryUnknown`].
pub(crate) async fn for_oci<'d>(domain: &'d Domain, caller: &Caller, parts: &Parts) -> Result<Cow<'d, Domain>, Error> {
    let Some(Filled { account, region }) = called(domain, parts) else { return Ok(Cow::Borrowed(domain)) };
    if !caller.is_anonymous() {
        return domain.registry_of(account.as_ref(), region.as_ref()).await;
    }
    let own = &domain.settings().registry;
    let (account, region) = (account.unwrap_or(own.account.clone()), region.unwrap_or(own.region.clone()));
    domain.in_registry(&Registry { account, region })
}

/// The registry that a call to ECR is about.
///
/// Its region is that of the host, where the template has one and the host is one of the template's, else the one that the request
/// was signed for. Its account is `registry_id`, the operation's `registryId`, where it is given; else the caller's, where the
/// template leaves accounts open; else that of `domain`, because with one host there is one registry that images are pushed to and
/// pulled from.
pub(crate) async fn for_api<'d>(
    domain: &'d Domain,
    caller: &Caller,
    call: &Call,
    registry_id: Option<&str>,
) -> Result<Cow<'d, Domain>, Error> {
    let unknown = |what: &str| Error::RegistryUnknown(what.to_owned());
    let of_host = called(domain, &call.parts).and_then(|filled| filled.region);
    let region = match of_host {
        Some(region) => region,
        None => Region::parse(&call.signed_region).map_err(|_| unknown(&call.signed_region))?,
    };
    let account = match registry_id {
        Some(id) => Some(AccountId::parse(id).map_err(|_| unknown(id))?),
        None => {
            caller.account().filter(|_| domain.settings().host.as_ref().is_some_and(HostTemplate::has_account)).cloned()
        }
    };
    domain.registry_of(account.as_ref(), Some(&region)).await
}

/// What the `repositoryUri` of a registry begins with: its host, with the port where that is needed.
pub(crate) fn host_of(domain: &Domain, parts: &Parts) -> String {
    if let Some(host) = of_template(domain) {
        return host;
    }
    let base = requested_base(parts).unwrap_or_default();
    let authority = base.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
    // Signed requests say what they call the server; for others there is no better name.
    if authority.is_empty() { "localhost".to_owned() } else { authority.to_owned() }
}

/// What the `proxyEndpoint` and signed URLs of a registry begin with: scheme and host, without a slash at the end. `None` where no
/// template gives it and the client did not say what it calls the server.
pub(crate) fn base_url(domain: &Domain, parts: &Parts) -> Option<String> {
    match of_template(domain) {
        Some(host) => Some(format!("{}://{host}", requested_scheme(parts))),
        None => requested_base(parts),
    }
}

/// Scheme and host under which the client goes on, of a request to the OCI door: those of the registry whose host it used, else
/// those of the server.
pub(crate) fn base_of_request(domain: &Domain, parts: &Parts) -> Option<String> {
    of_called(domain, parts).or_else(|| requested_base(parts))
}

/// The same for links, which are relative unless the operator or a trusted proxy says how clients see the server: `None` where
/// those of the server will do.
pub(crate) fn base_of_links(domain: &Domain, parts: &Parts) -> Option<String> {
    parts.extensions.get::<ClientOrigin>()?.base_url.as_ref()?;
    of_called(domain, parts)
}

fn of_called(domain: &Domain, parts: &Parts) -> Option<String> {
    called(domain, parts)?;
    Some(format!("{}://{}", requested_scheme(parts), requested_host(parts)?))
}

fn of_template(domain: &Domain) -> Option<String> {
    let settings = domain.settings();
    Some(settings.host.as_ref()?.fill(&settings.registry.account, &settings.registry.region))
}

/// What the host that the client used fills the template with.
fn called(domain: &Domain, parts: &Parts) -> Option<Filled> {
    let template = domain.settings().host.as_ref().filter(|host| host.has_account() || host.has_region())?;
    template.match_host(requested_host(parts)?)
}

#[cfg(test)]
mod tests;
