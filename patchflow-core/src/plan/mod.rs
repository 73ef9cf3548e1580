//! From a draft to a checked plan: who is in which ring, in which order, with which way back.

mod draft;
mod fact;
mod path;
mod revision;
mod rings;
mod spread;
mod stratify;

pub(crate) use draft::LEVELS_MAX;
pub use draft::{RolloutDraft, RolloutPlan, Starter};
pub use fact::{JoinedMember, PlanFact, PlanRingFact};
pub use path::RollbackPath;
pub use revision::{MovedMember, PlacedMember, Placement, PlanRevision, RevisedGate, RevisedPlan};
pub use rings::ring_sizes;
pub use spread::SpreadHash;
pub use stratify::Mirror;
