//! Hooks around operations: drain before, resume after (semantics S12).
//!
//! A pre hook takes the member's place and its endpoint; when it fails, the member is deferred. A post hook is awaited
//! beside the rollout: nobody else starts on the endpoint until it is done.

use crate::error::FailureKind;
use crate::fleet::decide::{self, Facts, Start};
use crate::fleet::message::effect::{HookRun, HookStage};
use crate::fleet::state::openings::Turn;
use crate::fleet::state::{Post, State};
use crate::fleet::{Effect, Fact, Fleet, Outbox, RichFact};
use crate::gate::Class;
use crate::ids::{EndpointIx, MemberIx, OrderId, RolloutId};
use crate::rollout::{Event, Failure, Phase};
use crate::time::Timestamp;

impl Fleet {
    /// A hook has come to its end. `false` when nobody waits for it.
    pub(in crate::fleet) fn hook_done(
        &mut self,
        now: Timestamp,
        order: OrderId,
        stage: HookStage,
        failure: Option<&Failure<'_>>,
        facts: &mut Facts,
    ) -> bool {
        let Some(at) = self.state.ordered(order).filter(|at| at.member.operation == order.operation) else {
            return stage == HookStage::Post && self.post_done(order, failure, facts);
        };
        if stage == HookStage::Post {
            return self.post_done(order, failure, facts);
        }
        if at.member.phase == Phase::RevertDraining {
            decide::drained_for_revert(&self.state, now, at, failure, facts);
            return true;
        }
        if at.member.phase != Phase::Draining {
            return false;
        }
        if let Some(failure) = failure {
            decide::not_drained(&self.state, now, at, (failure.kind, &failure.detail), facts);
            return true;
        }
        let hooks = &at.rollout.policy().deploy.hooks;
        let needed = decide::needed_secs(&self.state, at.rollout).saturating_sub(hooks.pre_secs_max.into());
        let turn = self.state.turn(now, order.rollout, order.member, needed);
        let Some(at) = self.state.member(order.rollout, order.member) else { return false };
        let goes = decide::goes_on(&self.state, now, at.rollout) && matches!(turn, Turn::Open { .. });
        let start = decide::start(&self.state, now, at, turn);
        if goes && matches!(start, Start::Reboot) {
            decide::reboot(&self.state, now, at, facts);
            if facts.iter().any(|fact| matches!(fact, Fact::Endpoint(_))) {
                return true;
            }
        }
        facts.push(match start {
            Start::Order { due } if goes => at.fact(Event::Ordered, 0, due),
            // Whatever stands against it is said when it is looked at again.
            Start::Order { .. }
            | Start::Settle(..)
            | Start::Attach
            | Start::Reboot
            | Start::Read
            | Start::Busy
            | Start::Full(_)
            | Start::Later(_)
            | Start::Waits
            | Start::Unstaged
            | Start::Lapsed
            | Start::Nothing => at.fact(Event::HookUndone, 0, 0),
        });
        true
    }

    fn post_done(&self, order: OrderId, failure: Option<&Failure<'_>>, facts: &mut Facts) -> bool {
        if !self.state.posts.values().any(|post| post.order == order) {
            return false;
        }
        let detail =
            failure.map_or_else(Default::default, |failure| failure.detail.chars().take(200).collect());
        facts.push(RichFact::HookEnded { order, failed: failure.map(|failure| failure.kind), detail }.into());
        true
    }

    /// Gives up post hooks that are late.
    pub(in crate::fleet) fn fire_posts(&mut self, now: Timestamp, facts: &mut Facts, out: &mut Outbox) {
        let secs = self.state.secs(now);
        while self.state.resync.is_none()
            && let Some((due, endpoint)) = self.state.cache.posts_due.first().copied()
            && due <= secs
        {
            self.state.cache.posts_due.pop_first();
            let Some(post) = self.state.posts.get(&endpoint).filter(|post| post.due == due) else { continue };
            let (failed, detail) = (Some(FailureKind::Timeout), "it did not end in time".into());
            facts.push(RichFact::HookEnded { order: post.order, failed, detail }.into());
            self.apply_all(now, facts, out);
        }
    }
}

