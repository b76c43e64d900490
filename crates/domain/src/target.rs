//! The repository that content is pushed to.

use berth_oci::name::RepositoryName;
use berth_store::repositories::RepositoryId;
use berth_store::{Timestamp, Transaction};

use crate::error::Error;
use crate::repositories::{Pusher, existing, for_push};
use crate::settings::Settings;

/// What becomes of a push whose repository is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// It is made, where the operator allows that: the door of OCI.
    Make,
    /// The push is refused: the API of ECR.
    Refuse,
}

/// The repository of a name for a push.
pub(crate) fn target(
    txn: &mut dyn Transaction,
    settings: &Settings,
    (name, if_missing): (&RepositoryName, IfMissing),
    pusher: &Pusher,
    now: Timestamp,
) -> Result<RepositoryId, Error> {
    match if_missing {
        IfMissing::Make => for_push(txn, settings, name, pusher, now),
        IfMissing::Refuse => existing(txn, settings, name),
    }
}
