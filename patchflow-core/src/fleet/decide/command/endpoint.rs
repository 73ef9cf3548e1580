//! Commands about one endpoint as a whole.

use super::super::condition;
use super::member::member_of;
use super::{Asked, Done, check_revision, not_found, require_reason, rollout_for};
use crate::error::Refusal;
use crate::fleet::table::conditions::Condition;
use crate::fleet::{Outcome, RichFact};
use crate::ids::{EndpointId, EndpointIx, RolloutId};
use crate::rollout::{Event, Phase};
use alloc::string::ToString;

pub(super) fn clear_quarantine(asked: Asked<'_>, endpoint: &EndpointId, reason: &str) -> Done {
    require_reason(reason)?;
    let ix = with_condition(&asked, endpoint, |known| known.quarantine.is_some(), "not in quarantine")?;
    let Asked { state, now, actor, facts, .. } = asked;
    let (by, reason) = (actor.name.clone(), reason.into());
    facts.push(RichFact::QuarantineCleared { endpoint: ix, by, reason }.into());
    condition::release(state, ix, facts);
    condition::scan(state, now, core::iter::once(ix).collect(), facts);
    Ok(Outcome::Done)
}

pub(super) fn declare_ownership(asked: Asked<'_>, endpoint: &EndpointId, reason: &str) -> Done {
    require_reason(reason)?;
    let is_held = |known: &Condition| known.manager.is_some() && !known.owned;
    let ix = with_condition(&asked, endpoint, is_held, "not held by another patch manager")?;
    let Asked { state, actor, facts, .. } = asked;
    let (by, reason) = (actor.name.clone(), reason.into());
    facts.push(RichFact::OwnershipDeclared { endpoint: ix, by, reason }.into());
    condition::release(state, ix, facts);
    Ok(Outcome::Done)
}

pub(super) fn cancel_reboot(
    asked: Asked<'_>,
    rollout: RolloutId,
    endpoint: &EndpointId,
    reason: &str,
) -> Done {
    require_reason(reason)?;
    let Asked { state, now, actor, expect, facts } = asked;
    let of = rollout_for(state, rollout, expect)?;
    let member = member_of(state, of, endpoint)?;
    let at = state.member(rollout, member).ok_or_else(|| not_found("member", endpoint))?;
    if !matches!(at.member.phase(), Phase::RebootPending | Phase::Rebooting) {
        return Err(Refusal::WrongState {
            what: endpoint.to_string(),
            state: at.member.phase().to_string(),
            allowed: "a reboot that is pending or under way can be cancelled".into(),
        });
    }
    let ix = at.member.endpoint();
    let by = Some(actor.name.clone());
    facts.push(RichFact::RebootsStopped { endpoint: ix, by, reason: reason.into() }.into());
    if at.member.phase() == Phase::Rebooting {
        let due = state.due(now.plus_secs(of.policy().reboot.cancel_within_secs.into()));
        facts.push(RichFact::RebootCancelAsked { endpoint: ix }.into());
        facts.push(at.fact(Event::RecallAsked, 0, due));
    }
    Ok(Outcome::Done)
}

pub(super) fn allow_reboots(asked: Asked<'_>, endpoint: &EndpointId, reason: &str) -> Done {
    require_reason(reason)?;
    let is_stopped = |known: &Condition| known.reboots_stopped.is_some();
    let ix = with_condition(&asked, endpoint, is_stopped, "allowed to reboot")?;
    let Asked { actor, facts, .. } = asked;
    let (by, reason) = (actor.name.clone(), reason.into());
    facts.push(RichFact::RebootsAllowed { endpoint: ix, by, reason }.into());
    Ok(Outcome::Done)
}

/// The endpoint, when it is in a condition that the command can change.
fn with_condition(
    asked: &Asked<'_>,
    endpoint: &EndpointId,
    is: impl Fn(&Condition) -> bool,
    otherwise: &str,
) -> Result<EndpointIx, Refusal> {
    check_revision(asked.expect, asked.state.revision)?;
    let endpoints = &asked.state.endpoints;
    let ix = endpoints.ix(endpoint.as_str()).ok_or_else(|| not_found("endpoint", endpoint))?;
    if endpoints.condition(ix).is_some_and(is) {
        return Ok(ix);
    }
    Err(Refusal::WrongState {
        what: endpoint.to_string(),
        state: otherwise.into(),
        allowed: "nothing is left to do".into(),
    })
}
