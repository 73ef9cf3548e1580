//! What people ask: checked against the state, refused with a reason, or turned into facts.

mod candidate;
mod endpoint;
mod member;
mod rescue;
mod revise;
mod rollout;

use super::Facts;
use super::approval::NoVote;
use crate::digest::Digest;
use crate::error::Refusal;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::{Command, Outcome, Request, RichFact};
use crate::ids::{Actor, CandidateId, Revision, RolloutId};
use crate::policy::Policy;
use crate::rollout::{Rollout, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

type Done = Result<Outcome, Refusal>;

/// Carries out one request, or says why not. The last fact is always the receipt of the request itself.
pub(crate) fn command(state: &State, now: Timestamp, request: &Request, facts: &mut Facts) -> Done {
    let asked = asked_digest(request);
    if let Some((first, outcome)) = state.requests.get(&request.id) {
        return if *first == asked {
            Ok(outcome.clone())
        } else {
            Err(Refusal::IdReused { id: request.id.to_string() })
        };
    }
    let outcome = carry_out(state, now, request, facts)?;
    facts.push(
        RichFact::RequestDone {
            request: request.id.clone(),
            by: request.by.name.clone(),
            asked,
            outcome: outcome.clone(),
        }
        .into(),
    );
    Ok(outcome)
}

/// The digest of who asks for what, so that an id used again for something else is seen.
fn asked_digest(request: &Request) -> Digest {
    // Plain data without maps whose keys are not texts: serialization cannot fail.
    Digest::of(&serde_json::to_vec(&(&request.by.name, &request.ask)).unwrap_or_default())
}

/// A request on its way through a decision.
struct Asked<'a> {
    state: &'a State,
    now: Timestamp,
    actor: &'a Actor,
    /// The revision that the asker looked at, of the thing that is asked about.
    expect: Option<Revision>,
    facts: &'a mut Facts,
}

fn carry_out(state: &State, now: Timestamp, request: &Request, facts: &mut Facts) -> Done {
    let asked = Asked { state, now, actor: &request.by, expect: request.expect, facts };
    match &request.ask {
        Command::AdoptPolicy { policy } => adopt_policy(asked, policy),
        Command::WaiveTrial { candidate, until, reason } => {
            candidate::waive_trial(asked, *candidate, *until, reason)
        }
        Command::RepeatTrial { candidate } => candidate::repeat_trial(asked, *candidate),
        Command::Approve { candidate, reason } => candidate::approve(asked, *candidate, reason),
        Command::Reject { candidate, reason } => candidate::reject(asked, *candidate, reason),
        Command::Reconsider { candidate, reason } => candidate::reconsider(asked, *candidate, reason),
        Command::Revoke { candidate, reason } => candidate::revoke(asked, *candidate, reason),
        Command::Withdraw { candidate, reason } => candidate::withdraw(asked, *candidate, reason),
        Command::Start { draft } => rollout::start(asked, draft),
        Command::Pause { rollout } => rollout::pause(asked, *rollout),
        Command::Resume { rollout } => rollout::resume(asked, *rollout),
        Command::Halt { rollout, reason } => rollout::halt(asked, *rollout, reason),
        Command::LiftHalt { rollout, reason } => rollout::lift_halt(asked, *rollout, reason),
        Command::Cancel { rollout, reason } => rollout::cancel(asked, *rollout, reason),
        Command::Promote { rollout, reason } => rollout::promote(asked, *rollout, reason),
        Command::SkipRing { rollout, ring, reason } => revise::skip_ring(asked, *rollout, *ring, reason),
        Command::Revise { rollout, revision, reason } => revise::revise(asked, *rollout, revision, reason),
        Command::Retry { rollout, endpoint } => member::retry(asked, *rollout, endpoint),
        Command::Remove { rollout, endpoint } => member::remove(asked, *rollout, endpoint),
        Command::ClearQuarantine { endpoint, reason } => endpoint::clear_quarantine(asked, endpoint, reason),
        Command::DeclareOwnership { endpoint, reason } => {
            endpoint::declare_ownership(asked, endpoint, reason)
        }
        Command::CancelReboot { rollout, endpoint, reason } => {
            endpoint::cancel_reboot(asked, *rollout, endpoint, reason)
        }
        Command::AllowReboots { endpoint, reason } => endpoint::allow_reboots(asked, endpoint, reason),
        Command::Acknowledge { rollout, endpoint } => rescue::acknowledge(asked, *rollout, endpoint),
        Command::Drill { candidate, endpoint } => rescue::drill(asked, *candidate, endpoint),
        Command::ClearHold { candidate, endpoint } => member::clear_hold(asked, *candidate, endpoint),
    }
}

