//! Staging: content on its way to an endpoint before the order that uses it (semantics S4).
//!
//! A [`StageOrder`] is like an install order: it can be written to text and never read back, and it needs an approval or
//! a trial's permit. It installs nothing.
//!
//! ```compile_fail
//! // It cannot be read back from text.
//! let order: patchflow_core::rollout::StageOrder = serde_json::from_str("{}").unwrap();
//! ```

use super::{Failure, Member, Phase, Ring, RingState, Rollout, RolloutState, StageQueue};
use crate::candidate::{Approved, TrialPermit};
use crate::catalog::{Patch, Target};
use crate::digest::Digest;
use crate::ids::{EndpointId, EndpointIx, FleetId, MemberIx, RolloutId};
use crate::time::Timestamp;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The name of one attempt to stage. A repeated one is the same attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StageId {
    /// The fleet.
    pub fleet: FleetId,
    /// The rollout that wants the content there.
    pub rollout: RolloutId,
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// Which attempt it is, from 1.
    pub attempt: u8,
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fleet, rollout, endpoint, attempt } = self;
        write!(f, "{}.{}.s{}.{attempt}", fleet.0, rollout.0, endpoint.0)
    }
}

/// Bring the content of one patch to one endpoint, hash it there, and install nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageOrder {
    id: StageId,
    endpoint: EndpointId,
    patch: Arc<Patch>,
    within_secs: u32,
    report_by: Timestamp,
    keep_until: Timestamp,
}

impl StageOrder {
    /// Under an approval.
    pub(crate) fn approved(approved: &Approved, head: StageHead) -> Self {
        head.order(approved.patch().clone())
    }

    /// Under a trial permit, which only non-production endpoints get.
    pub(crate) fn trial(permit: &TrialPermit, head: StageHead) -> Self {
        head.order(permit.patch().clone())
    }

    /// The name under which its outcome is reported.
    #[must_use]
    pub fn id(&self) -> StageId {
        self.id
    }

    /// The endpoint, by the host's name.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointId {
        &self.endpoint
    }

    /// The patch whose content is meant.
    #[must_use]
    pub fn patch(&self) -> &Arc<Patch> {
        &self.patch
    }

    /// What would be installed from it.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.patch.target
    }

    /// The digest that the content must have on the endpoint: the one that was approved.
    #[must_use]
    pub fn content(&self) -> Digest {
        self.patch.content
    }

    /// How long it may take, in seconds.
    #[must_use]
    pub fn within_secs(&self) -> u32 {
        self.within_secs
    }

    /// When it is late: it counts as failed then, and another attempt may follow.
    #[must_use]
    pub fn report_by(&self) -> Timestamp {
        self.report_by
    }

    /// Until when the content is wanted. The endpoint may throw it away after that without being told.
    #[must_use]
    pub fn keep_until(&self) -> Timestamp {
        self.keep_until
    }
}

/// What all orders to stage have in common.
pub(crate) struct StageHead {
    pub(crate) id: StageId,
    pub(crate) endpoint: EndpointId,
    pub(crate) within_secs: u32,
    pub(crate) report_by: Timestamp,
    pub(crate) keep_until: Timestamp,
}

impl StageHead {
    fn order(self, patch: Arc<Patch>) -> StageOrder {
        let Self { id, endpoint, within_secs, report_by, keep_until } = self;
        StageOrder { id, endpoint, patch, within_secs, report_by, keep_until }
    }
}

/// What came of an attempt to stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "staged", rename_all = "snake_case")]
pub enum StageOutcome<'a> {
    /// Content lies on the endpoint.
    There {
        /// What the endpoint computed over what it holds. Another one than was approved is not staged.
        content: Digest,
    },
    /// It does not.
    Failed(#[serde(borrow)] Failure<'a>),
}

/// How far the content of one member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum StageState {
    /// Not asked for.
    #[default]
    None,
    /// Asked for; due: when it is late.
    Asked,
    /// There; due: until when it is good.
    Staged,
    /// Failed; due: when it is tried again.
    Failed,
    /// Failed for the last time; due: when it begins anew, 0 for when a person says so.
    GivenUp,
}

/// How far the content of one member is: 8 bytes, kept only where a policy requires staging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StageSlot {
    /// In seconds since the fleet's epoch; 0 for nothing.
    pub(crate) due: u32,
    /// Index into the fleet's table of reasons: why it failed last; 0 for none.
    pub(crate) reason: u16,
    /// Attempts of this time.
    pub(crate) attempt: u8,
    pub(crate) state: StageState,
}

