//! docs of patchflow.
