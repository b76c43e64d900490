//! The operations of ECR that are served, their shapes, and the rules that the shapes do not tell.
//!
//! A request is checked against its shape first ([`crate::protocol::validate`]): what is required, lengths, patterns and
//! words. What is here begins behind that, and says nothing twice. Each rule answers with one kind of error, [`Invalid`].

pub mod account_setting;
pub mod encryption;
pub mod exclusion;
pub mod invalid;
pub mod lifecycle;
pub mod mutability;
pub mod principal_arn;
pub mod pull_through;
pub mod replication;
pub mod resource_tags;
pub mod scanning;
pub mod shapes;
pub mod signing;
pub mod template;
pub mod wildcard;

pub use invalid::{Exception, Invalid};
pub use lifecycle::LifecyclePolicy;
pub use mutability::TagMutability;
pub use shapes::ECR;
pub use wildcard::{ScanFilter, Wildcard};
