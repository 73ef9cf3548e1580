//! Backends of patchflow: real parts behind the SDK traits of `patchflow-core`, each a cargo feature.

#[cfg(feature = "artifact")]
pub mod artifact;
#[cfg(feature = "local")]
pub mod local;
pub mod store;
