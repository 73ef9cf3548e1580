//! Commands about ways back: who takes care of what is stuck, and drills (semantics S10).

use super::member::member_of;
use super::{Asked, Done, candidate_for, not_found, rollout_for};
use crate::error::Refusal;
use crate::fleet::decide::condition::NO_ORDERS;
use crate::fleet::decide::{At, begin_revert, full_for_revert, is_refused_snapshot};
use crate::fleet::{Outcome, RichFact};
use crate::ids::{CandidateId, EndpointId, RolloutId};
use crate::inventory::Environment;
use crate::plan::RollbackPath;
use crate::rollout::{Phase, RolloutKind};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

pub(super) fn acknowledge(asked: Asked<'_>, rollout: RolloutId, endpoint: &EndpointId) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let at = rollout_for(state, rollout, expect)?;
    let member = member_of(state, at, endpoint)?;
    let wrong = |what: &str| Refusal::WrongState {
        what: endpoint.to_string(),
        state: what.into(),
        allowed: "only a call that is open can be acknowledged".into(),
    };
    match state.calls.get(&(rollout, member)) {
        None => return Err(wrong("in no need of an operator")),
        Some(call) => {
            if let Some(by) = &call.acknowledged {
                return Err(wrong(&format!("taken care of by {by}")));
            }
        }
    }
    let levels = &at.policy().operators;
    if !levels.iter().any(|level| actor.has_role(&level.role)) {
        let roles: Vec<_> = levels.iter().map(|level| level.role.as_str()).collect();
        let reason = format!("one of the roles is needed: {}", roles.join(", "));
        return Err(Refusal::NotAllowed { actor: actor.name.to_string(), reason });
    }
    facts.push(RichFact::OperatorAcknowledged { rollout, member, by: actor.name.clone() }.into());
    Ok(Outcome::Done)
}

pub(super) fn drill(asked: Asked<'_>, candidate: CandidateId, endpoint: &EndpointId) -> Done {
    let Asked { state, now, expect, facts, actor, .. } = asked;
    candidate_for(state, candidate, expect)?;
    let ix = state.endpoints.ix(endpoint.as_str()).ok_or_else(|| not_found("endpoint", endpoint))?;
    let wrong = |state: &str, allowed: &str| {
        let (state, allowed) = (state.into(), allowed.into());
        Refusal::WrongState { what: endpoint.to_string(), state, allowed }
    };
    let slot = state.endpoints.slot(ix).filter(|slot| !slot.gone);
    if slot.is_none_or(|slot| slot.environment != Environment::NonProduction) {
        return Err(wrong("a production endpoint", "drills touch non-production endpoints only"));
    }
    if slot.is_none_or(|slot| slot.active().is_some()) {
        return Err(wrong("busy", "wait until the operation there has come to its end"));
    }
    if slot.is_none_or(|slot| slot.conditions.has(NO_ORDERS)) {
        let allowed = "drill when it is in contact, was read, and no other patch manager is active there";
        return Err(wrong("not to be ordered anything", allowed));
    }
    if state.resync.is_some() {
        let allowed = "drill when what was under way has answered, or the time for that is over";
        return Err(wrong("in a fleet that asks first what happened in its absence", allowed));
    }
    let tried = state.rollouts_of(candidate).filter(|r| r.kind() == RolloutKind::Trial && r.moving == 0);
    let verified = tried.filter_map(|rollout| state.member(rollout.id(), rollout.member_of(ix)?)).last();
    let Some(at) = verified.filter(|at| at.member.phase == Phase::Verified) else {
        return Err(wrong(
            "without a verified install of it",
            "try the candidate there first; the trial must be over",
        ));
    };
    let At { rollout, ix: member, .. } = at;
    if at.member.path() == RollbackPath::None || at.member.operation == u8::MAX {
        return Err(wrong("without a way back", "drill where a way back is known"));
    }
    if is_refused_snapshot(state, at) {
        return Err(wrong("stateful", "restoring a snapshot would lose its own state; drill elsewhere"));
    }
    let fleet_is_full = !state.cache.budgets.fleet_has_room();
    if fleet_is_full || !rollout.has_place() || full_for_revert(state, at).is_some() {
        let allowed =
            "drill when an operation has come to its end, and the others of its group are available";
        return Err(wrong("without a place in the budgets", allowed));
    }
    let (path, by) = (at.member.path(), actor.name.clone());
    facts.push(RichFact::DrillStarted { rollout: rollout.id(), member, path, by }.into());
    facts.push(begin_revert(state, now, at));
    Ok(Outcome::Done)
}
