//! S12: hooks before and after an operation: drain and resume.

use super::state::{Model, Post, class, is_taking};
use super::windows::Window;
use super::{Mutation, Sent};
use patchflow_core::fleet::HookStage;
use patchflow_core::gate::Class;
use patchflow_core::ids::OrderId;
use patchflow_core::rollout::{Event, Phase, RolloutState};

impl Model {
    pub(super) fn has_pre_hook(&self, r: usize) -> bool {
        self.rollouts[r].policy.deploy.hooks.pre.is_some()
    }

    /// The hook before the order: it has the endpoint and a place from now on.
    pub(super) fn drain(&mut self, (r, m): (usize, usize)) {
        self.wait_for_turn((r, m));
        let member = &mut self.rollouts[r].members[m];
        member.operations = member.operations.saturating_add(1);
        let due = self.later(self.rollouts[r].policy.deploy.hooks.pre_secs_max);
        self.put((r, m), Phase::Draining, Some(due));
        let endpoint = self.member((r, m)).endpoint;
        self.endpoints[endpoint].drained = true;
        self.rollouts[r].members[m].placed = true;
        self.starts.push(self.now);
        self.send(|order| Sent::Hook { order, pre: true }, (r, m));
    }

    /// The hook before a rollback: it is no start.
    pub(super) fn drain_for_revert(&mut self, (r, m): (usize, usize)) {
        let member = &mut self.rollouts[r].members[m];
        member.operations = member.operations.saturating_add(1);
        let due = self.later(self.rollouts[r].policy.deploy.hooks.pre_secs_max);
        let endpoint = self.member((r, m)).endpoint;
        self.put((r, m), Phase::RevertDraining, Some(due));
        self.endpoints[endpoint].drained = true;
        self.rollouts[r].members[m].placed = true;
        self.send(|order| Sent::Hook { order, pre: true }, (r, m));
    }

    /// The hook of a rollback failed: run anew after the waits and as often as attempts are, then a person must act.
    pub(super) fn not_drained_for_revert(&mut self, at: (usize, usize)) {
        let times = self.member(at).undrained.saturating_add(1);
        if times >= self.rollouts[at.0].policy.retry.attempts_max {
            return self.put(at, Phase::NeedsOperator, None);
        }
        let (from, until) = self.backoff(at, times);
        let due = self.choices.retry(at, from, until).unwrap_or(from);
        self.put(at, Phase::Failed, Some(due));
        self.rollouts[at.0].members[at.1].undrained = times;
        let endpoint = self.member(at).endpoint;
        self.endpoints[endpoint].drained = false;
    }

    /// A hook has come to its end. Whether anybody waited for it.
    pub(super) fn hook_done(&mut self, order: OrderId, stage: HookStage, failed: bool) -> bool {
        if stage == HookStage::Post {
            let named = (order.rollout.index(), order.member.index(), order.operation);
            let on =
                self.endpoints.iter().position(|e| e.post.as_ref().is_some_and(|post| post.order == named));
            if let Some(endpoint) = on {
                self.post_ended(endpoint, failed);
            }
            return on.is_some();
        }
        let drains = |at: &(usize, usize)| matches!(self.phase(*at), Phase::Draining | Phase::RevertDraining);
        let Some(at) = self.ordered(order).filter(drains) else {
            return false;
        };
        if self.phase(at) == Phase::RevertDraining {
            if failed {
                self.not_drained_for_revert(at);
            } else if self.resync.is_some() || self.is_kept(self.member(at).endpoint) {
                self.put(at, Phase::Failed, None);
            } else {
                self.order_revert(at);
            }
            return true;
        }
        if failed && !self.bent(Mutation::FailedHooksStart) {
            self.not_drained(at);
        } else if self.may_go_on(at) {
            if let Some(i) =
                self.choices.starts.iter().position(|start| *start == (at.0, at.1, Event::Ordered))
            {
                self.choices.starts.remove(i);
            }
            self.order_drained(at);
        } else {
            // Whatever stands against it is said when it is looked at again.
            self.put(at, Phase::Waiting, None);
        }
        true
    }

    /// The member is deferred, and catch-up drains it anew after the waits that attempts have, longer with each order.
    pub(super) fn not_drained(&mut self, at: (usize, usize)) {
        let (from, until) = self.backoff(at, self.member(at).operations);
        // Another instant than these shows in when it is drained anew.
        let due = self.choices.retry(at, from, until).unwrap_or(from);
        self.put(at, Phase::Deferred, Some(due));
    }

    fn may_go_on(&self, at: (usize, usize)) -> bool {
        let rollout = &self.rollouts[at.0];
        let runs = rollout.state == RolloutState::Running || rollout.is_catching_up();
        let needed = self.needed(at.0) - u64::from(rollout.policy.deploy.hooks.pre_secs_max);
        let open = match self.window_and_spread(at, needed) {
            Window::Open { last_start, .. } => last_start > self.now.as_secs(),
            Window::Shut { .. } => false,
        };
        runs && self.resync.is_none()
            && self.is_permitted(at.0)
            && open
            && self.stands_nothing_against(at)
            && self.is_staged(at)
            && !self.is_kept(self.member(at).endpoint)
    }

    /// S12: after verification, after rollback, and when nothing came of the order.
    pub(super) fn after_operation(&mut self, (r, m): (usize, usize), before: Phase, phase: Phase) {
        let hooks = &self.rollouts[r].policy.deploy.hooks;
        let ends = matches!(phase, Phase::Verified | Phase::RolledBack)
            || matches!(class(phase), Class::Waiting | Class::Deferred | Class::Cancelled | Class::Removed);
        // A rollback that could not be prepared has not begun.
        let ends =
            ends || before == Phase::RevertDraining && matches!(phase, Phase::Failed | Phase::NeedsOperator);
        let resumes = is_taking(before) || before == Phase::Backoff;
        if hooks.post.is_none() || !ends || !resumes || self.bent(Mutation::NobodyIsResumed) {
            return;
        }
        let member = &self.rollouts[r].members[m];
        let (endpoint, order) = (member.endpoint, (r, m, member.operations));
        // Only what was drained is resumed, and once.
        if hooks.pre.is_some() && !self.endpoints[endpoint].drained {
            return;
        }
        let due = self.later(hooks.post_secs_max);
        self.endpoints[endpoint].drained = false;
        self.endpoints[endpoint].post = Some(Post { order, due });
        self.sent.push(Sent::Hook { order, pre: false });
    }

    fn post_ended(&mut self, endpoint: usize, failed: bool) {
        let endpoint = &mut self.endpoints[endpoint];
        endpoint.post = None;
        endpoint.broken |= failed;
        endpoint.back &= !failed;
    }

    /// Post hooks that are late are given up.
    pub(super) fn post_deadlines(&mut self) {
        for endpoint in 0..self.endpoints.len() {
            let late = self.endpoints[endpoint].post.as_ref().is_some_and(|post| post.due <= self.now);
            if late && self.resync.is_none() {
                self.post_ended(endpoint, true);
            }
        }
    }
}
