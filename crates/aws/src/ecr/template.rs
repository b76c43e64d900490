//! Repository creation templates: what a repository is made with that Berth makes by itself.

use std::collections::HashSet;

use super::invalid::{Exception, Invalid, shown};
use super::mutability::TagMutability;
use super::principal_arn::PrincipalArn;
use super::{encryption, resource_tags, shapes as s};

/// The prefix that stands for all repositories without another template.
const ROOT: &str = "ROOT";

/// The prefix among `prefixes` that a repository's name falls under: the longest, where several do, and `ROOT` where
/// no other does.
///
/// A prefix ends with a slash, written or not: `prod` is for `prod/app`, and neither for `production` nor for `prod`.
/// Follows "Repository creation templates" of ECR's user guide; prefixes of pull through cache rules are the same.
pub fn longest_match<'a>(prefixes: impl Iterator<Item = &'a str>, repository: &str) -> Option<&'a str> {
    prefixes
        .filter_map(|prefix| Some((depth(prefix, repository)?, prefix)))
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, prefix)| prefix)
}

/// How many bytes of a repository's name a prefix stands for, if it is for it at all.
fn depth(prefix: &str, repository: &str) -> Option<usize> {
    if prefix == ROOT {
        return Some(0);
    }
    let stem = prefix.strip_suffix('/').unwrap_or(prefix);
    let rest = repository.strip_prefix(stem)?;
    (!stem.is_empty() && rest.starts_with('/')).then_some(stem.len())
}

/// The fields of a template that hang together. An update leaves out what stays: put in what is stored then.
#[derive(Debug, Clone, Copy, Default)]
pub struct Template<'a> {
    /// `appliedFor`.
    pub applied_for: &'a [String],
    /// `encryptionConfiguration`.
    pub encryption: Option<&'a s::EncryptionConfigurationForRepositoryCreationTemplate>,
    /// `resourceTags`; none where empty.
    pub resource_tags: &'a [s::Tag],
    /// `imageTagMutability`.
    pub mutability: Option<&'a str>,
    /// `imageTagMutabilityExclusionFilters`.
    pub mutability_filters: Option<&'a [s::ImageTagMutabilityExclusionFilter]>,
    /// `customRoleArn`.
    pub custom_role_arn: Option<&'a str>,
}

impl<'a> From<&'a s::CreateRepositoryCreationTemplateRequest> for Template<'a> {
    fn from(request: &'a s::CreateRepositoryCreationTemplateRequest) -> Self {
        Self {
            applied_for: &request.applied_for,
            encryption: request.encryption_configuration.as_ref(),
            resource_tags: request.resource_tags.as_deref().unwrap_or_default(),
            mutability: request.image_tag_mutability.as_deref(),
            mutability_filters: request.image_tag_mutability_exclusion_filters.as_deref(),
            custom_role_arn: request.custom_role_arn.as_deref(),
        }
    }
}

/// Checks a template of the registry of account `own_account` (twelve digits), and gives the tag mutability that it sets.
///
/// `ValidationException` where it is for nothing or for the same twice, where tags or KMS lack a role to set them,
/// where the role is none of the account, and for what repositories themselves may not have. Prefix, description, words
/// and the form of keys are in their shapes; the policies are for the caller. Follows `CreateRepositoryCreationTemplate`.
pub fn check(template: &Template<'_>, own_account: &str) -> Result<TagMutability, Invalid> {
    check_applied_for(template.applied_for)?;
    check_role(template, own_account)?;
    resource_tags::check(template.resource_tags, []).map_err(of_tags)?;
    template.encryption.map_or(Ok(()), encryption::check_of_template)?;
    TagMutability::from_shapes(template.mutability, template.mutability_filters)
}

fn check_applied_for(applied_for: &[String]) -> Result<(), Invalid> {
    if applied_for.is_empty() {
        let constraint = "needs at least one of REPLICATION, PULL_THROUGH_CACHE, CREATE_ON_PUSH";
        return Err(Invalid::validation("appliedFor", constraint));
    }
    let mut seen = HashSet::new();
    match applied_for.iter().find(|word| !seen.insert(word.as_str())) {
        None => Ok(()),
        Some(word) => {
            Err(Invalid::validation("appliedFor", format!("{} stands twice, it may stand once", shown(word))))
        }
    }
}

fn check_role(template: &Template<'_>, own_account: &str) -> Result<(), Invalid> {
    let Some(role) = template.custom_role_arn else {
        let kms = template.encryption.is_some_and(|encryption| encryption.encryption_type != "AES256");
        if kms || !template.resource_tags.is_empty() {
            let constraint = "a role is required where the template sets resourceTags or encryption with KMS";
            return Err(Invalid::validation("customRoleArn", constraint));
        }
        return Ok(());
    };
    check_custom_role(role, own_account)
}

