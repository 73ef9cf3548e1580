//! What follows for a candidate: a trial, an approval, a rollout.

use super::Facts;
use super::approval;
use crate::candidate::{Approved, Candidate, Evidence, Identified};
use crate::catalog::RebootBehaviour;
use crate::error::{Finding, Findings};
use crate::fleet::RichFact;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::table::conditions::Bits;
use crate::ids::{CandidateId, RolloutId};
use crate::inventory::Environment;
use crate::plan::{RolloutDraft, RolloutPlan, Starter};
use crate::policy::{Policy, StartMode};
use crate::rollout::{Emergency, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

impl State {
    pub(crate) fn rollouts_of(&self, candidate: CandidateId) -> impl Iterator<Item = &Rollout> + '_ {
        self.rollouts.iter().filter(move |rollout| rollout.candidate() == candidate)
    }

    /// The endpoints of one environment that need a candidate.
    pub(crate) fn starters<'a>(&'a self, entry: &'a CandidateEntry, wanted: Environment) -> Vec<Starter<'a>> {
        entry
            .needs
            .iter()
            .filter(|(_, need)| need.standing == Standing::Needs)
            .filter_map(|(endpoint, need)| {
                let slot = self.endpoints.slot(endpoint).filter(|s| !s.gone && s.environment == wanted)?;
                // No ring takes what is not in service yet.
                if wanted == Environment::Production && slot.conditions.has(Bits::ONBOARDING) {
                    return None;
                }
                let attributes = self.endpoints.attributes(endpoint)?;
                let id = self.endpoints.id(endpoint)?;
                Some(Starter { endpoint, id, attributes, present: entry.level(need), path: need.path })
            })
            .collect()
    }

    /// The checked plan of a deployment under the adopted policy.
    pub(crate) fn plan(
        &self,
        approved: &Approved,
        draft: &RolloutDraft,
    ) -> Result<RolloutPlan, Vec<Finding>> {
        let Some((policy, _)) = &self.policy else {
            return Err(Vec::from([Finding::new("policy", "none is adopted; adopt one first")]));
        };
        let starters = self.starters_of(draft);
        let id = RolloutId(self.rollouts.len() as u32);
        draft.check(approved, policy, &starters, Rollout::hash(self.seed, id))
    }

    pub(super) fn started(
        &self,
        kind: RolloutKind,
        plan: RolloutPlan,
        emergency: Option<Emergency>,
    ) -> Option<RichFact> {
        let (_, policy) = self.policy.as_ref()?;
        Some(RichFact::RolloutStarted {
            rollout: RolloutId(self.rollouts.len() as u32),
            candidate: plan.candidate(),
            kind,
            policy: *policy,
            plan: plan.into_fact(),
            emergency,
            bundle: Vec::new(),
        })
    }

    /// A trial of a candidate, when there is a non-production endpoint to try it on.
    pub(super) fn trial(&self, entry: &CandidateEntry) -> Option<RichFact> {
        let (policy, _) = self.policy.as_ref()?;
        let starters = self.starters(entry, Environment::NonProduction);
        if starters.is_empty() {
            return None;
        }
        let trial = &policy.trial;
        let hash = Rollout::hash(self.seed, RolloutId(self.rollouts.len() as u32));
        let id = entry.candidate.identified().id();
        let production = if trial.stratify.is_empty() {
            Vec::new()
        } else {
            self.starters(entry, Environment::Production)
        };
        let plan = RolloutPlan::trial(id, &starters, &production, trial, hash);
        self.started(RolloutKind::Trial, plan, None)
    }
}

impl Rollout {
    /// Whether it is neither running nor waiting for a person.
    pub(crate) fn is_over(&self) -> bool {
        match self.state() {
            RolloutState::Completed | RolloutState::Ended | RolloutState::Cancelled => true,
            RolloutState::Running | RolloutState::Paused | RolloutState::Halted => false,
        }
    }
}

