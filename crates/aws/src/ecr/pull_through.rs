//! Pull through cache rules: which registry is asked for repositories under a prefix.

use super::invalid::{Exception, Invalid, shown};
use super::replication::Registry;
use super::shapes as s;
use super::template::check_custom_role;

/// How many rules a registry may have ("Amazon ECR service quotas").
pub const LIMIT: usize = 50;

/// The prefix that stands for all repositories.
const ROOT: &str = "ROOT";

/// A registry that a cache may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamRegistry {
    /// `ecr`: another private registry of ECR.
    Ecr,
    /// `ecr-public`
    EcrPublic,
    /// `quay`
    Quay,
    /// `k8s`
    Kubernetes,
    /// `docker-hub`
    DockerHub,
    /// `github-container-registry`
    GitHub,
    /// `azure-container-registry`
    Azure,
    /// `gitlab-container-registry`
    GitLab,
    /// `chainguard`
    Chainguard,
}

impl UpstreamRegistry {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::EcrPublic => "ecr-public",
            Self::Quay => "quay",
            Self::Kubernetes => "k8s",
            Self::DockerHub => "docker-hub",
            Self::GitHub => "github-container-registry",
            Self::Azure => "azure-container-registry",
            Self::GitLab => "gitlab-container-registry",
            Self::Chainguard => "chainguard",
        }
    }

    /// The registry behind a URL, which is a host name alone. The forms are those that the model tells of
    /// `upstreamRegistryUrl`; Chainguard's is from ECR's user guide.
    pub fn of_url(url: &str) -> Option<Self> {
        let named = match url {
            "public.ecr.aws" => Self::EcrPublic,
            "quay.io" => Self::Quay,
            "registry.k8s.io" => Self::Kubernetes,
            "registry-1.docker.io" => Self::DockerHub,
            "ghcr.io" => Self::GitHub,
            "registry.gitlab.com" => Self::GitLab,
            "cgr.dev" => Self::Chainguard,
            _ if private_registry(url).is_some() => Self::Ecr,
            _ if url.strip_suffix(".azurecr.io").is_some_and(is_label) => Self::Azure,
            _ => return None,
        };
        Some(named)
    }

    /// Whether it asks for a user name and an access token.
    pub const fn needs_credentials(self) -> bool {
        matches!(self, Self::DockerHub | Self::GitHub | Self::Azure | Self::GitLab | Self::Chainguard)
    }
}

/// Account and region of `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
fn private_registry(url: &str) -> Option<Registry<'_>> {
    let (account, rest) = url.split_once(".dkr.ecr.")?;
    let region = rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (digits && is_label(region)).then_some(Registry { account, region })
}

/// One part of a host name, in small letters.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

/// A rule that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRule {
    /// `ecrRepositoryPrefix` without the slash at its end, which is implied; or `ROOT`.
    pub prefix: String,
    /// `upstreamRegistry`, told from the URL.
    pub upstream_registry: UpstreamRegistry,
    /// `upstreamRegistryUrl`: a host name.
    pub upstream_url: String,
    /// `upstreamRepositoryPrefix` without the slash at its end; `ROOT` where it was left out.
    pub upstream_prefix: String,
    /// `credentialArn`: the secret of Secrets Manager. There if and only if the registry needs credentials.
    pub credential_arn: Option<String>,
    /// `customRoleArn`: the role that another registry of ECR is asked as.
    pub custom_role_arn: Option<String>,
}

