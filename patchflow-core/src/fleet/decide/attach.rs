//! The same patch in two rollouts: the second attaches to the first order, and there is no second (semantics S6).

use super::{At, Facts};
use crate::error::FailureKind;
use crate::fleet::state::State;
use crate::gate::Class;
use crate::ids::{MemberIx, RolloutId};
use crate::rollout::{Event, Phase};

impl State {
    /// The member of another rollout of the same patch that is under way on the same endpoint, and may come to an end.
    pub(crate) fn leader(&self, at: At<'_>) -> Option<(RolloutId, MemberIx)> {
        let deployments = &self.candidate(at.rollout.candidate())?.deployments;
        if deployments.len() < 2 {
            return None;
        }
        deployments.iter().filter(|id| **id != at.rollout.id()).find_map(|id| {
            let other = self.rollout(*id)?;
            let member = other.member_of(at.member.endpoint)?;
            let theirs = other.members().get(member.index())?;
            let installs = matches!(theirs.phase.class(), Class::InFlight | Class::Unknown)
                && theirs.phase != Phase::Attached
                // What was asked after in vain comes to nothing that could be waited for.
                && !(theirs.phase == Phase::Silent && theirs.deadline == 0);
            installs.then_some((*id, member))
        })
    }
}

/// Whoever waits for the endpoint in another rollout of the same patch finds it at the target.
pub(super) fn done_here(state: &State, at: At<'_>, facts: &mut Facts) {
    let Some(entry) = state.candidate(at.rollout.candidate()).filter(|entry| entry.deployments.len() > 1)
    else {
        return;
    };
    let others = entry.deployments.iter().filter(|id| **id != at.rollout.id());
    let waits = others.filter_map(|id| {
        let other = state.rollout(*id).filter(|other| !other.is_over())?;
        let other = state.member(*id, other.member_of(at.member.endpoint)?)?;
        matches!(other.member.phase, Phase::Waiting | Phase::Deferred).then_some(other)
    });
    facts.extend(waits.map(|other| other.fact(Event::Skipped, 0, 0)));
}

/// What the order that a member is attached to came to.
pub(super) fn attached(state: &State, at: At<'_>, facts: &mut Facts) {
    let leader = state.attached.get(&(at.member.endpoint, at.rollout.id(), at.ix));
    let Some(leader) = leader.and_then(|(rollout, member)| state.member(*rollout, *member)) else {
        facts.push(at.fact(Event::Detached, 0, 0));
        return;
    };
    let rollout = leader.rollout.id();
    match (leader.member.phase, leader.member.phase.class()) {
        (Phase::Verified, _) => facts.push(at.fact(Event::Verified, 0, 0)),
        (_, Class::Failed) => {
            let reason = match leader.member.reason {
                0 => state.reason(facts, FailureKind::Other, &alloc::format!("it failed in {rollout}")),
                known => known,
            };
            facts.push(at.fact(Event::GaveUp, reason, 0));
        }
        // Asked after, and not answered either.
        (Phase::Silent, _) if leader.member.deadline == 0 => {
            let reason = state.reason(
                facts,
                FailureKind::Silent,
                &alloc::format!("its outcome in {rollout} is unknown"),
            );
            facts.push(at.fact(Event::GaveUp, reason, 0));
        }
        (_, Class::InFlight | Class::Unknown) => {}
        (
            _,
            Class::Waiting
            | Class::Verified
            | Class::Deferred
            | Class::Skipped
            | Class::Cancelled
            | Class::Held
            | Class::Removed,
        ) => {
            facts.push(at.fact(Event::Detached, 0, 0));
        }
    }
}
