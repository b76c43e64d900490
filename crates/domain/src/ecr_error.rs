//! What can be wrong with calls that only the API of ECR makes, or that its rules refuse at every door.

use berth_aws::ecr::Invalid;
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;

/// Why an operation was not done. Each kind is one exception of ECR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EcrError {
    /// A value of the request is wrong in itself.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Several members of the request do not go together, or a cursor is none.
    #[error("{0}")]
    InvalidParameter(String),
    /// The operation has no engine yet.
    #[error(
        "{0} is not served by this version of Berth: the operations table of its documentation says what is, and what comes later"
    )]
    NotServed(&'static str),
    /// There is a repository of this name.
    #[error("The repository with name '{name}' already exists in the registry with id '{account}'")]
    RepositoryExists {
        /// The name.
        name: RepositoryName,
        /// Whose registry.
        account: String,
    },
    /// The repository holds images.
    #[error(
        "The repository with name '{name}' in registry with id '{account}' cannot be deleted because it still contains images"
    )]
    RepositoryNotEmpty {
        /// The name.
        name: RepositoryName,
        /// Whose registry.
        account: String,
    },
    /// The tag points to another image, and may not move.
    #[error(
        "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable."
    )]
    TagImmutable {
        /// The tag.
        tag: String,
        /// The repository.
        name: RepositoryName,
    },
    /// The image is there already, with this tag.
    #[error(
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}' in registry with id '{account}'"
    )]
    ImageExists {
        /// Its digest.
        digest: Digest,
        /// The tag; `null` where there is none.
        tag: String,
        /// The repository.
        name: RepositoryName,
        /// Whose registry.
        account: String,
    },
    /// The digest that was given is not the manifest's.
    #[error("The digest '{given}' does not match the manifest, whose digest is '{actual}'")]
    ImageDigestMismatch {
        /// What the request says.
        given: String,
        /// What the manifest has.
        actual: Digest,
    },
    /// An image is not there.
    #[error(
        "The image with imageId {image} does not exist within the repository with name '{name}' in the registry with id '{account}'"
    )]
    ImageUnknown {
        /// What it was asked for by.
        image: String,
        /// The repository.
        name: RepositoryName,
        /// Whose registry.
        account: String,
    },
    /// An index names manifests that are not there.
    #[error("Images with digests '[{}]' required for pushing image into repository do not exist: push them first", list(.0))]
    ChildrenMissing(Vec<Digest>),
    /// Layers are not there.
    #[error("Layers with digests '[{}]' do not exist in the repository", list(.0))]
    LayersUnknown(Vec<Digest>),
    /// No image names the layer.
    #[error("The layer '{0}' cannot be downloaded because no image of the repository names it")]
    LayerInaccessible(Digest),
    /// The layer is there already.
    #[error("The layer with digest '{0}' already exists in the repository")]
    LayerExists(Digest),
    /// A part that is not the last one is too short.
    #[error(
        "A layer part that ends at byte {end} is shorter than {minimum} bytes and is not the last one: begin the upload anew with longer parts"
    )]
    LayerPartTooSmall {
        /// Where it ended.
        end: u64,
        /// The least that a part must have, in bytes.
        minimum: u64,
    },
    /// The upload holds no bytes.
    #[error("The specified layer upload does not contain any layer parts.")]
    EmptyUpload,
    /// A part does not continue the upload, or is not as long as it says.
    #[error("{reason}")]
    InvalidLayerPart {
        /// What is wrong.
        reason: String,
        /// The last byte that the upload holds; -1 where it holds none.
        last_valid: i64,
    },
    /// The bytes are not what the digest says.
    #[error("The uploaded bytes have digest '{actual}', not '{expected}'")]
    InvalidLayer {
        /// What was promised.
        expected: String,
        /// What they have.
        actual: Digest,
    },
    /// A limit of the registry's.
    #[error("The limit of {limit} {what} is reached{}", named(.setting))]
    LimitExceeded {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u64,
        /// The setting that says so, below `limits`; empty where none does.
        setting: &'static str,
    },
    /// The repository has no policy.
    #[error("Repository policy does not exist for the repository with name '{0}'")]
    RepositoryPolicyUnknown(RepositoryName),
    /// The registry has no policy.
    #[error("Registry policy does not exist in the registry with id '{0}'")]
    RegistryPolicyUnknown(String),
    /// The repository has no lifecycle policy.
    #[error("Lifecycle policy does not exist for the repository with name '{0}'")]
    LifecyclePolicyUnknown(RepositoryName),
    /// There is no signing configuration.
    #[error("The registry has no signing configuration")]
    SigningConfigurationUnknown,
    /// There is no such template.
    #[error("The repository creation template with prefix '{0}' does not exist")]
    TemplateUnknown(String),
    /// There is a template of this prefix.
    #[error("The repository creation template with prefix '{0}' already exists")]
    TemplateExists(String),
    /// There is no such rule.
    #[error("The pull through cache rule with prefix '{0}' does not exist")]
    PullThroughRuleUnknown(String),
    /// There is a rule of this prefix.
    #[error("The pull through cache rule with prefix '{0}' already exists")]
    PullThroughRuleExists(String),
    /// The principal is not excluded.
    #[error("There is no pull time update exclusion for principal '{0}'")]
    ExclusionUnknown(String),
    /// The principal is excluded already.
    #[error("There is a pull time update exclusion for principal '{0}' already")]
    ExclusionExists(String),
}

fn named(setting: &str) -> String {
    if setting.is_empty() { String::new() } else { format!(" (limits.{setting})") }
}

fn list(digests: &[Digest]) -> String {
    digests.iter().take(100).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
