//! From a draft to a checked plan: who is in which ring, in which order, with which way back.

mod draft;
mod fact;
mod moved;
mod path;
mod rings;
mod spread;

pub use draft::{RolloutDraft, RolloutPlan, Starter};
pub use fact::{PlanFact, PlanRingFact};
pub use path::RollbackPath;
pub use rings::ring_sizes;
pub use spread::SpreadHash;
