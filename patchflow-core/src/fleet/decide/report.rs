//! What reports, answers, inspections and deadlines mean for one member (semantics S6).
//!
//! Each function returns whether the observation fitted anything; what did not is a stray.

use super::{At, Facts, attach, hook, patience, reboot};
use crate::error::FailureKind;
use crate::fleet::state::State;
use crate::fleet::table::conditions::Bits;
use crate::plan::SpreadHash;
use crate::rollout::{
    Event, Failure, Health, Inspection, Level, Phase, QueryAnswer, RecallAnswer, Report, ReportKind, Rollout,
    RolloutState,
};
use crate::time::Timestamp;
use alloc::format;

/// An installer reports on an order.
pub(crate) fn reported(state: &State, now: Timestamp, report: &Report<'_>, facts: &mut Facts) -> bool {
    let Some(at) = state.ordered(report.order) else { return false };
    // A report for an order that a later one has replaced says nothing about the later one.
    if report.order.operation != at.member.operation {
        return false;
    }
    match &report.kind {
        ReportKind::Acknowledged => acknowledged(state, now, at, facts),
        ReportKind::PutOff { until } => patience::deferred(state, now, at, *until, facts),
        ReportKind::Done => done(state, now, at, facts),
        ReportKind::Failed(failure) => failed_report(state, now, at, failure, facts),
    }
}

fn acknowledged(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) -> bool {
    let due = patience::deadline(state, now, at);
    match at.member.phase {
        // The time to confirm that it is cancelled runs on.
        Phase::Rebooting if reboot::is_cancelled(state, at.member.endpoint) => return true,
        // It has taken as long as it may: that it is alive does not make its outcome known.
        Phase::Silent if patience::is_over(state, now, at) => return true,
        Phase::Ordered | Phase::Silent | Phase::RevertSilent | Phase::Reverting | Phase::Rebooting => {}
        Phase::Running if patience::is_worth_a_fact(state, at, due) => {}
        Phase::Running | Phase::Recalling => return true,
        Phase::Waiting
        | Phase::Installed
        | Phase::RebootPending
        | Phase::Backoff
        | Phase::Verified
        | Phase::Failed
        | Phase::Reverted
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::Attached
        | Phase::Draining
        | Phase::RevertDraining => return false,
    }
    facts.push(at.fact(Event::Acknowledged, 0, due));
    true
}

fn done(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) -> bool {
    reboot::reported_over(state, at, facts);
    if reboot::is_preflight(at) {
        reboot::preflight_done(state, now, at, facts);
        return true;
    }
    let due = state.due(now.plus_secs(at.rollout.policy().deploy.inspect_within_secs.into()));
    let event = match at.member.phase {
        // That it says it is done was known; what is missing is a look. One more, then a late one or a person helps.
        Phase::Silent if was_not_read(state, at) => Event::StayedSilent,
        Phase::RevertSilent if was_not_read(state, at) => return true,
        Phase::Ordered | Phase::Running | Phase::Recalling | Phase::Silent => Event::InstallReported,
        // A success that arrives late is accepted as an observation, when nobody else has the endpoint.
        Phase::Waiting | Phase::Backoff | Phase::Failed | Phase::Deferred | Phase::Cancelled => {
            let taken = state.endpoints.slot(at.member.endpoint).is_none_or(|slot| slot.active().is_some());
            if taken {
                return false;
            }
            Event::InstallReported
        }
        Phase::Rebooting => Event::Rebooted,
        Phase::Reverting | Phase::RevertSilent => Event::RevertReported,
        Phase::Installed
        | Phase::RebootPending
        | Phase::Verified
        | Phase::Reverted
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Skipped
        | Phase::Held
        | Phase::Removed
        | Phase::Attached
        | Phase::Draining
        | Phase::RevertDraining => return false,
    };
    facts.push(at.fact(event, 0, due));
    true
}

fn failed_report(
    state: &State,
    now: Timestamp,
    at: At<'_>,
    failure: &Failure<'_>,
    facts: &mut Facts,
) -> bool {
    reboot::reported_over(state, at, facts);
    if reboot::is_preflight(at) {
        reboot::preflight_failed(state, at, failure.kind, &failure.detail, facts);
        return true;
    }
    match at.member.phase {
        Phase::Ordered | Phase::Running | Phase::Recalling | Phase::Silent => {
            failed(state, now, at, failure.kind, &failure.detail, facts);
        }
        Phase::Rebooting => {
            let reason = state.reason(facts, failure.kind, &failure.detail);
            facts.push(at.fact(Event::GaveUp, reason, 0));
        }
        Phase::Reverting | Phase::RevertSilent if is_cut_off_and_may_be_repeated(state, at, failure.kind) => {
            let due = state.due(now.plus_secs(at.rollout.policy().deploy.acknowledge_within_secs.into()));
            facts.push(at.fact(Event::RevertOrdered, 0, due));
        }
        Phase::Reverting | Phase::RevertSilent => {
            let reason = state.reason(facts, failure.kind, &failure.detail);
            facts.push(at.fact(Event::OperatorNeeded, reason, 0));
        }
        Phase::Waiting
        | Phase::Installed
        | Phase::RebootPending
        | Phase::Backoff
        | Phase::Verified
        | Phase::Failed
        | Phase::Reverted
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::Attached
        | Phase::Draining
        | Phase::RevertDraining => return false,
    }
    true
}

