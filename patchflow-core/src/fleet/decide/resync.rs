//! The host itself was away: ask first, count nothing against anybody (semantics S6).

use super::Facts;
use crate::fleet::RichFact;
use crate::fleet::state::State;
use crate::time::Timestamp;

/// Whether the host missed a deadline it had promised to keep by more than `resync_after_secs` while orders were out.
///
/// The silence is measured from the deadline, not from the last call: a host that sleeps because nothing is due is
/// not away. One that was not heard of for so long, and is then late for the deadline of an order, however little, was
/// away as well: what the endpoint reported meanwhile may have been lost.
pub(crate) fn resync_start(
    state: &State,
    now: Timestamp,
    last: Timestamp,
    promised: Option<Timestamp>,
    facts: &mut Facts,
) {
    if state.resync.is_some() {
        return;
    }
    let Some((policy, _)) = &state.policy else { return };
    let Some(promised) = promised else { return };
    let allowed = u64::from(policy.deploy.resync_after_secs);
    let (late, unheard) = (now.since(promised).as_secs(), now.since(last).as_secs());
    // Timers of a host that keeps its promises are late by less than a second.
    let overdue = |(rollout, member)| {
        let deadline = state.member(rollout, member).map_or(0, |at| at.member.deadline);
        deadline != 0 && now.since(state.at(deadline)).as_secs() >= 1
    };
    let was_away = if late > allowed {
        state.operating_members().next().is_some()
    } else {
        unheard > allowed && late >= 1 && state.operating_members().any(overdue)
    };
    if !was_away {
        return;
    }
    let silence = if late > allowed { late } else { unheard };
    let until = now.plus_secs(policy.deploy.report_within_secs.into());
    facts.push(RichFact::ResyncStarted { silence_secs: silence, until }.into());
}

/// Whether the resync is over: everything was answered for, or the time for it has passed.
pub(crate) fn resync_end(state: &State, now: Timestamp, facts: &mut Facts) {
    if let Some(resync) = &state.resync
        && (resync.open.is_empty() || now >= resync.until)
    {
        let unanswered = u32::try_from(resync.open.len()).unwrap_or(u32::MAX);
        facts.push(RichFact::ResyncEnded { unanswered }.into());
    }
}
