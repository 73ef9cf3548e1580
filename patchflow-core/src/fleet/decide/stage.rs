//! Whose content is staged when, and what comes of an attempt (semantics S4).

use super::condition::NO_ORDERS;
use super::join::{is_caught_up, is_taken_over};
use super::report::backoff;
use super::start::{goes_on, unneeded};
use super::{At, Facts};
use crate::digest::Digest;
use crate::error::FailureKind;
use crate::fleet::RichFact;
use crate::fleet::state::State;
use crate::fleet::state::openings::Turn;
use crate::fleet::table::openings::Opening;
use crate::ids::EndpointIx;
use crate::inventory::ScopePath;
use crate::rollout::{Event, Phase, StageId, StageOutcome, StageState};
use crate::time::Timestamp;
use alloc::vec::Vec;

/// What comes of looking at the content of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is asked for now; due: when that is late.
    Ask { due: u32 },
    /// What is there has grown too old.
    Drop,
    /// The budget of a scope has no place left: the innermost one of the endpoint, and the one that is full.
    Full { innermost: u16, full: u16 },
    /// It is looked at again then.
    Later(Timestamp),
    /// It is looked at again when something happens on the endpoint.
    Waits,
    /// It will not start, and that is said when its turn comes; until then it waits.
    Settles,
    /// Nothing: it is on its way, there, given up, or not needed.
    Nothing,
}

/// Whether nothing of its content keeps a member from starting.
pub(crate) fn is_staged(state: &State, now: Timestamp, at: At<'_>) -> bool {
    !at.rollout.is_staged_first() || at.rollout.stages.get(at.ix).is_good(state.secs(now))
}

/// Looks at the content of one member. `turn` says when it may start, `opens` when its window opens next.
pub(crate) fn stage(
    state: &State,
    now: Timestamp,
    at: At<'_>,
    turn: Turn,
    opens: Option<Timestamp>,
) -> Stage {
    let secs = state.secs(now);
    let in_turn = at.member.phase == Phase::Waiting
        || at.member.phase == Phase::Deferred && is_caught_up(state, at)
        // Before its retry is due, it may still need none.
        || at.member.phase == Phase::Backoff && at.member.deadline <= secs;
    if !in_turn {
        return Stage::Nothing;
    }
    let slot = at.rollout.stages.get(at.ix);
    let waits = match slot.state {
        StageState::None => false,
        StageState::Asked => true,
        StageState::Staged if slot.is_good(secs) => true,
        StageState::Staged => return Stage::Drop,
        StageState::Failed => slot.due > secs,
        StageState::GivenUp => slot.due == 0 || slot.due > secs,
    };
    if waits || !goes_on(state, now, at.rollout) || is_taken_over(state, at) {
        return Stage::Nothing;
    }
    let Some(endpoint) = state.endpoints.slot(at.member.endpoint).filter(|slot| !slot.gone) else {
        return Stage::Nothing;
    };
    if endpoint.conditions.has(NO_ORDERS) {
        return Stage::Waits;
    }
    if let Some(unneeded) = unneeded(state, now, endpoint.environment, at) {
        return unneeded;
    }
    let policy = &at.rollout.policy().staging;
    match turn {
        Turn::Open { .. } => {}
        Turn::Never => return Stage::Nothing,
        Turn::Later(starts) => {
            let opens = opens.map_or(starts, |opens| opens.min(starts));
            let from = Timestamp::from_millis(opens.as_millis() - i64::from(policy.lead_secs) * 1000);
            if from > now {
                return Stage::Later(from);
            }
        }
    }
    if let Some((innermost, full)) = state.cache.stagings.full_for(&state.endpoints, at.member.endpoint) {
        return Stage::Full { innermost, full };
    }
    Stage::Ask { due: state.due(now.plus_secs(policy.within_secs.into())) }
}

/// The member that an attempt was about.
fn attempted(state: &State, stage: StageId) -> Option<At<'_>> {
    let rollout = state.rollout(stage.rollout).filter(|_| stage.fleet == state.id)?;
    let at = state.member(stage.rollout, rollout.member_of(stage.endpoint)?)?;
    (rollout.is_staged_first() && at.member.phase.is_staged_for()).then_some(at)
}

