//! A plan as it stands in the journal.

use super::{Mirror, RollbackPath};
use crate::gate::Limits;
use crate::ids::EndpointIx;
use crate::policy::Selector;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The plan of a rollout, as decided: members in plan order, ring after ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFact {
    /// Which endpoints are meant: who joins later is measured by it.
    #[serde(default)]
    pub select: Selector,
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

/// An endpoint that joins a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedMember {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// 1 + its index into the rollout's versions, those told with it included, or 0 when nothing is installed.
    pub prior: u16,
    /// Its way back.
    pub path: RollbackPath,
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
    /// How well it mirrors whom it was chosen from; `None` when its policy names no traits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
}
