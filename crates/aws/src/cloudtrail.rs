//! The operations of `CloudTrail` that are served, and their shapes.

pub mod shapes;

pub use shapes::CLOUD_TRAIL;
