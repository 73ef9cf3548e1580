//! Keeping the counts of shared budgets and availability groups, as facts change what they count.

use crate::fleet::state::State;
use crate::fleet::table::slot::Health;
use crate::gate::Class;
use crate::ids::{EndpointIx, RolloutId};
use crate::policy::Amount;
use crate::rollout::{Lane, Phase, StageState};

impl State {
    /// Counts anew what is taken, by looking at every endpoint once.
    pub(in crate::fleet) fn recount_budgets(&mut self) {
        let Some((policy, _)) = self.policy.clone() else { return };
        self.recount_groups(policy.budgets.unavailable_max);
        let mut budgets = core::mem::take(&mut self.cache.budgets);
        budgets.begin(policy.budgets.in_flight_max, &policy.budgets.scopes);
        budgets.learn(&policy.budgets.scopes, &self.endpoints);
        if budgets.is_counting() {
            for endpoint in (0..self.endpoints.len()).map(|i| EndpointIx(i as u32)) {
                if self.endpoints.slot(endpoint).is_none_or(|slot| slot.gone) {
                    continue;
                }
                let scope = budgets.scope_of(&self.endpoints, endpoint);
                budgets.count_endpoint(scope, true);
                if self.holds_place(endpoint) {
                    budgets.count_place(scope, true);
                }
            }
        }
        self.cache.budgets = budgets;
        self.recount_stagings();
    }

    /// Counts anew what is being staged. Whoever waited for a place looks again.
    pub(in crate::fleet) fn recount_stagings(&mut self) {
        let Some((policy, _)) = self.policy.clone() else { return };
        for i in 0..self.rollouts.len() {
            let staging = &mut self.rollouts[i].queue.staging;
            let parked = staging.parked.drain();
            staging.again.extend(parked);
            if self.rollouts[i].is_staged_first() {
                self.put_on_agenda(RolloutId(i as u32));
            }
        }
        let Self { cache, endpoints, rollouts, .. } = self;
        let stagings = &mut cache.stagings;
        stagings.begin(policy.staging.in_flight_max, &policy.staging.scopes);
        if !stagings.is_counting() {
            return;
        }
        stagings.learn(&policy.staging.scopes, endpoints);
        for endpoint in (0..endpoints.len()).map(|i| EndpointIx(i as u32)) {
            if endpoints.slot(endpoint).is_some_and(|slot| !slot.gone) {
                stagings.count_endpoint(stagings.scope_of(endpoints, endpoint), true);
            }
        }
        for rollout in rollouts.iter().filter(|rollout| !rollout.stages.is_empty()) {
            for member in rollout.stages.asked().filter_map(|ix| rollout.members().get(ix.index())) {
                stagings.count_place(stagings.scope_of(endpoints, member.endpoint), true);
            }
        }
    }

    fn holds_place(&self, endpoint: EndpointIx) -> bool {
        let active = self.endpoints.slot(endpoint).and_then(|slot| slot.active());
        active.is_some_and(|(rollout, member)| {
            self.rollout(rollout).is_some_and(|rollout| rollout.holds_place(member))
        })
    }

    /// A place was taken or freed on an endpoint.
    pub(in crate::fleet) fn count_place(&mut self, endpoint: EndpointIx, taken: bool) {
        let scope = self.cache.budgets.scope_of(&self.endpoints, endpoint);
        self.cache.budgets.count_place(scope, taken);
    }

    /// Endpoints joined: they are counted in the shares of the fleet and of their scopes.
    pub(in crate::fleet) fn count_joined(&mut self, first: EndpointIx) {
        let Self { cache, endpoints, policy, .. } = self;
        let joined = (first.0..endpoints.len() as u32).map(EndpointIx);
        if !endpoints.groups_are_unused() {
            for group in joined.clone().map(|endpoint| endpoints.group_of(endpoint)) {
                cache.groups.count_endpoint(group, true);
            }
        }
        let Some((policy, _)) = policy else { return };
        let (budgets, staging) = (&policy.budgets.scopes, &policy.staging.scopes);
        for (counted, scopes) in [(&mut cache.budgets, budgets), (&mut cache.stagings, staging)] {
            if !counted.is_counting() {
                continue;
            }
            counted.learn(scopes, endpoints);
            for endpoint in joined.clone() {
                counted.count_endpoint(counted.scope_of(endpoints, endpoint), true);
            }
        }
    }

