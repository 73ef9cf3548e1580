//! backends of patchflow.
