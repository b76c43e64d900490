//! Why a request is or would be decided as it is: for whoever asks "why was I refused".

use berth_aws::policy::{Decision, Layer, MapContext, Named, Outcome, Policies, Principal, Request, evaluate};
use berth_oci::name::RepositoryName;
use berth_store::Timestamp;
use berth_store::identity::Kind;

use super::names::PrincipalArn;
use super::simulate::{context_of, texts_of_arn};
use super::{IdentityError, account_of};
use crate::Domain;
use crate::access::endpoints::EndpointPolicy;
use crate::access::{Question, Surroundings, of_rights};
use crate::caller::Caller;
use crate::error::Error;
use crate::principal::{Rights, Texts};

const SOURCE_IP: &str = "aws:SourceIp";
const SOURCE_VPCE: &str = "aws:SourceVpce";
const VPC_SOURCE_IP: &str = "aws:VpcSourceIp";

/// Condition keys and their values.
type Entries = Vec<(String, Vec<String>)>;

/// What is to be explained.
#[derive(Debug, Clone)]
pub struct Explain {
    /// The ARN of a user or role of the caller's account.
    pub principal_arn: String,
    /// The action.
    pub action: String,
    /// The ARN of the resource, or `*`.
    pub resource: String,
    /// Condition keys and their values. What follows from the principal, the resource, the endpoint and the clock need not be
    /// given; anything else that is not given is not there.
    pub context: Vec<(String, Vec<String>)>,
    /// The name of the listener that the request would come by; `None` for one without a name.
    pub endpoint: Option<String>,
}

/// A decision in words, with the statement that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub outcome: Outcome,
    /// One sentence.
    pub sentence: String,
    /// The policies that had a say, by name.
    pub policies: Vec<String>,
}

impl Domain {
    /// Decides what a user or role of the caller's account may do, with its own policies and those of the repository and the
    /// registry, and says which statement decides. Where an endpoint is named, its policy has a say too, and conditions see the
    /// request as one that came by it.
    ///
    /// Errors: what `iam:SimulatePrincipalPolicy` is refused with, [`IdentityError::NoSuch`] for an unknown principal and
    /// [`IdentityError::Validation`] for an unknown endpoint.
    pub async fn explain_access(&self, caller: &Caller, asked: Explain) -> Result<Explanation, Error> {
        let account = account_of(caller)?;
        self.allow_iam(caller, &Question::new("iam:SimulatePrincipalPolicy", &asked.principal_arn, &account))?;
        let endpoint = asked.endpoint.as_deref().map(|name| self.endpoint(name)).transpose()?;
        let (arn, of) = (asked.principal_arn.clone(), account.clone());
        let texts = self.database.read(move |txn| texts_of_arn(txn, &of, &arn)).await?;
        let rights = Rights::compile(&texts)?;
        let resource_account = asked.resource.split(':').nth(4).unwrap_or(account.as_str());
        // What is about the registry's side is for those whose account it is.
        let ours = resource_account == account.as_str();
        let region = self.regions().find(|region| asked.resource.split(':').nth(3) == Some(region.as_str()));
        let here = self.registry_of(Some(&account), region).await?;
        let rules = match repository_of(&asked.resource).filter(|_| ours) {
            Some(name) => Some(here.repository_rules(&name).await?),
            None => None,
        };
        let of_registry = here.registry_rules().await?;
        let around = Surroundings {
            resource: rules.as_ref().and_then(|rules| rules.policy.as_ref()),
            registry: of_registry.as_ref().as_ref().filter(|_| ours && asked.action.starts_with("ecr:")),
        };
        let principal = principal(&asked.principal_arn, account.as_str())?;
        let mut given = asked.context;
        if let Some(endpoint) = endpoint {
            given = by_way_of(endpoint.id.as_deref(), given);
        }
        given = beside_what_is_known(&principal, &texts, self.clock.now(), given);
        given = beside(given, "aws:ResourceAccount", resource_account);
        given = beside(given, "aws:RequestedRegion", here.settings.registry.region.as_str());
        let tags = rules.as_ref().map_or(&[][..], |rules| &rules.tags);
        let context = with_tags(context_of(&given), "aws:PrincipalTag", &texts.tags);
        let context = with_tags(with_tags(context, "ecr:ResourceTag", tags), "aws:ResourceTag", tags);
        let request = Request {
            action: &asked.action,
            resource: &asked.resource,
            resource_account,
            principal: &principal,
            context: &context,
        };
        let of_endpoint = endpoint.and_then(|endpoint| endpoint.policy.as_ref()).map(EndpointPolicy::current);
        let policies = Policies {
            resource: around.resource,
            registry: around.registry,
            endpoint: of_endpoint.as_deref().map(AsRef::as_ref),
            ..of_rights(&rights)
        };
        let decision = evaluate(&request, &policies);
        let sentence = sentence(&decision, &request, policies.endpoint);
        Ok(Explanation { outcome: decision.outcome, sentence, policies: names(&policies) })
    }
}

