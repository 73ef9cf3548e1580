//! backends of patchflow.

#[cfg(feature = "artifact")]
pub mod artifact;
#[cfg(feature = "local")]
pub mod local;
