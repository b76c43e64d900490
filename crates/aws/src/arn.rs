//! Amazon resource names of what Berth holds.

use crate::{AccountId, Region};

/// The ARN of a repository: `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`.
pub fn repository(region: &Region, account: &AccountId, name: &str) -> String {
    format!("arn:aws:ecr:{region}:{account}:repository/{name}")
}

/// The ARN of an IAM user: `arn:aws:iam::ACCOUNT:user/NAME`.
pub fn user(account: &AccountId, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}
