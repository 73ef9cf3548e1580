//! What the world shows beyond single orders: endpoints, patches, needs, alerts, answers from outside.

use super::Facts;
use super::approval;
use super::condition;
use super::join::stop_catch_up;
use super::kin::supersede;
use crate::candidate::Candidate;
use crate::catalog::Patch;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::State;
use crate::fleet::{EndpointFact, EndpointSeen, Fact, NeedFact, NeedSeen, RichFact};
use crate::ids::{Actor, AskId, CandidateId, EndpointIx, PatchId, RolloutId};
use crate::rollout::{Event, Phase};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// New endpoints join in one fact, changed ones change.
pub(crate) fn endpoints(state: &State, now: Timestamp, seen: &[EndpointSeen], facts: &mut Facts) {
    let mut fresh = BTreeMap::new();
    let mut joined = Vec::new();
    let mut twice = BTreeSet::new();
    let mut moved = Vec::new();
    let first = EndpointIx(state.endpoints.len() as u32);
    for endpoint in seen {
        match state.endpoints.ix(endpoint.id.as_str()) {
            Some(ix) if condition::other_machine(state, now, ix, endpoint, facts) => {}
            Some(ix) if state.endpoints.is_known(ix, endpoint) => {}
            Some(ix) => {
                changed(state, now, ix, endpoint, facts);
                moved.push((ix, endpoint));
            }
            None => match fresh.get(&endpoint.id) {
                None => {
                    fresh.insert(&endpoint.id, (joined.len(), &endpoint.fingerprint));
                    joined.push(endpoint.clone());
                }
                Some((at, fingerprint)) if **fingerprint != endpoint.fingerprint => {
                    twice.insert(EndpointIx(first.0 + *at as u32));
                }
                // Told twice in one breath: the first word counts, the next telling corrects it.
                Some(_) => {}
            },
        }
    }
    state.raised_by(now, &moved, facts);
    if !joined.is_empty() {
        facts.push(RichFact::EndpointsJoined { first, endpoints: joined }.into());
    }
    for ix in twice {
        condition::quarantine(ix, "two machines were told under one name at once", facts);
    }
}

/// An endpoint is told with other attributes than before; one that had left is read before it is ordered anything.
fn changed(state: &State, now: Timestamp, endpoint: EndpointIx, seen: &EndpointSeen, facts: &mut Facts) {
    let was_gone = state.endpoints.slot(endpoint).is_some_and(|slot| slot.gone);
    let was_managed = state.endpoints.condition(endpoint).is_some_and(|known| known.manager.is_some());
    facts.push(RichFact::EndpointChanged { endpoint, seen: seen.clone() }.into());
    if was_managed && seen.managed_by.is_none() {
        condition::release(state, endpoint, facts);
    }
    if was_gone {
        condition::scan(state, now, core::iter::once(endpoint).collect(), facts);
    }
}

/// An endpoint is gone for good: out of every rollout that is not over.
pub(crate) fn endpoint_gone(state: &State, endpoint: EndpointIx, facts: &mut Facts) -> bool {
    if state.endpoints.slot(endpoint).is_none_or(|slot| slot.gone) {
        return false;
    }
    for rollout in &state.rollouts {
        let Some(member) = rollout.member_of(endpoint) else { continue };
        let phase = rollout.members()[member.index()].phase();
        // Nobody is rolled back who has left, not even under the same name later; but what was taken back and comes again
        // with it is.
        let may_be = phase == Phase::Failed || phase == Phase::Verified && !rollout.takes_back;
        let reverts = may_be
            && state.member(rollout.id(), member).is_some_and(|at| super::is_to_be_reverted(state, at));
        if phase.is_open() || reverts || (!rollout.is_over() && phase != Phase::Removed) {
            let fact =
                EndpointFact { rollout: rollout.id(), member, event: Event::Removed, reason: 0, due: 0 };
            facts.push(Fact::Endpoint(fact));
        }
    }
    facts.push(RichFact::EndpointLeft { endpoint }.into());
    true
}

/// A source publishes a patch. Changed content is a new candidate, which takes the place of the old one; other words
/// about the same content are a new rating.
pub(crate) fn published(state: &State, now: Timestamp, patch: &Patch, facts: &mut Facts) {
    let known = state.by_patch.get(&patch.id).and_then(|id| Some((*id, state.candidate(*id)?)));
    let same = known.filter(|(_, entry)| {
        let before = entry.candidate.identified().patch();
        before.content == patch.content && before.target == patch.target
    });
    let candidate = match same {
        Some((_, entry)) if **entry.candidate.identified().patch() == *patch => return,
        Some((id, entry)) => {
            let risk = state.rated(now, id, patch);
            let before = entry.candidate.identified();
            let risk = risk.after(before.risk(), now, state.due_limits());
            // A likelihood that moves without moving the rating is no news.
            if risk == *before.risk() && before.patch().says_the_same(patch) {
                return;
            }
            state.hand_on(patch, &risk, facts);
            facts.push(
                RichFact::CandidateRerated { candidate: id, patch: Arc::new(patch.clone()), risk }.into(),
            );
            id
        }
        None => {
            let candidate = CandidateId(state.candidates.len() as u32);
            let risk = state.rated(now, candidate, patch);
            state.hand_on(patch, &risk, facts);
            let fact = RichFact::CandidateIdentified { candidate, patch: Arc::new(patch.clone()), risk };
            facts.push(fact.into());
            condition::read_for_candidate(state, facts);
            if let Some((older, _)) = known {
                supersede(state, older, candidate, facts);
            }
            candidate
        }
    };
    let circle = state.circle_of(candidate, patch);
    let held = same.and_then(|(_, entry)| entry.held.as_deref());
    if let Some(reason) = circle.filter(|reason| held != Some(reason)) {
        facts.push(RichFact::CandidateHeld { candidate, reason }.into());
    }
}

