//! The operations of ECR that are served, and their shapes.

pub mod shapes;

pub use shapes::ECR;