impl State {
    /// Once an operation came to an end after which the endpoint is to be resumed, that is awaited.
    pub(in crate::fleet) fn after_operation(
        &mut self,
        at: Timestamp,
        (id, ix): (RolloutId, MemberIx),
        [from, to]: [Phase; 2],
    ) {
        let Some(rollout) = self.rollout(id) else { return };
        let hooks = &rollout.policy().deploy.hooks;
        if matches!(to, Phase::Draining | Phase::RevertDraining) {
            self.drained.extend(rollout.members().get(ix.index()).map(|member| member.endpoint));
            return;
        }
        if hooks.post.is_none() || !(from.occupies() || from == Phase::Backoff) {
            return;
        }
        // A rollback that could not be prepared has not begun.
        let ends = matches!(to, Phase::Verified | Phase::RolledBack)
            || (from == Phase::RevertDraining && matches!(to, Phase::Failed | Phase::NeedsOperator))
            || matches!(to.class(), Class::Waiting | Class::Deferred | Class::Cancelled | Class::Removed);
        let Some(member) = self.member(id, ix).filter(|_| ends) else { return };
        let (endpoint, order) = (member.member.endpoint, self.order_id(member));
        // Where there is a pre hook, only what was drained is resumed, and once; of a bundle when the last one lets go.
        let bundled = !rollout.bundle().is_empty() && self.left_with(id, endpoint).is_some();
        if bundled || (hooks.pre.is_some() && !self.drained.contains(&endpoint)) {
            return;
        }
        let due = self.due(at.plus_secs(hooks.post_secs_max.into()));
        self.drained.remove(&endpoint);
        let slot = self.endpoints.slot(endpoint);
        let before = self.posts.get(&endpoint).copied();
        let known = slot.map_or((false, false), |slot| (slot.is_broken(), slot.is_back()));
        let (broken, back) = before.map_or(known, |before| (before.broken, before.back));
        self.posts.insert(endpoint, Post { order, due, broken, back });
        if self.cache.live {
            self.cache.resumes = Some(endpoint);
            before.map(|before| self.cache.posts_due.remove(&(before.due, endpoint)));
            self.cache.posts_due.insert((due, endpoint));
        }
    }

    /// How often in a row the pre hook of a rollback failed; what was not drained is drained anew.
    pub(in crate::fleet) fn note_undrained(
        &mut self,
        at: (RolloutId, MemberIx),
        event: Event,
        [from, to]: [Phase; 2],
    ) {
        if from != Phase::RevertDraining {
            if !self.undrained.is_empty() && to != Phase::RevertDraining {
                self.undrained.remove(&at);
            }
            return;
        }
        if event == Event::HookFailed {
            *self.undrained.entry(at).or_default() += 1;
        } else if to != Phase::Failed {
            self.undrained.remove(&at);
        }
        let failed = matches!(event, Event::HookFailed | Event::OperatorNeeded);
        if failed && let Some(at) = self.member(at.0, at.1) {
            let endpoint = at.member.endpoint;
            self.drained.remove(&endpoint);
        }
    }

    /// A post hook is done, or is given up: the endpoint is free, and back unless it failed.
    pub(in crate::fleet) fn post_ended(&mut self, order: OrderId, failed: bool) -> Option<()> {
        let endpoint = self.member(order.rollout, order.member)?.member.endpoint;
        let post = *self.posts.get(&endpoint).filter(|post| post.order == order)?;
        self.posts.remove(&endpoint);
        if let Some(slot) = self.endpoints.slots.get_mut(endpoint.index()) {
            let before = slot.health();
            slot.set_broken((failed && slot.is_grouped()) || post.broken, post.back && !failed);
            let after = slot.health();
            if self.cache.live {
                self.cache.groups.count(self.endpoints.group_of(endpoint), [before, after]);
            }
        }
        if self.cache.live {
            self.cache.posts_due.remove(&(post.due, endpoint));
            if self.endpoints.slot(endpoint).is_none_or(|slot| slot.active().is_none()) {
                self.wake(endpoint);
            }
        }
        Some(())
    }

    /// The pre hook of a member that is draining.
    pub(in crate::fleet) fn pre_hook(&self, at: decide::At<'_>) -> Option<Effect> {
        let hooks = &at.rollout.policy().deploy.hooks;
        Some(Effect::RunHook(HookRun {
            order: self.order_id(at),
            stage: HookStage::Pre,
            endpoint: self.endpoints.id(at.member.endpoint)?.clone(),
            name: hooks.pre.clone()?,
            within_secs: hooks.pre_secs_max,
        }))
    }

    /// The post hook that is awaited on an endpoint.
    pub(in crate::fleet) fn post_hook(&self, endpoint: EndpointIx) -> Option<Effect> {
        let post = self.posts.get(&endpoint)?;
        let hooks = &self.rollout(post.order.rollout)?.policy().deploy.hooks;
        Some(Effect::RunHook(HookRun {
            order: post.order,
            stage: HookStage::Post,
            endpoint: self.endpoints.id(endpoint)?.clone(),
            name: hooks.post.clone()?,
            within_secs: hooks.post_secs_max,
        }))
    }
}
