//! What a fleet keeps beside its facts, found again: after a replay, and where it has grown stale.

use crate::fleet::decide::{self, Facts};
use crate::fleet::state::State;
use crate::ids::{CandidateId, MemberIx, RolloutId};
use crate::rollout::{Member, MemberSet, Phase, RingState, RolloutState};
use alloc::vec::Vec;

impl State {
    /// Every endpoint that is not in service yet may have everything now.
    pub(in crate::fleet) fn look_at_onboarding(&mut self) {
        let onboarding =
            self.endpoints.conditions().filter(|(_, known)| known.onboarding && !known.onboarded);
        self.cache.onboarding = onboarding.map(|(ix, _)| ix).collect();
    }

    /// Drops deadlines that were set into the past and no longer count.
    pub(in crate::fleet) fn trim_deadlines(&mut self) {
        let Self { cache, rollouts, .. } = self;
        cache.deadlines.trim(|due, rollout, member| {
            let member =
                rollouts.get(rollout as usize).and_then(|rollout| rollout.members().get(member as usize));
            member.is_some_and(|member| member.deadline == due)
        });
    }

    /// Finds every cache again after a replay, and puts on the agenda what a crash may have left undecided.
    pub(crate) fn recover(&mut self) {
        self.cache.now = self.clock;
        self.cache.live = true;
        self.recount_budgets();
        self.cache.posts_due = self.posts.iter().map(|(endpoint, post)| (post.due, *endpoint)).collect();
        for rollout in &self.rollouts {
            for (i, member) in rollout.members().iter().enumerate().filter(|(_, member)| member.deadline != 0)
            {
                self.cache.deadlines.moved(rollout.id().0, i as u32, [0, member.deadline], |_| true);
            }
        }
        self.recover_scans();
        self.recover_stages();
        self.recover_newcomers();
        let freezes = self.policy.as_ref().is_some_and(|(policy, _)| policy.freezes().next().is_some());
        for i in 0..self.rollouts.len() {
            let rollout = &mut self.rollouts[i];
            rollout.queue.windowed |= freezes;
            rollout.queue.again.clear();
            rollout.queue.cursor = 0;
            let waits_again = |member: &Member| {
                member.phase == Phase::Waiting
                    && (member.ring <= rollout.ring || rollout.state == RolloutState::Completed)
            };
            let again = rollout.members.iter().zip(0..).filter(|(member, _)| waits_again(member));
            let again: MemberSet = match rollout.current_ring().state() {
                // The cursor finds them in plan order, those of earlier rings too.
                RingState::Open | RingState::Pending => {
                    again.filter(|(m, _)| m.ring < rollout.ring).map(|(_, i)| MemberIx(i)).collect()
                }
                RingState::Settled
                | RingState::Held
                | RingState::Promoted
                | RingState::Skipped
                | RingState::CatchUp
                | RingState::Halted => again.map(|(_, i)| MemberIx(i)).collect(),
            };
            rollout.queue.again = again;
            rollout.queue.parked = Default::default();
            rollout.queue.reverts = Default::default();
            rollout.queue.queued = false;
            // A cancellation that a crash cut off in its middle has members left to cancel.
            let ended = matches!(rollout.state(), RolloutState::Completed | RolloutState::Ended);
            let waits = rollout.state == RolloutState::Completed && rollout.counts().waiting > 0;
            // So has a rollback that waits for its endpoint or a place.
            let reverts = rollout.takes_back
                || rollout.counts().failed > 0
                || rollout.halt.as_ref().is_some_and(|halt| halt.by_gate);
            rollout.queue.sweep = false;
            rollout.queue.recovered = !ended || rollout.moving > 0 || waits || reverts;
            rollout.queue.release = rollout.is_catching_up() && rollout.counts().deferred > 0;
            let joins = rollout.queue.release || !rollout.queue.newcomers.is_empty();
            let id = RolloutId(i as u32);
            if rollout.queue.recovered {
                self.count_all_waiting(id, None);
                // As of the last fact, so that a window that closed since then is seen to have closed.
                self.watch(self.clock, id);
                self.put_on_agenda(id);
            } else if joins {
                self.put_on_agenda(id);
            }
        }
        // A drill that has begun may not have been ordered yet, in a rollout that is over.
        self.cache.tending.extend(self.drilling.keys().copied());
        self.recover_ways();
        // Of what was never compared nobody knows what is missing there.
        self.look_at_onboarding();
        let Self { cache, candidates, .. } = self;
        cache.onboarding.retain(|ix| candidates.iter().any(|entry| entry.needs.get(*ix).is_some()));
        let mut looks = Vec::new();
        for (i, entry) in self.candidates.iter().enumerate() {
            if !entry.awaits_comparison() {
                self.cache.candidate_agenda.insert(CandidateId(i as u32));
            } else {
                let mut due = Facts::new();
                let first = decide::first_install(self, self.clock, entry, &mut due);
                let look = decide::due_date(self, self.clock, entry, &mut due).into_iter().chain(first).min();
                let look = if due.is_empty() { look } else { Some(self.clock) };
                looks.push((CandidateId(i as u32), look));
            }
        }
        looks.into_iter().for_each(|(id, look)| self.cache.candidate_alarms.set(id, look));
    }
}
