//! S6: the same patch in two rollouts: the second attaches to the first order.

use super::Mutation;
use super::state::{Model, class};
use patchflow_core::gate::Class;
use patchflow_core::rollout::{Phase, RolloutKind, RolloutState};

impl Model {
    /// The member of another rollout of the same patch that is at work on the same endpoint.
    pub(super) fn leader(&self, (r, m): (usize, usize)) -> Option<(usize, usize)> {
        let rollout = &self.rollouts[r];
        let endpoint = rollout.members[m].endpoint;
        if rollout.kind != RolloutKind::Deployment || self.bent(Mutation::NobodyAttaches) {
            return None;
        }
        self.rollouts.iter().enumerate().find_map(|(o, other)| {
            let same =
                o != r && other.candidate == rollout.candidate && other.kind == RolloutKind::Deployment;
            let n = other.member_of(endpoint).filter(|_| same)?;
            let phase = other.members[n].phase;
            let at_work =
                matches!(class(phase), Class::InFlight | Class::Unknown) && phase != Phase::Attached;
            at_work.then_some((o, n))
        })
    }

    pub(super) fn attach(&mut self, at: (usize, usize)) {
        let leader = self.leader(at);
        self.choices.starts.remove(0);
        self.wait_for_turn(at);
        self.put(at, Phase::Attached, None);
        self.rollouts[at.0].members[at.1].leader = leader;
    }

    /// What the order that a member goes by came to. Whether anything.
    pub(super) fn tend_attached(&mut self, at: (usize, usize)) -> bool {
        let phase = self.member(at).leader.map(|leader| (self.phase(leader), self.member(leader).due));
        let to = match phase.map(|(phase, due)| (phase, class(phase), due)) {
            _ if self.rollouts[at.0].state == RolloutState::Cancelled => Phase::Cancelled,
            Some((Phase::Verified, _, _)) => Phase::Verified,
            Some((_, Class::Failed, _)) => Phase::Failed,
            // Asked after, and not answered either: silence is no success.
            Some((Phase::Silent, _, None)) => Phase::Failed,
            Some((_, Class::InFlight | Class::Unknown, _)) => return false,
            Some(_) | None => Phase::Waiting,
        };
        self.put(at, to, None);
        true
    }
}
