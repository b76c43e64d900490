//! Copies of image graphs between registries, folders and layouts
