//! The operations of ECR that are served, and their shapes.

pub mod invalid;
pub mod shapes;

pub use invalid::{Exception, Invalid};
pub use shapes::ECR;
