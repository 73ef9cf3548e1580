//! What a member's new phase, a halt or a cancellation leaves to do for it: recalls, calls to operators.

use super::At;
use super::Facts;
use crate::fleet::RichFact;
use crate::fleet::state::State;
use crate::rollout::{Event, Phase, RolloutState};
use crate::schedule::Freeze;
use crate::time::Timestamp;

/// Looks at one member. `sweep` says that the whole rollout is looked at because it was just halted or recovered.
pub(crate) fn tend(state: &State, now: Timestamp, at: At<'_>, sweep: bool, facts: &mut Facts) {
    if state.resync.is_some() {
        return;
    }
    let stopped = at.rollout.starts_no_more();
    match at.member.phase {
        Phase::Waiting | Phase::Deferred | Phase::Attached
            if at.rollout.state() == RolloutState::Cancelled =>
        {
            facts.push(at.fact(Event::Cancelled, 0, 0));
        }
        // Nothing starts any more in a rollout that has completed, unless it brings along who came late.
        Phase::Waiting if stopped && at.rollout.state() == RolloutState::Completed => {
            facts.push(at.fact(Event::Cancelled, 0, 0));
        }
        Phase::Backoff if stopped => facts.push(at.fact(Event::GaveUp, 0, 0)),
        Phase::Ordered if stopped || (sweep && is_cut_off(state, now, at)) => recall(state, now, at, facts),
        // It may still stand in a queue on the endpoint: asked once, when the halt comes.
        Phase::Running if stopped && sweep => recall(state, now, at, facts),
        Phase::NeedsOperator => {
            drilled(state, at, false, facts);
            call(state, now, at, facts);
        }
        Phase::RolledBack => drilled(state, at, true, facts),
        Phase::Draining if stopped => facts.push(at.fact(Event::HookUndone, 0, 0)),
        Phase::Draining => {}
        Phase::RevertDraining => {}
        Phase::Attached => super::attach::attached(state, at, facts),
        Phase::Waiting
        | Phase::Ordered
        | Phase::Running
        | Phase::Recalling
        | Phase::Installed
        | Phase::RebootPending
        | Phase::Rebooting
        | Phase::Backoff
        | Phase::Verified
        | Phase::Silent
        | Phase::Failed
        | Phase::Reverting
        | Phase::Reverted
        | Phase::RevertSilent
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed => {}
    }
}

/// A policy with other freezes was adopted: what has not begun is recalled where it is frozen now, or where it could be
/// under way still when a freeze begins (semantics S6, S8).
pub(crate) fn freeze(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    if state.resync.is_some() || at.rollout.overrides_freezes() {
        return;
    }
    let is_frozen = || {
        let schedule = state.schedule_for(at.rollout, state.calendar_of(at.member.endpoint));
        schedule.is_some_and(|schedule| schedule.frozen_until(now).is_some())
    };
    match at.member.phase {
        Phase::Ordered if is_cut_off(state, now, at) => recall(state, now, at, facts),
        // It may still stand in a queue on the endpoint: asked once, as on a halt.
        Phase::Running if is_frozen() => recall(state, now, at, facts),
        Phase::Waiting
        | Phase::Ordered
        | Phase::Running
        | Phase::Recalling
        | Phase::Installed
        | Phase::RebootPending
        | Phase::Rebooting
        | Phase::Backoff
        | Phase::Verified
        | Phase::Silent
        | Phase::Failed
        | Phase::Reverting
        | Phase::Reverted
        | Phase::RevertSilent
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::Attached
        | Phase::Draining
        | Phase::RevertDraining => {}
    }
}

/// Whether an order that nobody has acknowledged could still begin, and a freeze would come over it. What is ordered
/// under the freezes that hold must begin early enough, so that a freeze that begins by its own time finds nothing.
fn is_cut_off(state: &State, now: Timestamp, at: At<'_>) -> bool {
    if at.rollout.overrides_freezes() {
        return false;
    }
    let hooks = &at.rollout.policy().deploy.hooks;
    let pre = hooks.pre.as_ref().map_or(0, |_| hooks.pre_secs_max);
    let needed = super::needed_secs(state, at.rollout).saturating_sub(pre.into());
    // Deadlines are rounded up to whole seconds.
    let ends = state.at(at.member.deadline.saturating_sub(1)).plus_secs(needed);
    let schedule = state.schedule_for(at.rollout, state.calendar_of(at.member.endpoint));
    let cuts = |freeze: &Freeze| now < freeze.until && freeze.from < ends.max(now.plus_secs(1));
    schedule.is_some_and(|schedule| schedule.freezes().iter().any(cuts))
}

/// The end of a drill is a fact.
fn drilled(state: &State, at: At<'_>, ok: bool, facts: &mut Facts) {
    let (rollout, member) = (at.rollout.id(), at.ix);
    if let Some(path) = state.drilling.get(&(rollout, member)).copied() {
        facts.push(RichFact::DrillDone { rollout, member, path, ok }.into());
    }
}

/// Calls the first level of operators, or the next one when nobody has acknowledged in time, the last again and again.
fn call(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    let levels = &at.rollout.policy().operators;
    let level = match state.calls.get(&(at.rollout.id(), at.ix)) {
        None => 0,
        Some(call) if call.acknowledged.is_some() || now < call.until => return,
        Some(call) => (usize::from(call.level) + 1).min(levels.len().saturating_sub(1)),
    };
    let Some(next) = levels.get(level) else { return };
    let until = now.plus_secs(next.acknowledge_within_secs.into());
    let level = u8::try_from(level).unwrap_or(u8::MAX);
    facts.push(RichFact::OperatorCalled { rollout: at.rollout.id(), member: at.ix, level, until }.into());
}

/// Ways back that deployments count on and nobody has tried for too long.
pub(crate) fn drills(state: &State, now: Timestamp, facts: &mut Facts) {
    let Some((policy, _)) = &state.policy else { return };
    for (path, way) in &state.ways {
        let from = way.overdue_from(policy.rollback.drill_every_secs);
        if !way.told && from.is_some_and(|from| from <= now) {
            facts.push(RichFact::DrillOverdue { path: *path, last: way.led_back }.into());
        }
    }
}

fn recall(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    let due = state.due(now.plus_secs(at.rollout.policy().deploy.report_within_secs.into()));
    facts.push(at.fact(Event::RecallAsked, 0, due));
}
