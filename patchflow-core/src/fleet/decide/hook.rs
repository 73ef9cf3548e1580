//! When a pre hook is asked for, and when again after it failed (semantics S12).

use super::At;
use super::report::backoff;
use crate::error::FailureKind;
use crate::fleet::Fact;
use crate::fleet::decide::Facts;
use crate::fleet::state::State;
use crate::rollout::{Event, Phase};
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