/// A rollback that a crash cut off has not failed. It is ordered anew at once, within the budget that attempts have:
/// orders that were no attempts to install are counted, which is at most a reboot too many.
/// The endpoint has just spoken, so that it is stale does not keep it; that two machines have its name does.
fn is_cut_off_and_may_be_repeated(state: &State, at: At<'_>, kind: FailureKind) -> bool {
    let slot = state.endpoints.slot(at.member.endpoint);
    if slot.is_some_and(|slot| slot.conditions.has(Bits::QUARANTINED)) {
        return false;
    }
    let rollbacks = at.member.operation.saturating_sub(at.member.attempt);
    kind == FailureKind::Interrupted
        && rollbacks < at.rollout.policy().retry.attempts_max
        && at.member.has_numbers(1)
}

/// An attempt failed: try again if that can get better and the budget allows, else give up (semantics S13).
fn failed(state: &State, now: Timestamp, at: At<'_>, kind: FailureKind, detail: &str, facts: &mut Facts) {
    let retry = &at.rollout.policy().retry;
    let reason = state.reason(facts, kind, detail);
    let goes_on = !at.rollout.starts_no_more();
    if goes_on && retry.on.contains(&kind) && at.member.attempt < retry.attempts_max {
        let again = now.plus_secs(backoff(state, at, at.member.attempt));
        facts.push(at.fact(Event::RetryScheduled, reason, state.due(again)));
    } else {
        facts.push(at.fact(Event::GaveUp, reason, 0));
    }
}

/// How long a member waits after so many times, in seconds: exponentially longer, with its own jitter (semantics S13).
pub(super) fn backoff(state: &State, at: At<'_>, times: u8) -> u64 {
    let retry = &at.rollout.policy().retry;
    let doublings = u32::from(times.saturating_sub(1)).min(31);
    let wait = (u64::from(retry.backoff_secs) << doublings).min(retry.backoff_secs_max.into());
    let hash: SpreadHash = Rollout::hash(state.seed, at.rollout.id());
    let spread = wait * u64::from(retry.jitter.thousandths()) / 100_000;
    let numbers = [u64::from(at.ix.0), u64::from(times)];
    let jitter = if spread == 0 { 0 } else { hash.of(&numbers) % (spread + 1) };
    wait + jitter
}

/// An installer answers a query.
pub(crate) fn answered(
    state: &State,
    now: Timestamp,
    order: crate::ids::OrderId,
    answer: &QueryAnswer<'_>,
    facts: &mut Facts,
) -> bool {
    let Some(at) = state.ordered(order).filter(|at| order.operation == at.member.operation) else {
        return false;
    };
    match answer {
        QueryAnswer::NeverSeen => never_seen(state, now, at, facts),
        QueryAnswer::Queued | QueryAnswer::Running => match at.member.phase {
            Phase::Ordered | Phase::Silent | Phase::Reverting | Phase::RevertSilent | Phase::Rebooting => {
                acknowledged(state, now, at, facts)
            }
            Phase::Running => {
                let due = patience::deadline(state, now, at);
                if due > at.member.deadline {
                    facts.push(at.fact(Event::Acknowledged, 0, due));
                }
                true
            }
            Phase::Waiting
            | Phase::Recalling
            | Phase::Installed
            | Phase::RebootPending
            | Phase::Backoff
            | Phase::Verified
            | Phase::Failed
            | Phase::Reverted
            | Phase::RolledBack
            | Phase::NeedsOperator
            | Phase::Deferred
            | Phase::Skipped
            | Phase::Cancelled
            | Phase::Held
            | Phase::Removed
            | Phase::Attached
            | Phase::Draining
            | Phase::RevertDraining => false,
        },
        QueryAnswer::Done => done(state, now, at, facts),
        QueryAnswer::Failed(failure) => failed_report(state, now, at, failure, facts),
    }
}

