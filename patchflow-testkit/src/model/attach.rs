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
            // What was asked after in vain comes to nothing that could be waited for.
            let in_vain = phase == Phase::Silent && other.members[n].due.is_none();
            let at_work =
                matches!(class(phase), Class::InFlight | Class::Unknown) && phase != Phase::Attached;
            (at_work && !in_vain).then_some((o, n))
        })
    }

    pub(super) fn attach(&mut self, at: (usize, usize)) {
        let leader = self.leader(at);
        self.choices.starts.remove(0);
        self.wait_for_turn(at);
        self.put(at, Phase::Attached, None);
        self.rollouts[at.0].members[at.1].leader = leader;
    }

    /// All who go by an order of another rollout. Whether anything came of one.
    pub(super) fn tend_followers(&mut self) -> bool {
        let mut moved = false;
        for r in 0..self.rollouts.len() {
            for m in 0..self.rollouts[r].members.len() {
                moved |= self.phase((r, m)) == Phase::Attached
                    && self.resync.is_none()
                    && self.tend_attached((r, m));
            }
        }
        moved
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
