//! S10, S11: what is on an endpoint, and what that means for others.

use super::Mutation;
use super::state::Model;
use patchflow_core::fleet::Standing;
use patchflow_core::rollout::Phase;
use std::cmp::Ordering;

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
                && (self.candidates[c].trial == Some(r)
                    || rollout.kind == patchflow_core::rollout::RolloutKind::Deployment);
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

    /// What replaces a candidate, directly or through others, is on the endpoint: one that is approved, or was published as
    /// the same patch.
    pub(super) fn superseder_is_there(&self, _c: usize, _endpoint: usize) -> bool {
        false
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
