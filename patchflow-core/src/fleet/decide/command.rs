//! What people ask: checked against the state, refused with a reason, or turned into facts.

use super::Facts;
use super::approval::{self, NoVote};
use super::ring::next_ring;
use super::world::{stop_rollouts, withdrawn};
use crate::candidate::{Candidate, Evidence};
use crate::digest::Digest;
use crate::error::Refusal;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::{Command, EndReason, EndpointFact, Fact, Outcome, Request, RichFact};
use crate::gate::judge;
use crate::ids::{CandidateId, EndpointId, MemberIx, Revision, RolloutId};
use crate::rollout::{Event, Phase, RingState, Rollout, RolloutKind, RolloutState};
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

fn carry_out(state: &State, now: Timestamp, request: &Request, facts: &mut Facts) -> Done {
    let by = &request.by.name;
    let expect = request.expect;
    match &request.ask {
        Command::AdoptPolicy { policy } => {
            check_revision(expect, state.revision)?;
            let findings = policy.findings();
            if !findings.is_empty() {
                return Err(Refusal::Unsound { findings });
            }
            let digest = policy.digest();
            let policy = Arc::new((**policy).clone());
            facts.push(RichFact::PolicyAdopted { policy, digest, by: by.clone() }.into());
            Ok(Outcome::Done)
        }
        Command::WaiveTrial { candidate, until, reason } => {
            let entry = candidate_for(state, *candidate, expect)?;
            require_reason(reason)?;
            let Candidate::Identified(_) = entry.candidate else {
                return Err(wrong_candidate(
                    entry,
                    "a trial can be waived only before the candidate is approved",
                ));
            };
            if *until <= now {
                return Err(Refusal::WrongState {
                    what: "the waiver".into(),
                    state: format!("over since {until}"),
                    allowed: "name an instant in the future".into(),
                });
            }
            if let Some((trial, false)) = entry.trial {
                cancel(state, trial, Some(by), "the trial was waived", facts);
            }
            let evidence = Evidence::Waived { by: by.clone(), reason: reason.clone(), until: *until };
            facts.push(RichFact::TrialConcluded { candidate: *candidate, evidence }.into());
            Ok(Outcome::Done)
        }
        Command::RepeatTrial { candidate } => {
            let entry = candidate_for(state, *candidate, expect)?;
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
        Command::Approve { candidate, reason } => {
            let entry = candidate_for(state, *candidate, expect)?;
            require_reason(reason)?;
            match approval::vote(state, now, *candidate, &request.by, reason, facts) {
                Ok(0) => Ok(Outcome::Done),
                Ok(missing) => Ok(Outcome::VoteCounted { missing }),
                Err(no) => Err(no_vote(entry, by, no)),
            }
        }
        Command::Reject { candidate, reason } => {
            let entry = candidate_for(state, *candidate, expect)?;
            require_reason(reason)?;
            let (Candidate::Trialled(_), Some(ask)) = (&entry.candidate, &entry.ask) else {
                return Err(wrong_candidate(
                    entry,
                    "only a candidate that waits for approval can be rejected",
                ));
            };
            if !request.by.has_role(&ask.from.role) {
                return Err(no_vote(entry, by, NoVote::LacksRole(ask.from.role.clone())));
            }
            let fact =
                RichFact::ApprovalRejected { candidate: *candidate, by: by.clone(), reason: reason.clone() };
            facts.push(fact.into());
            Ok(Outcome::Done)
        }
        Command::Revoke { candidate, reason } => {
            let entry = candidate_for(state, *candidate, expect)?;
            require_reason(reason)?;
            if entry.candidate.approved().is_none() {
                return Err(wrong_candidate(entry, "only an approval can be revoked"));
            }
            let end = EndReason::Revoked { by: by.clone(), reason: reason.clone() };
            facts.push(RichFact::ApprovalEnded { candidate: *candidate, end }.into());
            stop_rollouts(state, *candidate, Some(by), &format!("the approval was revoked: {reason}"), facts);
            Ok(Outcome::Done)
        }
        Command::Withdraw { candidate, reason } => {
            let entry = candidate_for(state, *candidate, expect)?;
            require_reason(reason)?;
            withdrawn(state, &entry.candidate.identified().patch().id, reason, facts);
            Ok(Outcome::Done)
        }
        Command::Start { draft } => {
            let entry = candidate_for(state, draft.candidate, expect)?;
            let Some(approved) = entry.candidate.approved() else {
                return Err(wrong_candidate(entry, "only an approved candidate can be started"));
            };
            if let Some(running) = state
                .rollouts_of(draft.candidate)
                .find(|r| r.kind() == RolloutKind::Deployment && !r.is_over())
            {
                return Err(Refusal::WrongState {
                    what: format!("{}", draft.candidate),
                    state: format!("being rolled out by {}", running.id()),
                    allowed: "wait for it, lift its halt, or cancel it".into(),
                });
            }
            let plan = state.plan(approved, draft).map_err(|findings| Refusal::Unsound { findings })?;
            let rollout = RolloutId(state.rollouts.len() as u32);
            facts.extend(state.started(RolloutKind::Deployment, plan).map(Into::into));
            Ok(Outcome::Started { rollout })
        }
        Command::Pause { rollout } => {
            let at = rollout_in(
                state,
                *rollout,
                expect,
                &[RolloutState::Running],
                "only a running rollout can be paused",
            )?;
            facts.push(RichFact::RolloutPaused { rollout: at.id(), by: by.clone() }.into());
            Ok(Outcome::Done)
        }
        Command::Resume { rollout } => {
            let at = rollout_in(
                state,
                *rollout,
                expect,
                &[RolloutState::Paused],
                "only a paused rollout can be resumed",
            )?;
            facts.push(RichFact::RolloutResumed { rollout: at.id(), by: by.clone() }.into());
            Ok(Outcome::Done)
        }
        Command::Halt { rollout, reason } => {
            require_reason(reason)?;
            let states = [RolloutState::Running, RolloutState::Paused];
            let at = rollout_in(state, *rollout, expect, &states, "only a running rollout can be halted")?;
            let (ring, by) = (at.ring, Some(by.clone()));
            let fact =
                RichFact::RolloutHalted { rollout: at.id(), ring, verdict: None, by, reason: reason.clone() };
            facts.push(fact.into());
            Ok(Outcome::Done)
        }
        Command::LiftHalt { rollout, reason } => {
            require_reason(reason)?;
            let at =
                rollout_in(state, *rollout, expect, &[RolloutState::Halted], "only a halt can be lifted")?;
            if at.kind() == RolloutKind::Deployment
                && state.candidate(at.candidate()).is_none_or(|entry| entry.candidate.approved().is_none())
            {
                return Err(Refusal::WrongState {
                    what: format!("{rollout}"),
                    state: "without an approval".into(),
                    allowed: "approve its candidate first".into(),
                });
            }
            facts.push(
                RichFact::HaltLifted { rollout: at.id(), by: by.clone(), reason: reason.clone() }.into(),
            );
            Ok(Outcome::Done)
        }
        Command::Cancel { rollout, reason } => {
            require_reason(reason)?;
            let states = [RolloutState::Running, RolloutState::Paused, RolloutState::Halted];
            rollout_in(state, *rollout, expect, &states, "it is over already")?;
            cancel(state, *rollout, Some(by), reason, facts);
            Ok(Outcome::Done)
        }
        Command::Promote { rollout, reason } => {
            require_reason(reason)?;
            let at = rollout_in(
                state,
                *rollout,
                expect,
                &[RolloutState::Running],
                "lift its halt or resume it first",
            )?;
            promote(now, at, by, facts)
        }
        Command::Retry { rollout, endpoint } => {
            let at = rollout_in(
                state,
                *rollout,
                expect,
                &[RolloutState::Running],
                "lift its halt or resume it first",
            )?;
            let member = member_of(state, at, endpoint)?;
            let phase = at.members()[member.index()].phase();
            if phase.next(Event::Released).is_none() || matches!(phase, Phase::RolledBack | Phase::Held) {
                return Err(Refusal::WrongState {
                    what: endpoint.to_string(),
                    state: phase.to_string(),
                    allowed: "failed, deferred and cancelled endpoints can try again; a hold is cleared with `clear_hold`".into(),
                });
            }
            facts.push(member_fact(at, member, Event::Released));
            Ok(Outcome::Done)
        }
        Command::Remove { rollout, endpoint } => {
            let at = rollout_for(state, *rollout, expect)?;
            let member = member_of(state, at, endpoint)?;
            if at.members()[member.index()].phase() == Phase::Removed {
                return Err(Refusal::WrongState {
                    what: endpoint.to_string(),
                    state: "removed already".into(),
                    allowed: "nothing is left to do".into(),
                });
            }
            facts.push(member_fact(at, member, Event::Removed));
            Ok(Outcome::Done)
        }
        Command::ClearHold { candidate, endpoint } => {
            candidate_for(state, *candidate, expect)?;
            let ix = state.endpoints.ix(endpoint.as_str()).ok_or_else(|| not_found("endpoint", endpoint))?;
            if !state.holds.contains(&(*candidate, ix)) {
                return Err(Refusal::WrongState {
                    what: endpoint.to_string(),
                    state: format!("not held from {candidate}"),
                    allowed: "nothing is left to do".into(),
                });
            }
            facts.push(RichFact::HoldCleared { candidate: *candidate, endpoint: ix, by: by.clone() }.into());
            for rollout in state.rollouts_of(*candidate).filter(|rollout| !rollout.is_over()) {
                let member = rollout.member_of(ix);
                let held = |m: &MemberIx| {
                    matches!(rollout.members()[m.index()].phase(), Phase::Held | Phase::RolledBack)
                };
                facts.extend(member.filter(held).map(|member| member_fact(rollout, member, Event::Released)));
            }
            Ok(Outcome::Done)
        }
    }
}

fn promote(now: Timestamp, at: &Rollout, by: &Arc<str>, facts: &mut Facts) -> Done {
    let ring = at.current_ring();
    let open = matches!(ring.state(), RingState::Open | RingState::Settled | RingState::Held);
    if !open || ring.counts().in_flight > 0 {
        return Err(Refusal::WrongState {
            what: format!("ring `{}`", ring.name()),
            state: format!("{:?} with {} in flight", ring.state(), ring.counts().in_flight),
            allowed: "a ring can be promoted by hand when it is open and nothing is in flight".into(),
        });
    }
    let verdict = judge(ring.gate(), &ring.standing(), now);
    let (rollout, number, by) = (at.id(), at.ring, Some(by.clone()));
    facts.push(RichFact::RingPromoted { rollout, ring: number, verdict, by }.into());
    next_ring(at, facts);
    Ok(Outcome::Done)
}

fn cancel(state: &State, rollout: RolloutId, by: Option<&Arc<str>>, reason: &str, facts: &mut Facts) {
    if state.rollout(rollout).is_some_and(|rollout| !rollout.is_over()) {
        facts.push(RichFact::RolloutCancelled { rollout, by: by.cloned(), reason: reason.into() }.into());
    }
}

fn member_fact(rollout: &Rollout, member: MemberIx, event: Event) -> Fact {
    Fact::Endpoint(EndpointFact { rollout: rollout.id(), member, event, reason: 0, due: 0 })
}

fn not_found(what: &str, name: &impl ToString) -> Refusal {
    Refusal::NotFound { what: what.into(), name: name.to_string() }
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

fn member_of(state: &State, rollout: &Rollout, endpoint: &EndpointId) -> Result<MemberIx, Refusal> {
    let ix = state.endpoints.ix(endpoint.as_str()).ok_or_else(|| not_found("endpoint", endpoint))?;
    rollout.member_of(ix).ok_or_else(|| not_found("member", endpoint))
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
