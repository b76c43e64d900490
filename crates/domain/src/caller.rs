//! Who asks. Operations of every door are judged as the ECR actions that they amount to (see `access`).

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use berth_aws::AccountId;
use berth_oci::name::RepositoryName;

use crate::access::scopes::Narrowing;
use crate::principal::Identity;
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
    /// What a repository may be done with, by whom.
    SetRepositoryPolicy,
    /// Taking that away.
    DeleteRepositoryPolicy,
    /// Reading it.
    GetRepositoryPolicy,
    /// Naming facts about a repository.
    TagResource,
    /// The operation of ECR.
    CreateRepository,
    /// The operation of ECR.
    DeleteRepository,
    /// The operation of ECR.
    DescribeImages,
    /// The operation of ECR.
    ListImageReferrers,
    /// The operation of ECR.
    PutImageTagMutability,
    /// The operation of ECR.
    PutImageScanningConfiguration,
    /// The operation of ECR.
    BatchGetRepositoryScanningConfiguration,
    /// The operation of ECR.
    PutLifecyclePolicy,
    /// The operation of ECR.
    GetLifecyclePolicy,
    /// The operation of ECR.
    DeleteLifecyclePolicy,
    /// The operation of ECR.
    StartLifecyclePolicyPreview,
    /// The operation of ECR.
    GetLifecyclePolicyPreview,
    /// The operation of ECR.
    ListTagsForResource,
    /// The operation of ECR.
    UntagResource,
    /// The operation of ECR.
    StartImageScan,
    /// The operation of ECR.
    DescribeImageScanFindings,
    /// The operation of ECR.
    DescribeImageReplicationStatus,
    /// The operation of ECR.
    DescribeImageSigningStatus,
    /// The operation of ECR.
    UpdateImageStorageClass,
}

impl Action {
    /// What a pull needs, so that an anonymous-pull pattern grants it.
    pub const PULL: [Self; 5] = [
        Self::BatchGetImage,
        Self::BatchCheckLayerAvailability,
        Self::GetDownloadUrlForLayer,
        Self::ListImages,
        Self::DescribeRepositories,
    ];

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
            Self::SetRepositoryPolicy => "ecr:SetRepositoryPolicy",
            Self::DeleteRepositoryPolicy => "ecr:DeleteRepositoryPolicy",
            Self::GetRepositoryPolicy => "ecr:GetRepositoryPolicy",
            Self::TagResource => "ecr:TagResource",
            Self::CreateRepository => "ecr:CreateRepository",
            Self::DeleteRepository => "ecr:DeleteRepository",
            Self::DescribeImages => "ecr:DescribeImages",
            Self::ListImageReferrers => "ecr:ListImageReferrers",
            Self::PutImageTagMutability => "ecr:PutImageTagMutability",
            Self::PutImageScanningConfiguration => "ecr:PutImageScanningConfiguration",
            Self::BatchGetRepositoryScanningConfiguration => "ecr:BatchGetRepositoryScanningConfiguration",
            Self::PutLifecyclePolicy => "ecr:PutLifecyclePolicy",
            Self::GetLifecyclePolicy => "ecr:GetLifecyclePolicy",
            Self::DeleteLifecyclePolicy => "ecr:DeleteLifecyclePolicy",
            Self::StartLifecyclePolicyPreview => "ecr:StartLifecyclePolicyPreview",
            Self::GetLifecyclePolicyPreview => "ecr:GetLifecyclePolicyPreview",
            Self::ListTagsForResource => "ecr:ListTagsForResource",
            Self::UntagResource => "ecr:UntagResource",
            Self::StartImageScan => "ecr:StartImageScan",
            Self::DescribeImageScanFindings => "ecr:DescribeImageScanFindings",
            Self::DescribeImageReplicationStatus => "ecr:DescribeImageReplicationStatus",
            Self::DescribeImageSigningStatus => "ecr:DescribeImageSigningStatus",
            Self::UpdateImageStorageClass => "ecr:UpdateImageStorageClass",
        }
    }
}

/// What is known of a request beside who sends it: what conditions of policies ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The client's address (`aws:SourceIp`).
    pub source_ip: Option<IpAddr>,
    /// Whether it came encrypted (`aws:SecureTransport`).
    pub is_secure: bool,
    /// What the client calls itself (`aws:UserAgent`).
    pub user_agent: Option<String>,
    /// The name of the listener that it came by, where that has one: its policy counts, and its id is `aws:SourceVpce`.
    pub endpoint: Option<Arc<str>>,
    /// Who the client is by the certificate that it showed in the TLS handshake, as RFC 4514 writes names
    /// (`berth:ClientCertificateSubject`).
    pub client_certificate: Option<Arc<str>>,
}

/// Who asks, and how the request came.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(crate) standing: Standing,
    pub(crate) circumstances: Circumstances,
    /// Where a token narrows what the caller may do: to so much.
    pub(crate) narrowing: Option<Arc<Narrowing>>,
    pub(crate) granted: Granted,
}

/// What a door has heard that the caller may do, in the registry of these settings; good for one operation, and never for a copy
/// of the caller.
#[derive(Debug, Default)]
pub(crate) struct Granted(Mutex<Option<Grant>>);

type Grant = (Arc<Settings>, Action, RepositoryName);

impl Granted {
    pub(crate) fn put(&self, granted: Grant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(granted);
    }

    pub(crate) fn take(&self) -> Option<Grant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Clone for Granted {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Somebody who gave no credentials.
    Anonymous,
    /// Whoever holds the data folder: no policy is asked.
    Operator { account: AccountId, principal: String },
    /// Somebody whose credentials were checked.
    Known(Arc<Identity>),
}

impl Caller {
    /// Somebody who gave no credentials.
    pub fn anonymous() -> Self {
        Self::of(Standing::Anonymous)
    }

    /// Whoever holds the data folder, who may do everything in the account; named by the ARN.
    pub fn operator(account: AccountId, principal: String) -> Self {
        Self::of(Standing::Operator { account, principal })
    }

    /// Somebody whose credentials were checked.
    pub fn known(identity: Arc<Identity>) -> Self {
        Self::of(Standing::Known(identity))
    }

    fn of(standing: Standing) -> Self {
        Self { standing, circumstances: Circumstances::default(), narrowing: None, granted: Granted::default() }
    }

    /// The caller of a request that came so.
    #[must_use]
    pub fn under(mut self, circumstances: Circumstances) -> Self {
        self.circumstances = circumstances;
        self
    }

    /// The caller with a token that opens so much.
    #[must_use]
    pub(crate) fn within(mut self, narrowing: Arc<Narrowing>) -> Self {
        self.narrowing = Some(narrowing);
        self
    }

    /// Whether nobody is logged in.
    pub const fn is_anonymous(&self) -> bool {
        matches!(self.standing, Standing::Anonymous)
    }

    /// Who it is, where credentials were checked.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.standing {
            Standing::Known(identity) => Some(identity),
            Standing::Anonymous | Standing::Operator { .. } => None,
        }
    }

    /// The ARN that pushes are remembered by.
    pub fn principal(&self) -> &str {
        match &self.standing {
            Standing::Anonymous => "anonymous",
            Standing::Operator { principal, .. } => principal,
            Standing::Known(identity) => &identity.arn,
        }
    }

    /// The account; nobody has none.
    pub fn account(&self) -> Option<&AccountId> {
        match &self.standing {
            Standing::Anonymous => None,
            Standing::Operator { account, .. } => Some(account),
            Standing::Known(identity) => Some(&identity.account),
        }
    }
}
