//! Who there is, and what they may do: accounts, users, groups, roles, policies and the resource policies of registries.
//!
//! Every change behind which somebody may do more or less than before calls [`revision::renew`] in its transaction: that is
//! how caches of these rows, on every node, hear of it.

pub mod accounts;
pub mod attachments;
pub mod groups;
pub mod inline_policies;
pub mod policies;
pub mod principals;
pub mod resource_policies;
pub mod revision;
pub mod tags;

pub use policies::PolicyRecord;
pub use principals::{Kind, PrincipalRecord};
