//! What every operation of this door needs.

use std::borrow::Cow;

use berth_domain::ecr_error::EcrError;
use berth_domain::{Caller, Domain, Error};
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;

use super::{Answer, Failure};
use crate::aws::Call;

/// One call: who asks whom, and how.
pub(crate) struct Context<'a> {
    domain: &'a Domain,
    pub(super) caller: &'a Caller,
    pub(super) call: &'a Call,
}

impl<'a> Context<'a> {
    pub(super) const fn new(domain: &'a Domain, caller: &'a Caller, call: &'a Call) -> Self {
        Self { domain, caller, call }
    }

    /// The registry that a call is for: that of the account `id` where it names one.
    pub(super) async fn registry(&self, id: Option<&str>) -> Answer<Cow<'a, Domain>> {
        let registry = crate::registry::for_api(self.domain, self.caller, self.call, id).await?;
        berth_domain::audit::registry(&registry);
        Ok(registry)
    }

    /// The account of a registry, as answers give it.
    pub(super) fn account(domain: &Domain) -> String {
        domain.settings().registry.account.as_str().to_owned()
    }
}

/// A member that is wrong, as ECR says it.
pub(super) fn invalid(member: &str, constraint: impl std::fmt::Display) -> Failure {
    let message = format!("Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'");
    Failure::Domain(Error::Ecr(EcrError::InvalidParameter(message)))
}

/// The name of a repository.
pub(super) fn repository(text: &str) -> Answer<RepositoryName> {
    RepositoryName::parse(text).map_err(|error| invalid("repositoryName", error))
}

/// A digest in a member of this name.
pub(super) fn digest(member: &str, text: &str) -> Answer<Digest> {
    Digest::parse(text).map_err(|error| invalid(member, error))
}

/// A tag in a member of this name.
pub(super) fn tag(member: &str, text: &str) -> Answer<Tag> {
    Tag::parse(text).map_err(|error| invalid(member, error))
}

/// A point in time as answers give it.
pub(super) fn time(at: berth_store::Timestamp) -> berth_aws::protocol::Timestamp {
    berth_aws::protocol::Timestamp(at.as_millis())
}

/// A number of bytes as answers give it.
pub(super) fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
