//! Why is it, or is it not, installed there? The whole chain, stage after stage (semantics S14).

use super::document::{Explanation, Step, StepState};
use super::outcome::{condition_sentence, last_rollout_of, member_step};
use super::words::{PipelineStage, approved_sentence, evidence_sentence};
use crate::candidate::{Candidate, Identified};
use crate::fleet::{EndpointView, Fleet, NeedView, Standing};
use crate::ids::{CandidateId, EndpointIx};
use crate::inventory::Environment;
use crate::rollout::{Phase, RolloutKind};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Where an endpoint stands with a candidate: every stage that is behind it, and the one that decides.
///
/// It never fails: what is not known is said.
#[must_use]
pub fn explain(fleet: &Fleet, endpoint: EndpointIx, candidate: CandidateId) -> Explanation {
    let name = fleet.endpoint_id(endpoint).map_or_else(|| endpoint.to_string(), ToString::to_string);
    let Some(known) = fleet.candidate(candidate) else {
        let chain = Vec::from([stopped(PipelineStage::Identify, "there is no such candidate in this fleet")]);
        return Explanation { endpoint: name, patch: candidate.to_string(), installed: false, chain };
    };
    let mut chain = Vec::new();
    let installed = walk(fleet, endpoint, known, &mut chain);
    Explanation { endpoint: name, patch: known.identified().patch().id.to_string(), installed, chain }
}

/// Writes the chain up to the stage that decides; whether it is installed.
fn walk(fleet: &Fleet, endpoint: EndpointIx, candidate: &Candidate, chain: &mut Vec<Step>) -> bool {
    use PipelineStage::{Deploy, Identify, Verify};
    let identified = candidate.identified();
    let Some(there) = fleet.endpoint(endpoint) else {
        chain.push(stopped(Identify, "there is no such endpoint in this fleet"));
        return false;
    };
    if there.is_gone() {
        chain.push(stopped(Identify, "the endpoint has left the fleet"));
        return false;
    }
    let taken_up = last_rollout_of(fleet, identified.id(), endpoint);
    let need = fleet.need(identified.id(), endpoint);
    match need.map(|need| need.standing) {
        None | Some(Standing::NotApplicable) if taken_up.is_none() => {
            chain.push(stopped(
                Identify,
                not_applicable(identified, need.as_ref()) + &unsupported(fleet, &there),
            ));
            return false;
        }
        Some(Standing::Has) if taken_up.is_none() => {
            chain.push(passed(Identify, "at the target already when it was identified"));
            return true;
        }
        None | Some(_) => {
            chain.push(passed(Identify, needed(identified, need.as_ref()) + &unsupported(fleet, &there)));
        }
    }
    if let Some((rollout, member)) = taken_up {
        match rollout.kind() {
            // What happened on the endpoint itself says more than the trial's outcome.
            RolloutKind::Trial => chain.push(passed(PipelineStage::Test, "chosen for the trial")),
            RolloutKind::Deployment => stages_before(fleet, candidate, chain),
        }
        let step = member_step(fleet, rollout, member);
        if step.stage == Verify {
            chain.push(passed(Deploy, "installed"));
        }
        chain.push(step);
        return matches!(member.phase(), Phase::Verified | Phase::Skipped);
    }
    stages_before(fleet, candidate, chain);
    if chain.iter().all(|step| step.state == StepState::Passed) {
        chain.push(if fleet.is_held(identified.id(), endpoint) {
            stopped(Deploy, "held away from this endpoint since a rollback, until a person clears the hold")
        } else if let Some(text) = condition_sentence(&there) {
            open(Deploy, text)
        } else if there.is_onboarding() && there.environment() == Environment::Production {
            open(Deploy, "not in service yet; it is brought to the patches whose rollouts have completed")
        } else if there.environment() == Environment::NonProduction {
            open(Deploy, "not chosen for the trial; rollouts are made over production endpoints")
        } else if let Some(why) = fleet.start_refused(identified.id()) {
            stopped(Deploy, format!("approved, and it cannot start by itself: {why}"))
        } else {
            open(Deploy, "approved, and no rollout that takes this endpoint has been started")
        });
    }
    false
}

