//! testkit of patchflow.

#[cfg(feature = "lab")]
pub mod lab;