/// An endpoint answers for an attempt.
pub(crate) fn staged(
    state: &State,
    now: Timestamp,
    stage: StageId,
    outcome: &StageOutcome<'_>,
    facts: &mut Facts,
) -> bool {
    let Some(at) = attempted(state, stage) else { return false };
    let Some(entry) = state.candidate(at.rollout.candidate()) else { return false };
    let slot = at.rollout.stages.get(at.ix);
    let is_of_now = slot.state == StageState::Asked && slot.attempt == stage.attempt;
    match outcome {
        // Late or not, it is there.
        StageOutcome::There { content } if *content == entry.candidate.identified().patch().content => {
            let is_asked_for = slot.state != StageState::Staged && slot.state != StageState::None;
            if is_asked_for {
                there(state, now, at, facts);
            }
            is_asked_for
        }
        StageOutcome::There { content } if is_of_now => {
            if !at.rollout.wrong_content {
                let (rollout, member) = (at.rollout.id(), at.ix);
                facts.push(RichFact::WrongContentSeen { rollout, member, content: *content }.into());
            }
            let text = "the endpoint holds other content than what was approved";
            let reason = state.reason(facts, FailureKind::Corrupt, text);
            given_up(at, reason, 0, facts);
            true
        }
        StageOutcome::Failed(failure) if is_of_now => {
            failed(state, now, at, failure.kind, &failure.detail, facts);
            true
        }
        StageOutcome::There { .. } | StageOutcome::Failed(_) => false,
    }
}

fn there(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    let due = state.due(now.plus_secs(at.rollout.policy().staging.keep_secs.into()));
    facts.push(at.fact(Event::Staged, 0, due));
}

/// An attempt failed: it is tried again within its budget, or given up for this opening.
fn failed(state: &State, now: Timestamp, at: At<'_>, kind: FailureKind, detail: &str, facts: &mut Facts) {
    let slot = at.rollout.stages.get(at.ix);
    let (retry, policy) = (&at.rollout.policy().retry, &at.rollout.policy().staging);
    let reason = state.reason(facts, kind, detail);
    if retry.on.contains(&kind) && slot.attempt < policy.attempts_max {
        let due = state.due(now.plus_secs(backoff(state, at, slot.attempt)));
        facts.push(at.fact(Event::StageFailed, reason, due));
        return;
    }
    let due = next_opening(state, now, at).map_or(0, |opens| {
        let from = Timestamp::from_millis(opens.as_millis() - i64::from(policy.lead_secs) * 1000);
        state.due(from.max(now.plus_secs(1)))
    });
    given_up(at, reason, due, facts);
}

/// An opening's attempts are over. A retry that nothing will bring its content any more is over with them: it would
/// count as in flight for ever.
fn given_up(at: At<'_>, reason: u16, due: u32, facts: &mut Facts) {
    facts.push(at.fact(Event::StageGaveUp, reason, due));
    if due == 0 && at.member.phase == Phase::Backoff {
        facts.push(at.fact(Event::GaveUp, reason, 0));
    }
}

/// The opening after the one that an attempt was for; `None` where no window is waited for.
fn next_opening(state: &State, now: Timestamp, at: At<'_>) -> Option<Timestamp> {
    let schedule = state.schedule_for(at.rollout, state.calendar_of(at.member.endpoint))?;
    let needed = super::needed_secs(state, at.rollout);
    let this = Opening::after(&schedule, now, needed).filter(|opening| opening.closes < Timestamp::MAX)?;
    schedule.next_open(this.closes, needed)
}

/// Nobody answered for an attempt in time.
pub(crate) fn stage_late(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) {
    failed(state, now, at, FailureKind::Timeout, "it was not staged in time", facts);
}

/// Endpoints hold content that was brought to them otherwise.
pub(crate) fn content_held(
    state: &State,
    now: Timestamp,
    content: Digest,
    endpoints: &[EndpointIx],
    depot: Option<&ScopePath>,
    facts: &mut Facts,
) -> bool {
    let mut known = endpoints.iter().all(|ix| state.endpoints.slot(*ix).is_some());
    let within = |ix: EndpointIx| {
        depot.is_some_and(|depot| {
            state.endpoints.attributes(ix).is_some_and(|attributes| attributes.scope.is_within(depot))
        })
    };
    let named: alloc::collections::BTreeSet<_> = endpoints.iter().copied().collect();
    let mut wanted = false;
    for rollout in state.rollouts.iter().filter(|it| it.is_staged_first() && !it.starts_no_more()) {
        let Some(entry) = state.candidate(rollout.candidate()) else { continue };
        if entry.candidate.identified().patch().content != content {
            continue;
        }
        wanted = true;
        let members: Vec<_> = if depot.is_some() {
            (0..)
                .zip(rollout.members())
                .filter(|(_, member)| within(member.endpoint) || named.contains(&member.endpoint))
                .map(|(i, _)| crate::ids::MemberIx(i))
                .collect()
        } else {
            named.iter().filter_map(|ix| rollout.member_of(*ix)).collect()
        };
        for at in members.into_iter().filter_map(|ix| state.member(rollout.id(), ix)) {
            let is_there = at.rollout.stages.get(at.ix).is_good(state.secs(now));
            if at.member.phase.is_staged_for() && !is_there {
                there(state, now, at, facts);
            }
        }
    }
    known &= wanted;
    known
}
