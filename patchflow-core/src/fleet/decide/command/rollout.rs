//! Commands about a rollout as a whole.

use super::super::Facts;
use super::super::ring::next_ring;
use super::{Asked, Done, candidate_for, end_early, require_reason, rollout_in, wrong_candidate};
use crate::error::Refusal;
use crate::fleet::{EndpointFact, Fact, Outcome, RichFact};
use crate::gate::judge;
use crate::ids::{MemberIx, RolloutId};
use crate::plan::RolloutDraft;
use crate::rollout::{Event, Phase, RingState, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::sync::Arc;

pub(super) fn start(asked: Asked<'_>, draft: &RolloutDraft) -> Done {
    let Asked { state, expect, facts, .. } = asked;
    let entry = candidate_for(state, draft.candidate, expect)?;
    let Some(approved) = entry.candidate.approved() else {
        return Err(wrong_candidate(entry, "only an approved candidate can be started"));
    };
    let plan = state.plan(approved, draft).map_err(|findings| Refusal::Unsound { findings })?;
    let rollout = RolloutId(state.rollouts.len() as u32);
    facts.extend(state.started(RolloutKind::Deployment, plan).map(Into::into));
    Ok(Outcome::Started { rollout })
}

pub(super) fn pause(asked: Asked<'_>, rollout: RolloutId) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    let at =
        rollout_in(state, rollout, expect, &[RolloutState::Running], "only a running rollout can be paused")?;
    facts.push(RichFact::RolloutPaused { rollout: at.id(), by: by.clone() }.into());
    Ok(Outcome::Done)
}

pub(super) fn resume(asked: Asked<'_>, rollout: RolloutId) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    let at =
        rollout_in(state, rollout, expect, &[RolloutState::Paused], "only a paused rollout can be resumed")?;
    facts.push(RichFact::RolloutResumed { rollout: at.id(), by: by.clone() }.into());
    Ok(Outcome::Done)
}

pub(super) fn halt(asked: Asked<'_>, rollout: RolloutId, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    require_reason(reason)?;
    let states = [RolloutState::Running, RolloutState::Paused];
    let at = rollout_in(state, rollout, expect, &states, "only a running rollout can be halted")?;
    let (ring, by) = (at.ring, Some(by.clone()));
    let fact = RichFact::RolloutHalted { rollout: at.id(), ring, verdict: None, by, reason: reason.into() };
    facts.push(fact.into());
    Ok(Outcome::Done)
}

pub(super) fn lift_halt(asked: Asked<'_>, rollout: RolloutId, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    require_reason(reason)?;
    let at = rollout_in(state, rollout, expect, &[RolloutState::Halted], "only a halt can be lifted")?;
    if at.kind() == RolloutKind::Deployment
        && state.candidate(at.candidate()).is_none_or(|entry| entry.candidate.approved().is_none())
    {
        return Err(Refusal::WrongState {
            what: format!("{rollout}"),
            state: "without an approval".into(),
            allowed: "approve its candidate first".into(),
        });
    }
    facts.push(RichFact::HaltLifted { rollout: at.id(), by: by.clone(), reason: reason.into() }.into());
    Ok(Outcome::Done)
}

pub(super) fn cancel(asked: Asked<'_>, rollout: RolloutId, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    require_reason(reason)?;
    if let Some(at) = state.rollout(rollout).filter(|at| at.is_catching_up()) {
        rollout_in(state, rollout, expect, &[RolloutState::Completed], "")?;
        let (rollout, by, reason) = (at.id(), Some(by.clone()), reason.into());
        facts.push(RichFact::CatchUpStopped { rollout, by, reason }.into());
        return Ok(Outcome::Done);
    }
    let states = [RolloutState::Running, RolloutState::Paused, RolloutState::Halted];
    rollout_in(state, rollout, expect, &states, "it is over already")?;
    end_early(state, rollout, Some(by), reason, facts);
    Ok(Outcome::Done)
}

pub(super) fn promote(asked: Asked<'_>, rollout: RolloutId, reason: &str) -> Done {
    let Asked { state, now, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    require_reason(reason)?;
    let at =
        rollout_in(state, rollout, expect, &[RolloutState::Running], "lift its halt or resume it first")?;
    pass_ring(now, at, by, facts)
}

fn pass_ring(now: Timestamp, at: &Rollout, by: &Arc<str>, facts: &mut Facts) -> Done {
    let ring = at.current_ring();
    let open = matches!(ring.state(), RingState::Open | RingState::Settled | RingState::Held);
    if !open || ring.counts().in_flight > 0 {
        return Err(Refusal::WrongState {
            what: format!("ring `{}`", ring.name()),
            state: format!("{:?} with {} in flight", ring.state(), ring.counts().in_flight),
            allowed: "a ring can be promoted by hand when it is open and nothing is in flight".into(),
        });
    }
    let verdict = judge(ring.gate(), &at.standing(), now);
    let (rollout, number, by) = (at.id(), at.ring, Some(by.clone()));
    // Whoever has not started in a ring that passes never has its turn again: left to catch-up, and told so.
    let waiting = ring.range().filter(|i| at.members()[*i].phase() == Phase::Waiting);
    facts.extend(waiting.map(|i| {
        let (rollout, member) = (at.id(), MemberIx(i as u32));
        Fact::Endpoint(EndpointFact { rollout, member, event: Event::Deferred, reason: 0, due: 0 })
    }));
    facts.push(RichFact::RingPromoted { rollout, ring: number, verdict, by }.into());
    next_ring(at, facts);
    Ok(Outcome::Done)
}
