//! Who is rolled back next: the same places as starts take, and before them (semantics S10, S12).
//!
//! Whoever is to be rolled back and finds a budget full waits for it in a lane of its own, as starts do. A rollback
//! stands before every start in every line, by its rollout and then in plan order: undoing harm comes first.

use crate::fleet::decide::{self, Facts, Full, Revert};
use crate::fleet::state::State;
use crate::fleet::table::budget::Rank;
use crate::fleet::{Fleet, Outbox};
use crate::ids::{MemberIx, RolloutId};
use crate::risk::Priority;
use crate::rollout::{Lane, Phase};
use crate::time::Timestamp;
use core::cmp::Reverse;

/// How rollbacks of a rollout stand to starts: before all of them.
pub(in crate::fleet) const fn rank(id: RolloutId) -> Rank {
    (Reverse((true, Priority::Critical)), Timestamp::MIN, id)
}

impl Fleet {
    /// Rolls members of one rollout back while places are free. Costs nothing when nobody is to be.
    pub(in crate::fleet) fn take_back(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        facts: &mut Facts,
        out: &mut Outbox,
    ) {
        if self.state.resync.is_some() {
            return;
        }
        self.state.rollouts[id.index()].open_rings();
        while self.state.rollouts[id.index()].queue.reverts.has_next() {
            if !self.state.rollouts[id.index()].has_place() {
                // Whatever happens to a member of the rollout puts it on the agenda again.
                return;
            }
            if !self.state.cache.budgets.fleet_has_room() {
                self.state.cache.budgets.wait_to_revert(rank(id));
                return;
            }
            let Some(ix) = self.state.rollouts[id.index()].queue.reverts.take() else { return };
            let Some(at) = self.state.member(id, ix) else { continue };
            let may_be = matches!(at.member.phase, Phase::Failed | Phase::Verified);
            if !may_be || !decide::is_to_be_reverted(&self.state, at) {
                continue;
            }
            match decide::revert(&self.state, now, at, facts) {
                Revert::Told => self.apply_all(now, facts, out),
                Revert::Never | Revert::Later => {}
                Revert::Busy => self.await_turn(id, ix),
                Revert::Full(full) => self.state.park_revert(id, ix, full),
            }
        }
    }
}

impl State {
    /// A member that is to be rolled back found a budget full, and stands in its lane until a place is free.
    fn park_revert(&mut self, id: RolloutId, member: MemberIx, full: Full) {
        let rank = rank(id);
        let queue = &mut self.rollouts[id.index()].queue;
        match full {
            Full::Scope { innermost, full } => {
                let lane = Lane::Scope(innermost);
                queue.reverts.parked.park(lane, member);
                self.cache.budgets.wait_in(full, rank, lane);
            }
            Full::Ring { ring, .. } => queue.reverts.parked.park(Lane::Reverts(ring), member),
            Full::Group(number) => {
                queue.reverts.grouped.insert(member);
                let endpoint = self.rollouts[id.index()].members()[member.index()].endpoint();
                let (urgency, due, id) = rank;
                self.cache.groups.wait_to_revert(number, (urgency, due, id, member));
                // Should the endpoint itself fail meanwhile, the group no longer stands in its way.
                self.cache.turns.wait(endpoint, id, member);
            }
        }
    }

    /// A member waits no more for its group to be rolled back: it is looked at again.
    pub(in crate::fleet) fn look_at_revert(&mut self, id: RolloutId, member: MemberIx) {
        if let Some(rollout) = self.rollouts.get_mut(id.index()) {
            rollout.queue.reverts.grouped.remove(&member);
            rollout.queue.reverts.ready.insert(member);
            self.cache.budgets.want(rank(id));
        }
    }
}
