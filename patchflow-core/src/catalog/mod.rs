//! Patches and what they aim at.
//!
//! Version orders stand in [`version`]. Applicability joins this room with the advisory readers; until then a level is
//! compared for equality only, which can hold a patch back but never passes a wrong version.

mod patch;
mod severity;
pub mod version;

pub use patch::{Patch, RebootBehaviour, Relations, Target};
pub use severity::{Category, Severity};
