//! What follows from how candidates stand to each other: replaced, held, open again (semantics S11).

use super::Facts;
use super::join::stop_catch_up;
use crate::candidate::Candidate;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::{Fact, RichFact};
use crate::ids::{CandidateId, RolloutId};
use crate::inventory::Environment;
use crate::plan::{RolloutPlan, Starter};
use crate::policy::OnSuperseded;
use crate::rollout::{Rollout, RolloutKind, RolloutState};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The step of a candidate that others decide. Whether there was one: then nothing else follows for it now.
pub(super) fn step(state: &State, id: CandidateId, entry: &CandidateEntry, facts: &mut Facts) -> bool {
    match &entry.candidate {
        Candidate::Superseded(superseded) => {
            if let Some(reason) = bereft(state, entry, superseded.by()) {
                facts.push(RichFact::CandidateReopened { candidate: id, by: None, reason }.into());
            }
            true
        }
        Candidate::Identified(_) | Candidate::Trialled(_) | Candidate::Approved(_) => {
            if entry.held.is_some() {
                if state.circle_of(id, entry.candidate.identified().patch()).is_none() {
                    facts.push(RichFact::CandidateReleased { candidate: id }.into());
                }
                return true;
            }
            if let Some(by) = state.approved_superseder(id).filter(|_| !is_finishing(state, id)) {
                supersede(state, id, by, facts);
                return true;
            }
            false
        }
        Candidate::Rejected(_) | Candidate::Withdrawn(_) => true,
    }
}

/// Why nothing replaces a candidate any more that something replaced before. Only the latest content of a patch comes
/// back, and only the latest content of what replaced it says whether it may.
fn bereft(state: &State, entry: &CandidateEntry, by: CandidateId) -> Option<String> {
    let (id, own) = (entry.candidate.identified().id(), &entry.candidate.identified().patch().id);
    let other = &state.candidate(by)?.candidate.identified().patch().id;
    let latest = state.by_patch.get(other).copied().unwrap_or(by);
    let gone = match &state.candidate(latest)?.candidate {
        Candidate::Rejected(_) => "was turned down",
        Candidate::Withdrawn(_) => "was withdrawn",
        Candidate::Identified(_)
        | Candidate::Trialled(_)
        | Candidate::Approved(_)
        | Candidate::Superseded(_) => {
            return None;
        }
    };
    let is_latest = state.by_patch.get(own) == Some(&id);
    let replaced = other == own || !is_latest || state.approved_superseder(id).is_some();
    (!replaced).then(|| format!("{other}, which had replaced it, {gone}"))
}

/// Whether a rollout of it has not come to its end whose policy lets it. A halt is no end: a person may lift it, and whom
/// it takes back is taken back.
fn is_finishing(state: &State, id: CandidateId) -> bool {
    state.rollouts_of(id).any(|rollout| {
        rollout.kind() == RolloutKind::Deployment
            && rollout.policy().relations.superseded == OnSuperseded::Finish
            && !matches!(rollout.state(), RolloutState::Completed | RolloutState::Ended)
    })
}

/// Another candidate takes the place of `older`: no new orders for it. The rest waits for the successor's own rollout,
/// or moves to it.
pub(super) fn supersede(state: &State, older: CandidateId, by: CandidateId, facts: &mut Facts) {
    if !state.is_live(older)
        && !matches!(state.candidate(older).map(|e| &e.candidate), Some(Candidate::Rejected(_)))
    {
        return;
    }
    facts.push(RichFact::CandidateSuperseded { candidate: older, by }.into());
    stop_catch_up(state, older, None, &format!("superseded by {by}"), facts);
    let mut moves = Vec::new();
    for rollout in state.rollouts_of(older).filter(|rollout| !rollout.is_over()) {
        let reason = format!("superseded by {by}");
        facts.push(RichFact::RolloutCancelled { rollout: rollout.id(), by: None, reason }.into());
        let kept = rollout.policy().relations.superseded == OnSuperseded::Move;
        if rollout.kind() == RolloutKind::Deployment && kept {
            moves.push(rollout);
        }
    }
    move_all(state, &moves, by, facts);
}

/// What a candidate replaces is replaced before it starts by itself, so that rollouts that move to it do so whichever of
/// the two was published first. Whether any did.
pub(super) fn take_over(state: &State, id: CandidateId, facts: &mut Facts) -> bool {
    let moves = |older: CandidateId| {
        state.rollouts_of(older).any(|rollout| {
            let kept = rollout.policy().relations.superseded == OnSuperseded::Move;
            rollout.kind() == RolloutKind::Deployment && kept && !rollout.is_over()
        })
    };
    let mut replaced = state.replaced_by(id);
    replaced.sort_unstable();
    for older in replaced.into_iter().filter(|older| moves(*older) && !is_finishing(state, *older)) {
        if !state.is_live(older) || state.approved_superseder(older) != Some(id) {
            continue;
        }
        supersede(state, older, id, facts);
        let started = |fact: &Fact| matches!(fact, Fact::Rich(rich) if matches!(**rich, RichFact::RolloutStarted { .. }));
        if facts.iter().any(started) {
            return true;
        }
    }
    false
}

/// A rollout of the successor for each one that moves, over its rings; none when the successor has one already.
fn move_all(state: &State, from: &[&Rollout], by: CandidateId, facts: &mut Facts) {
    if state.rollouts_of(by).any(|own| own.kind() == RolloutKind::Deployment && !own.is_over()) {
        return;
    }
    let mut next = state.rollouts.len() as u32;
    for rollout in from {
        if let Some(started) = moved(state, rollout, by, RolloutId(next)) {
            facts.push(started.into());
            next += 1;
        }
    }
}

/// The successor's rollout over the rings of one that it replaces; `None` when nobody there needs the successor.
fn moved(state: &State, rollout: &Rollout, by: CandidateId, id: RolloutId) -> Option<RichFact> {
    let entry = state.candidate(by)?;
    let approved = entry.candidate.approved()?;
    let starters: BTreeMap<_, Starter<'_>> = state
        .starters(entry, Environment::Production)
        .into_iter()
        .map(|starter| (starter.endpoint, starter))
        .collect();
    let rings = rollout.rings().iter().map(|ring| {
        // An endpoint that left and came back is there twice; its place is the later one.
        let members: Vec<_> = ring
            .range()
            .filter_map(|at| {
                let endpoint = rollout.members()[at].endpoint();
                let is_latest = rollout.member_of(endpoint).is_some_and(|ix| ix.index() == at);
                starters.get(&endpoint).filter(|_| is_latest).cloned()
            })
            .collect();
        (String::from(ring.name()), ring.gate().clone(), members)
    });
    let plan = RolloutPlan::over_rings(approved, rollout.select().clone(), rings)?;
    Some(RichFact::RolloutStarted {
        rollout: id,
        candidate: by,
        kind: RolloutKind::Deployment,
        policy: rollout.policy_digest(),
        plan: plan.into_fact(),
        emergency: rollout.emergency().cloned(),
        bundle: Vec::new(),
    })
}
