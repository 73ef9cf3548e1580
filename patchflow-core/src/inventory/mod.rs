//! Endpoints and what stands on them, as the host's inventory reports it.
//!
//! Records here are read models: a fleet keeps only what decisions need (see [`crate::fleet`]), the rest stays beside it,
//! in an [`InventoryIndex`].

mod endpoint;
mod index;
mod software;
mod support;

pub use endpoint::{Attributes, Criticality, EndpointRecord, Environment, Exposure, ScopePath};
pub use index::{CannotCompare, Change, EndpointView, Found, InventoryIndex, Silent, SoftwareView, Taken};
pub use software::{AvailableUpdate, BuiltFrom, InstalledSoftware, PatchLevel};
pub use support::EndOfLife;
