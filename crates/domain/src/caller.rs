//! Who asks, and what they may do. Operations of every door are judged as the ECR actions that they amount to.

use berth_aws::{AccountId, arn};
use berth_oci::name::RepositoryName;

use crate::error::Error;
use crate::settings::Settings;

/// The actions of ECR that operations are judged as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Manifest GET and HEAD, referrers.
    BatchGetImage,
    /// Manifest DELETE.
    BatchDeleteImage,
    /// Blob HEAD.
    BatchCheckLayerAvailability,
    /// Blob GET, and the source of a mount.
    GetDownloadUrlForLayer,
    /// Upload POST.
    InitiateLayerUpload,
    /// Upload PATCH, status and cancel.
    UploadLayerPart,
    /// Upload PUT.
    CompleteLayerUpload,
    /// Manifest PUT.
    PutImage,
    /// Tag listing.
    ListImages,
    /// Catalog.
    DescribeRepositories,
}

impl Action {
    /// The action as policies and messages name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BatchGetImage => "ecr:BatchGetImage",
            Self::BatchDeleteImage => "ecr:BatchDeleteImage",
            Self::BatchCheckLayerAvailability => "ecr:BatchCheckLayerAvailability",
            Self::GetDownloadUrlForLayer => "ecr:GetDownloadUrlForLayer",
            Self::InitiateLayerUpload => "ecr:InitiateLayerUpload",
            Self::UploadLayerPart => "ecr:UploadLayerPart",
            Self::CompleteLayerUpload => "ecr:CompleteLayerUpload",
            Self::PutImage => "ecr:PutImage",
            Self::ListImages => "ecr:ListImages",
            Self::DescribeRepositories => "ecr:DescribeRepositories",
        }
    }

    /// Whether a pull needs it, so that an anonymous-pull pattern grants it.
    const fn is_pull(self) -> bool {
        matches!(
            self,
            Self::BatchGetImage
                | Self::BatchCheckLayerAvailability
                | Self::GetDownloadUrlForLayer
                | Self::ListImages
                | Self::DescribeRepositories
        )
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who gave no credentials.
    Anonymous,
    /// The administrator of an account, who may do everything in it.
    Administrator {
        /// The account.
        account: AccountId,
        /// The principal's ARN.
        principal: String,
    },
    /// A principal that nothing was granted to.
    Powerless {
        /// The principal's ARN.
        principal: String,
    },
}

impl Caller {
    /// The ARN that pushes are remembered by.
    pub fn principal(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Administrator { principal, .. } | Self::Powerless { principal } => principal,
        }
    }

    /// Whether the caller may do `action` on a repository.
    pub fn may(&self, action: Action, repository: &RepositoryName, settings: &Settings) -> bool {
        match self {
            Self::Administrator { account, .. } => *account == settings.registry.account,
            Self::Powerless { .. } => false,
            Self::Anonymous => {
                action.is_pull() && settings.anonymous_pull.iter().any(|pattern| matches(pattern, repository.as_str()))
            }
        }
    }

    /// The first line of an operation: goes on only where the caller may do `action` on the repository.
    pub fn allow(&self, action: Action, repository: &RepositoryName, settings: &Settings) -> Result<(), Error> {
        if self.may(action, repository, settings) {
            return Ok(());
        }
        Err(self.refusal(action, || {
            arn::repository(&settings.registry.region, &settings.registry.account, repository.as_str())
        }))
    }

    /// Goes on only where the caller administers the registry.
    pub fn allow_administration(&self, action: &'static str, settings: &Settings) -> Result<(), Error> {
        match self {
            Self::Administrator { account, .. } if *account == settings.registry.account => Ok(()),
            Self::Anonymous => Err(Error::Unauthenticated),
            other => Err(Error::Denied { principal: other.principal().to_owned(), action, resource: "*".to_owned() }),
        }
    }

    fn refusal(&self, action: Action, resource: impl FnOnce() -> String) -> Error {
        match self {
            Self::Anonymous => Error::Unauthenticated,
            other => {
                Error::Denied { principal: other.principal().to_owned(), action: action.as_str(), resource: resource() }
            }
        }
    }
}

/// Whether a pattern, in which `*` stands for any characters, covers a whole text. Linear in both for one `*`, and never
/// worse than their product.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            star = Some((star_p, star_t + 1));
            p = star_p + 1;
            t = star_t + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_cover_whole_names() {
        let table = [
            ("*", "a/b", true),
            ("public/*", "public/a/b", true),
            ("public/*", "public", false),
            ("public", "public", true),
            ("public", "publicity", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("", "a", false),
            ("**", "", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