/// Which part of the policy asks for a trial; `None` when none does.
pub(super) fn trial_rule(policy: &Policy, identified: &Identified) -> Option<&'static str> {
    let patch = identified.patch();
    if policy.trial.required_for_reboot && patch.reboot == RebootBehaviour::Required {
        return Some("trial.required_for_reboot");
    }
    policy.trial.required_for.iter().any(|filter| filter.matches(patch)).then_some("trial.required_for")
}

/// The next step of one candidate, its due dates apart. Returns when to look again, if time alone may change something.
pub(crate) fn step(state: &State, now: Timestamp, id: CandidateId, facts: &mut Facts) -> Option<Timestamp> {
    let entry = state.candidate(id)?;
    let first = super::clock::first_install(state, now, entry, facts);
    first.into_iter().chain(own_step(state, now, id, entry, facts)).min()
}

fn own_step(
    state: &State,
    now: Timestamp,
    id: CandidateId,
    entry: &CandidateEntry,
    facts: &mut Facts,
) -> Option<Timestamp> {
    let (policy, _) = state.policy.as_ref()?;
    if super::kin::step(state, id, entry, facts) {
        return None;
    }
    match &entry.candidate {
        Candidate::Identified(identified) => {
            identified_step(state, policy, entry, identified, facts);
            None
        }
        Candidate::Trialled(trialled) => approval::approve(state, now, id, entry, trialled, facts),
        Candidate::Approved(approved) => {
            if now >= approved.expires() {
                let end = crate::fleet::EndReason::Expired;
                facts.push(RichFact::ApprovalEnded { candidate: id, end }.into());
                return None;
            }
            let is_started = entry.deployments.len() > entry.deployments_before
                || state.rollouts_of(id).any(|r| r.kind() == RolloutKind::Deployment && !r.is_over());
            if policy.deploy.start == StartMode::WhenApproved
                && !is_started
                && !super::kin::take_over(state, id, facts)
            {
                let draft = RolloutDraft::of(id);
                match state.plan(approved, &draft) {
                    Ok(plan) => {
                        facts.extend(state.started(RolloutKind::Deployment, plan, None).map(Into::into));
                    }
                    Err(findings) => facts.extend(refused(entry, id, &findings).map(Into::into)),
                }
            }
            Some(approved.expires())
        }
        Candidate::Rejected(_) | Candidate::Superseded(_) | Candidate::Withdrawn(_) => None,
    }
}

/// So many characters of why a start is refused are kept.
const REFUSED_CHARS: usize = 1000;

/// Why a candidate cannot start by itself, when that was not told yet. That nobody needs it is no news.
fn refused(entry: &CandidateEntry, candidate: CandidateId, findings: &[Finding]) -> Option<RichFact> {
    if findings.iter().any(|finding| finding.path == "select") {
        return None;
    }
    let reason: String = Findings(findings).to_string().chars().take(REFUSED_CHARS).collect();
    (entry.refused.as_deref() != Some(&*reason)).then_some(RichFact::StartRefused { candidate, reason })
}

fn identified_step(
    state: &State,
    policy: &Policy,
    entry: &CandidateEntry,
    identified: &Identified,
    facts: &mut Facts,
) {
    let id = identified.id();
    if trial_rule(policy, identified).is_none() {
        let patch = identified.patch();
        let rule = format!("no trial rule covers {} updates of {} severity", patch.category, patch.severity);
        facts.push(
            RichFact::TrialConcluded { candidate: id, evidence: Evidence::NotRequired { rule } }.into(),
        );
        return;
    }
    match entry.trial.and_then(|(rollout, failed)| (!failed).then(|| state.rollout(rollout)).flatten()) {
        Some(trial) if trial.state() == RolloutState::Completed => {
            let (counts, at) = (trial.counts(), trial.ended_at().unwrap_or_default());
            let evidence = Evidence::Passed { rollout: trial.id(), counts, at };
            facts.push(RichFact::TrialConcluded { candidate: id, evidence }.into());
        }
        Some(_) => {}
        None if entry.trial.is_none() => facts.extend(state.trial(entry).map(Into::into)),
        // It failed: a person repeats or waives it.
        None => {}
    }
}