/// The decision in words. An endpoint is told by its name also where it only lacks an Allow: there are several.
fn sentence(decision: &Decision<'_>, request: &Request<'_>, endpoint: Option<&Named>) -> String {
    match (decision.missing, endpoint) {
        (Some(Layer::Endpoint), Some(policy)) => {
            let Request { action, resource, .. } = request;
            format!("{action} on {resource} is denied: no statement of endpoint policy {} allows it", policy.name)
        }
        _ => decision.to_string(),
    }
}

/// What conditions see of a request that comes by an endpoint with this id, or by one without: the id, and the address under
/// the one of two keys that goes with it ("AWS global condition context keys").
fn by_way_of(id: Option<&str>, given: Entries) -> Entries {
    let (here, elsewhere) = if id.is_some() { (VPC_SOURCE_IP, SOURCE_IP) } else { (SOURCE_IP, VPC_SOURCE_IP) };
    let address_is_given = is_given(&given, here);
    let entry = |(key, values): (String, Vec<String>)| {
        if key.eq_ignore_ascii_case(SOURCE_VPCE) {
            return None;
        }
        if !key.eq_ignore_ascii_case(elsewhere) {
            return Some((key, values));
        }
        (!address_is_given).then(|| (here.to_owned(), values))
    };
    let mut seen: Entries = given.into_iter().filter_map(entry).collect();
    seen.extend(id.map(|id| (SOURCE_VPCE.to_owned(), vec![id.to_owned()])));
    seen
}

/// Adds what every request of this principal has now, where it is not given otherwise.
fn beside_what_is_known(principal: &Principal<'_>, texts: &Texts, now: Timestamp, given: Entries) -> Entries {
    let seconds = now.as_millis().div_euclid(1000).to_string();
    let moment = now.to_string();
    let mut known = vec![
        ("aws:CurrentTime", moment.as_str()),
        ("aws:EpochTime", &seconds),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:ViaAWSService", "false"),
    ];
    match principal {
        Principal::User { arn, account } => known.extend([
            ("aws:PrincipalArn", *arn),
            ("aws:PrincipalAccount", *account),
            ("aws:PrincipalType", "User"),
            ("aws:userid", &texts.unique_id),
            ("aws:username", arn.rsplit('/').next().unwrap_or_default()),
        ]),
        Principal::AssumedRole { role_arn, account, .. } => known.extend([
            ("aws:MultiFactorAuthPresent", "false"),
            ("aws:PrincipalArn", *role_arn),
            ("aws:PrincipalAccount", *account),
            ("aws:PrincipalType", "AssumedRole"),
        ]),
        _ => {}
    }
    known.into_iter().fold(given, |given, (key, value)| beside(given, key, value))
}

fn beside(mut given: Entries, key: &str, value: &str) -> Entries {
    if !is_given(&given, key) {
        given.push((key.to_owned(), vec![value.to_owned()]));
    }
    given
}

fn is_given(given: &Entries, wanted: &str) -> bool {
    given.iter().any(|(key, _)| key.eq_ignore_ascii_case(wanted))
}

