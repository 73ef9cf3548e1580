//! examples of patchflow.
