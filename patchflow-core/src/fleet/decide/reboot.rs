//! Reboots: after an install, before one, too many of them, and cancelled ones (semantics S6).

use super::condition::scan;
use super::hook::drain;
use super::{At, Facts};
use crate::error::FailureKind;
use crate::fleet::RichFact;
use crate::fleet::state::State;
use crate::fleet::table::conditions::Bits;
use crate::fleet::table::slot::Slot;
use crate::ids::EndpointIx;
use crate::rollout::{Event, Phase, RecallAnswer};
use crate::time::Timestamp;
use alloc::format;

/// Whether the reboot under way was ordered before the install: nothing was installed yet.
pub(super) fn is_preflight(at: At<'_>) -> bool {
    at.member.attempt == 0 && matches!(at.member.phase, Phase::Rebooting | Phase::Silent | Phase::Running)
}

/// Whether a member whose endpoint waits for a reboot of its own is rebooted first. A member that has failed once has
/// been started already and waits instead.
pub(super) fn comes_first(slot: &Slot, at: At<'_>) -> bool {
    at.rollout.policy().reboot.preflight
        && matches!(at.member.phase, Phase::Waiting | Phase::Deferred | Phase::Draining)
        && at.member.attempt == 0
        && !slot.conditions.has(Bits::REBOOTS_STOPPED)
}

/// Orders a reboot, after an install or before it; its window is open. One too many trips the breaker.
pub(crate) fn reboot(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    let endpoint = at.member.endpoint;
    let Some(slot) = state.endpoints.slot(endpoint) else { return };
    let kept = slot.conditions.has(Bits::UNREACHABLE.with(Bits::QUARANTINED));
    // What follows may be the way back, with a hook before it.
    if kept || !at.member.has_numbers(3) {
        return;
    }
    if slot.conditions.has(Bits::REBOOTS_STOPPED) {
        let stop = state.endpoints.condition(endpoint).and_then(|known| known.reboots_stopped.as_ref());
        // What a person cancelled waits for a person; the breaker's word makes it a case for the operator.
        if let Some(stop) = stop.filter(|stop| stop.by.is_none() && at.member.phase == Phase::RebootPending) {
            let reason = state.reason(facts, FailureKind::Stopped, &stop.reason);
            facts.push(at.fact(Event::OperatorNeeded, reason, 0));
        }
        return;
    }
    let max = at.rollout.policy().reboot.max_reboots;
    if state.reboots.within_a_day(endpoint, state.secs(now)) >= usize::from(max) {
        let reason = format!("more than {max} reboots within 24 hours");
        facts.push(RichFact::RebootsStopped { endpoint, by: None, reason: reason.clone() }.into());
        if at.member.phase == Phase::RebootPending {
            let code = state.reason(facts, FailureKind::Stopped, &reason);
            facts.push(at.fact(Event::OperatorNeeded, code, 0));
        }
        return;
    }
    if at.member.phase == Phase::Deferred {
        facts.push(at.fact(Event::Released, 0, 0));
    }
    if let Some(drain) = drain(state, now, at) {
        facts.push(drain);
        return;
    }
    let due = state.due(now.plus_secs(at.rollout.policy().deploy.report_within_secs.into()));
    facts.push(at.fact(Event::RebootOrdered, 0, due));
}

/// A reboot before the install is over: the endpoint waits for none any more, and is read before it is ordered
/// anything.
pub(super) fn preflight_done(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    let one = || core::iter::once(at.member.endpoint).collect();
    facts.push(RichFact::RebootsPendingSeen { endpoints: one(), pending: false }.into());
    facts.push(RichFact::EndpointsWentStale { endpoints: one() }.into());
    scan(state, now, one(), facts);
    facts.push(at.fact(Event::Expired, 0, 0));
}

/// A reboot before the install failed: the member waits as before, and the breaker bounds how often it is tried.
pub(super) fn preflight_failed(
    state: &State,
    at: At<'_>,
    kind: FailureKind,
    detail: &str,
    facts: &mut Facts,
) {
    let reason = state.reason(facts, kind, detail);
    facts.push(at.fact(Event::Expired, reason, 0));
}

/// Whatever became of a reboot that was cancelled, it is known now.
pub(super) fn reported_over(state: &State, at: At<'_>, facts: &mut Facts) {
    let endpoint = at.member.endpoint;
    if is_cancelled(state, endpoint) {
        facts.push(RichFact::RebootCancelled { endpoint }.into());
    }
}

pub(super) fn is_cancelled(state: &State, endpoint: EndpointIx) -> bool {
    state.endpoints.condition(endpoint).is_some_and(|known| known.cancelling)
}

/// An endpoint says whether a reboot that was cancelled will still happen.
pub(super) fn cancel_answered(state: &State, at: At<'_>, answer: RecallAnswer, facts: &mut Facts) -> bool {
    let endpoint = at.member.endpoint;
    if !is_cancelled(state, endpoint) {
        return false;
    }
    match answer {
        RecallAnswer::Recalled if at.member.phase != Phase::Rebooting => reported_over(state, at, facts),
        RecallAnswer::Recalled => {
            reported_over(state, at, facts);
            let event = if is_preflight(at) { Event::Expired } else { Event::Recalled };
            facts.push(at.fact(event, 0, 0));
        }
        // It happens now; that is known, and its report follows.
        RecallAnswer::AlreadyStarted => reported_over(state, at, facts),
        RecallAnswer::Unknown => unconfirmed(state, at, facts),
    }
    true
}

/// Whether a cancelled reboot waits for its confirmation, and nobody has been told that it is missing.
pub(super) fn is_unconfirmed(state: &State, endpoint: EndpointIx) -> bool {
    state.endpoints.condition(endpoint).is_some_and(|known| known.cancelling && !known.timer_unsure)
}

/// Nobody confirmed that the timer on the machine is gone: said once.
pub(super) fn unconfirmed(state: &State, at: At<'_>, facts: &mut Facts) {
    let endpoint = at.member.endpoint;
    if is_unconfirmed(state, endpoint) {
        facts.push(RichFact::RebootCancelUnconfirmed { endpoint }.into());
    }
}
