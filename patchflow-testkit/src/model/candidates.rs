//! S8, S9, S11: trials, approvals, and what follows of its own accord.

use super::state::{Ask, Evidence, Model, Rollout, Stage};
use super::{Illegal, Mutation, Sent};
use patchflow_core::catalog::RebootBehaviour;
use patchflow_core::ids::Actor;
use patchflow_core::policy::{Approval, PersonApproval, Policy, Selector, StartMode};
use patchflow_core::rollout::{RolloutKind, RolloutState};
use patchflow_core::time::Timestamp;
use std::collections::BTreeSet;

/// What the policy says about a candidate whose trial is behind it.
enum Way {
    Granted,
    Later(Timestamp),
    Asked(PersonApproval),
}

/// Why a vote does not count.
pub(super) enum NoVote {
    NotAsked,
    NotAllowed,
}

impl Model {
    /// The next step of the first candidate that may move on. Whether anything moved.
    pub(super) fn step_candidates(&mut self) -> Result<bool, Illegal> {
        for c in 0..self.candidates.len() {
            if self.step_kin(c)? {
                return Ok(true);
            }
        }
        for c in 0..self.candidates.len() {
            let timer = self.candidate_due(c).is_some_and(|at| at <= self.now) && self.resync.is_none();
            let look = std::mem::take(&mut self.candidates[c].look) || timer;
            if look && self.step_candidate(c)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step_candidate(&mut self, c: usize) -> Result<bool, Illegal> {
        let Some(policy) = self.policy.clone() else { return Ok(false) };
        match self.candidates[c].stage.clone() {
            Stage::Identified => self.step_identified(c, &policy),
            Stage::Trialled(evidence) => Ok(self.step_trialled(c, &policy, &evidence)),
            Stage::Approved { evidence, expires } => {
                if self.now >= expires && !self.bent(Mutation::ApprovalsNeverExpire) {
                    self.candidates[c].stage = Stage::Trialled(evidence);
                    self.candidates[c].look = true;
                    return Ok(true);
                }
                if policy.deploy.start == StartMode::WhenApproved && !self.candidates[c].deployed {
                    return self.start_deployment(c, &Selector::All);
                }
                Ok(false)
            }
            Stage::Rejected | Stage::Superseded { .. } | Stage::Withdrawn => Ok(false),
        }
    }

    fn step_identified(&mut self, c: usize, policy: &Policy) -> Result<bool, Illegal> {
        let patch = &self.candidates[c].patch;
        let always = policy.trial.required_for_reboot && patch.reboot == RebootBehaviour::Required;
        let required = always || policy.trial.required_for.iter().any(|filter| filter.matches(patch));
        if !required {
            self.conclude(c, Evidence::NotRequired);
            return Ok(true);
        }
        let Some(trial) = self.candidates[c].trial else { return self.start_trial(c) };
        let passed = self.rollouts[trial].state == RolloutState::Completed
            || self.bent(Mutation::FailedTrialsPass) && self.candidates[c].trial_failed;
        if passed && (!self.candidates[c].trial_failed || self.bent(Mutation::FailedTrialsPass)) {
            self.conclude(c, Evidence::Passed);
            return Ok(true);
        }
        // It failed: a person repeats or waives it.
        Ok(false)
    }

    pub(super) fn conclude(&mut self, c: usize, evidence: Evidence) {
        let candidate = &mut self.candidates[c];
        if let Evidence::Waived { by, .. } = &evidence {
            candidate.waived_by = Some(by.clone());
        }
        candidate.stage = Stage::Trialled(evidence);
        candidate.look = true;
    }

    /// The first rule that matches decides; nothing matches means a person does.
    fn way(&self, c: usize, policy: &Policy, evidence: &Evidence) -> Way {
        let patch = &self.candidates[c].patch;
        if self.candidates[c].reconsidered && !self.bent(Mutation::RulesApproveWhatWasTurnedDown) {
            // What a person turned down is for people to decide.
            return Way::Asked(policy.otherwise.clone());
        }
        let Some(rule) = policy.approval.iter().find(|rule| rule.when.matches(patch)) else {
            return Way::Asked(policy.otherwise.clone());
        };
        match &rule.approval {
            Approval::Person(from) => Way::Asked(from.clone()),
            Approval::Automatic { requires_trial: true, .. } if *evidence != Evidence::Passed => {
                Way::Asked(policy.otherwise.clone())
            }
            Approval::Automatic { delay_secs: 0, .. } => Way::Granted,
            Approval::Automatic { delay_secs, .. } => match patch.released {
                None => Way::Asked(policy.otherwise.clone()),
                Some(released) => {
                    let at = released.plus_secs(u64::from(*delay_secs));
                    if self.now < at { Way::Later(at) } else { Way::Granted }
                }
            },
        }
    }

    fn step_trialled(&mut self, c: usize, policy: &Policy, evidence: &Evidence) -> bool {
        match self.way(c, policy, evidence) {
            Way::Granted => {
                self.grant(c, policy.otherwise.expires_secs);
                true
            }
            Way::Later(_) => false,
            Way::Asked(_) if self.candidates[c].ask.is_some() => false,
            Way::Asked(from) => {
                self.asks += 1;
                let (id, quorum) = (self.asks, from.quorum);
                self.candidates[c].ask = Some(Ask { id, from, votes: BTreeSet::new() });
                self.sent.push(Sent::AskApproval { ask: id, candidate: c, quorum });
                true
            }
        }
    }

    fn grant(&mut self, c: usize, expires_secs: u32) {
        let Stage::Trialled(evidence) = self.candidates[c].stage.clone() else { return };
        let expires = self.later(expires_secs);
        let candidate = &mut self.candidates[c];
        candidate.stage = Stage::Approved { evidence, expires };
        (candidate.ask, candidate.look) = (None, true);
        self.take_back(c, false);
    }

    /// The latest candidate of a patch.
    pub(super) fn candidate_of(&self, patch: &str) -> Option<usize> {
        self.candidates.iter().rposition(|candidate| candidate.patch.id.as_str() == patch)
    }

    /// Takes the place of an older candidate: no new orders for it, the rest waits for the successor's own rollout.
    pub(super) fn supersede(&mut self, older: usize, by: usize) {
        let retired = matches!(self.candidates[older].stage, Stage::Superseded { .. } | Stage::Withdrawn);
        if retired || self.bent(Mutation::LeavesTheSuperseded) {
            return;
        }
        (self.candidates[older].stage, self.candidates[older].ask) = (Stage::Superseded { by }, None);
        self.unstage_candidate(older);
        for r in 0..self.rollouts.len() {
            if self.rollouts[r].candidate == older {
                self.stop_catch_up(r);
                self.cancel(r);
            }
        }
    }

    /// One person approves: how many more are missing, or why the vote does not count.
    pub(super) fn vote(&mut self, c: usize, by: &Actor) -> Result<usize, NoVote> {
        let Some(candidate) = self.candidates.get(c) else { return Err(NoVote::NotAsked) };
        let (Stage::Trialled(evidence), Some(ask)) = (&candidate.stage, &candidate.ask) else {
            return Err(NoVote::NotAsked);
        };
        let may = by.has_role(&ask.from.role) || self.bent(Mutation::RolesDoNotMatter);
        let own_waiver = candidate.waived_by.as_deref() == Some(&*by.name);
        let waiver_over = matches!(evidence, Evidence::Waived { until, .. } if self.now >= *until);
        let twice = ask.votes.contains(&*by.name) && !self.bent(Mutation::OnePersonIsAQuorum);
        if !may || own_waiver || waiver_over || twice {
            return Err(NoVote::NotAllowed);
        }
        let (quorum, expires) = (usize::from(ask.from.quorum), ask.from.expires_secs);
        let votes = ask.votes.len() + 1;
        let again = self.bent(Mutation::OnePersonIsAQuorum);
        if let Some(ask) = &mut self.candidates[c].ask {
            let name = if again { format!("{}#{votes}", by.name) } else { by.name.to_string() };
            ask.votes.insert(name);
        }
        let missing = quorum.saturating_sub(votes);
        if missing == 0 {
            self.grant(c, expires);
        }
        Ok(missing)
    }

    /// S8: what the deployments of a candidate installed is rolled back, or stays.
    pub(super) fn take_back(&mut self, c: usize, takes_back: bool) {
        let of = |rollout: &&mut Rollout| rollout.candidate == c && rollout.kind == RolloutKind::Deployment;
        for rollout in self.rollouts.iter_mut().filter(of) {
            rollout.takes_back = takes_back;
        }
    }

    /// Halts every rollout of a candidate that goes on.
    pub(super) fn stop_rollouts(&mut self, c: usize) {
        for r in 0..self.rollouts.len() {
            let runs = matches!(self.rollouts[r].state, RolloutState::Running | RolloutState::Paused);
            if self.rollouts[r].candidate == c {
                self.stop_catch_up(r);
                if runs {
                    self.halt(r, false);
                }
            }
        }
    }

    /// S8: a patch is pulled, by its vendor or by a person. Whether there is one.
    pub(super) fn withdraw(&mut self, patch: &str) -> bool {
        let Some(c) = self.candidate_of(patch) else { return false };
        if self.candidates[c].stage != Stage::Withdrawn {
            (self.candidates[c].stage, self.candidates[c].ask) = (Stage::Withdrawn, None);
            self.unstage_candidate(c);
            self.stop_rollouts(c);
        }
        true
    }

    fn candidate_due(&self, c: usize) -> Option<Timestamp> {
        let policy = self.policy.as_ref()?;
        match &self.candidates[c].stage {
            Stage::Trialled(evidence) => match self.way(c, policy, evidence) {
                Way::Later(at) => Some(at),
                // The delay is over: the rule decides.
                Way::Granted => Some(self.now),
                Way::Asked(_) => None,
            },
            Stage::Approved { expires, .. } => Some(*expires),
            Stage::Identified | Stage::Rejected | Stage::Superseded { .. } | Stage::Withdrawn => None,
        }
    }

    /// When a candidate may move on by time alone.
    pub(super) fn candidate_looks_at(&self, c: usize) -> Option<Timestamp> {
        self.candidate_due(c).filter(|at| *at > self.now)
    }
}
