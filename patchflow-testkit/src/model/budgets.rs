//! S12: budgets of the fleet, of scopes, rings and availability groups, and starts in a time: counted anew each time.

use super::Mutation;
use super::state::{Model, class, is_taking};
use patchflow_core::gate::Class;
use patchflow_core::policy::{Amount, RingPolicy};
use patchflow_core::rollout::{Phase, RolloutKind};
use patchflow_core::time::Timestamp;

/// How many of `n` it is: counted down until the share is not exceeded, but at least 1.
pub(super) fn of(amount: Amount, n: usize) -> usize {
    match amount {
        Amount::Count { n } => n as usize,
        Amount::Percent { percent } => {
            let mut share = n;
            while share as u64 * 100_000 > u64::from(percent.thousandths()) * n as u64 {
                share -= 1;
            }
            share.max(1)
        }
    }
}

impl Model {
    /// Endpoints on which somebody holds a place.
    fn placed(&self) -> Vec<usize> {
        let members = self.rollouts.iter().flat_map(|rollout| &rollout.members);
        members.filter(|member| self.holds_a_place(member)).map(|member| member.endpoint).collect()
    }

    /// Endpoints that are in the fleet.
    pub(super) fn present(&self) -> Vec<usize> {
        (0..self.endpoints.len()).filter(|e| !self.endpoints[*e].gone).collect()
    }

    /// Whether the fleet has a place left, and a start.
    pub(super) fn fleet_is_open(&self) -> bool {
        let Some(policy) = &self.policy else { return false };
        let has_room = policy.budgets.in_flight_max.is_none_or(|max| {
            self.placed().len() < of(max, self.present().len()) || self.bent(Mutation::NoBudgetOfTheFleet)
        });
        has_room && self.starts_again_at().is_none()
    }

    /// When the next start is allowed; none when it is allowed now.
    pub(super) fn starts_again_at(&self) -> Option<Timestamp> {
        let max =
            self.policy.as_ref()?.budgets.starts_max.filter(|_| !self.bent(Mutation::AnyNumberStarts))?;
        let over = |start: &Timestamp| start.plus_secs(max.per_secs.into());
        let recent: Vec<Timestamp> = self.starts.iter().map(over).filter(|over| *over > self.now).collect();
        // The oldest of the last so many must be long enough ago.
        let full = recent.len().checked_sub(max.n as usize)?;
        recent.get(full).copied()
    }

    pub(super) fn ring_policy(&self, (r, m): (usize, usize)) -> Option<&RingPolicy> {
        let rollout = &self.rollouts[r];
        let ring = &rollout.rings[rollout.members[m].ring];
        let named = rollout.policy.rings.iter().find(|policy| policy.name == ring.name);
        let by_place = rollout.policy.rings.get(rollout.members[m].ring);
        let found = if self.bent(Mutation::RingsGoByTheirPlace) { by_place } else { named };
        found.filter(|_| rollout.kind == RolloutKind::Deployment)
    }

    /// Whether a budget stands in the way of a member; one that is drained has its place.
    pub(super) fn is_full(&self, (r, m): (usize, usize)) -> bool {
        let rollout = &self.rollouts[r];
        let member = &rollout.members[m];
        if member.phase == Phase::Draining {
            return false;
        }
        let Some(policy) = &self.policy else { return true };
        let scope_of = |e: usize| &self.endpoints[e].seen.scope;
        let full_scope = policy.budgets.scopes.iter().any(|budget| {
            let inside = |e: &usize| scope_of(*e).is_within(&budget.within);
            inside(&member.endpoint)
                && self.placed().iter().filter(|e| inside(e)).count()
                    >= of(budget.in_flight_max, self.present().iter().filter(|e| inside(e)).count())
        });
        (full_scope && !self.bent(Mutation::NoBudgetOfScopes))
            || self.ring_is_full((r, m))
            || self.group_is_full(member.endpoint)
    }

