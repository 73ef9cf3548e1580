//! Who is next on an endpoint: emergencies first, then by priority, by due date, by the rollout's number (semantics S6).
//!
//! Whoever finds an endpoint taken waits for it. When it becomes free the first of them is called, and only when that one
//! does not take it the next, so that a start costs one look, however many wait behind it. What the end of an operation
//! may mean to those behind, beyond the free endpoint, it means only to relatives of its patch: with one of them in the
//! line, all of it looks.

use crate::fleet::state::State;
use crate::fleet::table::budget::Turn;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::rollout::{Phase, RolloutKind, RolloutState};
use alloc::collections::BTreeSet;

impl State {
    /// Lets everybody look again who waits for an endpoint. Rare: relations have changed.
    pub(in crate::fleet) fn wake_all(&mut self) {
        self.cache.turns.endpoints().into_iter().for_each(|endpoint| self.wake(endpoint));
        let staged: BTreeSet<_> = self.cache.stage_turns.iter().map(|(endpoint, _, _)| *endpoint).collect();
        staged.into_iter().for_each(|endpoint| self.wake_stages(endpoint));
    }

    /// Lets all those look again who wait for an endpoint.
    pub(in crate::fleet) fn wake(&mut self, endpoint: EndpointIx) {
        if !self.cache.stage_turns.is_empty() {
            self.wake_stages(endpoint);
        }
        if self.cache.turns.is_empty() {
            return;
        }
        while let Some((rollout, member)) = self.cache.turns.pop(endpoint) {
            if let Some(rollout) = self.rollouts.get_mut(rollout.index()) {
                rollout.queue.again.insert(member);
            }
            self.cache.tending.push((rollout, member));
            self.put_on_agenda(rollout);
        }
    }

    /// An operation let go of an endpoint: the first of those who wait for it looks.
    pub(in crate::fleet) fn becomes_free(&mut self, endpoint: EndpointIx) {
        if self.cache.turns.is_empty() || !self.cache.stage_turns.is_empty() {
            return self.wake(endpoint);
        }
        let line = self.cache.turns.line(endpoint);
        if line.iter().all(|(rollout, member)| self.waits_for_nothing_else(*rollout, *member)) {
            self.call_first(endpoint, &line, None);
        } else {
            self.wake(endpoint);
        }
        self.cache.turns.keep(line);
    }

    /// Whether a member waits for its endpoint to be free, and whatever else happens there means nothing to it.
    fn waits_for_nothing_else(&mut self, id: RolloutId, ix: MemberIx) -> bool {
        let Some(rollout) = self.rollouts.get(id.index()) else { return false };
        let Some(entry) = self.candidates.get(rollout.candidate().index()) else { return false };
        let member = rollout.members().get(ix.index());
        let is_plain = member.is_some_and(|it| matches!(it.phase, Phase::Waiting | Phase::Backoff))
            && rollout.kind() == RolloutKind::Deployment
            && matches!(rollout.state(), RolloutState::Running | RolloutState::Paused | RolloutState::Halted)
            && rollout.bundle().is_empty()
            && !rollout.is_staged_first()
            && entry.deployments.len() <= 1
            && entry.paths_until.is_empty();
        if !is_plain {
            return false;
        }
        let changes = self.kin.changes();
        if let Some((at, alone)) = rollout.queue.alone
            && at == changes
        {
            return alone;
        }
        let alone = !self.has_relatives(entry);
        self.rollouts[id.index()].queue.alone = Some((changes, alone));
        alone
    }

    /// Calls the first of a line, or the first in it who stands behind `after`.
    fn call_first(&mut self, endpoint: EndpointIx, line: &[(RolloutId, MemberIx)], after: Option<Turn>) {
        let turns = line.iter().map(|(id, member)| {
            let (urgency, due, id) = self.rank(*id);
            (urgency, due, id, *member)
        });
        let Some(first) = turns.filter(|turn| Some(*turn) > after).min() else { return };
        let (urgency, due, id, member) = first;
        self.cache.turns.leave(endpoint, id, member);
        if line.len() > 1 {
            self.cache.turns.call(id, endpoint, first);
        }
        if let Some(rollout) = self.rollouts.get_mut(id.index()) {
            rollout.queue.again.insert(member);
            self.cache.budgets.want((urgency, due, id));
        }
    }

    /// A rollout has started whom it could: where it left a free endpoint to which one of its members was called, the
    /// next is called.
    pub(in crate::fleet) fn pass_on(&mut self, id: RolloutId) {
        for (endpoint, turn) in self.cache.turns.take_called(id) {
            let slot = self.endpoints.slot(endpoint);
            let is_taken =
                slot.is_some_and(|slot| slot.active().is_some()) || self.posts.contains_key(&endpoint);
            if !is_taken {
                let line = self.cache.turns.line(endpoint);
                self.call_first(endpoint, &line, Some(turn));
                self.cache.turns.keep(line);
            }
        }
    }

    /// The same for a rollout that was not asked, so that nobody is forgotten; whether there was one.
    pub(in crate::fleet) fn pass_on_any(&mut self) -> bool {
        let Some(id) = self.cache.turns.first_called() else { return false };
        self.pass_on(id);
        true
    }
}
