//! Private endpoints: listeners with a name, an id for conditions, and a policy that everything that comes by them needs
//! ("Control access to VPC endpoints using endpoint policies").

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use berth_aws::policy::{Named, Policies, Policy, PolicyError, PolicyKind};

use super::Question;
use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::IdentityError;
use crate::principal::compile;

/// The longest policy of an endpoint, in bytes ("Amazon VPC quotas").
pub const LONGEST_POLICY: usize = 20_480;

/// What everybody would be allowed if an endpoint alone decided.
const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// What the operator decided about a named listener.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// The id that conditions know it by (`aws:SourceVpce`), such as `vpce-0a1b`.
    pub id: Option<String>,
    /// What may be done through it at most; `None` where it narrows nothing.
    pub policy: Option<EndpointPolicy>,
}

/// The policy of an endpoint, which may be replaced while requests are judged. Clones are the same policy.
#[derive(Clone)]
pub struct EndpointPolicy(Arc<ArcSwap<Named>>);

impl EndpointPolicy {
    /// Reads the policy of the listener `name`: a document as repositories have, of at most [`LONGEST_POLICY`] bytes, whose
    /// statements name principals.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let policy = Arc::new(Policy::parse(text, PolicyKind::Resource, LONGEST_POLICY)?);
        let named = Named { name: format!("endpoint:{name}").into(), policy };
        Ok(Self(Arc::new(ArcSwap::from_pointee(named))))
    }

    /// Takes another document from the next decision on; a wrong one changes nothing.
    pub fn replace(&self, text: &str) -> Result<(), PolicyError> {
        let policy = Arc::new(Policy::parse(text, PolicyKind::Resource, LONGEST_POLICY)?);
        let name = Arc::clone(&self.0.load().name);
        self.0.store(Arc::new(Named { name, policy }));
        Ok(())
    }

    /// The document that counts now.
    pub(crate) fn current(&self) -> Guard<Arc<Named>> {
        self.0.load()
    }
}

impl fmt::Debug for EndpointPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EndpointPolicy").field(&self.0.load().name).finish()
    }
}

impl Domain {
    /// The endpoint of a name. That there is none is said without saying which there are.
    pub(crate) fn endpoint(&self, name: &str) -> Result<&Endpoint, IdentityError> {
        let unknown = || IdentityError::Validation(format!("There is no endpoint with the name {name}."));
        self.settings.endpoints.get(name).ok_or_else(unknown)
    }

    /// The policy of the endpoint that a caller's request came by.
    pub(crate) fn endpoint_policy(&self, caller: &Caller) -> Option<Guard<Arc<Named>>> {
        let endpoint = self.settings.endpoints.get(caller.circumstances.endpoint.as_deref()?)?;
        endpoint.policy.as_ref().map(EndpointPolicy::current)
    }

    /// Goes on where the endpoint lets `question` pass: for what needs no other permission. Whoever may always do something
    /// may do it through this endpoint only if its policy allows it.
    pub(crate) fn ensure_endpoint_allows(&self, caller: &Caller, question: &Question<'_>) -> Result<(), Error> {
        if self.endpoint_policy(caller).is_none() {
            return Ok(());
        }
        let everything = [compile("what needs no permission", EVERYTHING, PolicyKind::Identity)?];
        // Nothing else has to allow it: no boundary and no session policy.
        let own = Policies { identity: &everything, ..Policies::default() };
        let because = self.decision_with(caller, question, own, |decision| decision.aws_reason());
        if because.is_empty() {
            return Ok(());
        }
        Err(Error::Denied {
            principal: caller.principal().to_owned(),
            action: question.action,
            resource: question.resource.to_owned(),
            because,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PULLS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage",
        "Resource":"*"}}"#;

    #[test]
    fn a_policy_is_replaced_by_one_that_is_right_only() {
        let policy = EndpointPolicy::parse("private", PULLS).unwrap();
        let clone = policy.clone();
        assert!(policy.replace("{").is_err());
        assert!(policy.replace(EVERYTHING).is_err(), "it names no principal");
        assert_eq!(policy.current().policy.text(), PULLS);
        let other = PULLS.replace("ecr:BatchGetImage", "ecr:PutImage");
        policy.replace(&other).unwrap();
        assert_eq!(clone.current().policy.text(), other);
        assert_eq!(&*clone.current().name, "endpoint:private");
        assert!(EndpointPolicy::parse("private", &format!("{PULLS}{}", " ".repeat(LONGEST_POLICY))).is_err());
    }
}
