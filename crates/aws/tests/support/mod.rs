//! What tests of the protocols share: values made from shapes, and the Rust types by operation.

pub mod example;

use berth_aws::protocol::{Operation, Service};

pub const SERVICES: &[&Service] = &[
    &berth_aws::iam::shapes::IAM,
    &berth_aws::sts::shapes::STS,
    &berth_aws::ecr::shapes::ECR,
    &berth_aws::cloudtrail::shapes::CLOUD_TRAIL,
];

/// Every operation with its service.
pub fn operations() -> impl Iterator<Item = (&'static Service, &'static Operation)> {
    SERVICES.iter().flat_map(|service| service.operations.iter().map(|operation| (*service, *operation)))
}
