//! Patches and what they aim at.
//!
//! Version orders stand in [`version`]. Nothing is installed over something newer, and what cannot be compared is held;
//! a level that was to be reached is compared for equality only, which never passes a wrong version.

mod patch;
mod severity;
pub mod version;
mod walk;

pub use patch::{Patch, RebootBehaviour, Relations, Target};
pub use severity::{Category, Severity};
pub(crate) use walk::{circle, reach};
