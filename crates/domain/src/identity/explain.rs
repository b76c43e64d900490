//! Why a request is or would be decided as it is: for whoever asks "why was I refused".

use berth_aws::policy::{Named, Outcome, Policies, Principal, Request, evaluate};
use berth_oci::name::RepositoryName;
use berth_store::identity::Kind;

use super::names::PrincipalArn;
use super::simulate::{context_of, texts_of_arn};
use super::{IdentityError, account_of};
use crate::Domain;
use crate::access::{Question, Surroundings, of_rights};
use crate::caller::Caller;
use crate::error::Error;
use crate::principal::Rights;

/// What is to be explained.
#[derive(Debug, Clone)]
pub struct Explain {
    /// The ARN of a user or role of the caller's account.
    pub principal_arn: String,
    /// The action.
    pub action: String,
    /// The ARN of the resource, or `*`.
    pub resource: String,
    /// Condition keys and their values. What is not given is not there.
    pub context: Vec<(String, Vec<String>)>,
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
    /// registry, and says which statement decides.
    pub async fn explain_access(&self, caller: &Caller, asked: Explain) -> Result<Explanation, Error> {
        let account = account_of(caller)?;
        self.allow_iam(caller, &Question::new("iam:SimulatePrincipalPolicy", &asked.principal_arn, &account))?;
        let (arn, of) = (asked.principal_arn.clone(), account.clone());
        let texts = self.database.read(move |txn| texts_of_arn(txn, &of, &arn)).await?;
        let rights = Rights::compile(&texts)?;
        let context = with_tags(context_of(&asked.context), "aws:PrincipalTag", &texts.tags);
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
        let tags = rules.as_ref().map_or(&[][..], |rules| &rules.tags);
        let context = with_tags(with_tags(context, "ecr:ResourceTag", tags), "aws:ResourceTag", tags);
        let principal = principal(&asked.principal_arn, account.as_str())?;
        let request = Request {
            action: &asked.action,
            resource: &asked.resource,
            resource_account,
            principal: &principal,
            context: &context,
        };
        let policies = Policies { resource: around.resource, registry: around.registry, ..of_rights(&rights) };
        let decision = evaluate(&request, &policies);
        Ok(Explanation { outcome: decision.outcome, sentence: decision.to_string(), policies: names(&policies) })
    }
}

fn with_tags(
    context: berth_aws::policy::MapContext,
    group: &str,
    tags: &[(String, String)],
) -> berth_aws::policy::MapContext {
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
    own.chain(policies.resource).chain(policies.registry).map(of).collect()
}
