//! One event of one member: the hot path.

use super::Misfit;
use crate::fleet::EndpointFact;
use crate::fleet::state::State;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::rollout::{Event, Phase};
use crate::time::Timestamp;
use alloc::format;

impl State {
    pub(super) fn evolve_endpoint(&mut self, at: Timestamp, fact: &EndpointFact) -> Result<(), Misfit> {
        let EndpointFact { rollout: id, member, event, reason, due } = *fact;
        let rollout = self.rollouts.get_mut(id.index()).ok_or_else(|| format!("there is no rollout {id}"))?;
        let places = rollout.operating;
        let before = rollout.members.get(member.index()).map(|m| (m.phase, m.deadline));
        let Some((from, to)) = rollout.apply(at, member, event, reason, due) else {
            return Err(
                before.map_or_else(|| format!("{id} has no {member}"), |(phase, _)| format!("it is {phase}"))
            );
        };
        let old_due = before.map_or(0, |(_, deadline)| deadline);
        let (endpoint, candidate) = (rollout.members[member.index()].endpoint, rollout.candidate);
        let taken = rollout.operating.cmp(&places);
        if self.cache.live {
            if !rollout.queue.queued {
                rollout.queue.queued = true;
                self.cache.rollout_agenda.push(id);
            }
            let members = &rollout.members;
            let counts =
                |other: u32| members.get(other as usize).is_some_and(|other| other.deadline == old_due);
            self.cache.deadlines.moved(id.0, member.0, [old_due, due], counts);
            if rollout.starts_no_more() || matches!(to, Phase::Failed | Phase::RebootPending) {
                self.cache.tending.push((id, member));
            }
        }
        let waits = to == Phase::Waiting;
        if rollout.queue.windowed && self.cache.live && waits != (from == Phase::Waiting) {
            let ring = usize::from(rollout.members[member.index()].ring);
            if rollout.rings[ring].opened_at.is_some() {
                let calendar = self.calendar_of(endpoint);
                self.count_waiting(id, calendar, waits);
            }
        }
        let grouped = !self.endpoints.groups_are_unused();
        let was_down = grouped.then(|| self.endpoints.slot(endpoint).is_some_and(|slot| slot.is_down()));
        let ordered = matches!(event, Event::Ordered | Event::RebootOrdered | Event::RevertOrdered);
        // Most facts leave the endpoint as taken, or as free, as it was: its slot is not looked at for those.
        if (ordered || from.occupies() != to.occupies())
            && let Some(slot) = self.endpoints.slots.get_mut(endpoint.index())
        {
            slot.fence += u32::from(ordered);
            slot.set_active(to.occupies().then_some((id, member)));
            if !to.occupies() {
                self.wake(endpoint);
            }
        }
        if event == Event::Attached {
            let leader = self.member(id, member).and_then(|at| self.leader(at));
            let leader = leader.ok_or("no other rollout of its patch is under way there")?;
            self.attached.insert((endpoint, id, member), leader);
        } else if !self.attached.is_empty() {
            self.attached.remove(&(endpoint, id, member));
            if self.cache.live {
                let followers = (endpoint, RolloutId(0), MemberIx(0))
                    ..=(endpoint, RolloutId(u32::MAX), MemberIx(u32::MAX));
                let followers =
                    self.attached.range(followers).map(|((_, rollout, member), _)| (*rollout, *member));
                self.cache.tending.extend(followers);
            }
        }
        self.cache.resumes = None;
        self.after_operation(at, (id, member), [from, to]);
        if let Some(was_down) = was_down {
            self.group_changed(endpoint, [from, to], was_down);
        }
        if taken.is_ne() && self.cache.live && self.cache.budgets.is_counting() {
            self.count_place(endpoint, taken.is_gt());
        }
        if event == Event::HookAsked || (event == Event::Ordered && from != Phase::Draining) {
            self.note_start(at);
        }
        if to == Phase::RolledBack {
            self.holds.insert((candidate, endpoint));
        }
        if let Some(resync) = &mut self.resync {
            resync.open.remove(&(id, member));
        }
        Ok(())
    }

    /// Lets those who wait for an endpoint look again.
    pub(in crate::fleet) fn wake(&mut self, endpoint: EndpointIx) {
        if self.cache.turns.is_empty() {
            return;
        }
        let Some(turns) = self.cache.turns.remove(&endpoint) else { return };
        for (_, _, rollout, member) in turns {
            if let Some(rollout) = self.rollouts.get_mut(rollout.index()) {
                rollout.queue.again.insert(member);
            }
            self.cache.tending.push((rollout, member));
            self.put_on_agenda(rollout);
        }
    }
}
