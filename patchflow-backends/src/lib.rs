//! backends of patchflow.

#[cfg(all(feature = "apt", unix))]
pub mod apt;
#[cfg(feature = "artifact")]
pub mod artifact;
#[cfg(feature = "local")]
pub mod local;
