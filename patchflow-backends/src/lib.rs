//! Backends of patchflow: real parts behind the SDK traits of `patchflow-core`, each a cargo feature.

#[cfg(feature = "advisory")]
pub mod advisory;
#[cfg(all(feature = "apt", unix))]
pub mod apt;
#[cfg(feature = "artifact")]
pub mod artifact;
#[cfg(feature = "host")]
pub mod clock;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "inventory")]
pub mod inventory;
#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "probe")]
pub mod probe;
#[cfg(feature = "html")]
pub mod report;
pub mod store;
#[cfg(any(feature = "advisory", all(feature = "apt", unix)))]
mod thread;