    fn ring_is_full(&self, (r, m): (usize, usize)) -> bool {
        let Some(policy) = self.ring_policy((r, m)) else { return false };
        let rollout = &self.rollouts[r];
        let number = rollout.members[m].ring;
        let placed = rollout.in_ring(number).filter(|member| self.holds_a_place(member)).count();
        let size = rollout.in_ring(number).count();
        let of_class = |is| rollout.in_ring(number).filter(|member| class(member.phase) == is).count();
        // Each verified before the next; who waits for another attempt does not stand in its own way.
        let probing =
            of_class(Class::Verified) < policy.probe_first as usize && !self.bent(Mutation::ProbesGoTogether);
        let again = rollout.members[m].phase == Phase::Backoff;
        let alone = if again { placed == 0 } else { placed == 0 && of_class(Class::InFlight) == 0 };
        probing && !alone
            || policy.in_flight_max.is_some_and(|max| placed >= of(max, size))
                && !self.bent(Mutation::NoBudgetOfRings)
    }

    /// Members of a group are never down together; who is down already may be brought back.
    fn group_is_full(&self, endpoint: usize) -> bool {
        let group = &self.endpoints[endpoint].seen.group;
        let Some(policy) =
            self.policy.as_ref().filter(|_| group.is_some() && !self.bent(Mutation::GroupsGoTogether))
        else {
            return false;
        };
        let all: Vec<usize> =
            self.present().into_iter().filter(|e| self.endpoints[*e].seen.group == *group).collect();
        let down = all.iter().filter(|e| self.is_down(**e)).count();
        !self.is_down(endpoint) && down >= of(policy.budgets.unavailable_max, all.len())
    }

    /// The way back takes places as the way there does. Only a neighbour that works again at its old level is no reason
    /// to wait.
    pub(super) fn takes_back(&self, (r, m): (usize, usize)) -> bool {
        let rollout = &self.rollouts[r];
        let member = &rollout.members[m];
        let Some(policy) = &self.policy else { return false };
        let fits = |max: Option<Amount>, inside: &dyn Fn(&usize) -> bool| {
            let placed = self.placed().into_iter().filter(|e| inside(e)).count();
            let present = self.present().into_iter().filter(|e| inside(e)).count();
            max.is_none_or(|max| placed < of(max, present))
        };
        let scopes = policy.budgets.scopes.iter().all(|budget| {
            let inside = |e: &usize| self.endpoints[*e].seen.scope.is_within(&budget.within);
            !inside(&member.endpoint) || fits(Some(budget.in_flight_max), &inside)
        });
        let placed = rollout.in_ring(member.ring).filter(|member| self.holds_a_place(member)).count();
        let size = rollout.in_ring(member.ring).count();
        let ring = self.ring_policy((r, m)).and_then(|policy| policy.in_flight_max);
        self.has_a_place(r)
            && fits(policy.budgets.in_flight_max, &|_| true)
            && scopes
            && ring.is_none_or(|max| placed < of(max, size))
            && self.group_takes_back(member.endpoint)
    }

    fn group_takes_back(&self, endpoint: usize) -> bool {
        let group = &self.endpoints[endpoint].seen.group;
        let Some(policy) = self.policy.as_ref().filter(|_| group.is_some()) else { return true };
        let all: Vec<usize> =
            self.present().into_iter().filter(|e| self.endpoints[*e].seen.group == *group).collect();
        let works =
            |e: usize| self.endpoints[e].back && self.active(e).is_none() && self.endpoints[e].post.is_none();
        let down = all.iter().filter(|e| self.is_down(**e) && !works(**e)).count();
        self.is_down(endpoint) || down < of(policy.budgets.unavailable_max, all.len())
    }

    /// From its order until it is verified: under way, failed, unknown, or being resumed.
    pub(super) fn is_down(&self, endpoint: usize) -> bool {
        let broken = self.endpoints[endpoint].broken && !self.bent(Mutation::FailedIsAvailable);
        broken || self.active(endpoint).is_some() || self.endpoints[endpoint].post.is_some()
    }

    /// What a phase says about the endpoint itself.
    pub(super) fn note_health(&mut self, endpoint: usize, before: Phase, phase: Phase) {
        let operated = matches!(class(before), Class::InFlight | Class::Failed | Class::Unknown);
        let back = &mut self.endpoints[endpoint].back;
        *back = phase == Phase::RolledBack
            || *back && class(phase) != Class::Failed && !matches!(phase, Phase::Backoff | Phase::Verified);
        let broken = &mut self.endpoints[endpoint].broken;
        if class(phase) == Class::Failed || phase == Phase::Backoff {
            *broken = true;
        } else if phase == Phase::Verified || phase == Phase::Removed && operated {
            // Taking it out is how a person says that it is looked after.
            *broken = false;
        }
        debug_assert!(!is_taking(Phase::Attached), "its endpoint is another's");
    }
}
