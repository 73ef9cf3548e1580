//! Endpoints that may have become eligible for a rollout whose plan is made: noted here, judged by a decision.
//!
//! A cache: after a replay it is found again from who needs what.

use crate::fleet::message::observation::Standing;
use crate::fleet::state::State;
use crate::ids::{CandidateId, EndpointIx, RolloutId};
use crate::inventory::Environment;
use crate::policy::Onboarding;
use crate::rollout::{Phase, Rollout, RolloutKind, RolloutState};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Bits of a word of a set of endpoints.
const BITS: usize = u64::BITS as usize;

/// Whether a rollout takes newcomers in, now or once it goes on.
fn may_take(rollout: &Rollout) -> bool {
    rollout.kind() == RolloutKind::Deployment
        && match rollout.state() {
            RolloutState::Running | RolloutState::Paused | RolloutState::Halted => true,
            RolloutState::Completed => rollout.is_catching_up() && takes_late(rollout),
            RolloutState::Cancelled | RolloutState::Ended => false,
        }
}

/// Whether it takes anybody in at all once it has completed.
fn takes_late(rollout: &Rollout) -> bool {
    let policy = &rollout.policy().catch_up;
    policy.newcomers || policy.onboarding != Onboarding::Leave
}

impl State {
    /// A rollout has completed: those that are not in service were left out until now.
    pub(super) fn note_onboarding(&mut self, id: RolloutId) {
        let Some(rollout) = self.rollouts.get(id.index()).filter(|rollout| may_take(rollout)) else { return };
        if !self.cache.live {
            return;
        }
        let onboarding =
            self.endpoints.conditions().filter(|(_, known)| known.onboarding && !known.onboarded);
        let newcomers: Vec<_> =
            onboarding.map(|(ix, _)| ix).filter(|ix| self.is_newcomer(rollout, *ix)).collect();
        if !newcomers.is_empty() {
            self.rollouts[id.index()].queue.newcomers.extend(newcomers);
            self.put_on_agenda(id);
        }
    }

    /// A rollout has started: over the rings of one that it replaces it left out whoever was not in those.
    pub(super) fn note_left_out(&mut self, id: RolloutId) {
        let Some(rollout) = self.rollouts.get(id.index()).filter(|rollout| may_take(rollout)) else { return };
        let Some(entry) = self.candidates.get(rollout.candidate().index()).filter(|_| self.cache.live) else {
            return;
        };
        let in_production = |ix: EndpointIx| {
            self.endpoints
                .slot(ix)
                .is_some_and(|slot| !slot.gone && slot.environment == Environment::Production)
        };
        let needs =
            entry.needs.iter().filter(|(ix, need)| need.standing == Standing::Needs && in_production(*ix));
        let needs: Vec<_> = needs.map(|(ix, _)| ix).collect();
        // A plan of its own has all of them, or means a part.
        if needs.len() > rollout.members().len() {
            let out = needs.into_iter().filter(|ix| rollout.present_member_of(*ix).is_none());
            let out: Vec<_> = out.filter(|ix| self.is_newcomer(rollout, *ix)).collect();
            self.rollouts[id.index()].queue.newcomers.extend(out);
        }
    }

    /// Endpoints need a candidate now.
    pub(super) fn note_needs(
        &mut self,
        candidate: CandidateId,
        endpoints: impl Iterator<Item = EndpointIx> + Clone,
    ) {
        if !self.cache.live {
            return;
        }
        let Some(entry) = self.candidates.get(candidate.index()) else { return };
        for i in 0..entry.deployments.len() {
            let id = self.candidates[candidate.index()].deployments[i];
            let Some(rollout) = self.rollouts.get_mut(id.index()).filter(|rollout| may_take(rollout)) else {
                continue;
            };
            let before = rollout.queue.newcomers.len();
            let fresh = endpoints.clone().filter(|endpoint| rollout.present_member_of(*endpoint).is_none());
            let fresh: BTreeSet<_> = fresh.collect();
            rollout.queue.newcomers.extend(fresh);
            if rollout.queue.newcomers.len() != before {
                self.put_on_agenda(id);
            }
        }
    }

    /// What rollouts choose an endpoint by has changed.
    pub(super) fn note_selection(&mut self, endpoint: EndpointIx) {
        if !self.cache.live {
            return;
        }
        for i in 0..self.rollouts.len() {
            let rollout = &self.rollouts[i];
            let needs = |rollout: &Rollout| {
                let need = self.candidates.get(rollout.candidate().index())?.needs.get(endpoint)?;
                (need.standing == Standing::Needs).then_some(())
            };
            if may_take(rollout) && needs(rollout).is_some() && rollout.present_member_of(endpoint).is_none()
            {
                self.rollouts[i].queue.newcomers.insert(endpoint);
                self.put_on_agenda(RolloutId(i as u32));
            }
        }
    }

    /// Finds again who may join what. Nearly all who need a candidate are members already: those are left out by one bit
    /// each, and only the rest are looked at.
    pub(crate) fn recover_newcomers(&mut self) {
        let mut members = Vec::new();
        for i in 0..self.rollouts.len() {
            let rollout = &self.rollouts[i];
            let entry = self.candidates.get(rollout.candidate().index()).filter(|_| may_take(rollout));
            let newcomers = entry.map_or_else(BTreeSet::new, |entry| {
                members.clear();
                members.resize(self.endpoints.len() / BITS + 1, 0_u64);
                for member in rollout.members().iter().filter(|member| member.phase() != Phase::Removed) {
                    if let Some(word) = members.get_mut(member.endpoint().index() / BITS) {
                        *word |= 1 << (member.endpoint().index() % BITS);
                    }
                }
                let is_member = |ix: &EndpointIx| {
                    members.get(ix.index() / BITS).is_some_and(|word| word >> (ix.index() % BITS) & 1 != 0)
                };
                let others = entry.needs.endpoints().filter(|endpoint| !is_member(endpoint));
                others.filter(|endpoint| self.is_newcomer(rollout, *endpoint)).collect()
            });
            self.rollouts[i].queue.newcomers = newcomers;
        }
    }
}
