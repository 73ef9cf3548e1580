//! What is kept about ways back beside the members: calls to operators, drills (semantics S10).

use crate::fleet::state::State;
use crate::gate::Standing;
use crate::ids::{CandidateId, EndpointIx, MemberIx, RolloutId};
use crate::plan::RollbackPath;
use crate::rollout::{Member, Phase, RingState, Rollout};
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl State {
    /// When the way back ended, if it has.
    pub(crate) fn path_ended(
        &self,
        candidate: CandidateId,
        on: EndpointIx,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let paths = &self.candidate(candidate)?.paths_until;
        if paths.is_empty() { None } else { paths.get(&on).copied().filter(|until| *until <= now) }
    }

    /// Who has the patch by the open ring of a rollout and no way back from it any more, though its policy wants one;
    /// and when it ended.
    pub(crate) fn paths_ended<'a>(
        &'a self,
        now: Timestamp,
        rollout: &'a Rollout,
    ) -> impl Iterator<Item = (EndpointIx, Timestamp)> + 'a {
        let wanted = rollout.policy().rollback.without_path.is_none();
        let entry = self.candidate(rollout.candidate()).filter(|_| wanted);
        let ended = entry.into_iter().flat_map(|entry| &entry.paths_until).map(|(on, until)| (*on, *until));
        ended.filter(move |(on, until)| {
            let member = rollout.present_member_of(*on).and_then(|ix| rollout.members.get(ix.index()));
            let has_it = |it: &Member| it.ring == rollout.ring && it.phase == Phase::Verified;
            *until <= now && member.is_some_and(has_it)
        })
    }

    /// How the open ring of a rollout stands, ways back that have ended included.
    pub(crate) fn standing(&self, now: Timestamp, rollout: &Rollout) -> Standing {
        Standing { paths_ended: self.paths_ended(now, rollout).count() as u32, ..rollout.standing() }
    }

    /// A way back was told anew: the gate of a ring that holds may have waited for it.
    pub(crate) fn look_at_gates(&mut self, candidate: CandidateId) {
        for i in 0..self.rollouts.len() {
            let rollout = &self.rollouts[i];
            let holds = matches!(rollout.current_ring().state(), RingState::Settled | RingState::Held);
            if rollout.candidate() == candidate && holds {
                self.put_on_agenda(rollout.id());
            }
        }
    }

    /// Finds anew when a way back becomes overdue that nobody has been told of.
    pub(crate) fn look_at_drills(&mut self) {
        let every = self.policy.as_ref().map(|(policy, _)| policy.rollback.drill_every_secs);
        let untold = self.ways.values().filter(|way| !way.told);
        self.cache.drill_look =
            every.and_then(|every| untold.filter_map(|way| way.overdue_from(every)).min());
    }

    /// Endpoints that a candidate has reached: those that have it verified, and those on which it is under way or may be.
    pub(crate) fn reached(&self, candidate: CandidateId) -> [BTreeSet<EndpointIx>; 2] {
        let mut reached = [BTreeSet::new(), BTreeSet::new()];
        for rollout in self.rollouts_of(candidate) {
            for member in rollout.members() {
                let phase = member.phase();
                if phase == Phase::Verified {
                    reached[0].insert(member.endpoint());
                } else if phase.occupies() {
                    reached[1].insert(member.endpoint());
                }
            }
        }
        reached
    }

    /// How many endpoints, and the first names of them.
    pub(crate) fn listed(&self, on: &BTreeSet<EndpointIx>) -> String {
        const SHOWN: usize = 20;
        let names: Vec<_> =
            on.iter().take(SHOWN).filter_map(|ix| self.endpoints.id(*ix)).map(|id| id.as_str()).collect();
        match on.len() {
            0 => "0 endpoints".into(),
            n if n > SHOWN => format!("{n} endpoints ({}, ...)", names.join(", ")),
            n => format!("{n} endpoints ({})", names.join(", ")),
        }
    }

    /// A deployment counts on these ways back from now on.
    pub(crate) fn count_on(&mut self, paths: &[RollbackPath], at: Timestamp) {
        for path in paths {
            if *path != RollbackPath::None && self.ways.get(path).is_none_or(|way| way.used_since.is_none()) {
                self.ways.entry(*path).or_default().used_since = Some(at);
            }
        }
        self.look_at_drills();
    }

    /// Keeps calls and drills in step with a member's phase. Called for phases that either may be about.
    pub(crate) fn moved_on(&mut self, id: RolloutId, member: MemberIx, from: Phase, to: Phase) {
        if from == Phase::NeedsOperator && self.calls.remove(&(id, member)).is_some() {
            self.cache.call_alarms.set((id, member), None);
        }
        if to == Phase::Removed {
            self.drilling.remove(&(id, member));
        }
    }

    /// After a replay: when the next levels are called, and what a crash cut off between a phase and its consequence.
    pub(crate) fn recover_ways(&mut self) {
        let Self { rollouts, calls, drilling, cache, .. } = self;
        for (key, call) in calls.iter().filter(|(_, call)| call.acknowledged.is_none()) {
            cache.call_alarms.set(*key, Some(call.until));
        }
        for rollout in rollouts.iter() {
            for (member, ix) in rollout.members().iter().zip(0..) {
                let key = (rollout.id(), MemberIx(ix));
                let is_stuck = member.phase() == Phase::NeedsOperator;
                let is_back = member.phase() == Phase::RolledBack;
                let is_drill = (is_stuck || is_back) && drilling.contains_key(&key);
                if is_drill || (is_stuck && !calls.contains_key(&key)) {
                    cache.tending.push(key);
                }
            }
        }
        self.look_at_drills();
    }
}
