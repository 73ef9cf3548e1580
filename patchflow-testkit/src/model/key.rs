//! What tells two states apart for an exploration: everything that can still make a difference, times as distances.

use super::state::{Model, is_taking};
use patchflow_core::rollout::RingState;
use patchflow_core::time::Timestamp;
use std::fmt::Write as _;

impl Model {
    /// The same for two states that nothing to come can tell apart.
    ///
    /// Numbers of orders, fences, requests and strays are left out: they only ever rise. So is how long an approval
    /// still lasts, which an exploration must keep out of reach.
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = String::new();
        let ago = |at: Option<Timestamp>| at.map(|at| self.now.as_secs() - at.as_secs());
        for candidate in &self.candidates {
            let stage = std::mem::discriminant(&candidate.stage);
            let asked = candidate.ask.is_some();
            let _ = write!(key, "{stage:?} {asked} {} {};", candidate.trial_failed, candidate.deployed);
        }
        for endpoint in &self.endpoints {
            let post = endpoint.post.as_ref().map(|post| (post.order.0, post.order.1, ago(Some(post.due))));
            let _ = write!(key, "{} {} {post:?};", endpoint.gone, endpoint.broken);
        }
        for rollout in &self.rollouts {
            let halt = rollout.halt.as_ref().map(|halt| (halt.by_gate, halt.ring));
            let _ = write!(
                key,
                "{:?} {halt:?} {} {} {};",
                rollout.state, rollout.ring, rollout.sweep, rollout.catch_up_stopped
            );
            for ring in &rollout.rings {
                let since = match ring.state {
                    RingState::Open => ago(ring.reopened_at.or(ring.opened_at)),
                    RingState::Settled | RingState::Held => ago(ring.settled_at),
                    RingState::Pending
                    | RingState::Promoted
                    | RingState::Skipped
                    | RingState::CatchUp
                    | RingState::Halted => None,
                };
                let _ = write!(key, "{:?} {} {} {since:?};", ring.state, ring.alerts, ring.alerts_known);
            }
            for member in &rollout.members {
                let due = ago(member.due);
                let known = member.operations > 0;
                let _ = write!(
                    key,
                    "{:?} {due:?} {} {known} {} {} {} {} {};",
                    member.phase,
                    member.attempts,
                    member.forgiven,
                    member.placed,
                    member.taken_out,
                    member.failed_late,
                    member.unread
                );
            }
        }
        let _ =
            write!(key, "{:?} {:?}", self.holds, self.resync.as_ref().map(|r| (ago(Some(r.until)), &r.open)));
        key
    }

    /// Members with their phase, as `(rollout, member, operation, phase)`: what an exploration can let happen to.
    #[must_use]
    pub fn members(&self) -> Vec<(usize, usize, u8, patchflow_core::rollout::Phase)> {
        let mut all = Vec::new();
        for (r, rollout) in self.rollouts.iter().enumerate() {
            for (m, member) in rollout.members.iter().enumerate() {
                all.push((r, m, member.operations, member.phase));
            }
        }
        all
    }

    /// Whether no operation is under way and none may be.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.members().iter().all(|(_, _, _, phase)| !is_taking(*phase))
    }

    /// The time it stands at.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}
