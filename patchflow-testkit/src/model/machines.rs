//! S5, S6: which machine reports under an endpoint's name, who else patches it, and reboots that are no order's.

use super::Mutation;
use super::state::{Endpoint, Model};
use patchflow_core::fleet::EndpointSeen;
use patchflow_core::ids::EndpointIx;
use patchflow_core::rollout::Phase;

impl Endpoint {
    /// What the inventory says of it now. A host that tells no fingerprint changes nothing about the machine.
    pub(super) fn take_over(&mut self, seen: &EndpointSeen) {
        // A declaration was about the manager that was there.
        self.owned &= self.seen.managed_by == seen.managed_by;
        if seen.fingerprint.is_some() {
            self.machine.clone_from(&seen.fingerprint);
        }
        (self.seen, self.gone) = (seen.clone(), false);
    }
}

impl Model {
    /// Another patch manager is active there, and nobody declared that it is ours.
    pub(super) fn is_anothers(&self, endpoint: usize) -> bool {
        let endpoint = &self.endpoints[endpoint];
        endpoint.seen.managed_by.is_some() && !endpoint.owned && !self.bent(Mutation::ManagersHoldNothing)
    }

    /// It is held for the state of its endpoint, if it has not begun.
    pub(super) fn is_held_there(&self, endpoint: usize) -> bool {
        let cloned = self.endpoints[endpoint].quarantined && !self.bent(Mutation::ClonesAreOrdered);
        cloned || self.is_anothers(endpoint)
    }

    /// While an order is under way there, the reboot may be its own. Whether all of them are known.
    pub(super) fn reboots_pending(&mut self, endpoints: &[EndpointIx], pending: bool) -> bool {
        for ix in endpoints {
            let known = self.endpoints.get(ix.index()).is_some_and(|endpoint| !endpoint.gone);
            if known && !(pending && self.active(ix.index()).is_some()) {
                self.endpoints[ix.index()].reboot_pending = pending;
            }
        }
        endpoints.iter().all(|ix| ix.index() < self.endpoints.len())
    }

    /// Whether another machine reports than the one that is known; what follows is all that follows from it.
    pub(super) fn other_machine(&mut self, e: usize, seen: &EndpointSeen) -> bool {
        let endpoint = &self.endpoints[e];
        let (Some(told), Some(known)) = (&seen.fingerprint, &endpoint.machine) else { return false };
        if told == known {
            return false;
        }
        if endpoint.quarantined {
            return true;
        }
        let long = self.policy.as_ref().map_or(0, |policy| u64::from(policy.endpoints.silent_after_secs));
        let away = endpoint.away_since.is_some_and(|since| self.now.since(since).as_secs() >= long);
        let was_silent = endpoint.gone || away || self.bent(Mutation::EveryCloneIsAReimage);
        if endpoint.machine_before.as_ref() == Some(told) || !was_silent {
            self.endpoints[e].quarantined = true;
            return true;
        }
        self.reimaged(e, seen);
        true
    }

    /// What was known of the machine before is void.
    fn reimaged(&mut self, e: usize, seen: &EndpointSeen) {
        let endpoint = &mut self.endpoints[e];
        endpoint.machine_before.clone_from(&endpoint.machine);
        endpoint.take_over(seen);
        (endpoint.unreachable, endpoint.away_since, endpoint.stale) = (false, None, true);
        (endpoint.reboot_pending, endpoint.reboots_stopped) = (false, false);
        self.forget_needs(e);
        self.let_go(e);
        if self.bent(Mutation::ReimagesKeepWhatWasVerified) {
            return;
        }
        for r in 0..self.rollouts.len() {
            let Some(m) = self.rollouts[r].member_of(e) else { continue };
            if matches!(self.phase((r, m)), Phase::Verified | Phase::Skipped) {
                self.put((r, m), Phase::Removed, None);
            }
        }
    }

    /// A person says which machine it is: the one that reports next. It is read before it is ordered anything.
    pub(super) fn clear_quarantine(&mut self, e: usize) -> bool {
        if !std::mem::take(&mut self.endpoints[e].quarantined) {
            return false;
        }
        let endpoint = &mut self.endpoints[e];
        (endpoint.machine, endpoint.machine_before, endpoint.stale) = (None, None, true);
        self.forget_needs(e);
        self.let_go(e);
        true
    }

    pub(super) fn declare_ownership(&mut self, e: usize) -> bool {
        let endpoint = &mut self.endpoints[e];
        if endpoint.seen.managed_by.is_none() || std::mem::replace(&mut endpoint.owned, true) {
            return false;
        }
        self.let_go(e);
        true
    }

    fn forget_needs(&mut self, e: usize) {
        for candidate in &mut self.candidates {
            candidate.needs.remove(&e);
        }
    }

    /// Members that were held for the state of their endpoint go on. What holds them besides is found again.
    pub(super) fn let_go(&mut self, e: usize) {
        for r in 0..self.rollouts.len() {
            let rollout = &self.rollouts[r];
            let goes_on = !rollout.is_over() || rollout.is_catching_up();
            let held = self.holds.contains(&(rollout.candidate, e));
            let member = rollout.member_of(e).filter(|_| goes_on && !held);
            if let Some(m) = member.filter(|m| self.phase((r, *m)) == Phase::Held) {
                self.release((r, m));
            }
        }
    }
}
