//! benches of patchflow.
