//! S5: who joins a rollout after its plan was made, and whom a completed one brings along.

use super::Mutation;
use super::state::{Member, Model, Ring};
use patchflow_core::fleet::Standing;
use patchflow_core::gate::Limits;
use patchflow_core::inventory::Environment;
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};

impl Model {
    /// The latest rollout of a candidate that means an endpoint: that one alone takes it in.
    fn taken_up_by(&self, candidate: usize, endpoint: usize) -> Option<usize> {
        (0..self.rollouts.len()).rev().find(|r| {
            let rollout = &self.rollouts[*r];
            rollout.candidate == candidate
                && rollout.kind == RolloutKind::Deployment
                && self.takes(&rollout.select, endpoint)
        })
    }

    /// Whether a member of a completed rollout is a later one's now.
    pub(super) fn is_taken_over(&self, (r, m): (usize, usize)) -> bool {
        let rollout = &self.rollouts[r];
        let later = self.taken_up_by(rollout.candidate, rollout.members[m].endpoint);
        rollout.state == RolloutState::Completed && later.is_some_and(|other| other > r)
    }

    /// Whether a deferred member takes its turn again.
    pub(super) fn is_caught_up(&self, at: (usize, usize)) -> bool {
        let rollout = &self.rollouts[at.0];
        rollout.is_catching_up()
            && rollout.policy.catch_up.deferred
            && !self.is_taken_over(at)
            && !self.bent(Mutation::DeferredStayBehind)
    }

    /// It needs the patch, is in production, the draft means it, and it is no member, or left and is back.
    fn is_newcomer(&self, r: usize, endpoint: usize) -> bool {
        let rollout = &self.rollouts[r];
        let seen = &self.endpoints[endpoint];
        let need = self.candidates[rollout.candidate].needs.get(&endpoint);
        let is_out = rollout.member_of(endpoint).is_none_or(|m| {
            let member = &rollout.members[m];
            let stays = member.taken_out && !self.bent(Mutation::TakenOutComesBack);
            member.phase == Phase::Removed && !stays
        });
        need.is_some_and(|need| need.standing == Standing::Needs)
            && !seen.gone
            && seen.seen.environment == Environment::Production
            && is_out
            && self.taken_up_by(rollout.candidate, endpoint) == Some(r)
    }

    /// Lets newcomers join the last ring, or the catch-up that follows it. Whether anybody did.
    pub(super) fn take_in(&mut self, r: usize) -> bool {
        let rollout = &self.rollouts[r];
        if rollout.kind != RolloutKind::Deployment || !self.is_permitted(r) {
            return false;
        }
        let last = rollout.rings.len() - 1;
        let state = rollout.rings[last].state;
        let never_waits = self.bent(Mutation::NewcomersNeverWait)
            && matches!(rollout.state, RolloutState::Paused | RolloutState::Halted);
        let wanted = rollout.policy.catch_up.newcomers || self.bent(Mutation::CatchUpIsAlwaysOn);
        let ring = match state {
            RingState::Pending | RingState::Open | RingState::Settled | RingState::Held
                if rollout.state == RolloutState::Running || never_waits =>
            {
                last
            }
            RingState::CatchUp if rollout.is_catching_up() && wanted => last,
            _ if rollout.is_catching_up() && wanted => last + 1,
            _ => return false,
        };
        let joins: Vec<usize> = (0..self.endpoints.len()).filter(|e| self.is_newcomer(r, *e)).collect();
        if joins.is_empty() {
            return false;
        }
        let (now, reopens) = (self.now, !self.bent(Mutation::NewcomersDoNotReopen));
        let rollout = &mut self.rollouts[r];
        if ring == rollout.rings.len() {
            rollout.rings.push(Ring::catch_up(now));
        }
        for endpoint in joins {
            let Some(need) = self.candidates[rollout.candidate].needs.get(&endpoint) else { continue };
            rollout.members.push(Member::new(endpoint, ring, need));
        }
        let ring = &mut rollout.rings[ring];
        if matches!(ring.state, RingState::Open | RingState::Settled | RingState::Held) && reopens {
            // They have as long to start as the others had, and the ring bakes with them.
            (ring.state, ring.settled_at, ring.reopened_at) = (RingState::Open, None, Some(now));
        }
        true
    }

    /// Too many of those brought along have failed. Whether that ends it.
    pub(super) fn review_catch_up(&mut self, r: usize) -> bool {
        let rollout = &self.rollouts[r];
        let failures = rollout.members.iter().filter(|member| member.failed_late).count();
        let over = rollout.is_catching_up() && failures > rollout.policy.catch_up.max_failures as usize;
        if over && !self.bent(Mutation::CatchUpNeverStops) {
            self.stop_catch_up(r);
            return true;
        }
        false
    }

    /// It brings nobody along any more: what has not begun is recalled, as on a halt.
    pub(super) fn stop_catch_up(&mut self, r: usize) {
        if self.rollouts[r].is_catching_up() {
            (self.rollouts[r].catch_up_stopped, self.rollouts[r].sweep) = (true, true);
            self.unstage(r);
        }
    }
}

impl Ring {
    /// What follows the last ring of a completed rollout. Nothing judges it.
    fn catch_up(at: patchflow_core::time::Timestamp) -> Self {
        Self {
            name: "catch-up".into(),
            gate: Limits::default(),
            state: RingState::CatchUp,
            alerts: 0,
            alerts_known: false,
            opened_at: Some(at),
            reopened_at: None,
            settled_at: None,
        }
    }
}
