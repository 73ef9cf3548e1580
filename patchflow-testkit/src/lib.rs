//! testkit of patchflow.

pub mod conformance;