    /// An endpoint left.
    pub(in crate::fleet) fn count_left(&mut self, endpoint: EndpointIx) {
        let Self { cache, endpoints, .. } = self;
        for counted in [&mut cache.budgets, &mut cache.stagings] {
            if counted.is_counting() {
                counted.count_endpoint(counted.scope_of(endpoints, endpoint), false);
            }
        }
        if let Some(slot) = self.endpoints.slot(endpoint).filter(|slot| slot.is_grouped()) {
            let group = self.endpoints.group_of(endpoint);
            self.cache.groups.count(group, [slot.health(), Health::Up]);
            self.cache.groups.count_endpoint(group, false);
        }
    }

    /// An endpoint changed, perhaps its scope, or it came back: it is counted where it is now, its place too.
    pub(in crate::fleet) fn count_moved(
        &mut self,
        endpoint: EndpointIx,
        was_gone: bool,
        before: Option<u16>,
    ) {
        let Some((policy, _)) = self.policy.clone() else { return };
        if !self.cache.budgets.is_counting() {
            return;
        }
        self.cache.budgets.learn(&policy.budgets.scopes, &self.endpoints);
        let after = self.cache.budgets.scope_of(&self.endpoints, endpoint);
        if was_gone {
            self.cache.budgets.count_endpoint(after, true);
            return;
        }
        if before == after {
            return;
        }
        let holds = self.holds_place(endpoint);
        for (scope, more) in [(before, false), (after, true)] {
            self.cache.budgets.count_endpoint(scope, more);
            if holds {
                self.cache.budgets.count_place(scope, more);
            }
        }
        let Some(lane) = before.map(Lane::Scope) else { return };
        for i in 0..self.rollouts.len() {
            let rollout = &mut self.rollouts[i];
            if let Some(member) = rollout.member_of(endpoint)
                && rollout.queue.parked.remove(lane, member)
            {
                rollout.queue.again.insert(member);
                self.put_on_agenda(RolloutId(i as u32));
            }
        }
    }

    /// The same for what is being staged.
    pub(in crate::fleet) fn count_moved_stagings(
        &mut self,
        endpoint: EndpointIx,
        was_gone: bool,
        before: Option<u16>,
    ) {
        let Some((policy, _)) = self.policy.clone() else { return };
        if !self.cache.stagings.is_counting() {
            return;
        }
        self.cache.stagings.learn(&policy.staging.scopes, &self.endpoints);
        let after = self.cache.stagings.scope_of(&self.endpoints, endpoint);
        if was_gone {
            return self.cache.stagings.count_endpoint(after, true);
        }
        if before == after {
            return;
        }
        for (scope, more) in [(before, false), (after, true)] {
            self.cache.stagings.count_endpoint(scope, more);
        }
        for i in 0..self.rollouts.len() {
            let rollout = &mut self.rollouts[i];
            let Some(member) = rollout.member_of(endpoint).filter(|_| rollout.is_staged_first()) else {
                continue;
            };
            if rollout.stages.get(member).state == StageState::Asked {
                self.cache.stagings.count_place(before, false);
                self.cache.stagings.count_place(after, true);
            }
            let lane = before.map(Lane::Scope);
            if lane.is_some_and(|lane| rollout.queue.staging.parked.remove(lane, member)) {
                rollout.queue.staging.again.insert(member);
                self.put_on_agenda(RolloutId(i as u32));
            }
        }
    }

