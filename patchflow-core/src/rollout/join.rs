//! Who joins a rollout after its plan was made: they extend its last ring, or the catch-up that follows the last ring
//! (semantics S5).

use super::{Halt, Member, Phase, Ring, RingState, Rollout, RolloutKind, RolloutState};
use crate::gate::Class;
use crate::ids::{EndpointIx, MemberIx};
use crate::plan::JoinedMember;
use crate::policy::Onboarding;
use crate::time::Timestamp;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Rollout {
    /// The ring that takes who joins now: the last one while its gate has not been judged, the catch-up after that.
    /// `None` while the rollout does not run, or its last ring is behind it.
    #[must_use]
    pub fn joinable_ring(&self) -> Option<u8> {
        let last = u8::try_from(self.rings.len().checked_sub(1)?).ok()?;
        match (self.state, self.rings.last()?.state) {
            (
                RolloutState::Running,
                RingState::Pending | RingState::Open | RingState::Settled | RingState::Held,
            ) => Some(last),
            (RolloutState::Completed, RingState::CatchUp) if self.is_catching_up() => Some(last),
            (
                RolloutState::Completed,
                RingState::Pending
                | RingState::Open
                | RingState::Settled
                | RingState::Held
                | RingState::Promoted
                | RingState::Skipped
                | RingState::Halted,
            ) if self.is_catching_up() => last.checked_add(1),
            (
                RolloutState::Running
                | RolloutState::Completed
                | RolloutState::Paused
                | RolloutState::Halted
                | RolloutState::Cancelled
                | RolloutState::Ended,
                _,
            ) => None,
        }
    }

    /// Whether the rollout has completed and brings along those who came too late for it, or who are not in service yet.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        let policy = &self.policy.catch_up;
        self.state == RolloutState::Completed
            && self.kind == RolloutKind::Deployment
            && (policy.newcomers || policy.deferred || policy.onboarding != Onboarding::Leave)
            && self.catch_up_stopped.is_none()
    }

    /// Why it brings nobody along any more, when that was stopped.
    #[must_use]
    pub fn catch_up_stopped(&self) -> Option<&Halt> {
        self.catch_up_stopped.as_ref()
    }

    /// How many members became failed or unknown since it completed, and still are.
    #[must_use]
    pub fn catch_up_failures(&self) -> u32 {
        self.failed_late.len() as u32
    }

    /// Whether nothing new may start in it any more, unless a person lifts its halt.
    #[must_use]
    pub(crate) fn starts_no_more(&self) -> bool {
        match self.state {
            RolloutState::Halted | RolloutState::Cancelled | RolloutState::Ended => true,
            RolloutState::Completed => !self.is_catching_up(),
            RolloutState::Running | RolloutState::Paused => false,
        }
    }

    /// The member of an endpoint that has not been taken out.
    #[must_use]
    pub(crate) fn present_member_of(&self, endpoint: EndpointIx) -> Option<MemberIx> {
        self.member_of(endpoint).filter(|at| self.members[at.index()].phase != Phase::Removed)
    }

    /// Adds members at the end of its last ring. `false` when they do not fit there, and nothing is changed then.
    pub(crate) fn join(
        &mut self,
        at: Timestamp,
        ring: u8,
        levels: &[Arc<str>],
        joined: &[JoinedMember],
    ) -> bool {
        let fits = self.joinable_ring() == Some(ring)
            && joined.iter().all(|new| self.present_member_of(new.endpoint).is_none());
        if !fits {
            return false;
        }
        if usize::from(ring) == self.rings.len() {
            self.rings.push(Ring::catch_up(at, self.members.len() as u32));
        }
        self.levels.extend_from_slice(levels);
        let first = self.members.len() as u32;
        let members = joined.iter().map(|new| Member::new(new.endpoint, ring, new.prior, new.path));
        self.members.extend(members);
        let n = joined.len() as u32;
        for (new, ix) in joined.iter().zip(first..) {
            self.index_member(new.endpoint, ix);
        }
        if let Some(ring) = self.rings.last_mut() {
            ring.size += n;
            ring.counts[Class::Waiting as usize] += n;
            match ring.state {
                // It settles, and bakes, with those who joined, and they have as long to start as the others had.
                RingState::Open | RingState::Settled | RingState::Held => {
                    ring.reopen(at);
                    self.queue.defers_anew();
                }
                // No cursor goes through it: whoever waits in it stands in the queue.
                RingState::CatchUp => self.queue.again.extend((first..first + n).map(MemberIx)),
                RingState::Pending | RingState::Promoted | RingState::Skipped | RingState::Halted => {}
            }
        }
        true
    }

    /// Notes what becomes of a member once the rollout has completed.
    pub(crate) fn note_failure(&mut self, at: MemberIx, [from, to]: [Class; 2]) {
        let is_bad = |class| matches!(class, Class::Failed | Class::Unknown);
        if is_bad(from) == is_bad(to) {
            return;
        }
        if !is_bad(to) {
            self.failed_late.remove(&at);
        } else if self.state == RolloutState::Completed {
            self.failed_late.insert(at);
        }
    }

    /// Every member that waits, in any ring.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = MemberIx> + '_ {
        let waits = |(i, member): (u32, &Member)| (member.phase == Phase::Waiting).then_some(MemberIx(i));
        (0..).zip(&self.members).filter_map(waits)
    }

    pub(crate) fn deferred(&self) -> Vec<MemberIx> {
        let is_deferred =
            |(i, member): (u32, &Member)| (member.phase == Phase::Deferred).then_some(MemberIx(i));
        (0..).zip(&self.members).filter_map(is_deferred).collect()
    }
}
