//! Commands about a candidate: its trial, its approval, its end.

use super::super::approval::{self, NoVote};
use super::super::world::{stop_rollouts, withdrawn};
use super::{Asked, Done, candidate_for, end_early, no_vote, require_reason, wrong_candidate};
use crate::candidate::{Candidate, Evidence};
use crate::error::Refusal;
use crate::fleet::state::State;
use crate::fleet::{EndReason, Outcome, RichFact};
use crate::ids::{CandidateId, RolloutId};
use crate::policy::OnRevoke;
use crate::time::Timestamp;
use alloc::format;

pub(super) fn waive_trial(asked: Asked<'_>, candidate: CandidateId, until: Timestamp, reason: &str) -> Done {
    let Asked { state, now, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    let entry = candidate_for(state, candidate, expect)?;
    require_reason(reason)?;
    let Candidate::Identified(_) = entry.candidate else {
        return Err(wrong_candidate(entry, "a trial can be waived only before the candidate is approved"));
    };
    if until <= now {
        return Err(Refusal::WrongState {
            what: "the waiver".into(),
            state: format!("over since {until}"),
            allowed: "name an instant in the future".into(),
        });
    }
    if let Some((trial, false)) = entry.trial {
        end_early(state, trial, Some(by), "the trial was waived", facts);
    }
    let evidence = Evidence::Waived { by: by.clone(), reason: reason.into(), until };
    facts.push(RichFact::TrialConcluded { candidate, evidence }.into());
    Ok(Outcome::Done)
}

pub(super) fn repeat_trial(asked: Asked<'_>, candidate: CandidateId) -> Done {
    let Asked { state, expect, facts, .. } = asked;
    let entry = candidate_for(state, candidate, expect)?;
    let Candidate::Identified(_) = entry.candidate else {
        return Err(wrong_candidate(entry, "its trial is behind it"));
    };
    let Some((_, true)) = entry.trial else {
        return Err(wrong_candidate(entry, "only a failed trial can be repeated"));
    };
    let rollout = RolloutId(state.rollouts.len() as u32);
    let Some(fact) = state.trial(entry) else {
        return Err(Refusal::WrongState {
            what: "the trial".into(),
            state: "without endpoints".into(),
            allowed: "no non-production endpoint needs the patch; add one, or waive the trial".into(),
        });
    };
    facts.push(fact.into());
    Ok(Outcome::Started { rollout })
}

pub(super) fn approve(asked: Asked<'_>, candidate: CandidateId, reason: &str) -> Done {
    let Asked { state, now, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    let entry = candidate_for(state, candidate, expect)?;
    require_reason(reason)?;
    match approval::vote(state, now, candidate, actor, reason, facts) {
        Ok(0) => Ok(Outcome::Done),
        Ok(missing) => Ok(Outcome::VoteCounted { missing }),
        Err(no) => Err(no_vote(entry, by, no)),
    }
}

pub(super) fn reject(asked: Asked<'_>, candidate: CandidateId, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    let entry = candidate_for(state, candidate, expect)?;
    require_reason(reason)?;
    let (Candidate::Trialled(_), Some(ask)) = (&entry.candidate, &entry.ask) else {
        return Err(wrong_candidate(entry, "only a candidate that waits for approval can be rejected"));
    };
    if !actor.has_role(&ask.from.role) {
        return Err(no_vote(entry, by, NoVote::LacksRole(ask.from.role.clone())));
    }
    let fact = RichFact::ApprovalRejected { candidate, by: by.clone(), reason: reason.into() };
    facts.push(fact.into());
    Ok(Outcome::Done)
}

pub(super) fn reconsider(asked: Asked<'_>, candidate: CandidateId, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let entry = candidate_for(state, candidate, expect)?;
    require_reason(reason)?;
    let Candidate::Rejected(_) = entry.candidate else {
        return Err(wrong_candidate(entry, "only a rejection or a revocation can be taken back"));
    };
    let by = Some(actor.name.clone());
    facts.push(RichFact::CandidateReopened { candidate, by, reason: reason.into() }.into());
    Ok(Outcome::Done)
}

pub(super) fn revoke(asked: Asked<'_>, candidate: CandidateId, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    let by = &actor.name;
    let entry = candidate_for(state, candidate, expect)?;
    require_reason(reason)?;
    if entry.candidate.approved().is_none() {
        return Err(wrong_candidate(entry, "only an approval can be revoked"));
    }
    let end = EndReason::Revoked { by: by.clone(), reason: reason.into() };
    facts.push(RichFact::ApprovalEnded { candidate, end }.into());
    stop_rollouts(state, candidate, Some(by), &format!("the approval was revoked: {reason}"), facts);
    // As the policy says that holds now: a revocation acts at once, whatever policy its rollouts began under.
    let on_revoke = state.policy.as_ref().map(|(policy, _)| policy.rollback.on_revoke);
    if on_revoke == Some(OnRevoke::RollBack) {
        facts.push(RichFact::RollbackAsked { candidate, by: by.clone(), reason: reason.into() }.into());
    }
    Ok(stopped(state, candidate))
}

pub(super) fn withdraw(asked: Asked<'_>, candidate: CandidateId, reason: &str) -> Done {
    let Asked { state, expect, facts, .. } = asked;
    let entry = candidate_for(state, candidate, expect)?;
    require_reason(reason)?;
    withdrawn(state, &entry.candidate.identified().patch().id, reason, facts);
    Ok(stopped(state, candidate))
}

fn stopped(state: &State, candidate: CandidateId) -> Outcome {
    let [installed, in_flight] = state.reached(candidate).map(|on| on.len() as u32);
    Outcome::Stopped { installed, in_flight }
}