/// A vendor or a person pulls a patch: no new orders, recall what has not begun (semantics S8).
pub(crate) fn withdrawn(state: &State, patch: &PatchId, reason: &str, facts: &mut Facts) -> bool {
    let Some(entry) = state.by_patch.get(patch).and_then(|id| state.candidate(*id)) else { return false };
    let id = entry.candidate.identified().id();
    match entry.candidate {
        Candidate::Withdrawn(_) => return true,
        Candidate::Identified(_)
        | Candidate::Trialled(_)
        | Candidate::Approved(_)
        | Candidate::Rejected(_)
        | Candidate::Superseded(_) => {}
    }
    facts.push(RichFact::CandidateWithdrawn { candidate: id, reason: reason.into() }.into());
    let reason = alloc::format!("the patch was withdrawn: {reason}");
    stop_rollouts(state, id, None, &reason, facts);
    true
}

/// Halts every rollout of a candidate that is not over.
pub(super) fn stop_rollouts(
    state: &State,
    id: CandidateId,
    by: Option<&Arc<str>>,
    reason: &str,
    facts: &mut Facts,
) {
    stop_catch_up(state, id, by, reason, facts);
    for rollout in state.rollouts_of(id) {
        if matches!(
            rollout.state(),
            crate::rollout::RolloutState::Running | crate::rollout::RolloutState::Paused
        ) {
            facts.push(
                RichFact::RolloutHalted {
                    rollout: rollout.id(),
                    ring: rollout.ring,
                    verdict: None,
                    by: by.cloned(),
                    reason: String::from(reason),
                }
                .into(),
            );
        }
    }
}

/// So many characters of a reason are kept: what a feed words must not fill a journal.
const WHY_CHARS: usize = 200;

/// The reason that is kept of a need that does not apply.
fn kept_why(need: &NeedSeen) -> Option<Arc<str>> {
    let why = need.why.as_ref().filter(|_| need.standing == Standing::NotApplicable)?;
    Some(match why.char_indices().nth(WHY_CHARS) {
        Some((end, _)) => why[..end].into(),
        None => why.clone(),
    })
}

/// How endpoints stand to a candidate; only what changed becomes a fact.
pub(crate) fn needs(
    state: &State,
    now: Timestamp,
    candidate: CandidateId,
    seen: &[NeedSeen],
    facts: &mut Facts,
) -> bool {
    let Some(entry) = state.candidate(candidate) else { return false };
    let changed: Vec<NeedFact> = seen
        .iter()
        .filter(|need| state.endpoints.slot(need.endpoint).is_some_and(|slot| !slot.gone))
        .filter(|need| {
            entry.needs.get(need.endpoint).is_none_or(|known| {
                known.standing != need.standing
                    || known.path != need.path
                    || entry.paths_until.get(&need.endpoint) != need.path_valid_until.as_ref()
                    || entry.level(known).map(|level| &**level) != need.present.as_deref()
                    || entry.whys.get(&need.endpoint) != kept_why(need).as_ref()
            })
        })
        .map(|need| NeedFact {
            endpoint: need.endpoint,
            standing: need.standing,
            present: need.present.clone(),
            path: need.path,
            path_valid_until: need.path_valid_until,
            why: kept_why(need),
        })
        .collect();
    if !changed.is_empty() {
        let raised = state.raised(now, candidate, &changed);
        facts.push(RichFact::NeedsChanged { candidate, needs: changed }.into());
        facts.extend(raised.map(Into::into));
    }
    true
}

/// Endpoints of a ring raised alerts, or not, or nobody can tell. That there are none is a fact only where it was not
/// known and a gate asks for it.
pub(crate) fn alerts(
    state: &State,
    rollout: RolloutId,
    ring: u8,
    new: Option<u32>,
    facts: &mut Facts,
) -> bool {
    let at = state.rollout(rollout).and_then(|rollout| rollout.rings().get(usize::from(ring)));
    let Some(at) = at else { return false };
    let changes_what_is_known = at.gate().max_alerts.is_some() && new.is_some() != at.alerts_known();
    if changes_what_is_known || new.is_some_and(|new| new > 0) {
        facts.push(RichFact::AlertsSeen { rollout, ring, new }.into());
    }
    true
}

/// An outside approver answers. An answer that may not count is a stray: the world is never refused.
pub(crate) fn approval_answered(
    state: &State,
    now: Timestamp,
    ask: AskId,
    by: &Actor,
    approve: bool,
    reason: &str,
    facts: &mut Facts,
) -> bool {
    let asked = state.candidates.iter().find(|entry| entry.ask.as_ref().is_some_and(|open| open.id == ask));
    let Some(entry) = asked else { return false };
    let id = entry.candidate.identified().id();
    if approve {
        return approval::vote(state, now, id, by, reason, facts).is_ok();
    }
    let may = entry.ask.as_ref().is_some_and(|open| by.has_role(&open.from.role));
    if may {
        facts.push(
            RichFact::ApprovalRejected { candidate: id, by: by.name.clone(), reason: reason.into() }.into(),
        );
    }
    may
}
