//! Who asked, in the words of CloudTrail (`userIdentity`).

use std::sync::Arc;

use berth_aws::AccountId;

use super::line::Line;
use crate::caller::{Caller, Standing};
use crate::principal::{Identity, IdentityKind};

/// Who is behind a call, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) enum Who {
    /// Nobody has said.
    #[default]
    Unknown,
    /// Somebody without credentials.
    Anonymous,
    /// Whoever holds the data folder.
    Operator { account: AccountId, principal: String },
    /// Somebody whose credentials were checked.
    Known(Arc<Identity>),
    /// Somebody who showed credentials that are not believed (yet): the access key id, where it is one.
    Claimed(Option<String>),
    /// Somebody whom an identity provider vouches for.
    Vouched { kind: &'static str, provider: String, subject: String, audience: String },
}

impl Who {
    pub(super) fn of(caller: &Caller) -> Self {
        match &caller.standing {
            Standing::Anonymous => Self::Anonymous,
            Standing::Operator { account, principal } => {
                Self::Operator { account: account.clone(), principal: principal.clone() }
            }
            Standing::Known(identity) => Self::Known(Arc::clone(identity)),
        }
    }

    /// The name is written only where it looks like an access key id: people type their passwords into the wrong field.
    pub(super) fn claimed(name: &str) -> Self {
        let is_key = (16..=128).contains(&name.len())
            && (name.starts_with("AKIA") || name.starts_with("ASIA"))
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        Self::Claimed(is_key.then(|| name.to_owned()))
    }

    pub(super) fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Known(identity) => Some(&identity.account),
            Self::Operator { account, .. } => Some(account),
            _ => None,
        }
    }

    pub(super) fn write(&self, line: &mut Line) {
        line.object(|line| match self {
            Self::Unknown => line.member("type", "Unknown"),
            Self::Anonymous => {
                line.member("type", "AWSAccount");
                line.member("principalId", "ANONYMOUS");
                line.member("accountId", "anonymous");
            }
            Self::Operator { account, principal } => {
                line.member("type", "Root");
                line.member("arn", principal);
                line.member("accountId", account.as_str());
            }
            Self::Claimed(key) => {
                line.member("type", "Unknown");
                match key {
                    Some(key) => line.member("accessKeyId", key),
                    None => line.member("userName", "HIDDEN_DUE_TO_SECURITY_REASONS"),
                }
            }
            Self::Vouched { kind, provider, subject, audience } => {
                line.member("type", kind);
                line.member("principalId", &format!("{provider}:{audience}:{subject}"));
                line.member("userName", subject);
                line.member("identityProvider", provider);
            }
            Self::Known(identity) => known(identity, line),
        });
    }
}

fn known(identity: &Identity, line: &mut Line) {
    let user = match &identity.kind {
        IdentityKind::User { name } => Some(name),
        IdentityKind::Session { .. } => None,
    };
    line.member("type", if user.is_some() { "IAMUser" } else { "AssumedRole" });
    line.member("principalId", &identity.user_id);
    line.member("arn", &identity.arn);
    line.member("accountId", identity.account.as_str());
    let of_session = identity.session.as_ref().map(|session| session.access_key_id.as_str());
    if let Some(key) = of_session.or(identity.origin.as_ref().map(berth_aws::AccessKeyId::as_str)) {
        line.member("accessKeyId", key);
    }
    if let Some(name) = user {
        line.member("userName", name);
    }
    let Some(session) = &identity.session else { return };
    line.key("sessionContext");
    line.object(|line| {
        if let IdentityKind::Session { role_arn } = &identity.kind {
            line.key("sessionIssuer");
            line.object(|line| {
                line.member("type", "Role");
                line.member("principalId", identity.user_id.split(':').next().unwrap_or_default());
                line.member("arn", role_arn);
                line.member("accountId", identity.account.as_str());
                line.member("userName", role_arn.rsplit('/').next().unwrap_or_default());
            });
        }
        if let Some(provider) = identity.provider.as_ref().filter(|provider| provider.kind == "oidc") {
            line.key("webIdFederationData");
            line.object(|line| {
                line.member("federatedProvider", &provider.arn);
                line.json_member("attributes", "{}");
            });
        }
        line.key("attributes");
        line.object(|line| {
            line.key("creationDate");
            line.time(session.issued_at);
            line.member("mfaAuthenticated", "false");
        });
        if let Some(source) = &session.source_identity {
            line.member("sourceIdentity", source);
        }
    });
}
