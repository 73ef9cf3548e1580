//! What is known of the content of members: whether it is on its way, there, or could not be brought.

use super::Misfit;
use crate::error::FailureKind;
use crate::fleet::EndpointFact;
use crate::fleet::state::State;
use crate::ids::{CandidateId, EndpointIx, MemberIx, RolloutId};
use crate::rollout::{Event, Phase, RingState, RolloutState, StageSlot, StageState};
use crate::time::Timestamp;
use alloc::format;

impl State {
    /// One event of a member's content. The member itself stays where it is.
    pub(in crate::fleet) fn evolve_stage(
        &mut self,
        at: Timestamp,
        fact: &EndpointFact,
    ) -> Result<(), Misfit> {
        let EndpointFact { rollout: id, member: ix, event, reason, due } = *fact;
        let rollout = self.rollouts.get_mut(id.index()).ok_or_else(|| format!("there is no rollout {id}"))?;
        let member = *rollout.members.get(ix.index()).ok_or_else(|| format!("{id} has no {ix}"))?;
        if member.phase.next(event).is_none() {
            return Err(format!("it is {}", member.phase));
        }
        let old = rollout.stages.get(ix);
        let slot = |state, attempt, reason| StageSlot { due, reason, attempt, state };
        let new = if event == Event::StageAsked {
            if old.state == StageState::Asked {
                return Err("it is asked for".into());
            }
            slot(StageState::Asked, old.attempt.saturating_add(1), old.reason)
        } else if event == Event::Staged {
            slot(StageState::Staged, 0, 0)
        } else if event == Event::StageFailed {
            slot(StageState::Failed, old.attempt, reason)
        } else if event == Event::StageGaveUp {
            slot(StageState::GivenUp, 0, reason)
        } else {
            // The table lets no other event of content be than that it begins anew.
            StageSlot::default()
        };
        self.content_changes(id, ix, member.endpoint, [old, new]);
        if event == Event::StageAsked {
            self.stage_starts.note(self.stage_starts_max(), at);
        }
        if self.cache.live {
            // Other content than what was approved is not left lying about.
            let is_wrong = |(kind, _): (FailureKind, _)| kind == FailureKind::Corrupt;
            if event == Event::StageGaveUp && self.reasons.get(reason).is_some_and(is_wrong) {
                self.cache.unstaged.push((id, ix));
            }
            self.look_after_content(id, ix, event);
        }
        if self.cache.live && due != 0 {
            self.cache.stage_timers.arm(due, id.0, ix.0);
        }
        Ok(())
    }

    /// The member takes its turn when its content is there, and its content when it is not.
    fn look_after_content(&mut self, id: RolloutId, ix: MemberIx, event: Event) {
        let Some(rollout) = self.rollouts.get_mut(id.index()) else { return };
        let Some(member) = rollout.members.get(ix.index()) else { return };
        if event == Event::Staged && rollout.is_in_turn(member) {
            rollout.queue.again.insert(ix);
        } else if event == Event::StageDropped {
            rollout.queue.staging.again.insert(ix);
        }
        self.put_on_agenda(id);
    }

    /// Another slot for a member: its timer and its place among what is being staged go with it.
    fn content_changes(
        &mut self,
        id: RolloutId,
        ix: MemberIx,
        endpoint: EndpointIx,
        [old, new]: [StageSlot; 2],
    ) {
        let Some(rollout) = self.rollouts.get_mut(id.index()) else { return };
        let members = rollout.members.len();
        if let Some(slot) = rollout.stages.slot_mut(ix, members) {
            *slot = new;
        }
        if !self.cache.live {
            return;
        }
        if old.due != 0 {
            let stages = &rollout.stages;
            let counts = |other: u32| stages.get(MemberIx(other)).due == old.due;
            self.cache.stage_timers.disarm(old.due, id.0, counts);
        }
        let places = [old, new].map(|slot| slot.state == StageState::Asked);
        if places[0] != places[1] && self.cache.stagings.is_counting() {
            let scope = self.cache.stagings.scope_of(&self.endpoints, endpoint);
            self.cache.stagings.count_place(scope, places[1]);
        }
    }

