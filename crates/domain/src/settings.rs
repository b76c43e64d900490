//! What the operator decided.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_aws::Region;
use berth_aws::registry_host::HostTemplate;
use berth_store::repositories::Registry;

pub use crate::access::endpoints::{Endpoint, EndpointPolicy};
use crate::audit::AuditSettings;
use crate::failed_logins::Allowance;
pub use crate::federation::settings::Federation;
use crate::throttle::Rules;

/// Whether a push makes the repository that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOnPush {
    /// It does; by a template where one fits.
    Always,
    /// It does not.
    Never,
    /// It does where a template fits, and whoever pushes may create repositories: as ECR does.
    ByTemplate,
}

/// Where assertions for AWS are sent to.
const SAML_ENDPOINT: &str = "https://signin.aws.amazon.com/saml";

/// The settings that rules depend on.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the operator's, independent of the others")]
pub struct Settings {
    /// The account and region that content belongs to.
    pub registry: Registry,
    /// Regions beside that of the server's own registry in which every account has one, too.
    pub regions: Vec<Region>,
    /// How the host of a registry is called; `None` where clients call the server as they like.
    pub host: Option<HostTemplate>,
    /// Whether a push makes the repository that it names.
    pub create_on_push: CreateOnPush,
    /// Whether an index may name children that are not there.
    pub allow_sparse_indexes: bool,
    /// Patterns of repositories that anybody may pull; `*` stands for any characters.
    pub anonymous_pull: Vec<String>,
    /// Whether clients are asked for bearer tokens, which the registry hands out, instead of Basic credentials.
    pub hands_out_tokens: bool,
    /// Refuses every write.
    pub read_only: bool,
    /// Writes stop when the blob store has fewer bytes free.
    pub free_space_minimum: u64,
    /// Blobs up to so many bytes lie in the database; none do where it is 0.
    pub inline_blob_bytes: u64,
    /// The largest blob, in bytes.
    pub layer_bytes: u64,
    /// The most that a repository may link, in bytes; 0 for no limit.
    pub repository_bytes: u64,
    /// The most that an account may link, in bytes; 0 for no limit.
    pub account_bytes: u64,
    /// How many uploads an account may have open.
    pub open_uploads: u64,
    /// How many repositories the registry may have; 0 for no limit.
    pub repositories_limit: u64,
    /// How many repository creation templates the registry may have; 0 for no limit.
    pub creation_templates: u64,
    /// How many pull-through cache rules the registry may have; 0 for no limit.
    pub pull_through_rules: u64,
    /// How many principals may be excluded from what counts as the last pull; 0 for no limit.
    pub pull_time_exclusions: u64,
    /// How many images a repository may hold; 0 for no limit.
    pub images_per_repository: u64,
    /// How many tags an image may have; 0 for no limit.
    pub tags_per_image: u64,
    /// How many parts the API of ECR may send of one layer; 0 for no limit.
    pub upload_parts: u64,
    /// How long content that no manifest names is kept for the push that may still name it.
    pub gc_grace: Duration,
    /// How long an upload may lie untouched.
    pub upload_ttl: Duration,
    /// How far the clocks of clients that sign requests may be off.
    pub clock_skew: Duration,
    /// Listeners that have a name, by it (`Circumstances::endpoint`).
    pub endpoints: BTreeMap<String, Endpoint>,
    /// How many calls of an operation an account, or a principal, may make.
    pub throttle: Rules,
    /// How many log-ins may fail.
    pub failed_logins: Allowance,
    /// What of calls is recorded, and how long that is kept.
    pub audit: AuditSettings,
    /// Identity providers.
    pub federation: Federation,
    /// Audiences of SAML assertions that are this service.
    pub saml_audiences: Vec<String>,
    /// Addresses that SAML assertions for this service are sent to.
    pub saml_recipients: Vec<String>,
}

impl Settings {
    /// The rules of a registry whose operator decided nothing else: the defaults of the configuration, with no limit on disk
    /// space and nothing in the database that could be a file.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            regions: Vec::new(),
            host: None,
            create_on_push: CreateOnPush::Always,
            allow_sparse_indexes: false,
            anonymous_pull: Vec::new(),
            hands_out_tokens: false,
            read_only: false,
            free_space_minimum: 0,
            inline_blob_bytes: 0,
            layer_bytes: u64::MAX,
            repository_bytes: 0,
            account_bytes: 0,
            open_uploads: 1000,
            repositories_limit: 100_000,
            creation_templates: 50,
            pull_through_rules: 50,
            pull_time_exclusions: 100,
            images_per_repository: 100_000,
            tags_per_image: 1000,
            upload_parts: 4200,
            gc_grace: Duration::from_hours(24),
            upload_ttl: Duration::from_hours(24),
            clock_skew: Duration::from_mins(15),
            endpoints: BTreeMap::new(),
            throttle: Rules::default(),
            failed_logins: Allowance::default(),
            audit: AuditSettings::default(),
            federation: Federation::default(),
            saml_audiences: vec!["urn:amazon:webservices".to_owned(), SAML_ENDPOINT.to_owned()],
            saml_recipients: vec![SAML_ENDPOINT.to_owned()],
        }
    }
}
