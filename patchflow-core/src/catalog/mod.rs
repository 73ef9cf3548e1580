//! Patches and what they aim at.
//!
//! Version orders stand in [`version`]. Nothing is installed over something newer, and what cannot be compared is held;
//! a level that was to be reached is compared for equality only, which never passes a wrong version.

mod advisory;
mod merge;
mod patch;
mod severity;
mod supersedence;
pub mod version;
mod walk;
mod weakness;

pub use advisory::{
    Advisory, Affected, Epss, Exploitation, Fix, KnownExploited, Product, Provenance, Ssvc, Status, Versions,
};
pub use merge::{Authorities, Field, Merge, Merged, Merging, Remade, merge};
pub use patch::{Patch, RebootBehaviour, Relations, Target};
pub use severity::{Category, Severity};
pub use supersedence::{Circle, PatchGraph, Presence, Resolved, Waits};
pub(crate) use walk::{circle, reach};
pub use weakness::Weakness;