fn with_tags(context: MapContext, group: &str, tags: &[(String, String)]) -> MapContext {
    tags.iter().fold(context, |context, (key, value)| context.with(&format!("{group}/{key}"), value.clone()))
}

fn repository_of(arn: &str) -> Option<RepositoryName> {
    RepositoryName::parse(arn.split_once(":repository/")?.1).ok()
}

fn principal<'a>(arn: &'a str, account: &'a str) -> Result<Principal<'a>, Error> {
    match PrincipalArn::parse(arn).map(|known| known.kind) {
        Some(Kind::User) => Ok(Principal::User { arn, account }),
        Some(Kind::Role) => Ok(Principal::AssumedRole { role_arn: arn, session_arn: arn, account }),
        Some(Kind::Group) | None => Err(IdentityError::Invalid(format!("{arn} is no ARN of a user or role")).into()),
    }
}

fn names(policies: &Policies<'_>) -> Vec<String> {
    let own = policies.identity.iter().chain(policies.boundary);
    let of = |named: &Named| named.name.to_string();
    own.chain(policies.resource).chain(policies.registry).chain(policies.endpoint).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn entries(pairs: Pairs<'_>) -> Entries {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect()
    }

    #[test]
    fn an_endpoint_tells_its_id_and_the_address_in_its_network() {
        let (public, private) = ((SOURCE_IP, "192.0.2.1"), (VPC_SOURCE_IP, "10.0.0.1"));
        let id = (SOURCE_VPCE, "vpce-1");
        let table: [(Option<&str>, Pairs<'_>, Pairs<'_>); 9] = [
            (Some("vpce-1"), &[], &[id]),
            (Some("vpce-1"), &[public], &[(VPC_SOURCE_IP, "192.0.2.1"), id]),
            (Some("vpce-1"), &[("AWS:sourceip", "192.0.2.1")], &[(VPC_SOURCE_IP, "192.0.2.1"), id]),
            (Some("vpce-1"), &[private], &[private, id]),
            (Some("vpce-1"), &[public, private], &[private, id]),
            (Some("vpce-1"), &[("aws:sourcevpce", "vpce-2"), ("a:b", "c")], &[("a:b", "c"), id]),
            (None, &[private], &[(SOURCE_IP, "10.0.0.1")]),
            (None, &[private, public], &[public]),
            (None, &[(SOURCE_VPCE, "vpce-2")], &[]),
        ];
        for (endpoint, given, seen) in table {
            assert_eq!(by_way_of(endpoint, entries(given)), entries(seen), "{endpoint:?} {given:?}");
        }
    }

    #[test]
    fn what_is_given_counts_more_than_what_is_known() {
        let texts = Texts { unique_id: "AIDA1".to_owned(), ..Texts::default() };
        let arn = "arn:aws:iam::000000000000:user/team/alice";
        let user = Principal::User { arn, account: "000000000000" };
        let at = Timestamp::from_millis(1_700_000_000_999);
        let given = entries(&[("AWS:UserName", "bob"), ("aws:EpochTime", "7")]);
        let seen = context_of(&beside_what_is_known(&user, &texts, at, given));
        let value = |key| berth_aws::policy::Context::values(&seen, key).map(|values| format!("{values:?}"));
        let single = |text: &str| Some(format!("Single({text:?})"));
        for (key, expected) in [
            ("aws:username", single("bob")),
            ("aws:epochtime", single("7")),
            ("aws:principalarn", single(arn)),
            ("aws:userid", single("AIDA1")),
            ("aws:currenttime", single(&at.to_string())),
            ("aws:multifactorauthpresent", None),
            ("aws:sourceip", None),
        ] {
            assert_eq!(value(key), expected, "{key}");
        }
        let role = Principal::AssumedRole { role_arn: arn, session_arn: arn, account: "000000000000" };
        let seen = beside_what_is_known(&role, &texts, at, Vec::new());
        assert!(is_given(&seen, "aws:MultiFactorAuthPresent"));
        assert!(!is_given(&seen, "aws:userid"), "it has the name of a session");
    }
}
