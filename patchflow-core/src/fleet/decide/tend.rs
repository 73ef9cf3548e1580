//! What a member's new phase, a halt or a cancellation leaves to do for it: recalls, reboots, rollbacks.

use super::At;
use super::Facts;
use crate::error::FailureKind;
use crate::fleet::state::State;
use crate::plan::RollbackPath;
use crate::policy::{OnFailure, OnHalt};
use crate::rollout::{Event, Phase, RolloutState};
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
        Phase::Ordered if stopped => recall(state, now, at, facts),
        // It may still stand in a queue on the endpoint: asked once, when the halt comes.
        Phase::Running if stopped && sweep => recall(state, now, at, facts),
        Phase::Failed | Phase::Verified if is_to_be_reverted(at) => revert(state, now, at, facts),
        Phase::Draining if stopped => facts.push(at.fact(Event::HookUndone, 0, 0)),
        Phase::Draining => {}
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
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed => {}
    }
}

/// Orders the reboot that a member waits for; its window is open.
pub(crate) fn reboot(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    if at.member.operation < u8::MAX {
        let due = state.due(now.plus_secs(at.rollout.policy().deploy.report_within_secs.into()));
        facts.push(at.fact(Event::RebootOrdered, 0, due));
    }
}

fn recall(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    let due = state.due(now.plus_secs(at.rollout.policy().deploy.report_within_secs.into()));
    facts.push(at.fact(Event::RecallAsked, 0, due));
}

/// Whether the policy brings this member back: it failed, or a gate halted its rollout (semantics S10).
pub(crate) fn is_to_be_reverted(at: At<'_>) -> bool {
    // What another rollout installed is that one's to take back.
    if at.member.operation == 0 {
        return false;
    }
    let policy = &at.rollout.policy().rollback;
    let failed = at.member.phase == Phase::Failed;
    if failed && policy.on_failure == OnFailure::RollBack {
        return true;
    }
    let Some(halt) =
        at.rollout.halt().filter(|halt| halt.by_gate && at.rollout.state() == RolloutState::Halted)
    else {
        return false;
    };
    match policy.on_halt {
        OnHalt::Nobody => false,
        OnHalt::Failed => failed,
        OnHalt::Ring => failed || at.member.ring == halt.ring,
        OnHalt::Rollout => true,
    }
}

fn revert(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    if at.member.path() == RollbackPath::None || at.member.operation == u8::MAX {
        if at.member.phase == Phase::Failed {
            let reason =
                state.reason(facts, FailureKind::NoRollbackPath, "it failed, and no way back is known");
            facts.push(at.fact(Event::OperatorNeeded, reason, 0));
        }
        return;
    }
    // Taken by another rollout: looked at again when that one lets it go.
    if state.endpoints.slot(at.member.endpoint).is_some_and(|slot| slot.active().is_none() && !slot.gone) {
        let due = state.due(now.plus_secs(at.rollout.policy().deploy.acknowledge_within_secs.into()));
        facts.push(at.fact(Event::RevertOrdered, 0, due));
    }
}
