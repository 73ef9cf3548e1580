//! Who joins a running rollout, and whom a completed one brings along (semantics S5).

use super::start::is_permitted;
use super::{At, Facts};
use crate::fleet::message::observation::Standing;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::{EndpointFact, Fact, RichFact};
use crate::ids::{CandidateId, EndpointIx, MemberIx, RolloutId};
use crate::inventory::Environment;
use crate::plan::{JoinedMember, LEVELS_MAX, RollbackPath};
use crate::policy::Onboarding;
use crate::rollout::{Event, Phase, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl State {
    /// The latest rollout of a candidate that means an endpoint: that one alone takes it in.
    pub(crate) fn taken_up_by(&self, entry: &CandidateEntry, endpoint: EndpointIx) -> Option<RolloutId> {
        let attributes = self.endpoints.attributes(endpoint)?;
        let means =
            |id: &&RolloutId| self.rollout(**id).is_some_and(|rollout| rollout.select().takes(attributes));
        entry.deployments.iter().rev().find(means).copied()
    }

    /// Whether an endpoint has become eligible after the plan of this rollout was made.
    pub(crate) fn is_newcomer(&self, rollout: &Rollout, endpoint: EndpointIx) -> bool {
        let Some(entry) = self.candidate(rollout.candidate()) else { return false };
        let needs = entry.needs.get(endpoint).is_some_and(|need| need.standing == Standing::Needs);
        let slot = self.endpoints.slot(endpoint);
        let here = slot.is_some_and(|slot| !slot.gone && slot.environment == Environment::Production);
        // Until it is in service no ring takes it, and a completed rollout does.
        let late = rollout.state() == RolloutState::Completed;
        let policy = &rollout.policy().catch_up;
        let taken = match (self.is_onboarding(endpoint), late) {
            (true, false) => false,
            (true, true) => policy.onboarding != Onboarding::Leave,
            (false, false) => true,
            (false, true) => policy.newcomers,
        };
        let is_out = rollout.member_of(endpoint).is_none_or(|at| {
            let member = &rollout.members()[at.index()];
            // Whom a person took out stays out: that is what the reason is for. Whoever left and is back is new.
            member.phase() == Phase::Removed && member.reason() == 0
        });
        needs && here && taken && is_out && self.taken_up_by(entry, endpoint) == Some(rollout.id())
    }
}

/// Whether the rollout takes newcomers in now.
pub(crate) fn takes_newcomers(state: &State, now: Timestamp, rollout: &Rollout) -> bool {
    let policy = &rollout.policy().catch_up;
    let late = policy.newcomers || policy.onboarding != Onboarding::Leave;
    let wanted = rollout.state() == RolloutState::Running || late;
    wanted
        && rollout.kind() == RolloutKind::Deployment
        && rollout.joinable_ring().is_some()
        && is_permitted(state, now, rollout)
}

/// Takes those of some endpoints in that have become eligible, in one fact.
pub(crate) fn join(
    state: &State,
    rollout: &Rollout,
    endpoints: impl Iterator<Item = EndpointIx>,
    facts: &mut Facts,
) {
    let Some(ring) = rollout.joinable_ring() else { return };
    let endpoints: Vec<_> = endpoints.filter(|endpoint| state.is_newcomer(rollout, *endpoint)).collect();
    let (levels, members) = joined(state, rollout, &endpoints);
    if !members.is_empty() {
        let rollout = rollout.id();
        facts.push(RichFact::MembersJoined { rollout, ring, levels, members }.into());
    }
}

/// What a plan says about endpoints that join it: the new versions that are there, and each one's way back.
pub(super) fn joined(
    state: &State,
    rollout: &Rollout,
    endpoints: &[EndpointIx],
) -> (Vec<Arc<str>>, Vec<JoinedMember>) {
    let mut levels: Vec<Arc<str>> = Vec::new();
    let mut members = Vec::with_capacity(endpoints.len());
    let Some(entry) = state.candidate(rollout.candidate()) else { return (levels, members) };
    for endpoint in endpoints {
        let Some(need) = entry.needs.get(*endpoint) else { continue };
        let present = entry.level(need);
        let prior = present.map_or(0, |version| {
            let known = rollout.levels.iter().chain(&levels).position(|level| level == version);
            let at = known.unwrap_or(rollout.levels.len() + levels.len());
            // As in a plan: beyond so many versions the way back is not recorded, and counts as none.
            let code = u16::try_from(at + 1).ok().filter(|code| *code <= LEVELS_MAX).unwrap_or(0);
            if known.is_none() && code != 0 {
                levels.push(version.clone());
            }
            code
        });
        let lost = prior == 0 && present.is_some();
        let path = if lost { RollbackPath::None } else { need.path };
        members.push(JoinedMember { endpoint: *endpoint, prior, path });
    }
    (levels, members)
}

/// Whether a deferred member takes its turn again: its rollout has completed, and no later one means it.
pub(super) fn is_caught_up(state: &State, at: At<'_>) -> bool {
    at.rollout.is_catching_up() && at.rollout.policy().catch_up.deferred && !is_taken_over(state, at)
}

/// Whether a member of a completed rollout is a later one's now.
pub(in crate::fleet::decide) fn is_taken_over(state: &State, at: At<'_>) -> bool {
    at.rollout.state() == RolloutState::Completed
        && state
            .candidate(at.rollout.candidate())
            .and_then(|entry| state.taken_up_by(entry, at.member.endpoint()))
            .is_some_and(|other| other > at.rollout.id())
}

/// Too many of those brought along have failed.
pub(super) fn review(rollout: &Rollout, facts: &mut Facts) {
    let (failures, max) = (rollout.catch_up_failures(), rollout.policy().catch_up.max_failures);
    if rollout.is_catching_up() && failures > max {
        let reason = format!(
            "{failures} endpoints failed after the rollout had completed, more than the {max} allowed"
        );
        facts.push(RichFact::CatchUpStopped { rollout: rollout.id(), by: None, reason }.into());
    }
}

/// Completed rollouts of a candidate bring nobody along any more.
pub(super) fn stop_catch_up(
    state: &State,
    candidate: CandidateId,
    by: Option<&Arc<str>>,
    reason: &str,
    facts: &mut Facts,
) {
    for rollout in state.rollouts_of(candidate).filter(|rollout| rollout.is_catching_up()) {
        let (rollout, reason) = (rollout.id(), String::from(reason));
        facts.push(RichFact::CatchUpStopped { rollout, by: by.cloned(), reason }.into());
    }
}

pub(super) fn of_member(rollout: &Rollout, member: MemberIx, event: Event) -> Fact {
    Fact::Endpoint(EndpointFact { rollout: rollout.id(), member, event, reason: 0, due: 0 })
}
