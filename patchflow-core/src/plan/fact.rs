//! A plan as it stands in the journal.

use super::RollbackPath;
use crate::gate::Limits;
use crate::ids::EndpointIx;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The plan of a rollout, as decided: members in plan order, ring after ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFact {
    /// Name, size and gate of each ring.
    pub rings: Vec<PlanRingFact>,
    /// The endpoints, ring after ring.
    pub members: Vec<EndpointIx>,
    /// The distinct versions that were present when the plan was made.
    pub levels: Vec<Arc<str>>,
    /// For each member, 1 + its index into `levels`, or 0 when nothing was installed.
    pub priors: Vec<u16>,
    /// For each member, its way back.
    pub paths: Vec<RollbackPath>,
}

/// One ring of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRingFact {
    /// Its name.
    pub name: String,
    /// How many members it has.
    pub size: u32,
    /// Its gate.
    pub gate: Limits,
}
