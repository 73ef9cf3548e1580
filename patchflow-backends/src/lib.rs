//! Backends of patchflow: real parts behind the SDK traits of `patchflow-core`, each a cargo feature.

#[cfg(all(feature = "apt", unix))]
pub mod apt;
#[cfg(feature = "artifact")]
pub mod artifact;
#[cfg(feature = "local")]
pub mod local;
pub mod store;
#[cfg(feature = "probe")]
pub mod probe;
#[cfg(feature = "html")]
pub mod report;
