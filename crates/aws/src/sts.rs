//! The operations of STS that are served, and their shapes.

pub mod shapes;

pub use shapes::STS;
