//! When a pre hook is asked for, and when again after it failed (semantics S12).

use super::At;
use super::condition::NO_ORDERS;
use super::report::backoff;
use crate::error::FailureKind;
use crate::fleet::Fact;
use crate::fleet::decide::Facts;
use crate::fleet::state::State;
use crate::rollout::{Event, Failure, Phase};
use crate::time::Timestamp;

/// The pre hook, which comes before anything that takes an endpoint down; `None` when the rollout has none, or the
/// member has begun already.
pub(crate) fn drain(state: &State, now: Timestamp, at: At<'_>) -> Option<Fact> {
    let hooks = &at.rollout.policy().deploy.hooks;
    let begins = matches!(at.member.phase, Phase::Waiting | Phase::Deferred);
    let late = state.due(now.plus_secs(hooks.pre_secs_max.into()));
    (hooks.pre.is_some() && begins).then(|| at.fact(Event::HookAsked, 0, late))
}

/// A pre hook failed, or was late: the member is deferred. Catch-up drains it anew after the same waits as another
/// attempt has, longer with each order that the member had.
pub(crate) fn not_drained(
    state: &State,
    now: Timestamp,
    at: At<'_>,
    (kind, detail): (FailureKind, &str),
    facts: &mut Facts,
) {
    let reason = state.reason(facts, kind, detail);
    let again = now.plus_secs(backoff(state, at, at.member.operation));
    facts.push(at.fact(Event::HookFailed, reason, state.due(again)));
}

/// The pre hook before a rollback; `None` when there is none, or what failed is drained already. What was verified was
/// resumed since.
pub(crate) fn drain_for_revert(state: &State, now: Timestamp, at: At<'_>) -> Option<Fact> {
    let hooks = &at.rollout.policy().deploy.hooks;
    let late = state.due(now.plus_secs(hooks.pre_secs_max.into()));
    let is_drained = at.member.phase == Phase::Failed && state.drained.contains(&at.member.endpoint);
    let drains = hooks.pre.is_some() && !is_drained;
    drains.then(|| at.fact(Event::HookAsked, 0, late))
}

/// The pre hook before a rollback has come to its end: the rollback follows, whatever has become of its halt since.
pub(crate) fn drained_for_revert(
    state: &State,
    now: Timestamp,
    at: At<'_>,
    failure: Option<&Failure<'_>>,
    facts: &mut Facts,
) {
    if let Some(failure) = failure {
        return not_drained_for_revert(state, now, at, (failure.kind, &failure.detail), facts);
    }
    let kept = state.endpoints.slot(at.member.endpoint).is_some_and(|slot| slot.conditions.has(NO_ORDERS));
    facts.push(if kept || state.resync.is_some() {
        at.fact(Event::HookUndone, 0, 0)
    } else {
        let within = at.rollout.policy().deploy.acknowledge_within_secs;
        at.fact(Event::RevertOrdered, 0, state.due(now.plus_secs(within.into())))
    });
}

/// A pre hook before a rollback failed, or was late: it is run anew after the waits of another attempt and as often, and
/// then a person must act.
pub(super) fn not_drained_for_revert(
    state: &State,
    now: Timestamp,
    at: At<'_>,
    (kind, detail): (FailureKind, &str),
    facts: &mut Facts,
) {
    let (rollout, member) = (at.rollout.id(), at.ix);
    let times = state.undrained.get(&(rollout, member)).map_or(1, |times| times.saturating_add(1));
    let reason = state.reason(facts, kind, detail);
    let is_drill = state.drilling.contains_key(&(rollout, member));
    facts.push(if is_drill || times >= at.rollout.policy().retry.attempts_max {
        at.fact(Event::OperatorNeeded, reason, 0)
    } else {
        at.fact(Event::HookFailed, reason, state.due(now.plus_secs(backoff(state, at, times))))
    });
}
