//! Commands about one endpoint in a rollout, or its hold.

use super::super::join::is_taken_over;
use super::{Asked, Done, candidate_for, not_found, rollout_for, rollout_in};
use crate::error::{FailureKind, Refusal};
use crate::fleet::state::State;
use crate::fleet::{EndpointFact, Fact, Outcome, RichFact};
use crate::ids::{CandidateId, EndpointId, MemberIx, RolloutId};
use crate::rollout::{Event, Phase, Rollout, RolloutState, StageState};
use alloc::format;
use alloc::string::ToString;

pub(super) fn retry(asked: Asked<'_>, rollout: RolloutId, endpoint: &EndpointId) -> Done {
    let Asked { state, expect, facts, .. } = asked;
    let states: &[RolloutState] = match state.rollout(rollout) {
        Some(at) if at.is_catching_up() => &[RolloutState::Running, RolloutState::Completed],
        Some(_) | None => &[RolloutState::Running],
    };
    let allowed = match state.rollout(rollout).map(Rollout::state) {
        Some(RolloutState::Completed | RolloutState::Ended | RolloutState::Cancelled) => {
            "it is over and brings nobody along; start another rollout for what is left"
        }
        Some(RolloutState::Running | RolloutState::Paused | RolloutState::Halted) | None => {
            "lift its halt or resume it first"
        }
    };
    let at = rollout_in(state, rollout, expect, states, allowed)?;
    let member = member_of(state, at, endpoint)?;
    let phase = at.members()[member.index()].phase();
    // What holds it may be gone; whether it is, is looked at again when its turn comes.
    let is_held = state.holds.contains(&(at.candidate(), at.members()[member.index()].endpoint()));
    if is_held && matches!(phase, Phase::Held | Phase::RolledBack) {
        return Err(Refusal::WrongState {
            what: endpoint.to_string(),
            state: phase.to_string(),
            allowed: "clear its hold first, with `clear_hold`".into(),
        });
    }
    // Only its content could not be brought: that is tried again.
    let content = at.stages.get(member).state;
    if phase == Phase::Waiting && matches!(content, StageState::Failed | StageState::GivenUp) {
        facts.push(member_fact(at, member, Event::StageDropped));
        return Ok(Outcome::Done);
    }
    if phase.next(Event::Released).is_none() {
        return Err(Refusal::WrongState {
            what: endpoint.to_string(),
            state: phase.to_string(),
            allowed:
                "failed, deferred and cancelled endpoints can try again, and those whose hold is cleared"
                    .into(),
        });
    }
    let ring = &at.rings()[usize::from(at.members()[member.index()].ring())];
    if at.state() == RolloutState::Running && ring.opened_at().is_none() {
        return Err(Refusal::WrongState {
            what: endpoint.to_string(),
            state: format!("{phase}, in ring `{}`, which has not opened", ring.name()),
            allowed: "it is its turn when its ring opens, or when the rollout has completed".into(),
        });
    }
    facts.push(member_fact(at, member, Event::Released));
    Ok(Outcome::Done)
}

pub(super) fn remove(asked: Asked<'_>, rollout: RolloutId, endpoint: &EndpointId) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let at = rollout_for(state, rollout, expect)?;
    let member = member_of(state, at, endpoint)?;
    if at.members()[member.index()].phase() == Phase::Removed {
        return Err(Refusal::WrongState {
            what: endpoint.to_string(),
            state: "removed already".into(),
            allowed: "nothing is left to do".into(),
        });
    }
    // The reason keeps it out: whoever left by itself and is back may join again.
    let text = format!("taken out by {}", actor.name);
    let reason = state.reason(facts, FailureKind::Denied, &text);
    let fact = EndpointFact { rollout: at.id(), member, event: Event::Removed, reason, due: 0 };
    facts.push(Fact::Endpoint(fact));
    Ok(Outcome::Done)
}

pub(super) fn clear_hold(asked: Asked<'_>, candidate: CandidateId, endpoint: &EndpointId) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    candidate_for(state, candidate, expect)?;
    let ix = state.endpoints.ix(endpoint.as_str()).ok_or_else(|| not_found("endpoint", endpoint))?;
    if !state.holds.contains(&(candidate, ix)) {
        return Err(Refusal::WrongState {
            what: endpoint.to_string(),
            state: format!("not held from {candidate}"),
            allowed: "nothing is left to do".into(),
        });
    }
    facts.push(RichFact::HoldCleared { candidate, endpoint: ix, by: by.clone() }.into());
    // A completed rollout takes it on as well, as long as it brings people along and no later one means the endpoint.
    for rollout in state.rollouts_of(candidate).filter(|it| !it.is_over() || it.is_catching_up()) {
        let Some(at) = rollout.member_of(ix).and_then(|member| state.member(rollout.id(), member)) else {
            continue;
        };
        if matches!(at.member.phase(), Phase::Held | Phase::RolledBack) && !is_taken_over(state, at) {
            facts.push(at.fact(Event::Released, 0, 0));
        }
    }
    Ok(Outcome::Done)
}

fn member_fact(rollout: &Rollout, member: MemberIx, event: Event) -> Fact {
    Fact::Endpoint(EndpointFact { rollout: rollout.id(), member, event, reason: 0, due: 0 })
}

pub(super) fn member_of(
    state: &State,
    rollout: &Rollout,
    endpoint: &EndpointId,
) -> Result<MemberIx, Refusal> {
    let ix = state.endpoints.ix(endpoint.as_str()).ok_or_else(|| not_found("endpoint", endpoint))?;
    rollout.member_of(ix).ok_or_else(|| not_found("member", endpoint))
}