    /// A member moved: whoever leaves needs no content any more, whoever waits again may need it anew.
    pub(super) fn moves_with_content(&mut self, id: RolloutId, ix: MemberIx, event: Event, to: Phase) {
        let Some(rollout) = self.rollouts.get_mut(id.index()) else { return };
        let (slot, endpoint) = (rollout.stages.get(ix), rollout.members[ix.index()].endpoint);
        let waits = matches!(to, Phase::Waiting | Phase::Deferred);
        if waits && self.cache.live {
            rollout.queue.staging.again.insert(ix);
        }
        // With the next start come attempts of its own.
        let anew = to == Phase::Deferred || event == Event::Released;
        let leaves = matches!(to, Phase::Skipped | Phase::Cancelled | Phase::Held | Phase::Removed);
        let ends = match slot.state {
            StageState::None => false,
            StageState::Asked => leaves || !to.is_staged_for(),
            StageState::Staged => leaves,
            StageState::Failed | StageState::GivenUp => leaves || anew,
        };
        if ends {
            self.content_changes(id, ix, endpoint, [slot, StageSlot::default()]);
            let is_there = matches!(slot.state, StageState::Asked | StageState::Staged);
            if leaves && is_there && self.cache.live {
                self.cache.unstaged.push((id, ix));
            }
        }
    }

    /// Nothing will be installed any more from what was staged for a candidate.
    pub(super) fn unstage_candidate(&mut self, id: CandidateId) {
        let Some(entry) = self.candidates.get(id.index()) else { return };
        let trial = entry.trial.map(|(rollout, _)| rollout);
        let rollouts: alloc::vec::Vec<_> = entry.deployments.iter().copied().chain(trial).collect();
        rollouts.into_iter().for_each(|rollout| self.unstage_rollout(rollout));
    }

    /// Nothing will be installed any more from what was staged for a rollout.
    pub(super) fn unstage_rollout(&mut self, id: RolloutId) {
        let Some(rollout) = self.rollouts.get(id.index()).filter(|it| !it.stages.is_empty()) else { return };
        for ix in (0..rollout.members.len()).map(|i| MemberIx(i as u32)) {
            let Some(rollout) = self.rollouts.get(id.index()) else { return };
            let (slot, member) = (rollout.stages.get(ix), rollout.members[ix.index()]);
            let is_there = matches!(slot.state, StageState::Asked | StageState::Staged);
            if slot.state == StageState::None
                || !(member.phase.is_staged_for() || member.phase == Phase::Attached)
            {
                continue;
            }
            self.content_changes(id, ix, member.endpoint, [slot, StageSlot::default()]);
            if is_there && self.cache.live {
                self.cache.unstaged.push((id, ix));
            }
        }
    }

    /// Members of rings that have not opened may have other numbers now: what was staged for them is asked for anew,
    /// which costs little where the content is still there.
    pub(super) fn restage_unopened(&mut self, id: RolloutId) {
        let Some(rollout) = self.rollouts.get_mut(id.index()).filter(|it| it.is_staged_first()) else {
            return;
        };
        rollout.stage_anew();
        let pending = rollout.rings.iter().find(|ring| ring.state == RingState::Pending);
        let from = pending.map_or(rollout.members.len(), |ring| ring.first as usize);
        if rollout.stages.0.len() > from {
            rollout.stages.0.truncate(from);
        }
        if self.cache.live {
            self.recount_stagings();
        }
    }

    /// Whether somebody waits with content for something to happen on an endpoint.
    pub(in crate::fleet) fn waits_with_content(&self, endpoint: EndpointIx) -> bool {
        !self.cache.stage_turns.is_empty() && self.cache.stage_turns.range(of(endpoint)).next().is_some()
    }

    /// Something happened on an endpoint: whoever waits for that with their content is looked at again.
    pub(in crate::fleet) fn wake_stages(&mut self, endpoint: EndpointIx) {
        let woken: alloc::vec::Vec<_> = self.cache.stage_turns.range(of(endpoint)).copied().collect();
        for entry in woken {
            self.cache.stage_turns.remove(&entry);
            let (_, id, ix) = entry;
            if let Some(rollout) = self.rollouts.get_mut(id.index()) {
                rollout.queue.staging.again.insert(ix);
            }
            self.put_on_agenda(id);
        }
    }

    /// Whether a rollout stages at all now, as far as it alone is concerned.
    pub(in crate::fleet) fn stages_now(&self, id: RolloutId) -> bool {
        self.rollout(id).is_some_and(|rollout| {
            let runs = rollout.state() == RolloutState::Running || rollout.is_catching_up();
            rollout.is_staged_first() && runs
        })
    }
}

/// The turns of one endpoint among all that wait with their content.
fn of(endpoint: EndpointIx) -> core::ops::RangeInclusive<(EndpointIx, RolloutId, MemberIx)> {
    (endpoint, RolloutId(0), MemberIx(0))..=(endpoint, RolloutId(u32::MAX), MemberIx(u32::MAX))
}
