//! The operations of IAM that are served, and their shapes.

pub mod shapes;

pub use shapes::IAM;