/// The endpoint never saw the order: the same id may be sent again while it is fresh, else the member waits again.
fn never_seen(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) -> bool {
    let deploy = &at.rollout.policy().deploy;
    let fact = match at.member.phase {
        Phase::Ordered
            if (at.rollout.state() == RolloutState::Running || at.rollout.is_catching_up())
                && state.secs(now) < at.member.deadline =>
        {
            at.fact(Event::Resent, 0, at.member.deadline)
        }
        Phase::Ordered | Phase::Running | Phase::Silent => at.fact(Event::Expired, 0, 0),
        Phase::Recalling => at.fact(Event::Recalled, 0, 0),
        Phase::Rebooting if reboot::is_cancelled(state, at.member.endpoint) => {
            return reboot::cancel_answered(state, at, RecallAnswer::Recalled, facts);
        }
        Phase::Rebooting => {
            at.fact(Event::Resent, 0, state.due(now.plus_secs(deploy.report_within_secs.into())))
        }
        Phase::Reverting | Phase::RevertSilent => {
            at.fact(Event::RevertResent, 0, state.due(now.plus_secs(deploy.acknowledge_within_secs.into())))
        }
        Phase::Waiting
        | Phase::Installed
        | Phase::RebootPending
        | Phase::Backoff
        | Phase::Verified
        | Phase::Failed
        | Phase::Reverted
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::Attached
        | Phase::Draining
        | Phase::RevertDraining => return false,
    };
    facts.push(fact);
    true
}

/// An installer answers a recall.
pub(crate) fn recall_answered(
    state: &State,
    now: Timestamp,
    order: crate::ids::OrderId,
    answer: RecallAnswer,
    facts: &mut Facts,
) -> bool {
    let Some(at) = state.ordered(order).filter(|at| order.operation == at.member.operation) else {
        return false;
    };
    if matches!(at.member.phase, Phase::Rebooting | Phase::Silent) {
        return reboot::cancel_answered(state, at, answer, facts);
    }
    if at.member.phase != Phase::Recalling {
        return false;
    }
    match answer {
        RecallAnswer::Recalled => facts.push(at.fact(Event::Recalled, 0, 0)),
        RecallAnswer::AlreadyStarted => {
            let due = state.due(now.plus_secs(at.rollout.policy().deploy.report_within_secs.into()));
            facts.push(at.fact(Event::RecallFailed, 0, due));
        }
        // Its deadline stands: when it passes, the order is asked after.
        RecallAnswer::Unknown => {}
    }
    true
}

/// An endpoint was read after an operation: the only thing that verifies (invariant 4).
pub(crate) fn inspected(state: &State, now: Timestamp, seen: &Inspection<'_>, facts: &mut Facts) -> bool {
    let Some(at) = state.ordered(seen.order).filter(|at| seen.order.operation == at.member.operation) else {
        return false;
    };
    match at.member.phase {
        Phase::Silent if reboot::is_preflight(at) => false,
        Phase::Installed | Phase::Silent => inspected_install(state, now, at, seen, facts),
        Phase::Reverted | Phase::RevertSilent => inspected_revert(state, at, seen, facts),
        Phase::Waiting
        | Phase::Ordered
        | Phase::Running
        | Phase::Recalling
        | Phase::RebootPending
        | Phase::Rebooting
        | Phase::Backoff
        | Phase::Verified
        | Phase::Failed
        | Phase::Reverting
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::Attached
        | Phase::Draining
        | Phase::RevertDraining => false,
    }
}

fn inspected_install(
    state: &State,
    now: Timestamp,
    at: At<'_>,
    seen: &Inspection<'_>,
    facts: &mut Facts,
) -> bool {
    let Some(entry) = state.candidate(at.rollout.candidate()) else { return false };
    let wanted = entry.candidate.identified().patch().target.version.as_str();
    let silent = at.member.phase == Phase::Silent;
    match &seen.level {
        // Not read is not known: the deadline stands, and unknown is an outcome of its own.
        Level::Unreadable { .. } => {}
        Level::Version { version, intact: true } if *version == wanted => match &seen.health {
            Health::Failed { detail } => failed(state, now, at, FailureKind::Unhealthy, detail, facts),
            Health::Passed | Health::NotProbed if seen.reboot_required && !silent => {
                facts.push(at.fact(Event::RebootNeeded, 0, 0));
            }
            Health::Passed | Health::NotProbed if seen.reboot_required => {}
            Health::Passed | Health::NotProbed => {
                facts.push(at.fact(Event::Verified, 0, 0));
                attach::done_here(state, at, facts);
                let deploy = &at.rollout.policy().deploy;
                let due = state.due(now.plus_secs(deploy.inspect_within_secs.into()));
                facts.extend(state.rebooted_with(at, due));
            }
        },
        // While the outcome is unknown the operation may still be under way: only the target itself says something.
        Level::Version { .. } | Level::Absent if silent => {}
        Level::Version { version, intact: false } => {
            let detail = format!("{version} is there, but the package database does not call it whole");
            failed(state, now, at, FailureKind::Broken, &detail, facts);
        }
        Level::Version { version, intact: true } => {
            let detail =
                format!("the installer reported success, the inventory shows {version} instead of {wanted}");
            failed(state, now, at, FailureKind::WrongLevel, &detail, facts);
        }
        Level::Absent => {
            let detail =
                format!("the installer reported success, the inventory shows nothing instead of {wanted}");
            failed(state, now, at, FailureKind::WrongLevel, &detail, facts);
        }
    }
    true
}

