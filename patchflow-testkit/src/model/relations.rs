//! S10, S11: what is on an endpoint, and what that means for others.

use super::state::{Model, Rollout, Stage};
use super::{Illegal, Mutation};
use patchflow_core::fleet::Standing;
use patchflow_core::inventory::Environment;
use patchflow_core::policy::OnSuperseded;
use patchflow_core::rollout::{Phase, RolloutKind, RolloutState};
use patchflow_core::time::Timestamp;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Dotted numbers, as the versions of these histories are.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

impl Model {
    /// Whether a candidate is on an endpoint: a rollout verified it there or found it, or the inventory says so.
    pub(super) fn is_there(&self, c: usize, endpoint: usize) -> bool {
        let found = |phase| matches!(phase, Phase::Verified | Phase::Skipped);
        let shown = self.rollouts.iter().enumerate().any(|(r, rollout)| {
            let concerns = rollout.candidate == c
                && (self.candidates[c].trial == Some(r) || rollout.kind == RolloutKind::Deployment);
            concerns && rollout.member_of(endpoint).is_some_and(|m| found(rollout.members[m].phase))
        });
        let need = self.candidates[c].needs.get(&endpoint);
        shown || need.is_some_and(|need| need.standing == Standing::Has)
    }

    /// S10: the way back from a candidate has ended on an endpoint, and a rollout's policy wants one.
    pub(super) fn path_has_ended(&self, r: usize, endpoint: usize) -> bool {
        let rollout = &self.rollouts[r];
        let until = self.candidates[rollout.candidate].needs.get(&endpoint).and_then(|need| need.path_until);
        until.is_some_and(|until| until <= self.now) && rollout.policy.rollback.without_path.is_none()
    }

    /// Whether something else has taken the place of what was installed.
    pub(super) fn is_replaced(&self, c: usize, endpoint: usize) -> bool {
        let need = self.candidates[c].needs.get(&endpoint).filter(|need| need.standing == Standing::Has);
        let present = need.and_then(|need| need.present.as_deref());
        let other = present.is_some_and(|version| version != self.candidates[c].patch.target.version);
        (other || self.superseder_is_there(c, endpoint)) && !self.bent(Mutation::TakesBackWhatWasReplaced)
    }

    /// What replaces a candidate, directly or through others, is on the endpoint: to install it then were a step back.
    pub(super) fn superseder_is_there(&self, c: usize, endpoint: usize) -> bool {
        self.replacing(c).into_iter().any(|by| self.is_there(by, endpoint))
            && !self.bent(Mutation::PutsBackWhatWasReplaced)
    }

    /// Only what the latest content of a patch says about others counts.
    fn counts(&self, c: usize) -> bool {
        self.candidate_of(self.candidates[c].patch.id.as_str()) == Some(c)
    }

    /// All that replace a candidate, directly or through others, whatever became of them.
    pub(super) fn replacing(&self, c: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut names = vec![self.candidates[c].patch.id.clone()];
        while let Some(name) = names.pop() {
            for by in (0..self.candidates.len()).filter(|by| *by != c && self.counts(*by)) {
                let patch = &self.candidates[by].patch;
                if patch.relations.supersedes.contains(&name) && found.insert(by) {
                    names.push(patch.id.clone());
                }
            }
            if self.bent(Mutation::ReplacesOnlyWhatItNames) {
                break;
            }
        }
        found
    }

    /// The newest approved one that replaces a candidate: the one that no other of them replaces, the latest of several.
    pub(super) fn approved_superseder(&self, c: usize) -> Option<usize> {
        let hides = |by: &usize| {
            let stage = &self.candidates[*by].stage;
            matches!(stage, Stage::Approved { .. })
                || self.bent(Mutation::HidesBeforeApproval) && !matches!(stage, Stage::Withdrawn)
        };
        let approved: BTreeSet<usize> = self.replacing(c).into_iter().filter(hides).collect();
        let newest = approved.iter().filter(|by| self.replacing(**by).is_disjoint(&approved));
        newest.max().copied()
    }

    /// A rollout of it has not come to its end whose policy lets it. A halt is no end.
    fn is_finishing(&self, c: usize) -> bool {
        self.rollouts.iter().any(|rollout| {
            rollout.candidate == c
                && rollout.kind == RolloutKind::Deployment
                && rollout.policy.relations.superseded == OnSuperseded::Finish
                && !matches!(rollout.state, RolloutState::Completed | RolloutState::Ended)
                && !self.bent(Mutation::NobodyFinishes)
        })
    }

    /// What others decide about a candidate: something approved takes its place, or nothing replaces it any more.
    pub(super) fn step_kin(&mut self, c: usize) -> Result<bool, Illegal> {
        match self.candidates[c].stage {
            Stage::Identified | Stage::Trialled(_) | Stage::Approved { .. } => {
                let Some(by) = self.approved_superseder(c).filter(|_| !self.is_finishing(c)) else {
                    return Ok(false);
                };
                // What is only identified waits for the next comparison; that it is replaced may be said before.
                let candidate = &self.candidates[c];
                let waits =
                    candidate.stage == Stage::Identified && candidate.trial.is_none() && !candidate.look;
                // Of several that are approved at one instant, which was the first to be is the engine's business.
                let said = self.choices.superseded.iter().find(|(older, _)| *older == c).map(|(_, by)| *by);
                if waits && said.is_none()
                    || said.is_some_and(|said| said != by)
                    || self.bent(Mutation::LeavesTheSuperseded)
                {
                    return Ok(false);
                }
                let moves: Vec<usize> = (0..self.rollouts.len()).filter(|r| self.moves_on(*r, c)).collect();
                self.supersede(c, by);
                self.move_all(&moves, by)?;
                Ok(true)
            }
            // Of several that come back at one instant the first may be approved, and replace another, before that one is
            // looked at.
            Stage::Superseded { by } if self.is_bereft(c, by) && self.choices.reopened.contains(&c) => {
                self.reopen(c);
                Ok(true)
            }
            Stage::Superseded { .. } | Stage::Rejected | Stage::Withdrawn => Ok(false),
        }
    }

