//! testkit of patchflow.
