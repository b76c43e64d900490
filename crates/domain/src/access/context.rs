//! The condition keys that Berth fills, made when a condition asks for them ("AWS global condition context keys", "Actions,
//! resources, and condition keys for Amazon ECR").

use std::borrow::Cow;

use berth_aws::policy::{Context, Values};
use berth_store::Timestamp;

use super::{Extras, Question};
use crate::caller::{Caller, Standing};
use crate::principal::{Identity, IdentityKind};
use crate::settings::Settings;

/// What a request tells beside its action and resource.
pub(crate) struct RequestContext<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) question: &'a Question<'a>,
    pub(crate) now: Timestamp,
    pub(crate) settings: &'a Settings,
}

/// Keys without a `/`, for the reference in `docs/` and its test.
pub const KEYS: &[&str] = &[
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalType",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:SecureTransport",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:SourceVpce",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:userid",
    "aws:username",
    "aws:ViaAWSService",
    "aws:VpcSourceIp",
    "berth:ClientCertificateSubject",
];

/// Keys of one tag each.
pub const TAG_KEYS: &[&str] =
    &["aws:PrincipalTag/", "aws:RequestTag/", "aws:ResourceTag/", "ecr:ResourceTag/", "iam:ResourceTag/"];

impl Context for RequestContext<'_> {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        if let Some((group, tag)) = key.split_once('/')
            && let Some(tags) = self.tags(group)
        {
            return find_tag(tags, tag).map(single);
        }
        let plain = self.of_request(key).or_else(|| self.of_caller(key)).map(Values::Single);
        plain.or_else(|| self.of_question(key))
    }
}

impl RequestContext<'_> {
    fn tags(&self, group: &str) -> Option<&[(String, String)]> {
        match group {
            "aws:principaltag" => Some(self.identity().map_or(&[], |identity| &identity.tags)),
            "aws:requesttag" => Some(self.question.extras.tags),
            "aws:resourcetag" | "ecr:resourcetag" | "iam:resourcetag" => Some(self.question.resource_tags),
            _ => None,
        }
    }

    fn of_request(&self, key: &str) -> Option<Cow<'_, str>> {
        let circumstances = &self.caller.circumstances;
        Some(match key {
            // An address within a private network means nothing beside others: AWS has it under a key of its own.
            "aws:sourceip" if self.endpoint_id().is_none() => self.source_ip()?,
            "aws:vpcsourceip" => self.endpoint_id().and_then(|_| self.source_ip())?,
            "aws:sourcevpce" => self.endpoint_id()?.into(),
            "berth:clientcertificatesubject" => circumstances.client_certificate.as_deref()?.into(),
            "aws:securetransport" => boolean(circumstances.is_secure),
            "aws:useragent" => circumstances.user_agent.as_deref()?.into(),
            "aws:currenttime" => moment(self.now),
            "aws:epochtime" => self.now.as_millis().div_euclid(1000).to_string().into(),
            "aws:requestedregion" => self.settings.registry.region.as_str().into(),
            "aws:resourceaccount" => self.question.account.as_str().into(),
            "aws:principalisawsservice" | "aws:viaawsservice" => "false".into(),
            _ => return None,
        })
    }

    fn source_ip(&self) -> Option<Cow<'_, str>> {
        Some(self.caller.circumstances.source_ip?.to_canonical().to_string().into())
    }

    /// The id of the endpoint that the request came by, where that has one.
    fn endpoint_id(&self) -> Option<&str> {
        let name = self.caller.circumstances.endpoint.as_deref()?;
        self.settings.endpoints.get(name)?.id.as_deref()
    }

    fn of_caller(&self, key: &str) -> Option<Cow<'_, str>> {
        let Some(identity) = self.identity() else {
            return matches!(key, "aws:principaltype" | "aws:userid").then(|| "Anonymous".into());
        };
        let session = identity.session.as_ref();
        Some(match (key, &identity.kind) {
            ("aws:principalarn", IdentityKind::Session { role_arn }) => role_arn.into(),
            ("aws:principalarn", IdentityKind::User { .. }) => identity.arn.as_str().into(),
            ("aws:principalaccount", _) => identity.account.as_str().into(),
            ("aws:principaltype", IdentityKind::User { .. }) => "User".into(),
            ("aws:principaltype", IdentityKind::Session { .. }) => "AssumedRole".into(),
            ("aws:userid", _) => identity.user_id.as_str().into(),
            ("aws:username", IdentityKind::User { name }) => name.into(),
            ("aws:tokenissuetime", _) => moment(session?.issued_at),
            ("aws:federatedprovider", _) => identity.provider.as_ref()?.arn.as_str().into(),
            ("aws:sourceidentity", _) => session?.source_identity.as_deref()?.into(),
            ("aws:multifactorauthpresent", _) => session.map(|_| "false")?.into(),
            _ => return None,
        })
    }

    /// What only this action has. Values of keys that are lists by nature stay lists.
    fn of_question(&self, key: &str) -> Option<Values<'_>> {
        let Extras { tags, more } = self.question.extras;
        if key == "aws:tagkeys" && !tags.is_empty() {
            return Some(Values::Many(tags.iter().map(|(key, _)| key.as_str().into()).collect()));
        }
        let (_, values) = more.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        match values.as_slice() {
            [one] if !matches!(key, "aws:tagkeys" | "sts:transitivetagkeys") => Some(single(one)),
            values => Some(Values::Many(values.iter().map(|value| value.as_str().into()).collect())),
        }
    }

    fn identity(&self) -> Option<&Identity> {
        match &self.caller.standing {
            Standing::Known(identity) => Some(identity),
            Standing::Anonymous | Standing::Operator { .. } => None,
        }
    }
}

fn find_tag<'a>(tags: &'a [(String, String)], key: &str) -> Option<&'a str> {
    tags.iter().find(|(name, _)| name.to_lowercase() == key.to_lowercase()).map(|(_, value)| value.as_str())
}

fn single(value: &str) -> Values<'_> {
    Values::Single(value.into())
}

fn boolean(value: bool) -> Cow<'static, str> {
    if value { "true".into() } else { "false".into() }
}

fn moment(at: Timestamp) -> Cow<'static, str> {
    at.to_string().into()
}
