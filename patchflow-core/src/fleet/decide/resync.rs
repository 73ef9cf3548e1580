//! The host itself was away: ask first, count nothing against anybody (semantics S6).

use super::Facts;
use crate::fleet::RichFact;
use crate::fleet::state::State;
use crate::time::Timestamp;

/// Whether the host missed a deadline it had promised to keep by more than `resync_after_secs` while orders were out.
///
/// The silence is measured from the deadline, not from the last call: a host that sleeps because nothing is due is
/// not away.
pub(crate) fn resync_start(state: &State, now: Timestamp, promised: Option<Timestamp>, facts: &mut Facts) {
    if state.resync.is_some() {
        return;
    }
    let Some((policy, _)) = &state.policy else { return };
    let Some(promised) = promised else { return };
    let silence = now.since(promised).as_secs();
    if silence <= u64::from(policy.deploy.resync_after_secs) || state.operating_members().next().is_none() {
        return;
    }
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
