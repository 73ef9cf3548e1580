//! backends of patchflow.

pub mod store;
