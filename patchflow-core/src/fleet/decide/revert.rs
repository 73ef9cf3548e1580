//! Who is rolled back, and when: as soon as its endpoint is free and the budgets have a place (semantics S10, S12).

use super::condition::NO_ORDERS;
use super::hook::drain_for_revert;
use super::start::{Full, is_refused_snapshot};
use super::{At, Facts};
use crate::error::FailureKind;
use crate::fleet::Fact;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::State;
use crate::fleet::table::slot::Slot;
use crate::plan::RollbackPath;
use crate::policy::{OnFailure, OnHalt};
use crate::rollout::{Event, Phase, RolloutKind, RolloutState};
use crate::time::Timestamp;

/// What comes of looking at a member that is to be rolled back.
pub(crate) enum Revert {
    /// Its order leaves, or it has no way back and a person must act: the facts say which.
    Told,
    /// It stays as it is.
    Never,
    /// It is looked at again at its deadline.
    Later,
    /// Another operation has the endpoint, or its condition keeps it.
    Busy,
    /// A budget has no place left.
    Full(Full),
}

/// Whether the policy brings this member back: it failed, a gate halted its rollout (semantics S10), or its approval was
/// taken back (S8).
pub(crate) fn is_to_be_reverted(state: &State, at: At<'_>) -> bool {
    if state.drilling.contains_key(&(at.rollout.id(), at.ix)) {
        return true;
    }
    // What another rollout installed is that one's to take back.
    if at.member.operation == 0 {
        return false;
    }
    let policy = &at.rollout.policy().rollback;
    let failed = at.member.phase == Phase::Failed;
    if failed && policy.on_failure == OnFailure::RollBack {
        return true;
    }
    if at.rollout.takes_back && !is_replaced(state, at) {
        return true;
    }
    // A trial that a gate halted has ended with that, and whom it is to roll back may be out of contact then.
    let stands = match at.rollout.state() {
        RolloutState::Halted => true,
        RolloutState::Ended => at.rollout.kind() == RolloutKind::Trial,
        RolloutState::Running | RolloutState::Paused | RolloutState::Cancelled | RolloutState::Completed => {
            false
        }
    };
    let Some(halt) = at.rollout.halt().filter(|halt| halt.by_gate && stands) else { return false };
    match policy.on_halt {
        OnHalt::Nobody => false,
        OnHalt::Failed => failed,
        OnHalt::Ring => failed || at.member.ring == halt.ring,
        OnHalt::Rollout => true,
    }
}

/// Whether something else has taken its place there since: what is to be taken back is not there any more. So it is where
/// nobody knows what is there, on a machine that is another since.
pub(crate) fn is_replaced(state: &State, at: At<'_>) -> bool {
    let (candidate, endpoint) = (at.rollout.candidate(), at.member.endpoint);
    let Some(entry) = state.candidate(candidate) else { return false };
    let Some(need) = entry.needs.get(endpoint) else { return true };
    let present = entry.level(need).filter(|_| need.standing == Standing::Has);
    state.is_replaced_there(candidate, endpoint)
        || present.is_some_and(|version| **version != *entry.target.version)
}

/// Looks at a member that is to be rolled back. Windows are not asked: undoing harm waits for no calendar.
pub(crate) fn revert(state: &State, now: Timestamp, at: At<'_>, facts: &mut Facts) -> Revert {
    // It may have become a database since its install.
    let refused = is_refused_snapshot(state, at);
    // A number for the order, and one for the hook before it.
    let may = at.member.has_numbers(1 + u8::from(at.rollout.policy().deploy.hooks.pre.is_some()));
    if at.member.path() == RollbackPath::None || refused || !may {
        if at.member.phase != Phase::Failed {
            return Revert::Never;
        }
        let why = if refused {
            "it failed, and restoring a snapshot would lose its own state"
        } else if !may {
            "it failed, and 255 orders and hooks were numbered for it already"
        } else {
            "it failed, and no way back is known"
        };
        let reason = state.reason(facts, FailureKind::NoRollbackPath, why);
        facts.push(at.fact(Event::OperatorNeeded, reason, 0));
        return Revert::Told;
    }
    if state.endpoints.slot(at.member.endpoint).is_none_or(|slot| slot.gone) {
        return Revert::Never;
    }
    if at.member.phase == Phase::Failed && at.member.deadline > state.secs(now) {
        // Its pre hook failed not long ago; its deadline lets it look again.
        return Revert::Later;
    }
    if is_kept_from_revert(state, at) {
        return Revert::Busy;
    }
    if let Some(full) = full_for_revert(state, at) {
        return Revert::Full(full);
    }
    facts.push(begin(state, now, at));
    Revert::Told
}

/// A rollback begins: with its pre hook when there is one and it is not drained already, else with its order.
pub(crate) fn begin(state: &State, now: Timestamp, at: At<'_>) -> Fact {
    let within = at.rollout.policy().deploy.acknowledge_within_secs;
    let due = state.due(now.plus_secs(within.into()));
    drain_for_revert(state, now, at).unwrap_or_else(|| at.fact(Event::RevertOrdered, 0, due))
}

/// Whether another operation has the endpoint, or its condition keeps every order back.
pub(crate) fn is_kept_from_revert(state: &State, at: At<'_>) -> bool {
    let endpoint = at.member.endpoint;
    let is_kept = |slot: &Slot| slot.active().is_some() || slot.conditions.has(NO_ORDERS);
    state.endpoints.slot(endpoint).is_some_and(is_kept) || state.posts.contains_key(&endpoint)
}

/// The first budget of the endpoint or its ring that lets it not be rolled back now (semantics S12).
pub(crate) fn full_for_revert(state: &State, at: At<'_>) -> Option<Full> {
    let endpoint = at.member.endpoint;
    if let Some((innermost, full)) = state.cache.budgets.full_for(&state.endpoints, endpoint) {
        return Some(Full::Scope { innermost, full });
    }
    if !at.rollout.ring_takes_back(at.member.ring) {
        return Some(Full::Ring { ring: at.member.ring, retries: false });
    }
    let slot = state.endpoints.slot(endpoint).filter(|slot| slot.is_grouped() && !slot.is_down());
    let group = slot.map(|_| state.endpoints.group_of(endpoint))?;
    (!state.cache.groups.takes_back(group)).then_some(Full::Group(group))
}