/// Test and approval, as far as the candidate has come.
fn stages_before(fleet: &Fleet, candidate: &Candidate, chain: &mut Vec<Step>) {
    use PipelineStage::{Approve, Test};
    if let Some(why) = fleet.held_for(candidate.identified().id()) {
        chain.push(stopped(Test, format!("held: {why}")));
        return;
    }
    match candidate {
        Candidate::Identified(identified) => chain.push(trial(fleet, identified)),
        Candidate::Trialled(trialled) => {
            chain.push(passed(Test, evidence_sentence(trialled.evidence())));
            chain.push(match fleet.ask(trialled.identified().id()) {
                Some(ask) => {
                    let missing = usize::from(ask.from.quorum).saturating_sub(ask.votes.len());
                    open(Approve, format!("waiting for {missing} of role {} ({})", ask.from.role, ask.rule))
                }
                None => open(
                    Approve,
                    match fleet.approves_later(trialled.identified().id()) {
                        Some((rule, at)) => format!("the rule \"{rule}\" approves it at {at}"),
                        None => "waiting for its approval to be looked at".into(),
                    },
                ),
            });
        }
        Candidate::Approved(approved) => {
            chain.push(passed(Test, evidence_sentence(approved.evidence())));
            chain.push(passed(Approve, approved_sentence(approved.by())));
        }
        Candidate::Rejected(rejected) => {
            chain.push(stopped(Approve, format!("turned down by {}: {}", rejected.by(), rejected.reason())));
        }
        Candidate::Superseded(superseded) => {
            let by = fleet.candidate(superseded.by()).map(|by| by.identified().patch().id.to_string());
            let by = by.unwrap_or_else(|| superseded.by().to_string());
            chain.push(stopped(Approve, format!("superseded by {by}")));
        }
        Candidate::Withdrawn(withdrawn) => {
            chain.push(stopped(Approve, format!("withdrawn: {}", withdrawn.reason())));
        }
    }
}

/// Until when its first install on non-production is, or was, due.
fn first_install(fleet: &Fleet, identified: &Identified) -> String {
    match fleet.first_install_due(identified.id()) {
        Some(due) if due <= fleet.last_seen_at() => {
            format!("; its first install there was due {due}, and has not come")
        }
        Some(due) => format!("; its first install there is due {due}"),
        None => String::new(),
    }
}

fn trial(fleet: &Fleet, identified: &Identified) -> Step {
    use PipelineStage::Test;
    let first = first_install(fleet, identified);
    match fleet.trial_of(identified.id()) {
        None => open(Test, format!("waiting for its trial on non-production endpoints{first}")),
        Some((id, failed)) => {
            let rollout = fleet.rollout(id);
            let counts = rollout.map(crate::rollout::Rollout::counts).unwrap_or_default();
            if failed {
                let why = rollout
                    .and_then(|rollout| rollout.halt())
                    .map_or("its gate was not passed", |h| &h.reason);
                stopped(Test, format!("the trial failed: {why}{first}"))
            } else {
                open(
                    Test,
                    format!(
                        "in trial: {} of {} endpoints verified{first}",
                        counts.verified,
                        counts.counted()
                    ),
                )
            }
        }
    }
}

/// So many weaknesses stand in a sentence.
const CLOSES_MAX: usize = 3;

/// What is there and what is wrong with it, how urgent, and until when.
fn needed(identified: &Identified, need: Option<&NeedView<'_>>) -> String {
    let (patch, risk) = (identified.patch(), identified.risk());
    let due = risk.due.map_or_else(String::new, |due| format!(", due {due}"));
    let there = match need.and_then(|need| need.present).filter(|there| ***there != *patch.target.version) {
        Some(there) => format!(" in the place of {there}"),
        None => String::new(),
    };
    let closes = match patch.closes.len() {
        0 => String::new(),
        len => {
            let named = patch.closes.iter().take(CLOSES_MAX).map(ToString::to_string);
            let named = named.collect::<Vec<_>>().join(", ");
            let more = match len.checked_sub(CLOSES_MAX) {
                Some(more @ 1..) => format!(" and {more} more"),
                Some(0) | None => String::new(),
            };
            format!("; it closes {named}{more}")
        }
    };
    format!("needed there{there}, {} priority: {}{due}{closes}", risk.priority, risk.why)
}

/// Where the support of its platform has ended: since when, and what to do instead.
fn unsupported(fleet: &Fleet, there: &EndpointView<'_>) -> String {
    let ended = there.end_of_life().filter(|end| end.has_come(fleet.last_seen_at()));
    ended.map_or_else(String::new, |end| format!("; {end}"))
}

/// Why it is not for an endpoint, as far as it was told or follows from the patch.
fn not_applicable(identified: &Identified, need: Option<&NeedView<'_>>) -> String {
    let patch = identified.patch();
    match need {
        Some(NeedView { why: Some(why), .. }) => format!("not applicable there: {why}"),
        Some(NeedView { present: Some(there), .. }) => {
            format!(
                "not applicable there: {} {there} is there, and nothing says that it needs it",
                patch.target.package
            )
        }
        Some(NeedView { present: None, .. }) => {
            format!("not applicable there: it does not have {}", patch.target.package)
        }
        None => "not applicable there".to_string(),
    }
}

fn passed(stage: PipelineStage, text: impl Into<String>) -> Step {
    Step { stage, state: StepState::Passed, text: text.into() }
}

fn open(stage: PipelineStage, text: impl Into<String>) -> Step {
    Step { stage, state: StepState::Open, text: text.into() }
}

fn stopped(stage: PipelineStage, text: impl Into<String>) -> Step {
    Step { stage, state: StepState::Stopped, text: text.into() }
}
