//! Plans that change: rings that a person passes over, and revisions of what has not been judged.

use super::Mutation;
use super::state::{Member, Model, Need, class};
use patchflow_core::fleet::Standing;
use patchflow_core::gate::Class;
use patchflow_core::inventory::Environment;
use patchflow_core::plan::PlanRevision;
use patchflow_core::rollout::{Phase, RingState};
use std::collections::BTreeSet;

const UNJUDGED: [RingState; 4] = [RingState::Pending, RingState::Open, RingState::Settled, RingState::Held];

impl Model {
    /// A person passes a ring over. `false` when that is refused.
    pub(super) fn skip_ring(&mut self, r: usize, number: usize) -> bool {
        let rollout = &self.rollouts[r];
        let state = rollout.rings[number].state;
        let current = rollout.ring == number;
        let in_flight = rollout.in_ring(number).any(|member| class(member.phase) == Class::InFlight);
        let remains = (rollout.ring..rollout.rings.len()).any(|other| {
            other != number
                && UNJUDGED.contains(&rollout.rings[other].state)
                && rollout.in_ring(other).next().is_some()
        });
        if !UNJUDGED.contains(&state)
            || state != RingState::Pending && current && in_flight
            || !remains && !self.bent(Mutation::SkipsTheOnlyRing)
        {
            return false;
        }
        let last = rollout.rings.iter().rposition(|ring| ring.state == RingState::Pending);
        let to = last.filter(|last| *last > number && state == RingState::Pending && self.is_movable(r));
        match to {
            Some(to) => {
                let waits = |member: &&Member| member.phase == Phase::Waiting;
                let waiting: Vec<usize> =
                    rollout.in_ring(number).filter(waits).map(|member| member.endpoint).collect();
                self.lay_out(r, &waiting.into_iter().map(|endpoint| (endpoint, to)).collect::<Vec<_>>());
            }
            None => self.defer_waiting(r, |ring| ring == number),
        }
        self.rollouts[r].rings[number].state = RingState::Skipped;
        self.stage_unopened_anew(r);
        if current {
            self.next_ring(r);
        }
        true
    }

    /// The first ring that has not opened, behind the one whose turn it is.
    fn first_unopened(&self, r: usize) -> usize {
        let rollout = &self.rollouts[r];
        let waits = rollout.rings[rollout.ring].state == RingState::Pending;
        rollout.ring + usize::from(!waits)
    }

    /// Whether nobody who could have started stands behind those that may get other numbers.
    fn is_movable(&self, r: usize) -> bool {
        let rollout = &self.rollouts[r];
        (self.first_unopened(r)..rollout.rings.len()).all(|ring| {
            rollout.in_ring(ring).next().is_none() || rollout.rings[ring].state == RingState::Pending
        })
    }

    /// Puts endpoints into rings that have not opened: who stays keeps the order, then who moves, then who joins.
    fn lay_out(&mut self, r: usize, places: &[(usize, usize)]) {
        let candidate = self.rollouts[r].candidate;
        let start = self.first_unopened(r);
        let rollout = &self.rollouts[r];
        let waits = |endpoint: usize| {
            rollout
                .members
                .iter()
                .position(|member| member.endpoint == endpoint && member.phase != Phase::Removed)
        };
        let moved: Vec<(usize, usize)> =
            places.iter().filter_map(|(endpoint, to)| Some((waits(*endpoint)?, *to))).collect();
        let mut members: Vec<Member> =
            rollout.members.iter().filter(|member| member.ring < start).cloned().collect();
        for ring in start..rollout.rings.len() {
            let stay = rollout
                .members
                .iter()
                .enumerate()
                .filter(|(m, member)| member.ring == ring && moved.iter().all(|(gone, _)| gone != m));
            members.extend(stay.map(|(_, member)| member.clone()));
            let come = moved.iter().filter(|(_, to)| *to == ring);
            members.extend(come.map(|(m, _)| Member { ring, ..rollout.members[*m].clone() }));
            let join = places.iter().filter(|(endpoint, to)| *to == ring && waits(*endpoint).is_none());
            let needs = &self.candidates[candidate].needs;
            members.extend(
                join.filter_map(|(endpoint, _)| Some(Member::new(*endpoint, ring, needs.get(endpoint)?))),
            );
        }
        self.rollouts[r].members = members;
    }

    /// A revision is taken as a whole, or refused.
    pub(super) fn revise(&mut self, r: usize, revision: &PlanRevision) -> bool {
        let rollout = &self.rollouts[r];
        let Some(adopted) = self.policy.clone() else { return false };
        let other = adopted != rollout.policy;
        if revision.adopt_policy && !other || !revision.adopt_policy && revision.place.is_empty() {
            return false;
        }
        let judged = [RingState::Promoted, RingState::Skipped, RingState::CatchUp];
        let gate =
            |name: &str| adopted.rings.iter().find(|ring| ring.name == name).map(|ring| ring.gate.clone());
        let unjudged = rollout.rings.iter().enumerate().filter(|(_, ring)| !judged.contains(&ring.state));
        let gates: Vec<_> = unjudged.map(|(i, ring)| (i, gate(&ring.name))).collect();
        if revision.adopt_policy && gates.iter().any(|(_, gate)| gate.is_none()) {
            return false;
        }
        let mut places = Vec::new();
        for place in &revision.place {
            let ring = usize::from(place.ring);
            let Some(endpoint) = self.endpoint_named(place.endpoint.as_str()) else { return false };
            let pending =
                |ring: usize| rollout.rings.get(ring).is_some_and(|ring| ring.state == RingState::Pending);
            let fits = match rollout.member_of(endpoint).map(|m| &rollout.members[m]) {
                Some(member) if member.phase != Phase::Removed => {
                    pending(member.ring) && member.phase == Phase::Waiting
                }
                Some(_) | None => {
                    let seen = &self.endpoints[endpoint];
                    let needs = |need: &Need| need.standing == Standing::Needs;
                    !seen.gone
                        && seen.seen.environment == Environment::Production
                        && self.candidates[rollout.candidate].needs.get(&endpoint).is_some_and(needs)
                }
            };
            if !fits || !pending(ring) || !self.is_movable(r) {
                return false;
            }
            places.push((endpoint, ring));
        }
        if places.iter().map(|(endpoint, _)| endpoint).collect::<BTreeSet<_>>().len() != places.len() {
            return false;
        }
        if !places.is_empty() {
            self.lay_out(r, &places);
        }
        if revision.adopt_policy {
            for (i, gate) in gates {
                if let Some(gate) = gate.filter(|_| !self.bent(Mutation::RevisionsKeepTheGates)) {
                    self.rollouts[r].rings[i].gate = gate;
                }
            }
            self.rollouts[r].policy = adopted;
        }
        self.stage_unopened_anew(r);
        true
    }
}