fn inspected_revert(state: &State, at: At<'_>, seen: &Inspection<'_>, facts: &mut Facts) -> bool {
    let prior = at.rollout.prior_version(at.member);
    let back = match (&seen.level, prior) {
        (Level::Unreadable { .. }, _) => return true,
        (Level::Absent, prior) => prior.is_none(),
        (Level::Version { version, intact }, Some(prior)) => *intact && **version == **prior,
        (Level::Version { .. }, None) => false,
    };
    if back {
        facts.push(at.fact(Event::RolledBack, 0, 0));
    } else if at.member.phase == Phase::Reverted {
        let wanted = prior.map_or("nothing", |prior| prior);
        let detail = match &seen.level {
            Level::Version { version, .. } => {
                format!("after the rollback the inventory shows {version} instead of {wanted}")
            }
            Level::Absent | Level::Unreadable { .. } => {
                format!("after the rollback the inventory shows nothing instead of {wanted}")
            }
        };
        let reason = state.reason(facts, FailureKind::WrongLevel, &detail);
        facts.push(at.fact(Event::OperatorNeeded, reason, 0));
    }
    true
}

const NOT_READ: &str = "the inventory could not be read in time";

/// Whether the member is silent only because nobody could look: to look again and again would be a retry without a
/// budget, and the ring would never settle.
fn was_not_read(state: &State, at: At<'_>) -> bool {
    state.reasons.get(at.member.reason) == Some((FailureKind::Silent, NOT_READ))
}

/// A member's deadline passed. Nothing is decided about a retry that is due: it takes its turn.
pub(crate) fn due(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    let deploy = &at.rollout.policy().deploy;
    let next = state.due(now.plus_secs(deploy.report_within_secs.into()));
    if at.member.phase == Phase::Rebooting && reboot::is_unconfirmed(state, at.member.endpoint) {
        // Said to people, and asked once more until its report is due.
        reboot::unconfirmed(state, at, facts);
        facts.push(at.fact(Event::RecallAsked, 0, next));
        return;
    }
    let fact = match at.member.phase {
        Phase::Ordered => at.fact(Event::Expired, 0, 0),
        Phase::Running | Phase::Recalling | Phase::Installed | Phase::Rebooting => {
            let detail =
                if at.member.phase == Phase::Installed { NOT_READ } else { "no report before the deadline" };
            let reason = state.reason(facts, FailureKind::Silent, detail);
            at.fact(Event::WentSilent, reason, next)
        }
        Phase::Draining => {
            let why = (FailureKind::Timeout, "its pre hook did not end in time");
            return hook::not_drained(state, now, at, why, facts);
        }
        Phase::RevertDraining => {
            let why = (FailureKind::Timeout, "its pre hook did not end in time");
            return hook::not_drained_for_revert(state, now, at, why, facts);
        }
        Phase::Silent => at.fact(Event::StayedSilent, 0, 0),
        Phase::Reverting => {
            // That an earlier outcome could not be read is not what this silence is about.
            let reason = if was_not_read(state, at) {
                state.reason(facts, FailureKind::Silent, "no report before the deadline")
            } else {
                0
            };
            at.fact(Event::RevertWentSilent, reason, next)
        }
        Phase::Reverted => {
            let reason = state.reason(facts, FailureKind::Silent, NOT_READ);
            at.fact(Event::RevertWentSilent, reason, next)
        }
        Phase::RevertSilent => {
            let reason = state.reason(facts, FailureKind::Silent, "no answer during the rollback");
            at.fact(Event::OperatorNeeded, reason, 0)
        }
        Phase::Backoff
        | Phase::Waiting
        | Phase::RebootPending
        | Phase::Verified
        | Phase::Failed
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::Attached => return,
    };
    facts.push(fact);
}
