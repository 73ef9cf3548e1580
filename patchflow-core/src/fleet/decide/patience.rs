//! How long an operation may take: progress extends its deadline up to a limit, and people at an endpoint may put it
//! off a few times, never past the due date (semantics S6).

use super::{At, Facts};
use crate::fleet::RichFact;
use crate::fleet::state::State;
use crate::rollout::{Event, Phase};
use crate::time::Timestamp;

/// The report deadline that a sign of life at this moment gives, never beyond what the policy allows in all.
pub(super) fn deadline(state: &State, now: Timestamp, at: At<'_>) -> u32 {
    let due = state.due(now.plus_secs(at.rollout.policy().deploy.report_within_secs.into()));
    end(state, at).map_or(due, |end| due.min(end))
}

/// Whether a sign of life is worth a fact: a chatty agent must not fill the journal, so only after a tenth of the
/// deadline, or when it is the last extension there can be.
pub(super) fn is_worth_a_fact(state: &State, at: At<'_>, due: u32) -> bool {
    let gained = due.saturating_sub(at.member.deadline);
    gained > at.rollout.policy().deploy.report_within_secs / 10 || gained > 0 && end(state, at) == Some(due)
}

/// Until when progress may extend the deadline of an install under way; `None` when it has not begun.
fn end(state: &State, at: At<'_>) -> Option<u32> {
    if let Some(end) = state.patience.ends.get(&(at.rollout.id(), at.ix)) {
        return Some(*end);
    }
    let deploy = &at.rollout.policy().deploy;
    (at.member.phase == Phase::Running).then(|| {
        let acknowledged = at.member.deadline.saturating_sub(deploy.report_within_secs);
        acknowledged.saturating_add(deploy.duration_secs_max)
    })
}

/// Whether an install has taken as long as it may: a sign of life does not make it known any more.
pub(super) fn is_over(state: &State, now: Timestamp, at: At<'_>) -> bool {
    let end = state.patience.ends.get(&(at.rollout.id(), at.ix));
    end.is_some_and(|end| *end <= state.secs(now))
}

/// How often the people at the endpoint may put the operation off still, and until when at the latest.
pub(crate) fn deferrals_left(state: &State, at: At<'_>, reboot: bool) -> (u8, Option<Timestamp>) {
    let used = state.patience.deferrals(at.rollout.id(), at.ix);
    let policy = at.rollout.policy();
    let left = if reboot {
        policy.reboot.deferrals_max.saturating_sub(used.reboots)
    } else {
        policy.deploy.deferrals_max.saturating_sub(used.installs)
    };
    let due =
        state.candidate(at.rollout.candidate()).and_then(|entry| entry.candidate.identified().risk().due);
    (left, due)
}

/// The people at an endpoint put an operation off. Beyond what is allowed it changes nothing: the deadline stands.
pub(super) fn deferred(
    state: &State,
    now: Timestamp,
    at: At<'_>,
    until: Timestamp,
    facts: &mut Facts,
) -> bool {
    let reboot = match at.member.phase {
        Phase::Ordered | Phase::Running => false,
        Phase::Rebooting => true,
        Phase::Waiting
        | Phase::Draining
        | Phase::RevertDraining
        | Phase::Attached
        | Phase::Recalling
        | Phase::Installed
        | Phase::RebootPending
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
        | Phase::Removed => return false,
    };
    let (left, due) = deferrals_left(state, at, reboot);
    let until = due.map_or(until, |due| until.min(due));
    // The same word twice is one deferral.
    if until <= now || left == 0 || state.patience.deferrals(at.rollout.id(), at.ix).until == until {
        return false;
    }
    let (rollout, member) = (at.rollout.id(), at.ix);
    let deadline = state.due(until.plus_secs(at.rollout.policy().deploy.report_within_secs.into()));
    facts.push(RichFact::OperationPutOff { rollout, member, reboot, until }.into());
    facts.push(at.fact(Event::Acknowledged, 0, deadline));
    true
}
