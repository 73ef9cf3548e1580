//! Endpoints and what stands on them, as the host's inventory reports it.
//!
//! Records here are read models: a fleet keeps only what decisions need (see [`crate::fleet`]), the rest stays beside it.

mod endpoint;
mod software;

pub use endpoint::{Attributes, Criticality, EndpointRecord, Environment, Exposure, ScopePath};
pub use software::{AvailableUpdate, BuiltFrom, InstalledSoftware, PatchLevel};