pub(crate) const STAGE_BYTES: usize = 8;
const _: () = assert!(size_of::<StageSlot>() == STAGE_BYTES);

impl StageSlot {
    /// Whether the content is there and good.
    pub(crate) fn is_good(self, secs: u32) -> bool {
        self.state == StageState::Staged && secs < self.due
    }

    pub(crate) fn packed(self) -> [u8; STAGE_BYTES] {
        let ([a, b, c, d], [e, f]) = (self.due.to_le_bytes(), self.reason.to_le_bytes());
        [a, b, c, d, e, f, self.attempt, self.state as u8]
    }

    /// `None` when the state is none.
    pub(crate) fn unpacked([a, b, c, d, e, f, attempt, state]: [u8; STAGE_BYTES]) -> Option<Self> {
        const STATES: [StageState; 5] = [
            StageState::None,
            StageState::Asked,
            StageState::Staged,
            StageState::Failed,
            StageState::GivenUp,
        ];
        let state = *STATES.get(usize::from(state))?;
        let (due, reason) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]));
        Some(Self { due, reason, attempt, state })
    }
}

/// The stage slots of a rollout, by its members; nothing where nothing was ever staged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stages(pub(crate) Vec<StageSlot>);

impl Stages {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, at: MemberIx) -> StageSlot {
        self.0.get(at.index()).copied().unwrap_or_default()
    }

    /// The slot of a member, for a rollout of so many.
    pub(crate) fn slot_mut(&mut self, at: MemberIx, members: usize) -> Option<&mut StageSlot> {
        if self.0.len() < members {
            self.0.resize(members, StageSlot::default());
        }
        self.0.get_mut(at.index())
    }

    /// Members whose content is being staged.
    pub(crate) fn asked(&self) -> impl Iterator<Item = MemberIx> + '_ {
        (0..).zip(&self.0).filter(|(_, slot)| slot.state == StageState::Asked).map(|(i, _)| MemberIx(i))
    }
}

impl Rollout {
    /// Whether nothing starts whose content has not been staged.
    pub(crate) fn is_staged_first(&self) -> bool {
        self.policy.staging.required
    }

    /// The end of those whose content may be staged: of the open ring, or of the one after it while that one bakes.
    fn stages_until(&self) -> u32 {
        let current = self.current_ring();
        let until = |ring: &Ring| ring.first + ring.size;
        let bakes = matches!(current.state, RingState::Settled | RingState::Held);
        if self.state == RolloutState::Completed {
            return self.members.len() as u32;
        }
        if current.opened_at.is_none() {
            return current.first;
        }
        let next = self.rings[usize::from(self.ring)..].iter().skip(1).find(|ring| ring.size > 0);
        match next.filter(|_| bakes && self.policy.staging.next_ring) {
            Some(next) => until(next),
            None => until(current),
        }
    }

    /// Whether there is somebody to look at for their content.
    pub(crate) fn has_next_to_stage(&self) -> bool {
        let (queue, until) = (&self.queue.staging, self.stages_until());
        let mut others = queue.again.first().into_iter().chain(queue.parked.head());
        queue.cursor < until || others.any(|ix| ix.0 < until)
    }

    /// The next member to look at for its content, in plan order.
    pub(crate) fn next_to_stage(&mut self) -> Option<MemberIx> {
        let until = self.stages_until();
        let queue = &mut self.queue.staging;
        // Who is to be looked at again in a ring that has not opened waits until it has.
        let reached = |ix: &MemberIx| ix.0 < until;
        let again = queue.again.first().filter(reached);
        let parked = queue.parked.head().filter(reached);
        let next = (queue.cursor < until).then_some(MemberIx(queue.cursor));
        let first = again.into_iter().chain(parked).chain(next).min()?;
        if again == Some(first) {
            queue.again.pop_first()
        } else if parked == Some(first) {
            queue.parked.take()
        } else {
            queue.cursor += 1;
            Some(first)
        }
    }

    /// Whether a member may take its turn to start: its ring has opened, or it is caught up with.
    pub(crate) fn is_in_turn(&self, member: &Member) -> bool {
        if member.phase == Phase::Deferred {
            return self.is_catching_up();
        }
        self.rings.get(usize::from(member.ring)).is_some_and(|ring| ring.opened_at.is_some())
    }

    /// Everybody is looked at again for their content.
    pub(crate) fn stage_anew(&mut self) {
        self.queue.staging = StageQueue::default();
    }
}