/// Checks a new rule of the registry `own`, which has `existing_rules` of the `limit` that it may have.
///
/// `LimitExceededException` where it is full, `UnsupportedUpstreamRegistryException` for a registry that ECR does not
/// know, `ValidationException` for what does not go with it: another name than its URL has, credentials or a role
/// that it does not need, or none that it needs. Prefixes and the form of ARNs of secrets are in their shapes. Whether the
/// prefix has a rule already is for the caller. Follows `CreatePullThroughCacheRule`.
pub fn check_create(
    request: &s::CreatePullThroughCacheRuleRequest,
    own: &Registry<'_>,
    existing_rules: usize,
    limit: usize,
) -> Result<CheckedRule, Invalid> {
    let url = request.upstream_registry_url.as_str();
    let registry = UpstreamRegistry::of_url(url).ok_or_else(|| unsupported(url))?;
    check_name(request.upstream_registry.as_deref(), registry, url)?;
    check_credentials(request.credential_arn.as_deref(), registry)?;
    check_role(request.custom_role_arn.as_deref(), registry, url, own)?;
    if existing_rules >= limit {
        return Err(Invalid::limit("pull through cache rules", limit));
    }
    Ok(CheckedRule {
        prefix: stem(&request.ecr_repository_prefix).to_owned(),
        upstream_registry: registry,
        upstream_url: url.to_owned(),
        upstream_prefix: request.upstream_repository_prefix.as_deref().map_or(ROOT, stem).to_owned(),
        credential_arn: request.credential_arn.clone(),
        custom_role_arn: request.custom_role_arn.clone(),
    })
}

/// Checks what an update sets on a rule of `registry` at `upstream_url`. Put in what is stored for what it leaves out.
///
/// `ValidationException` as [`check_create`]. Follows `UpdatePullThroughCacheRule`.
pub fn check_update(
    registry: UpstreamRegistry,
    upstream_url: &str,
    credential_arn: Option<&str>,
    custom_role_arn: Option<&str>,
    own: &Registry<'_>,
) -> Result<(), Invalid> {
    check_credentials(credential_arn, registry)?;
    check_role(custom_role_arn, registry, upstream_url, own)
}

fn stem(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

fn unsupported(url: &str) -> Invalid {
    let message = format!(
        "The upstream registry URL {} is invalid. Specify a valid upstream registry URL and try again: public.ecr.aws, \
         quay.io, registry.k8s.io, registry-1.docker.io, ghcr.io, registry.gitlab.com, cgr.dev, NAME.azurecr.io or \
         ACCOUNT.dkr.ecr.REGION.amazonaws.com.",
        shown(url)
    );
    Invalid::new(Exception::UnsupportedUpstreamRegistry, message)
}

fn check_name(name: Option<&str>, registry: UpstreamRegistry, url: &str) -> Result<(), Invalid> {
    let found = registry.as_str();
    match name {
        Some(name) if name != found => {
            let constraint = format!("the upstream registry of {} is {found}, not {}", shown(url), shown(name));
            Err(Invalid::validation("upstreamRegistry", constraint))
        }
        _ => Ok(()),
    }
}

fn check_credentials(credential_arn: Option<&str>, registry: UpstreamRegistry) -> Result<(), Invalid> {
    let name = registry.as_str();
    let constraint = match (credential_arn, registry.needs_credentials()) {
        (Some(_), true) | (None, false) => return Ok(()),
        (None, true) => format!(
            "the upstream registry {name} needs credentials: the ARN of a secret whose name begins with \
             ecr-pullthroughcache/"
        ),
        (Some(_), false) => format!("the upstream registry {name} takes no credentials"),
    };
    Err(Invalid::validation("credentialArn", constraint))
}

fn check_role(role: Option<&str>, registry: UpstreamRegistry, url: &str, own: &Registry<'_>) -> Result<(), Invalid> {
    let Some(upstream) = private_registry(url) else {
        return role.map_or(Ok(()), |_| Err(role_of_ecr_only(registry)));
    };
    if upstream == *own {
        return Err(Invalid::validation("upstreamRegistryUrl", "a registry cannot be its own upstream registry"));
    }
    match role {
        Some(role) => check_custom_role(role, own.account),
        None if upstream.account == own.account => Ok(()),
        None => {
            let constraint = format!("a role is required to ask the registry of another account, {}", upstream.account);
            Err(Invalid::validation("customRoleArn", constraint))
        }
    }
}

fn role_of_ecr_only(registry: UpstreamRegistry) -> Invalid {
    let constraint = format!("a role goes with the upstream registry ecr only, not with {}", registry.as_str());
    Invalid::validation("customRoleArn", constraint)
}

#[cfg(test)]
mod tests;
