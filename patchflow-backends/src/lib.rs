//! backends of patchflow.

#[cfg(feature = "host")]
pub mod clock;
#[cfg(feature = "host")]
pub mod host;
pub mod store;