/// Checks a role that the registry takes on: its full ARN, of the registry's own account.
pub(super) fn check_custom_role(role: &str, own_account: &str) -> Result<(), Invalid> {
    let good = PrincipalArn::parse(role).is_some_and(|arn| arn.is_role() && arn.account() == own_account);
    if good {
        return Ok(());
    }
    let constraint = format!("must be the ARN of a role of this account, as in arn:aws:iam::{own_account}:role/ecr");
    Err(Invalid::validation("customRoleArn", constraint))
}

/// The operations of templates know no exceptions of tags.
fn of_tags(error: Invalid) -> Invalid {
    match error.exception {
        Exception::InvalidTagParameter | Exception::TooManyTags => Invalid::validation("resourceTags", error.message),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let prefixes = ["ROOT", "prod", "prod/team/", "dev/", "prodige"];
        let table = [
            ("prod/app", "prod"),
            ("prod/team/app", "prod/team/"),
            ("prod/teams/app", "prod"),
            ("production/app", "ROOT"),
            ("prod", "ROOT"),
            ("dev/a", "dev/"),
            ("dev", "ROOT"),
            ("ROOT/a", "ROOT"),
        ];
        for (repository, expected) in table {
            assert_eq!(longest_match(prefixes.into_iter(), repository), Some(expected), "{repository}");
            assert_eq!(longest_match(prefixes.into_iter().rev(), repository), Some(expected), "{repository}");
        }
        assert_eq!(longest_match(["prod", "", "/"].into_iter(), "dev/app"), None);
        assert_eq!(longest_match(std::iter::empty(), "dev/app"), None);
    }

    const ACCOUNT: &str = "111122223333";
    const ROLE: &str = "arn:aws:iam::111122223333:role/ecr";

    fn request() -> s::CreateRepositoryCreationTemplateRequest {
        s::CreateRepositoryCreationTemplateRequest {
            prefix: "prod".into(),
            applied_for: vec!["REPLICATION".into(), "CREATE_ON_PUSH".into()],
            ..Default::default()
        }
    }

    fn kms() -> s::EncryptionConfigurationForRepositoryCreationTemplate {
        s::EncryptionConfigurationForRepositoryCreationTemplate {
            encryption_type: "KMS".into(),
            kms_key: Some(String::new()),
        }
    }

    fn tags(count: usize) -> Vec<s::Tag> {
        (0..count).map(|number| s::Tag { key: format!("k{number}"), value: String::new() }).collect()
    }

    type Change = fn(&mut s::CreateRepositoryCreationTemplateRequest);

    #[test]
    fn good_templates() {
        let table: [Change; 5] = [
            |_| {},
            |request| request.custom_role_arn = Some(ROLE.into()),
            |request| request.resource_tags = Some(vec![]),
            |request| (request.resource_tags, request.custom_role_arn) = (Some(tags(50)), Some(ROLE.into())),
            |request| request.image_tag_mutability = Some("IMMUTABLE".into()),
        ];
        for (index, change) in table.into_iter().enumerate() {
            let mut request = request();
            change(&mut request);
            let mutability = check(&Template::from(&request), ACCOUNT).unwrap();
            assert_eq!(mutability.is_immutable("v1"), index == 4);
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let table: [(Change, &str, &str); 9] = [
            (|request| request.applied_for = vec![], "appliedFor", "needs at least one of REPLICATION"),
            (|request| request.applied_for.push("REPLICATION".into()), "appliedFor", "REPLICATION stands twice"),
            (|request| request.resource_tags = Some(tags(1)), "customRoleArn", "a role is required"),
            (|request| request.encryption_configuration = Some(kms()), "customRoleArn", "a role is required"),
            (|request| request.custom_role_arn = Some("ecr".into()), "customRoleArn", "must be the ARN of a role"),
            (
                |request| request.custom_role_arn = Some("arn:aws:iam::444455556666:role/ecr".into()),
                "customRoleArn",
                "of this account, as in arn:aws:iam::111122223333:role/ecr",
            ),
            (
                |request| (request.resource_tags, request.custom_role_arn) = (Some(tags(51)), Some(ROLE.into())),
                "resourceTags",
                "at most 50",
            ),
            (
                |request| {
                    (request.encryption_configuration, request.custom_role_arn) = (Some(kms()), Some(ROLE.into()));
                },
                "encryptionConfiguration",
                "KMS keys yet",
            ),
            (
                |request| request.image_tag_mutability = Some("MUTABLE_WITH_EXCLUSION".into()),
                "imageTagMutabilityExclusionFilters",
                "needs 1 to 5",
            ),
        ];
        for (change, member, text) in table {
            let mut request = request();
            change(&mut request);
            let error = check(&Template::from(&request), ACCOUNT).unwrap_err();
            let of_shapes = ["encryptionConfiguration", "imageTagMutabilityExclusionFilters"].contains(&member);
            let exception = if of_shapes { Exception::InvalidParameter } else { Exception::Validation };
            assert_eq!(error.exception, exception, "{member}");
            assert!(error.message.starts_with(&format!("Invalid parameter at '{member}'")), "{error}");
            assert!(error.message.contains(text), "{error}");
        }
    }
}
