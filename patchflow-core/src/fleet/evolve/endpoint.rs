//! One event of one member: the hot path.

use super::Misfit;
use crate::fleet::EndpointFact;
use crate::fleet::state::State;
use crate::fleet::table::conditions::Bits;
use crate::fleet::table::slot::Slot;
use crate::ids::{CandidateId, EndpointIx, MemberIx, RolloutId};
use crate::rollout::{Event, Phase, RolloutKind};
use crate::time::Timestamp;
use alloc::format;

impl State {
    #[inline]
    pub(in crate::fleet) fn evolve_endpoint(
        &mut self,
        at: Timestamp,
        fact: &EndpointFact,
    ) -> Result<(), Misfit> {
        let EndpointFact { rollout: id, member, event, reason, due } = *fact;
        if matches!(event, Event::Ordered | Event::HookAsked)
            && let Some(at) = self.member(id, member)
        {
            self.take_over_from_mate(id, at.member.endpoint);
        }
        let rollout = self.rollouts.get_mut(id.index()).ok_or_else(|| format!("there is no rollout {id}"))?;
        let staged_first = rollout.is_staged_first();
        let bundled = !rollout.bundle.is_empty();
        let places = rollout.operating;
        let before = rollout.members.get(member.index()).map(|m| (m.phase, m.deadline));
        let Some((from, to)) = rollout.apply(at, member, event, reason, due) else {
            return Err(
                before.map_or_else(|| format!("{id} has no {member}"), |(phase, _)| format!("it is {phase}"))
            );
        };
        if from == Phase::RebootPending || to == Phase::RebootPending {
            let pending = |phase| u32::from(phase == Phase::RebootPending);
            rollout.reboots_pending = rollout.reboots_pending + pending(to) - pending(from);
        }
        let quiet_secs = rollout.policy.deploy.quiet_reserve_secs;
        let old_due = before.map_or(0, |(_, deadline)| deadline);
        let (endpoint, candidate) = (rollout.members[member.index()].endpoint, rollout.candidate);
        let taken = rollout.operating.cmp(&places);
        if self.cache.live {
            let ring = rollout.members[member.index()].ring;
            if !rollout.queue.queued && !rollout.is_unmoved(ring, from, to) {
                rollout.queue.queued = true;
                self.cache.rollout_agenda.push(id);
            }
            if to == Phase::Waiting {
                rollout.queue.waits_again(member);
            }
            let members = &rollout.members;
            let counts =
                |other: u32| members.get(other as usize).is_some_and(|other| other.deadline == old_due);
            self.cache.deadlines.moved(id.0, member.0, [old_due, due], counts);
            // Nothing is left to do for a member that came back, unless that was a drill.
            let drilled = to == Phase::RolledBack && !self.drilling.is_empty();
            let leaves_more = matches!(to, Phase::Failed | Phase::RebootPending | Phase::NeedsOperator);
            if rollout.starts_no_more() || drilled || leaves_more {
                self.cache.tending.push((id, member));
            }
        }
        if matches!(to, Phase::Installed | Phase::Verified) && rollout.kind == RolloutKind::Trial {
            let clock = self.candidates.get_mut(candidate.index()).map(|entry| &mut entry.clock);
            clock.into_iter().for_each(|clock| _ = clock.first_install.get_or_insert(at));
        }
        if matches!(from, Phase::Verified | Phase::Skipped) {
            self.cache.due_looks.remove(&candidate);
        }
        let waits = to == Phase::Waiting;
        let begins = matches!(event, Event::Ordered | Event::RebootOrdered | Event::HookAsked);
        if begins && rollout.queue.windowed && self.cache.live {
            let calendar = self.endpoints.calendar_of(endpoint);
            rollout.queue.watch_work(calendar);
        }
        if rollout.queue.windowed && self.cache.live && waits != (from == Phase::Waiting) {
            let ring = usize::from(rollout.members[member.index()].ring);
            if rollout.rings[ring].opened_at.is_some() {
                let calendar = self.calendar_of(endpoint);
                self.count_waiting(id, calendar, waits);
            }
        }
        let grouped = !self.endpoints.groups_are_unused();
        let health = if grouped { self.endpoints.slot(endpoint).map(Slot::health) } else { None };
        let ordered = matches!(event, Event::Ordered | Event::RebootOrdered | Event::RevertOrdered);
        let mate = if bundled { self.left_with(id, endpoint) } else { None };
        // Most facts leave the endpoint as taken, or as free, as it was: its slot is not looked at for those.
        let occupies = to.tally().occupies;
        if (ordered || from.tally().occupies != occupies)
            && let Some(slot) = self.endpoints.slots.get_mut(endpoint.index())
        {
            slot.fence += u32::from(ordered);
            slot.set_active(occupies.then_some((id, member)).or(mate));
            let onboarding = slot.conditions.has(Bits::ONBOARDING);
            if !occupies {
                self.becomes_free(endpoint);
            }
            if onboarding && self.cache.live && !occupies {
                self.cache.onboarding.insert(endpoint);
            }
        }
        if event == Event::Attached {
            let leader = self.member(id, member).and_then(|at| self.leader(at));
            let leader = leader.ok_or("no other rollout of its patch is under way there")?;
            self.attached.insert((endpoint, id, member), leader);
            if self.cache.live {
                // The order it is attached to may be one of which nothing will be heard any more.
                self.cache.tending.push((id, member));
            }
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
        let is_over = event == Event::StayedSilent || !to.is_open();
        if is_over && self.cache.live && !self.cache.stage_turns.is_empty() {
            // Nobody goes by it any more: they need content of their own.
            self.wake_stages(endpoint);
        }
        self.after_operation(at, (id, member), [from, to]);
        if let Some(before) = health {
            self.group_changed(endpoint, [from, to], before);
        }
        if taken.is_ne() && self.cache.live && self.cache.budgets.is_counting() {
            self.count_place(endpoint, taken.is_gt());
        }
        if to == Phase::Draining || (event == Event::Ordered && from != Phase::Draining) {
            self.starts.note(self.starts_max(), at);
        }
        // Whoever goes on beyond its first deadline is rare; whoever ends while nobody does costs one comparison.
        if matches!(from, Phase::Running | Phase::Silent)
            && (matches!(to, Phase::Running | Phase::Silent) || !self.patience.is_empty())
        {
            self.note_progress(id, member, [from, to], old_due);
        }
        if to == Phase::Verified && from.tally().occupies {
            self.note_quiet(at, endpoint, quiet_secs);
        }
        if event == Event::RebootOrdered {
            self.reboots.note(endpoint, self.secs(at));
        }
        self.note_undrained((id, member), event, [from, to]);
        // A drill holds nothing away: nothing was wrong.
        if to == Phase::RolledBack && !self.drilling.contains_key(&(id, member)) {
            self.hold_version(candidate, endpoint);
        }
        if from == Phase::NeedsOperator || to == Phase::Removed {
            self.moved_on(id, member, from, to);
        }
        if staged_first {
            self.moves_with_content(id, member, event, to);
        }
        if bundled && self.cache.live {
            self.wake_mates(id, endpoint);
        }
        if self.cache.live && from == Phase::Waiting && to.occupies() {
            self.wake_twins(id, candidate, endpoint);
        }
        if let Some(resync) = &mut self.resync {
            resync.open.remove(&(id, member));
        }
        Ok(())
    }

    /// A hold is about a version: under other content, which may have been published meanwhile, it stays away as well.
    fn hold_version(&mut self, candidate: CandidateId, endpoint: EndpointIx) {
        let Some(held) = self.candidates.get(candidate.index()).map(|entry| entry.target.clone()) else {
            return;
        };
        let same = (0..).zip(&self.candidates).filter(|(_, entry)| entry.target == held);
        self.holds.extend(same.map(|(i, _)| (CandidateId(i), endpoint)));
    }

    /// Lets those look again who wait for a budget in another rollout of the same patch: they attach to the order.
    fn wake_twins(&mut self, id: RolloutId, candidate: CandidateId, endpoint: EndpointIx) {
        let Some(entry) = self.candidates.get(candidate.index()).filter(|it| it.deployments.len() > 1) else {
            return;
        };
        for other in entry.deployments.clone().into_iter().filter(|other| *other != id) {
            let Some(rollout) = self.rollouts.get_mut(other.index()) else { continue };
            let twin = rollout.member_of(endpoint);
            let at = twin.and_then(|ix| Some((ix, rollout.members.get(ix.index())?)));
            if let Some((ix, _)) = at.filter(|(_, m)| m.phase == Phase::Waiting && m.ring <= rollout.ring) {
                rollout.queue.again.insert(ix);
                self.put_on_agenda(other);
            }
        }
    }
}