    /// What replaced it, in its latest content, was turned down or withdrawn, and nothing else that is approved replaces it.
    /// Only the latest content of a patch comes back.
    fn is_bereft(&self, c: usize, by: usize) -> bool {
        let (own, other) = (&self.candidates[c].patch.id, &self.candidates[by].patch.id);
        let latest = self.candidate_of(other.as_str()).unwrap_or(by);
        let gone = matches!(self.candidates[latest].stage, Stage::Rejected | Stage::Withdrawn);
        self.counts(c)
            && own != other
            && gone
            && self.approved_superseder(c).is_none()
            && !self.bent(Mutation::TheReplacedStaysAway)
    }

    /// Whatever nothing replaces any more is open again at once.
    pub(super) fn nobody_stays_replaced(&self) -> Result<(), Illegal> {
        for (c, candidate) in self.candidates.iter().enumerate() {
            if matches!(candidate.stage, Stage::Superseded { by } if self.is_bereft(c, by)) {
                return Err(Illegal(format!("nothing replaces c{c} any more, and it is not open again")));
            }
        }
        Ok(())
    }

    /// Its way begins anew, and a trial that has come to its end still counts.
    pub(super) fn reopen(&mut self, c: usize) {
        let candidate = &mut self.candidates[c];
        (candidate.stage, candidate.look, candidate.deployed) = (Stage::Identified, true, false);
        let failed = candidate.trial_failed;
        candidate.trial =
            candidate.trial.filter(|r| failed || self.rollouts[*r].state == RolloutState::Completed);
        let goes_on = |rollout: &Rollout| {
            rollout.candidate == c && rollout.kind == RolloutKind::Deployment && !rollout.is_over()
        };
        self.candidates[c].deployed = self.rollouts.iter().any(goes_on);
    }

    fn moves_on(&self, r: usize, c: usize) -> bool {
        let rollout = &self.rollouts[r];
        rollout.candidate == c
            && rollout.kind == RolloutKind::Deployment
            && rollout.policy.relations.superseded == OnSuperseded::Move
            && !rollout.is_over()
            && !self.bent(Mutation::NobodyMoves)
    }

    /// A rollout of the successor for each one that moves, over its rings; none when the successor has one already.
    fn move_all(&mut self, from: &[usize], by: usize) -> Result<(), Illegal> {
        let own = |rollout: &Rollout| {
            rollout.candidate == by && rollout.kind == RolloutKind::Deployment && !rollout.is_over()
        };
        if self.rollouts.iter().any(own) {
            return Ok(());
        }
        for r in from {
            self.move_over(*r, by)?;
        }
        Ok(())
    }

    /// Whoever needs the successor is in the ring that it was in.
    fn move_over(&mut self, r: usize, by: usize) -> Result<(), Illegal> {
        let starters = self.starters(by, Environment::Production);
        let from = self.rollouts[r].clone();
        let ring = |ring: usize| -> (usize, BTreeSet<usize>) {
            let members = from.members.iter().enumerate().filter(|(m, member)| {
                member.ring == ring
                    && from.member_of(member.endpoint) == Some(*m)
                    && starters.contains(&member.endpoint)
            });
            let endpoints: BTreeSet<usize> = members.map(|(_, member)| member.endpoint).collect();
            (endpoints.len(), endpoints)
        };
        let rings: Vec<_> = (0..from.rings.len()).map(ring).collect();
        if rings.iter().all(|(size, _)| *size == 0) {
            return Ok(());
        }
        let gates = from.rings.iter().map(|ring| ring.gate.clone()).collect();
        let r = self.rollouts.len();
        self.begin(by, RolloutKind::Deployment, from.policy, rings, gates, from.select)?;
        self.rollouts[r].emergency = from.emergency;
        self.candidates[by].deployed = true;
        Ok(())
    }

    /// S7: a successor takes over the earlier due dates of what it replaces, and of its own older contents.
    pub(super) fn due_of(&self, c: usize) -> Timestamp {
        let own = &self.candidates[c];
        let before = (0..self.candidates.len()).filter(|older| {
            let other = &self.candidates[*older];
            *older < c && other.patch.id == own.patch.id || self.replacing(*older).contains(&c)
        });
        before.map(|older| self.candidates[older].due).chain([own.due]).min().unwrap_or(own.due)
    }

    /// Nothing is installed over something newer, whether the inventory says so or another rollout brought it.
    pub(super) fn newer_is_there(&self, c: usize, endpoint: usize) -> bool {
        let target = &self.candidates[c].patch.target;
        let newer = |version: &str| numbers(version).cmp(&numbers(&target.version)) == Ordering::Greater;
        let present = self.candidates[c].needs.get(&endpoint).and_then(|need| need.present.as_deref());
        let others = 0..self.candidates.len();
        let brought = others.filter(|other| *other != c).any(|other| {
            let other_target = &self.candidates[other].patch.target;
            let same = other_target.package == target.package;
            same && newer(&other_target.version) && self.is_there(other, endpoint)
        });
        (present.is_some_and(newer) || brought) && !self.bent(Mutation::InstallsOverTheNewer)
    }
}
