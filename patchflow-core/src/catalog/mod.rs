//! Patches and what they aim at.
//!
//! Version orders stand in [`version`]. Applicability joins this room with the advisory readers; until then a level is
//! compared for equality only, which can hold a patch back but never passes a wrong version.

mod advisory;
mod merge;
mod patch;
mod severity;
mod supersedence;
pub mod version;
mod walk;

pub use advisory::{
    Advisory, Affected, Epss, Exploitation, Fix, KnownExploited, Product, Provenance, Ssvc, Status, Versions,
};
pub use merge::{Authorities, Field, Merge, Merged, merge};
pub use patch::{Patch, RebootBehaviour, Relations, Target};
pub use severity::{Category, Severity};
pub use supersedence::{Circle, PatchGraph, Presence, Resolved, Waits};
pub(crate) use walk::{circle, reach};