    /// Counts anew who is unavailable in which group; who waited looks again.
    fn recount_groups(&mut self, limit: Amount) {
        for ((_, _, id, member), reverts) in self.cache.groups.begin(limit) {
            if reverts {
                self.look_at_revert(id, member);
            } else if let Some(rollout) = self.rollouts.get_mut(id.index()) {
                rollout.queue.again.insert(member);
            }
        }
        if self.endpoints.groups_are_unused() {
            return;
        }
        for (slot, profile) in self.endpoints.all().filter(|(slot, _)| slot.is_grouped() && !slot.gone) {
            self.cache.groups.count_endpoint(profile.group, true);
            self.cache.groups.count(profile.group, [Health::Up, slot.health()]);
        }
    }

    /// A member changed its phase in a fleet with groups. What makes an endpoint unavailable is its last operation.
    pub(in crate::fleet) fn group_changed(
        &mut self,
        endpoint: EndpointIx,
        [from, to]: [Phase; 2],
        before: Health,
    ) {
        let Some(slot) = self.endpoints.slots.get_mut(endpoint.index()) else { return };
        let was_operated = matches!(from.class(), Class::InFlight | Class::Failed | Class::Unknown);
        let post = self.posts.get_mut(&endpoint);
        let known = post.as_ref().map_or((slot.is_broken(), slot.is_back()), |post| (post.broken, post.back));
        let (mut broken, mut back) = known;
        if to.class() == Class::Failed || to == Phase::Backoff {
            (broken, back) = (slot.is_grouped(), to == Phase::RolledBack);
        } else if to == Phase::Verified || (to == Phase::Removed && was_operated) {
            // Taking a failed endpoint out of its rollout is how a person says that it is looked after.
            broken = false;
        }
        match post {
            // Until its post hook has resumed it, it is not back.
            Some(post) => {
                (post.broken, post.back) = (broken, back && broken);
                slot.set_broken(slot.is_grouped(), false);
            }
            None => slot.set_broken(broken, back && broken),
        }
        let after = slot.health();
        if self.cache.live {
            self.cache.groups.count(self.endpoints.group_of(endpoint), [before, after]);
        }
    }

    /// A person vouches for an endpoint that was rolled back.
    pub(in crate::fleet) fn mended(&mut self, endpoint: EndpointIx) {
        let Some(slot) = self.endpoints.slots.get_mut(endpoint.index()).filter(|slot| slot.is_broken())
        else {
            return;
        };
        if let Some(post) = self.posts.get_mut(&endpoint) {
            (post.broken, post.back) = (false, false);
            return;
        }
        let before = slot.health();
        slot.set_broken(false, false);
        let after = slot.health();
        if self.cache.live {
            self.cache.groups.count(self.endpoints.group_of(endpoint), [before, after]);
        }
    }

    /// An endpoint changed its group, or came back: it is counted where it is now.
    pub(in crate::fleet) fn count_regrouped(&mut self, endpoint: EndpointIx, was_gone: bool, before: u32) {
        let Some(slot) = self.endpoints.slot(endpoint).copied() else { return };
        let after = self.endpoints.group_of(endpoint);
        if !was_gone && before == after {
            return;
        }
        for (group, more) in [(before, false), (after, true)] {
            if more || !was_gone {
                self.cache.groups.count_endpoint(group, more);
                let (up, now) = (Health::Up, slot.health());
                self.cache.groups.count(group, if more { [up, now] } else { [now, up] });
            }
        }
        for i in 0..self.rollouts.len() {
            let id = RolloutId(i as u32);
            let Some(member) = self.rollouts.get(i).and_then(|rollout| rollout.member_of(endpoint)) else {
                continue;
            };
            if self.cache.groups.forget(before, (id, member))
                && let Some(rollout) = self.rollouts.get_mut(i)
            {
                rollout.queue.again.insert(member);
                self.put_on_agenda(id);
            }
            if self.cache.groups.forget_revert(before, (id, member)) {
                self.look_at_revert(id, member);
            }
        }
    }
}
