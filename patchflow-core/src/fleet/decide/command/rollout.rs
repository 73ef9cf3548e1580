//! Commands about a rollout as a whole.

use super::super::Facts;
use super::super::ring::next_ring;
use super::{Asked, Done, candidate_for, end_early, not_found, require_reason, rollout_in, wrong_candidate};
use crate::candidate::Approved;
use crate::error::Refusal;
use crate::fleet::state::State;
use crate::fleet::{EndpointFact, Fact, Outcome, RichFact};
use crate::gate::judge;
use crate::ids::{CandidateId, MemberIx, RolloutId};
use crate::plan::RolloutDraft;
use crate::rollout::{Emergency, Event, Phase, RingState, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub(super) fn start(asked: Asked<'_>, draft: &RolloutDraft) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    candidate_for(state, draft.candidate, expect)?;
    let mut plans = state.bundled(draft)?;
    let emergency = match &draft.emergency {
        None => None,
        Some(reason) => {
            require_reason(reason)?;
            if let Some(secs) = state.policy.as_ref().and_then(|(policy, _)| policy.emergency.bake_secs_min) {
                plans.iter_mut().for_each(|plan| plan.shorten_bakes(secs));
            }
            Some(Emergency { by: actor.name.clone(), reason: reason.clone() })
        }
    };
    let rollout = RolloutId(state.rollouts.len() as u32);
    let bundle: Vec<_> = match plans.len() {
        0 | 1 => Vec::new(),
        n => (rollout.0..).take(n).map(RolloutId).collect(),
    };
    for (plan, id) in plans.into_iter().zip(rollout.0..) {
        let started = state.started(RolloutKind::Deployment, plan, emergency.clone());
        facts.extend(started.map(|fact| fact.in_bundle(RolloutId(id), &bundle).into()));
    }
    Ok(Outcome::Started { rollout })
}

impl State {
    /// The approval of a candidate that may be started now.
    pub(in crate::fleet) fn startable(&self, id: CandidateId) -> Result<&Approved, Refusal> {
        let entry = self.candidate(id).ok_or_else(|| not_found("candidate", &id))?;
        let Some(approved) = entry.candidate.approved() else {
            return Err(wrong_candidate(entry, "only an approved candidate can be started"));
        };
        if let Some(why) = &entry.held {
            return Err(Refusal::WrongState {
                what: format!("{id}"),
                state: format!("held: {why}"),
                allowed: "its source must mend its relations first".into(),
            });
        }
        if let Some(by) = self.approved_superseder(id) {
            return Err(wrong_candidate(entry, &format!("{by} replaces it; start that one")));
        }
        Ok(approved)
    }
}

impl RichFact {
    fn in_bundle(mut self, id: RolloutId, together: &[RolloutId]) -> Self {
        if let Self::RolloutStarted { rollout, bundle, .. } = &mut self {
            (*rollout, *bundle) = (id, together.to_vec());
        }
        self
    }
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
    pass_ring(state, now, at, by, facts)
}

fn pass_ring(state: &State, now: Timestamp, at: &Rollout, by: &Arc<str>, facts: &mut Facts) -> Done {
    let ring = at.current_ring();
    let open = matches!(ring.state(), RingState::Open | RingState::Settled | RingState::Held);
    if !open || ring.counts().in_flight > 0 {
        return Err(Refusal::WrongState {
            what: format!("ring `{}`", ring.name()),
            state: format!("{:?} with {} in flight", ring.state(), ring.counts().in_flight),
            allowed: "a ring can be promoted by hand when it is open and nothing is in flight".into(),
        });
    }
    let verdict = judge(ring.gate(), &state.standing(now, at), now);
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
