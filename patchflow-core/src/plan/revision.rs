//! What somebody changes about a rollout that runs.

use super::JoinedMember;
use crate::gate::Limits;
use crate::ids::{EndpointId, MemberIx};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A change of a running plan. Rings that have been judged stay as they are, and so does every member that has started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRevision {
    /// Goes on under the policy that holds now: its gates for rings that have not been judged, by name, and all the
    /// rest of it.
    pub adopt_policy: bool,
    /// Who goes into which ring that has not opened: members that have not started move, endpoints that need the patch
    /// and are no members join.
    pub place: Vec<Placement>,
}

/// One endpoint and the ring it is to be in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The ring, from 0.
    pub ring: u8,
}

/// A gate that a ring has from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisedGate {
    /// The ring, from 0.
    pub ring: u8,
    /// Its gate.
    pub gate: Limits,
}

/// A member that moves to another ring, by its place before the revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedMember {
    /// The member.
    pub member: MemberIx,
    /// The ring, from 0.
    pub ring: u8,
}

/// An endpoint that joins a ring which has not opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedMember {
    /// The ring, from 0.
    pub ring: u8,
    /// The endpoint.
    pub joined: JoinedMember,
}

/// What a revision came to. A ring that has not opened keeps those who stay in their order; behind them come those who
/// move in and those who join, in the order in which they stand here. Whoever has not started has no orders yet, so
/// that members of such rings may get other numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisedPlan {
    /// The gates of rings that have not been judged, when the policy changed.
    pub gates: Vec<RevisedGate>,
    /// Who moves.
    pub moved: Vec<MovedMember>,
    /// Versions that were not in the plan yet.
    pub levels: Vec<alloc::sync::Arc<str>>,
    /// Who joins.
    pub placed: Vec<PlacedMember>,
}