fn adopt_policy(asked: Asked<'_>, policy: &Policy) -> Done {
    let Asked { state, now, actor, expect, facts } = asked;
    let by = &actor.name;
    check_revision(expect, state.revision)?;
    let findings = policy.findings();
    if !findings.is_empty() {
        return Err(Refusal::Unsound { findings });
    }
    let digest = policy.digest();
    let policy = Arc::new(policy.clone());
    facts.push(RichFact::PolicyAdopted { policy: policy.clone(), digest, by: by.clone() }.into());
    state.rated_anew(now, &policy, facts);
    Ok(Outcome::Done)
}

fn check_revision(expected: Option<Revision>, actual: Revision) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != actual => Err(Refusal::Stale { expected, actual }),
        Some(_) | None => Ok(()),
    }
}

fn require_reason(reason: &str) -> Result<(), Refusal> {
    if reason.trim().is_empty() {
        let finding = crate::error::Finding::new("reason", "is empty; say why, it stands in the record");
        return Err(Refusal::Unsound { findings: alloc::vec![finding] });
    }
    Ok(())
}

fn not_found(what: &str, name: &impl ToString) -> Refusal {
    Refusal::NotFound { what: what.into(), name: name.to_string() }
}

fn candidate_for(
    state: &State,
    id: CandidateId,
    expect: Option<Revision>,
) -> Result<&CandidateEntry, Refusal> {
    let entry = state.candidate(id).ok_or_else(|| not_found("candidate", &id))?;
    check_revision(expect, entry.revision)?;
    Ok(entry)
}

fn rollout_for(state: &State, id: RolloutId, expect: Option<Revision>) -> Result<&Rollout, Refusal> {
    let rollout = state.rollout(id).ok_or_else(|| not_found("rollout", &id))?;
    check_revision(expect, rollout.revision())?;
    Ok(rollout)
}

fn rollout_in<'a>(
    state: &'a State,
    id: RolloutId,
    expect: Option<Revision>,
    states: &[RolloutState],
    allowed: &str,
) -> Result<&'a Rollout, Refusal> {
    let rollout = rollout_for(state, id, expect)?;
    if states.contains(&rollout.state()) {
        return Ok(rollout);
    }
    let state = format!("{:?}", rollout.state()).to_lowercase();
    Err(Refusal::WrongState { what: id.to_string(), state, allowed: allowed.into() })
}

fn wrong_candidate(entry: &CandidateEntry, allowed: &str) -> Refusal {
    let what = entry.candidate.identified().id().to_string();
    Refusal::WrongState { what, state: entry.candidate.state().into(), allowed: allowed.into() }
}

fn no_vote(entry: &CandidateEntry, by: &str, no: NoVote) -> Refusal {
    let not_allowed = |reason: String| Refusal::NotAllowed { actor: by.into(), reason };
    match no {
        NoVote::NotAsked => {
            wrong_candidate(entry, "only a candidate that waits for approval can be approved")
        }
        NoVote::LacksRole(role) => not_allowed(format!("the role `{role}` is needed")),
        NoVote::OwnWaiver => not_allowed("who waived the trial does not approve as well".into()),
        NoVote::WaiverOver(until) => not_allowed(format!("the trial's waiver was over at {until}")),
        NoVote::Twice => not_allowed("one person counts once".into()),
    }
}

fn end_early(state: &State, rollout: RolloutId, by: Option<&Arc<str>>, reason: &str, facts: &mut Facts) {
    if state.rollout(rollout).is_some_and(|rollout| !rollout.is_over()) {
        facts.push(RichFact::RolloutCancelled { rollout, by: by.cloned(), reason: reason.into() }.into());
    }
}
